//! Permitting a use of a chain, and settling it.

use super::{Actor, Context, Decision};
use crate::{
    capability::Amount,
    contract,
    digest::ChainId,
    domain::{
        Balance, Chain, ChainClosed, Event, Instance, Intent, Invocation, InvocationEnded, InvocationOutcome,
        State, fingerprint,
    },
    id::InvocationId,
    key::PublicKey,
    ledger::LeafIndex,
    limits::{CLOCK_SKEW_MS, OPEN_INVOCATIONS_PER_INSTANCE, RESULT_RETENTION_MS},
    name::InstanceId,
    receipt::OpenedReceipt,
    refusal::{Reason, Refusal},
    require, require_some,
    session::Side,
    signed::{NotOpened, Signed},
    stream::{OpenedHead, StreamHeads},
    time::Lifetime,
    token::{Permit, Proof, Via},
};

/// A use that token, proof and walk allow.
#[derive(Debug)]
pub struct Begin<'a> {
    /// Made by [`ActiveToken::permit`](crate::token::ActiveToken::permit).
    pub permit: &'a Permit,
    /// The signed proof behind it.
    pub proof: &'a Signed,
    /// The instance that is ready for it, if one is. A retry needs none.
    pub callee: Option<&'a InstanceId>,
}

/// A use that was allowed as far as chain and request go.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) proof: &'a Proof,
    /// From the grant to the leaf.
    pub(crate) chain: &'a [ChainId],
    /// The proof as it was signed.
    pub(crate) signed: &'a Signed,
    /// The way on which it came.
    pub(crate) via: Via,
    pub(crate) callee: Option<&'a InstanceId>,
}

impl<'a> Begin<'a> {
    fn wanted(&self, via: Via) -> Wanted<'a> {
        let (proof, chain) = (self.permit.proof(), self.permit.chain());
        Wanted { proof, chain, signed: self.proof, via, callee: self.callee }
    }
}

