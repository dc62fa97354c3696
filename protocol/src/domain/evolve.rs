//! `evolve`: what an event does to the state. It is total: it refuses nothing, since what is in the
//! ledger has happened.

use super::{
    account::Account,
    event::{ContractFinalized, Entry, Event, GrantIssued, Intent, InvocationEnded, InvocationOutcome},
    state::{Chain, Due, Forget, Instance, Invocation, JoinToken, Standing, State, Trace},
};
use crate::{
    capability::Amount,
    contract::{self, Acceptance, ContractBody},
    digest::{ChainId, Digest, TreeHash},
    grant::GrantRequest,
    id::{InvocationId, RequestId},
    identity::InstanceStatement,
    ledger::{LeafIndex, leaf_hash},
    limits::{CLOCK_SKEW_MS, RESULT_RETENTION_MS},
    name::InstanceId,
    payload::Payload,
    revocation::RevokeRequest,
    signed::Signed,
    time::{Lifetime, Timestamp},
    token::{ActivatedBy, Proof},
    trust::KeyRotation,
};

impl State {
    /// Applies the next entry of the ledger.
    ///
    /// Entries that a conforming broker never writes (a contract without its parent, an unreadable
    /// statement) change the tree and nothing else; an audit reports them.
    pub fn evolve(mut self, entry: &Entry) -> Self {
        let leaf = self.tree.size().next_leaf();
        self.tree.push(leaf_hash(&entry.to_bytes()));
        self.now = Some(entry.time);
        self.forget_before(entry.time);
        let _ = self.apply(&entry.event, leaf, entry.time);
        self
    }

    /// Counts a leaf that is no entry.
    pub(crate) fn pass_over(&mut self, leaf: TreeHash) {
        self.tree.push(leaf);
    }

    /// `None` where the entry refers to something that the ledger does not hold.
    fn apply(&mut self, event: &Event, leaf: LeafIndex, now: Timestamp) -> Option<()> {
        match event {
            Event::KeysPublished(event) => self.keys = Some((event.keys.clone(), leaf)),
            Event::KeysRotated(event) => {
                let rotation: KeyRotation = event.rotation.peek_unverified().ok()?;
                self.keys.as_mut()?.0 = rotation.keys;
                rotation.restored.is_some().then(|| self.restore(leaf));
            }
            Event::JoinTokenIssued(event) => {
                let token =
                    JoinToken { principal: event.principal.clone(), expires: event.expires, used_by: None };
                self.join_tokens.insert(event.secret, token);
                self.forget.insert((event.expires, Forget::JoinToken(event.secret)));
            }
            Event::InstanceAdmitted(event) => {
                let join = event.join.digest();
                let token = self.join_tokens.get_mut(&event.statement.evidence);
                token.into_iter().for_each(|token| token.used_by = Some(join));
                self.admit(&event.statement, join, leaf);
            }
            Event::InstanceRenewed(event) => {
                let instance = self.instances.get_mut(&event.statement.instance)?;
                instance.statement = event.statement.clone();
                (instance.request, instance.leaf) = (event.renewal.digest(), leaf);
            }
            Event::InstanceForked(event) => self.stop(&event.instance, Standing::Forked, leaf)?,
            Event::GrantIssued(event) => self.issue(event, leaf, now)?,
            Event::Moved(event) => self.moved(&event.signed_move, leaf, now)?,
            Event::ContractFinalized(event) => {
                self.negotiation(&event.negotiation_id)?;
                self.conclude(event, leaf, now)?;
                self.finalized(event.negotiation_id, event.chain_id, leaf)?;
            }
            Event::NegotiationEnded(event) => self.end_negotiation(event, leaf, now)?,
            Event::ChainClosed(event) => self.close(event.chain_id, event.state, leaf),
            Event::Revoked(event) => self.revoke(&event.request, leaf)?,
            Event::Changed(event) => self.change(&event.request, leaf)?,
            Event::RebindAsked(event) => self.ask_to_rebind(&event.request, leaf)?,
            Event::ChainRebound(event) => self.rebind(event, leaf, now)?,
            Event::Intent(event) => self.intend(event, leaf, now)?,
            Event::InvocationEnded(event) => self.end_invocation(event, leaf, now)?,
            Event::SessionOpened(event) => self.open_session(event, leaf)?,
            Event::SessionAnswered(event) => self.answer_session(event, leaf)?,
            Event::SessionIntent(event) => self.intend_in_session(event, leaf, now)?,
            Event::SessionPassed(event) => self.ask(event.session_id, &event.request, leaf, now).map(drop)?,
            Event::SessionResulted(event) => self.result_in_session(event, leaf, now)?,
            Event::SessionSigned(event) => self.sign_session(&event.head, leaf)?,
            Event::SessionEnded(event) => self.end_session(event.session_id, leaf, now)?,
            Event::Denied(_) => {}
        }
        Some(())
    }