/// How an invocation ended, as the shell saw it.
#[derive(Debug)]
pub enum End<'a> {
    /// The callee answered with a receipt, not yet verified.
    Receipt(&'a Signed),
    /// The callee answered with a receipt that is signed, by whomever.
    Opened(&'a OpenedReceipt),
    /// The callee ended a stream with such a receipt, and these heads were what both sides sent last.
    Streamed(&'a OpenedReceipt, &'a StreamHeads),
    /// It was never forwarded.
    Cancelled,
    /// It was forwarded and no valid receipt came.
    Unknown,
}

/// What a use takes of its account.
pub(super) struct Reserve {
    pub(super) amount: Amount,
    pub(super) before: Balance,
    pub(super) after: Balance,
    pub(super) previous: LeafIndex,
}

impl State {
    /// Decides what only the ledger knows: revocation, replay, retries and budget. The INTENT that it
    /// gives is the linearization point of the invocation.
    pub fn decide_begin(&self, context: &Context<'_>, actor: &Actor, begin: &Begin<'_>) -> Decision {
        self.decide_wanted(context, actor, &begin.wanted(Via::Broker))
    }

    /// The same for an invocation whose body and result come in chunks.
    pub fn decide_begin_stream(&self, context: &Context<'_>, actor: &Actor, begin: &Begin<'_>) -> Decision {
        self.decide_wanted(context, actor, &begin.wanted(Via::Stream))
    }

    /// The same for a use whose walk is behind it.
    pub(crate) fn decide_wanted(
        &self,
        context: &Context<'_>,
        actor: &Actor,
        wanted: &Wanted<'_>,
    ) -> Decision {
        self.check_clock(context.now)?;
        let caller = self.admitted(actor)?;
        let proof = wanted.proof;
        require!("CHN-012", proof.caller == actor.instance, Reason::ChannelMismatch);
        proof.check_channel(wanted.via, actor.spki)?;
        let replayed = self.nonces.contains_key(&(proof.caller.clone(), proof.nonce));
        require!("TOK-047", !replayed, Reason::ProofReplayed);
        // A nonce is forgotten when its proof expires, which the permit may have seen just before.
        require!("TOK-046", context.now < proof.expires, Reason::ProofExpired);
        self.check_not_revoked(wanted.chain)?;
        if let Some(known) = self.invocation(&proof.invocation_id) {
            let same = known.fingerprint == fingerprint(proof) && known.caller == actor.instance;
            require!("API-031", same, Reason::InvocationConflict);
            return Ok(Vec::new());
        }
        self.check_in_force(context, wanted.chain)?;
        check_id_time(context, proof.invocation_id)?;
        check_not_busy(caller)?;
        let ready =
            |callee: &&InstanceId| *callee.principal() == proof.callee && self.is_live(callee, context.now);
        let callee = require_some!("API-033", wanted.callee.filter(ready), Reason::CalleeUnavailable);
        self.intent(context, wanted, callee)
    }

    fn intent(&self, context: &Context<'_>, wanted: &Wanted<'_>, callee: &InstanceId) -> Decision {
        let proof = wanted.proof;
        let leaf = self.link(&proof.chain_id)?;
        let Reserve { amount, before, after, previous } = self.reserve(context, proof.chain_id)?;
        Ok(vec![Event::Intent(Intent {
            invocation_id: proof.invocation_id,
            proof: wanted.signed.clone(),
            chain: wanted.chain.to_vec(),
            originator: leaf.originator.clone(),
            callee: callee.clone(),
            seen_size: self.tree().size(),
            seen_root: self.tree().root(),
            policy: context.policy.digest,
            epoch: self.epoch(),
            reserved: amount,
            before,
            after,
            previous,
            approvals: Vec::new(),
        })])
    }

    /// What one use reserves: windows of all links and the account of the last one have room for it.
    pub(super) fn reserve(&self, context: &Context<'_>, chain: ChainId) -> Result<Reserve, Refusal> {
        let leaf = self.link(&chain)?;
        let amount = leaf.account.budget().per_call;
        for (_, link) in self.path(chain) {
            let room = link.account.window_allows(amount, context.now);
            require!("CTR-024", room, Reason::BudgetWindowExceeded, "The window of {}.", link.holder);
        }
        let after = require_some!(
            "CTR-021",
            leaf.account.reserve(amount),
            Reason::BudgetExceeded,
            "{amount} needed, {} available.",
            leaf.account.available()
        );
        let before = leaf.account.balance().clone();
        Ok(Reserve { amount, before, after, previous: leaf.account.last_leaf() })
    }

    /// Whether a use that token and proof allow would get its INTENT now. What depends on a proof or
    /// on a callee that is there is left out; nothing is reserved.
    pub fn would_begin(&self, context: &Context<'_>, id: ChainId) -> Result<(), Refusal> {
        self.check_clock(context.now)?;
        let leaf = self.link(&id)?;
        let mut chain: Vec<ChainId> = self.path(id).map(|(id, _)| id).collect();
        chain.reverse();
        self.check_in_force(context, &chain)?;
        self.instance(&leaf.holder).map_or(Ok(()), check_not_busy)?;
        self.reserve(context, id).map(drop)
    }

    pub(super) fn link(&self, id: &ChainId) -> Result<&Chain, Refusal> {
        Ok(require_some!("CHN-032", self.chain(id), Reason::NotActivated))
    }

    /// Every link is known to this ledger, and none was revoked.
    fn check_not_revoked(&self, chain: &[ChainId]) -> Result<(), Refusal> {
        for id in chain {
            require!("CHN-030", self.link(id)?.state != contract::State::Revoked, Reason::Revoked);
        }
        Ok(())
    }

    /// Every link, from the grant to the leaf, is in force.
    pub fn check_in_force(&self, context: &Context<'_>, chain: &[ChainId]) -> Result<(), Refusal> {
        self.check_not_revoked(chain)?;
        for link in chain.iter().filter_map(|id| self.chain(id)) {
            let state = link.state;
            let suspended = state == contract::State::Suspended;
            require!("CHN-053", !suspended, Reason::ContractSuspended, "The link of {}.", link.holder);
            let in_force = state == contract::State::Active && context.now < link.rights.not_after;
            require!("CHN-031", in_force, Reason::ContractNotActive, "A link is {}.", state.name());
        }
        Ok(())
    }

    /// Ends an invocation: its cost is settled, once, and a budget that is used up ends its chain.
    pub fn decide_end(&self, context: &Context<'_>, id: InvocationId, end: &End<'_>) -> Decision {
        self.check_clock(context.now)?;
        let invocation = require_some!("API-034", self.invocation(&id), Reason::NotFound);
        if invocation.ended.is_some() {
            return Ok(Vec::new());
        }
        let reserved = invocation.reserved;
        let (mut asked, mut told) = (None, None);
        let (outcome, receipt, settled) = match end {
            End::Receipt(signed) => {
                let opened = self.callee_key(invocation);
                let opened = opened.and_then(|key| OpenedReceipt::open((*signed).clone(), key));
                let opened = opened.map_err(not_its_receipt)?;
                let cost = self.check_receipt(context, id, invocation, &opened)?;
                check_not_streamed(invocation)?;
                (InvocationOutcome::Receipted, Some((*signed).clone()), cost)
            }
            End::Opened(opened) => {
                let cost = self.check_receipt(context, id, invocation, opened)?;
                check_not_streamed(invocation)?;
                (InvocationOutcome::Receipted, Some(opened.signed().clone()), cost)
            }
            End::Streamed(opened, heads) => {
                let cost = self.check_receipt(context, id, invocation, opened)?;
                self.check_heads(context, id, invocation, opened, heads)?;
                asked = heads.asked.as_ref().map(|asked| asked.signed().clone());
                told = Some(heads.told.signed().clone());
                (InvocationOutcome::Receipted, Some(opened.signed().clone()), cost)
            }
            End::Cancelled => (InvocationOutcome::Cancelled, None, Amount::ZERO),
            End::Unknown => (InvocationOutcome::Unknown, None, reserved),
        };
        let ended = InvocationEnded { invocation_id: id, outcome, receipt, settled, asked, told };
        Ok(std::iter::once(Event::InvocationEnded(ended))
            .chain(self.fulfilled(invocation, settled))
            .collect())
    }

    /// The end of a chain whose budget is used up by what one of its invocations settles.
    pub(super) fn fulfilled(&self, invocation: &Invocation, settled: Amount) -> Option<Event> {
        let chain = self.chain(&invocation.chain)?;
        let mut account = chain.account.clone();
        account.settle(invocation.reserved, settled, self.tree().size().next_leaf());
        let state = contract::State::Fulfilled;
        let used_up = account.is_exhausted() && !chain.state.is_terminal();
        used_up.then_some(Event::ChainClosed(ChainClosed { chain_id: invocation.chain, state }))
    }

    /// A receipt is the callee's own word about this invocation and its proof.
    fn check_receipt(
        &self,
        context: &Context<'_>,
        id: InvocationId,
        invocation: &Invocation,
        opened: &OpenedReceipt,
    ) -> Result<Amount, Refusal> {
        let fault = Reason::CalleeFault;
        let receipt = self.callee_key(invocation).and_then(|key| opened.by(key)).map_err(not_its_receipt)?;
        let alone = invocation.session.is_none();
        require!("API-041", alone, fault, "It is for a request of a session, which has a result.");
        require!("API-041", receipt.domain == *context.domain, fault, "It is for another domain.");
        require!("API-041", receipt.invocation_id == id, fault, "It is for another invocation.");
        require!("API-041", receipt.chain_id == invocation.chain, fault, "It is for another chain.");
        require!("API-041", receipt.proof == invocation.proof, fault, "It is for another proof.");
        require!("API-041", receipt.callee == invocation.callee, fault, "It is by another callee.");
        require!("API-042", receipt.cost <= invocation.reserved, fault, "It costs more than was reserved.");
        receipt.extensions.check()?;
        Ok(receipt.cost)
    }

    /// What a stream ended with are both sides' own words on it, and the receipt says what they say.
    fn check_heads(
        &self,
        context: &Context<'_>,
        id: InvocationId,
        invocation: &Invocation,
        opened: &OpenedReceipt,
        heads: &StreamHeads,
    ) -> Result<(), Refusal> {
        let fault = Reason::CalleeFault;
        require!("STR-040", invocation.via == Via::Stream, fault, "It is no stream.");
        let receipt = self.callee_key(invocation).and_then(|key| opened.by(key)).map_err(not_its_receipt)?;
        let known = |instance| self.instance(instance).map(|known| known.statement.key);
        let is_of = |head: &OpenedHead, side, instance| {
            known(instance).is_some_and(|key| head.is_of(context.domain, id, side, key))
        };
        let told = is_of(&heads.told, Side::Callee, &invocation.callee) && heads.told.is_last();
        require!("STR-041", told, fault, "Its callee did not sign for all that it sent.");
        let asked = heads.asked.as_ref().is_none_or(|head| is_of(head, Side::Caller, &invocation.caller));
        require!("STR-042", asked, fault, "Its caller did not sign for what was received.");
        let same = receipt.result == heads.account(&invocation.proof).digest();
        require!("STR-043", same, fault, "The receipt is for other chunks.");
        Ok(())
    }

    /// The key by which an invocation's receipt has to be signed.
    pub fn callee_key(&self, invocation: &Invocation) -> Result<PublicKey, NotOpened> {
        let callee = self.instance(&invocation.callee);
        callee.map(|callee| callee.statement.key).ok_or(NotOpened::Signers)
    }
}

/// A stream has more to show than a receipt.
fn check_not_streamed(invocation: &Invocation) -> Result<(), Refusal> {
    let whole = invocation.via != Via::Stream;
    require!("STR-044", whole, Reason::CalleeFault, "It is of a stream, without what was sent in it.");
    Ok(())
}

fn not_its_receipt(error: NotOpened) -> Refusal {
    Refusal::new("API-040", Reason::CalleeFault, format!("{error}."))
}

fn check_not_busy(caller: &Instance) -> Result<(), Refusal> {
    let busy = caller.invoking < OPEN_INVOCATIONS_PER_INSTANCE;
    require!("API-032", busy, Reason::Overloaded, "{} invocations are open.", caller.invoking);
    Ok(())
}

/// An id is remembered for as long as it could come again; one that is older could be a second run.
fn check_id_time(context: &Context<'_>, id: InvocationId) -> Result<(), Refusal> {
    let stale = Reason::InvocationIdStale;
    let made = require_some!("API-030", id.time(), stale);
    let ahead = context.now.plus(Lifetime::from_millis(CLOCK_SKEW_MS));
    let old = made.plus(Lifetime::from_millis(RESULT_RETENTION_MS));
    require!("API-030", made <= ahead && context.now < old, stale, "The id is of {made}.");
    Ok(())
}