    fn admit(&mut self, statement: &InstanceStatement, request: Digest, leaf: LeafIndex) {
        let instance = Instance {
            statement: statement.clone(),
            leaf,
            admitted: leaf,
            request,
            standing: Standing::Live,
            stopped: None,
            holds: Default::default(),
            negotiating: 0,
            negotiated: 0,
            invoking: 0,
            sessions: 0,
        };
        self.instances.insert(statement.instance.clone(), instance);
    }

    /// Ends an instance and everything that it holds.
    fn stop(&mut self, id: &InstanceId, standing: Standing, leaf: LeafIndex) -> Option<()> {
        let instance = self.instances.get_mut(id)?;
        (instance.standing, instance.stopped) = (standing, Some(leaf));
        let held: Vec<ChainId> = instance.holds.iter().copied().collect();
        self.epoch += 1;
        held.into_iter().for_each(|chain| self.revoke_subtree(chain, leaf));
        Some(())
    }

    fn issue(&mut self, event: &GrantIssued, leaf: LeafIndex, now: Timestamp) -> Option<()> {
        let request: GrantRequest = event.request.peek_unverified().ok()?;
        self.check_new(event.chain_id)?;
        let chain = Chain {
            parent: None,
            children: Default::default(),
            grantor: request.originator.clone(),
            holder: request.holder,
            account: Account::open(request.rights.budget.clone(), leaf),
            rights: request.rights,
            originator: request.originator.principal().clone(),
            grant_id: request.grant_id,
            contract: None,
            activated_by: ActivatedBy::Grant,
            subject: event.request.digest(),
            leaf,
            at: now,
            depth: 0,
            sessions: true,
            rebind: contract::Rebind::Never,
            rebound: None,
            asked: None,
            token: event.token.clone(),
            state: contract::State::Active,
            turns: Vec::new(),
            live: 0,
            suspended_by: Default::default(),
        };
        self.originated.entry(chain.originator.clone()).or_default().insert(event.chain_id);
        self.grants.insert(request.grant_id, event.chain_id);
        self.add_chain(event.chain_id, chain);
        Some(())
    }

    /// Makes a chain of a contract that both signed.
    fn conclude(&mut self, event: &ContractFinalized, leaf: LeafIndex, now: Timestamp) -> Option<()> {
        let (id, signed) = (event.chain_id, &event.contract);
        let body: ContractBody = signed.peek_unverified().ok()?;
        let hash = contract::hash_of(&signed.payload);
        self.check_new(id)?;
        self.chains.get(&body.parent)?;
        if let Some(replaced) = body.replaces {
            let replaced = self.contract(&replaced)?;
            self.end(replaced, contract::State::Superseded, leaf);
        }
        let parent = self.chains.get_mut(&body.parent)?;
        parent.children.insert(id);
        parent.account.delegate(body.rights.budget.ceiling, leaf);
        let chain = Chain {
            parent: Some(body.parent),
            children: Default::default(),
            grantor: body.grantor.instance,
            holder: body.grantee.instance,
            account: Account::open(body.rights.budget.clone(), leaf),
            rights: body.rights,
            originator: body.originator,
            grant_id: body.grant_id,
            contract: Some((body.contract_id, hash)),
            activated_by: ActivatedBy::Contract,
            subject: Digest::from_bytes(hash.to_array()),
            leaf,
            at: now,
            depth: body.depth,
            sessions: body.acceptance == Acceptance::SessionResult,
            rebind: body.rebind,
            rebound: None,
            asked: None,
            token: event.token.clone(),
            state: contract::State::Active,
            turns: Vec::new(),
            live: 0,
            suspended_by: Default::default(),
        };
        self.contracts.insert(body.contract_id, id);
        self.add_chain(id, chain);
        Some(())
    }

    /// A chain is named by all that was signed for it. A second one of that name could be its own ancestor,
    /// and whoever walks upwards would never arrive.
    pub(super) fn check_new(&self, id: ChainId) -> Option<()> {
        self.chain(&id).is_none().then_some(())
    }

    pub(super) fn add_chain(&mut self, id: ChainId, chain: Chain) {
        if let Some(holder) = self.instances.get_mut(&chain.holder) {
            holder.holds.insert(id);
        }
        self.due.insert((chain.rights.not_after, Due::Chain(id)));
        self.turns.insert((chain.leaf, id));
        self.chains.insert(id, chain);
        self.count_live(id, |live| live.saturating_add(1));
    }

    /// Changes the count of what is live in a link and in all above it.
    fn count_live(&mut self, id: ChainId, change: impl Fn(u64) -> u64) {
        let mut next = Some(id);
        while let Some(link) = next.and_then(|id| self.chains.get_mut(&id)) {
            link.live = change(link.live);
            next = link.parent;
        }
    }

    fn revoke(&mut self, request: &Signed, leaf: LeafIndex) -> Option<()> {
        let digest = request.digest();
        let request: RevokeRequest = request.peek_unverified().ok()?;
        self.remember_request(request.request_id, (digest, leaf), request.issued);
        match (&request.chain, &request.instance) {
            (_, Some(instance)) => self.stop(instance, Standing::Revoked, leaf)?,
            (Some(chain), None) => {
                self.epoch += 1;
                self.revoke_subtree(*chain, leaf);
            }
            (None, None) => {}
        }
        Some(())
    }

    /// Remembers a request for as long as it could come again: then TIM-005 refuses it.
    pub(super) fn remember_request(&mut self, id: RequestId, what: (Digest, LeafIndex), issued: Timestamp) {
        self.revocations.insert(id, what);
        let stale = issued.plus(Lifetime::from_millis(CLOCK_SKEW_MS + 1));
        self.forget.insert((stale, Forget::Revocation(id)));
    }

    fn revoke_subtree(&mut self, id: ChainId, leaf: LeafIndex) {
        // Children first: what they give up must reach the parent before it gives up the rest.
        let subtree = self.live_subtree(id);
        for id in subtree.into_iter().rev() {
            self.close(id, contract::State::Revoked, leaf);
        }
    }

    /// Ends a chain before its time, for that reason, and revokes what is beneath it.
    pub(super) fn end(&mut self, id: ChainId, state: contract::State, leaf: LeafIndex) {
        self.epoch += 1;
        let beneath = self.live_subtree(id).into_iter().filter(|beneath| *beneath != id);
        let beneath: Vec<ChainId> = beneath.collect();
        beneath.into_iter().rev().for_each(|id| self.close(id, contract::State::Revoked, leaf));
        self.close(id, state, leaf);
    }

    /// Ends a chain for good and releases what it has left.
    fn close(&mut self, id: ChainId, state: contract::State, leaf: LeafIndex) {
        let Some(chain) = self.chains.get_mut(&id).filter(|chain| !chain.state.is_terminal()) else { return };
        chain.suspended_by.clear();
        chain.asked = None;
        if !matches!(state, contract::State::Fulfilled | contract::State::Expired) {
            self.revoked.insert((leaf, id));
        }
        self.due.remove(&(chain.rights.not_after, Due::Chain(id)));
        self.turn(id, state, leaf);
        self.count_live(id, |live| live.saturating_sub(1));
        self.release(id, leaf);
    }

    /// From that leaf on the chain is in that state.
    pub(super) fn turn(&mut self, id: ChainId, state: contract::State, leaf: LeafIndex) {
        let Some(chain) = self.chains.get_mut(&id).filter(|chain| chain.state != state) else { return };
        chain.state = state;
        chain.turns.push((leaf, state));
        self.turns.insert((leaf, id));
    }

    /// Gives what an ended chain no longer needs back to its parent, and so on upwards.
    fn release(&mut self, id: ChainId, leaf: LeafIndex) {
        let mut next = Some(id);
        while let Some(chain) = next.and_then(|id| self.chains.get_mut(&id)) {
            if !chain.state.is_terminal() {
                return;
            }
            let given = chain.account.give_up();
            next = chain.parent;
            if let Some(parent) = next.and_then(|id| self.chains.get_mut(&id)) {
                parent.account.take_back(given, leaf);
            }
        }
    }

    fn intend(&mut self, event: &Intent, leaf: LeafIndex, now: Timestamp) -> Option<()> {
        let proof: Proof = event.proof.peek_unverified().ok()?;
        let callee = self.instance(&event.callee)?.admitted;
        let known = self.instance(&proof.caller).is_some() && event.chain.last() == Some(&proof.chain_id);
        if !known || event.chain.iter().any(|id| self.chain(id).is_none()) {
            return None;
        }
        self.nonces.insert((proof.caller.clone(), proof.nonce), proof.expires);
        self.forget.insert((proof.expires, Forget::Nonce(proof.caller.clone(), proof.nonce)));
        for id in &event.chain {
            self.chains.get_mut(id)?.account.use_window(event.reserved, now);
        }
        self.chains.get_mut(&proof.chain_id)?.account.set_balance(event.after.clone(), leaf);
        self.instances.get_mut(&proof.caller)?.invoking += 1;
        let trace =
            Trace { intent: leaf, ended: None, chain: proof.chain_id, callee, session: None, told: None };
        self.traces.insert(event.invocation_id, trace);
        let invocation = Invocation {
            fingerprint: super::fingerprint(&proof),
            proof: event.proof.digest(),
            via: proof.via,
            caller: proof.caller,
            callee: event.callee.clone(),
            chain: proof.chain_id,
            reserved: event.reserved,
            intent: leaf,
            ended: None,
            outcome: None,
            session: None,
        };
        self.invocations.insert(event.invocation_id, invocation);
        Some(())
    }

    fn end_invocation(&mut self, event: &InvocationEnded, leaf: LeafIndex, now: Timestamp) -> Option<()> {
        let outcome = (event.outcome, event.receipt.clone());
        self.conclude_invocation(event.invocation_id, outcome, event.settled, leaf, now)
    }

    /// Ends an invocation, once.
    pub(super) fn conclude_invocation(
        &mut self,
        id: InvocationId,
        outcome: (InvocationOutcome, Option<Signed>),
        settled: Amount,
        leaf: LeafIndex,
        now: Timestamp,
    ) -> Option<()> {
        let invocation = self.invocations.get_mut(&id)?;
        if invocation.ended.is_some() {
            return None;
        }
        invocation.ended = Some(leaf);
        self.traces.get_mut(&id)?.ended = Some(leaf);
        invocation.outcome = Some(outcome);
        let (chain, caller, reserved) = (invocation.chain, invocation.caller.clone(), invocation.reserved);
        // Not before the id itself is too old to be used again (API-030), and not before a caller
        // had the time to ask for the result.
        let from = id.time()?.max(now);
        let kept_until = from.plus(Lifetime::from_millis(RESULT_RETENTION_MS));
        self.forget.insert((kept_until, Forget::Invocation(id)));
        let caller = self.instances.get_mut(&caller)?;
        caller.invoking = caller.invoking.saturating_sub(1);
        self.chains.get_mut(&chain)?.account.settle(reserved, settled, leaf);
        self.release(chain, leaf);
        Some(())
    }

    /// Forgets what no decision from this time on can ask for.
    fn forget_before(&mut self, now: Timestamp) {
        while let Some((_, what)) = self.forget.first().filter(|(at, _)| *at <= now).cloned() {
            self.forget.pop_first();
            match what {
                Forget::Nonce(caller, nonce) => drop(self.nonces.remove(&(caller, nonce))),
                Forget::Invocation(id) => drop(self.invocations.remove(&id)),
                Forget::JoinToken(secret) => drop(self.join_tokens.remove(&secret)),
                Forget::Negotiation(id) => self.forget_negotiation(id),
                Forget::Revocation(id) => drop(self.revocations.remove(&id)),
                Forget::Session(id) => drop(self.sessions.remove(&id)),
            }
        }
    }
}
