//! Deciding again: what must a conforming broker have recorded, given what the ledger holds?

use crate::{
    contract::{ChangeRequest, RebindConsent, RebindRequest, Side},
    digest::{ChainId, Digest},
    domain::{
        Actor, Attested, ChainRebound, Changed, Context, Decision, End, EndCause, Event, GrantIssued,
        GrantRule, Intent, InvocationEnded, InvocationOutcome, JoinTokenIssued, KeysRotated,
        NegotiationEnded, Policy, RebindAsked, Rebinding, Revoked, SessionIntent, SessionOpened, State,
        Wanted, WantedSession,
    },
    grant::GrantRequest,
    key::{PublicKey, SigningKey},
    limits::GRANT_MAX_MS,
    name::{InstanceId, PrincipalId},
    negotiation::Move,
    receipt::OpenedReceipt,
    refusal::Refusal,
    revocation::RevokeRequest,
    session::{SessionHead, SessionOpening},
    signed::{Signed, Statement},
    stream::{OpenedHead, StreamHeads},
    time::{Lifetime, Timestamp},
    token::{ActiveToken, Proof, UnverifiedToken, Via},
    trust::KeySet,
};

/// The events of a decision, or why there was none to make.
pub(super) type Verdict = Result<Vec<Event>, String>;

/// The moment of one decision, to be made a second time.
#[derive(Clone, Copy)]
pub(super) struct Again<'a> {
    pub(super) state: &'a State,
    pub(super) keys: &'a KeySet,
    pub(super) now: Timestamp,
}

impl Again<'_> {
    /// The events of the decision that this one begins.
    pub(super) fn decide(self, event: &Event) -> Verdict {
        let state = self.state;
        match event {
            Event::KeysPublished(event) if !self.keys.continues(&event.keys) => {
                Err("it publishes other keys than those pinned".into())
            }
            Event::KeysPublished(event) => {
                self.with(policy(), |context| state.decide_keys(context, &event.keys))
            }
            Event::KeysRotated(event) => self.rotation(event),
            Event::JoinTokenIssued(event) => self.join_token(event),
            Event::InstanceAdmitted(event) => {
                let record = &event.statement;
                let (attestor, evidence) = (record.attestor.clone(), record.evidence);
                let attested = Attested { attestor, evidence, spki: record.spki };
                let policy = certifying(record.expires.since(self.now));
                self.with(policy, |context| state.decide_join(context, &event.join, &attested))
            }
            Event::InstanceRenewed(event) => {
                let policy = certifying(event.statement.expires.since(self.now));
                self.renew(&event.statement.instance, &event.renewal, policy)
            }
            Event::InstanceForked(event) => self.renew(&event.instance, &event.renewal, policy()),
            Event::GrantIssued(event) => self.grant(event),
            Event::Moved(event) => self.order(&event.signed_move),
            Event::ContractFinalized(_) => Err("no accept before it leads to it".into()),
            Event::NegotiationEnded(NegotiationEnded {
                cause: EndCause::Equivocation,
                evidence: Some(signed),
                ..
            }) => self.order(signed),
            Event::NegotiationEnded(_) | Event::ChainClosed(_) => self.due(event),
            Event::Revoked(event) => self.revoke(event),
            Event::Changed(event) => self.change(event),
            Event::RebindAsked(event) => self.ask_to_rebind(event),
            Event::ChainRebound(event) => self.rebind(event),
            Event::Intent(event) => self.intent(event),
            Event::InvocationEnded(event) => self.end(event),
            Event::SessionOpened(event) => self.open_session(event),
            Event::SessionAnswered(event) => self.with(policy(), |context| {
                state.decide_session_answer(context, event.session_id, &event.answer)
            }),
            Event::SessionIntent(event) => self.intent_in_session(event),
            Event::SessionPassed(event) => {
                self.with(policy(), |context| state.decide_passed(context, event.clone()))
            }
            Event::SessionResulted(event) => self.with(policy(), |context| {
                state.decide_session_result(context, event.session_id, &event.result)
            }),
            Event::SessionSigned(event) => {
                let head: SessionHead = peek(&event.head)?;
                let (id, side) = (head.session_id, head.side);
                self.with(policy(), |context| state.decide_session_head(context, id, side, &event.head))
            }
            Event::SessionEnded(event) => self
                .with(policy(), |context| state.decide_end_session(context, event.session_id, event.cause)),
            Event::Denied(denied) => self.actor(&denied.caller).map(|_| vec![event.clone()]),
        }
    }

    /// Who acted as an admin, if one had to.
    pub(super) fn admin(self, event: &Event) -> Option<PrincipalId> {
        match event {
            Event::JoinTokenIssued(event) => event.issued_by.as_ref().map(|by| by.principal().clone()),
            Event::Revoked(event) => {
                let request: RevokeRequest = event.request.peek_unverified().ok()?;
                let alone = self.revoke_under(&request, &event.request, policy());
                alone.is_err().then(|| request.sender.principal().clone())
            }
            Event::Changed(event) => {
                let request: ChangeRequest = event.request.peek_unverified().ok()?;
                (request.side == Side::Admin).then(|| request.sender.principal().clone())
            }
            _ => None,
        }
    }

    /// Decides at that time. An audit holds none of the domain's keys; what is made with the capability
    /// key is verified and not made again.
    fn with(self, policy: Policy, decide: impl FnOnce(&Context<'_>) -> Decision) -> Verdict {
        let none = SigningKey::from_seed(&[0; 32]);
        let domain = self.keys.domain();
        let context =
            Context { now: self.now, policy: &policy, capability_key: (0, &none), rebind_key: &none, domain };
        decide(&context).map_err(refused)
    }

    /// What is pinned may be older than the rotation, or newer, and must agree with it.
    fn rotation(self, event: &KeysRotated) -> Verdict {
        let events = self.with(policy(), |context| self.state.decide_rotation(context, &event.rotation))?;
        let next = self.next(event);
        let known = next.as_ref().is_some_and(|next| self.keys.continues(next));
        let origin = next.as_ref().map(KeySet::origin);
        if !known && origin.is_some_and(|origin| origin != self.keys.origin()) {
            return Err("the ledger goes on from a backup, whose keys are not those pinned".into());
        }
        let agrees = known || next.is_some_and(|next| next.continues(self.keys));
        if agrees { Ok(events) } else { Err("it rotates to other keys than those pinned".into()) }
    }

    /// The keys to go on with, where a rotation leads beyond those that are known.
    pub(super) fn next_keys(self, event: &Event) -> Option<KeySet> {
        let Event::KeysRotated(event) = event else { return None };
        self.next(event).filter(|next| next.continues(self.keys))
    }

    fn next(self, event: &KeysRotated) -> Option<KeySet> {
        Some(self.state.keys()?.follow(&event.rotation).ok()?.0)
    }

    fn actor(self, instance: &InstanceId) -> Result<Actor, String> {
        let known = self.state.instance(instance).ok_or_else(|| format!("{instance} is unknown"))?;
        Ok(Actor { instance: instance.clone(), spki: known.statement.spki })
    }

    fn join_token(self, event: &JoinTokenIssued) -> Verdict {
        let issuer = event.issued_by.as_ref().map(|by| self.actor(by)).transpose()?;
        let policy = Policy { admins: self.admins(event.issued_by.as_ref()), ..policy() };
        let (secret, principal, expires) = (event.secret, &event.principal, event.expires);
        self.with(policy, |context| {
            self.state.decide_join_token(context, issuer.as_ref(), secret, principal, expires)
        })
    }

    fn admins(self, acted: Option<&InstanceId>) -> Vec<PrincipalId> {
        acted.map(|by| by.principal().clone()).into_iter().collect()
    }

    fn renew(self, instance: &InstanceId, renewal: &Signed, policy: Policy) -> Verdict {
        let actor = self.actor(instance)?;
        self.with(policy, |context| self.state.decide_renew(context, &actor, renewal))
    }

    /// The rule that allowed a grant is the operator's; an audit takes one that allows just this.
    fn grant(self, event: &GrantIssued) -> Verdict {
        let request: GrantRequest = peek(&event.request)?;
        let actor = self.actor(&request.originator)?;
        let rule = GrantRule {
            originator: request.originator.principal().clone(),
            principal: request.holder.principal().clone(),
            rights: request.rights,
            lifetime: Lifetime::from_millis(GRANT_MAX_MS),
            digest: event.rule,
        };
        let policy = Policy { grant_rules: vec![rule], ..policy() };
        let token = UnverifiedToken::from_bytes(event.token.clone());
        let token = token.verify(self.keys).map_err(refused)?;
        token.check_granted_at(self.state.tree().size().next_leaf()).map_err(refused)?;
        self.with(policy, |context| {
            let asked = self.state.decide_terms(context, &actor, &event.request)?;
            let asked = asked.map(|(terms, _)| terms.chain_id());
            let same = asked == Some(token.chain_id()) && asked == Some(event.chain_id);
            Ok(if same { vec![Event::GrantIssued(event.clone())] } else { Vec::new() })
        })
    }

    fn order(self, signed: &Signed) -> Verdict {
        let made: Move = peek(signed)?;
        let actor = self.actor(&made.sender)?;
        self.with(policy(), |context| self.state.decide_move(context, &actor, signed))
    }

    /// One of those that end by themselves at that time.
    fn due(self, event: &Event) -> Verdict {
        let due = self.with(policy(), |context| self.state.decide_tick(context))?;
        if due.contains(event) { Ok(vec![event.clone()]) } else { Err("its time had not come".into()) }
    }

    fn revoke(self, event: &Revoked) -> Verdict {
        let request: RevokeRequest = peek(&event.request)?;
        let policy = Policy { admins: self.admins(Some(&request.sender)), ..policy() };
        self.revoke_under(&request, &event.request, policy)
    }

    fn revoke_under(self, request: &RevokeRequest, signed: &Signed, policy: Policy) -> Verdict {
        let actor = self.actor(&request.sender)?;
        self.with(policy, |context| self.state.decide_revoke(context, &actor, signed))
    }

    fn change(self, event: &Changed) -> Verdict {
        let request: ChangeRequest = peek(&event.request)?;
        let actor = self.actor(&request.sender)?;
        let policy = Policy { admins: self.admins(Some(&request.sender)), ..policy() };
        self.with(policy, |context| self.state.decide_change(context, &actor, &event.request))
    }

    fn ask_to_rebind(self, event: &RebindAsked) -> Verdict {
        let request: RebindRequest = peek(&event.request)?;
        let actor = self.actor(&request.sender)?;
        self.with(policy(), |context| self.state.decide_rebind(context, &actor, &event.request))
    }

    /// What the domain's key signed is verified, and held against what was to be signed.
    fn rebind(self, event: &ChainRebound) -> Verdict {
        let token = UnverifiedToken::from_bytes(event.token.clone()).verify(self.keys).map_err(refused)?;
        token.check_rebound_at(self.state.tree().size().next_leaf()).map_err(refused)?;
        let rebound = token.leaf().rebound.as_ref().ok_or("its token ends with no rebind")?;
        let request: RebindRequest = peek(&event.request)?;
        let consent = rebound.terms.consent.as_ref();
        let by = match consent {
            Some(consent) => peek::<RebindConsent>(consent)?.sender,
            None => request.sender,
        };
        let actor = self.actor(&by)?;
        let hop = self.state.chain(&request.chain).map(|chain| chain.hop(request.chain));
        let same_chain = hop == Some(rebound.hop) && event.chain_id == token.chain_id();
        self.with(policy(), |context| {
            let decided = match consent {
                Some(consent) => self.state.consenting(context, &actor, consent)?,
                None => self.state.rebinding(context, &actor, &event.request)?,
            };
            let same = matches!(&decided, Rebinding::Takes { request, terms, .. }
                if same_chain && *request == event.request && **terms == rebound.terms);
            Ok(if same { vec![Event::ChainRebound(event.clone())] } else { Vec::new() })
        })
    }

    fn intent(self, event: &Intent) -> Verdict {
        let proof: Proof = peek(&event.proof)?;
        let actor = self.actor(&proof.caller)?;
        let active = self.active(proof.chain_id)?;
        let recorded = active.recheck(&event.proof, self.now).map_err(refused)?;
        let chain: Vec<_> = active.token().links().map(|link| link.chain_id).collect();
        let (signed, callee) = (&event.proof, Some(&event.callee));
        // Which of the ways through the broker it came is in nothing but the proof.
        let via = if recorded.proof.via == Via::Stream { Via::Stream } else { Via::Broker };
        let wanted = Wanted { proof: &recorded.proof, chain: &chain, signed, via, callee };
        let policy = Policy { digest: event.policy, ..policy() };
        self.with(policy, |context| self.state.decide_wanted(context, &actor, &wanted))
    }

    fn active(self, id: ChainId) -> Result<ActiveToken, String> {
        let chain = self.state.chain(&id).ok_or("its chain is unknown")?;
        let activation = self.state.activation(id).ok_or("its chain is unknown")?;
        let token = UnverifiedToken::from_bytes(chain.token.clone()).verify(self.keys);
        token.and_then(|token| ActiveToken::new(token, activation)).map_err(refused)
    }

    fn open_session(self, event: &SessionOpened) -> Verdict {
        let opening: SessionOpening = peek(&event.opening)?;
        let actor = self.actor(&opening.caller)?;
        let active = self.active(opening.chain_id)?;
        let permit = active.permit_session(&event.opening, self.now).map_err(refused)?;
        let wanted = WantedSession {
            opening: permit.opening(),
            chain: permit.chain(),
            signed: &event.opening,
            callee: Some(&event.callee),
        };
        let policy = Policy { digest: event.policy, ..policy() };
        self.with(policy, |context| self.state.decide_wanted_session(context, &actor, &wanted))
    }

    fn intent_in_session(self, event: &SessionIntent) -> Verdict {
        let session = self.state.session(&event.session_id).ok_or("its session is unknown")?;
        let active = self.active(session.chain)?;
        let callee = session.callee.principal();
        active.recheck_request(callee, &event.request, self.now).map_err(refused)?;
        let policy = Policy { digest: event.policy, ..policy() };
        self.with(policy, |context| {
            self.state.decide_wanted_request(context, event.session_id, &event.request)
        })
    }

    fn end(self, event: &InvocationEnded) -> Verdict {
        let streamed = event.told.as_ref().map(|told| self.streamed(event, told)).transpose()?;
        let end = match (event.outcome, &event.receipt) {
            (InvocationOutcome::Receipted, Some(receipt)) => match &streamed {
                Some((opened, heads)) => End::Streamed(opened, heads),
                None => End::Receipt(receipt),
            },
            (InvocationOutcome::Cancelled, _) => End::Cancelled,
            (InvocationOutcome::Unknown, _) => End::Unknown,
            (InvocationOutcome::Receipted, None) => return Err("it has no receipt".into()),
            (InvocationOutcome::InSession, _) => return Err("a result in a session ends it by itself".into()),
        };
        self.with(policy(), |context| self.state.decide_end(context, event.invocation_id, &end))
    }

    /// The receipt of a stream and the heads that it ended with, by the keys of its two sides.
    fn streamed(
        self,
        event: &InvocationEnded,
        told: &Signed,
    ) -> Result<(OpenedReceipt, StreamHeads), String> {
        let invocation = self.state.invocation(&event.invocation_id).ok_or("it is unknown")?;
        let key = |instance| self.actor_key(instance);
        let (caller, callee) = (key(&invocation.caller)?, key(&invocation.callee)?);
        let open = |signed: &Signed, key| OpenedHead::open(signed.clone(), key).map_err(|e| e.to_string());
        let receipt = event.receipt.clone().ok_or("it has no receipt")?;
        let receipt = OpenedReceipt::open(receipt, callee).map_err(|error| error.to_string())?;
        let asked = event.asked.as_ref().map(|signed| open(signed, caller)).transpose()?;
        Ok((receipt, StreamHeads { asked, told: open(told, callee)? }))
    }

    fn actor_key(self, instance: &InstanceId) -> Result<PublicKey, String> {
        let known = self.state.instance(instance).ok_or_else(|| format!("{instance} is unknown"))?;
        Ok(known.statement.key)
    }
}

/// A policy under which nothing is allowed that is the operator's to allow.
fn policy() -> Policy {
    Policy {
        admins: Vec::new(),
        grant_rules: Vec::new(),
        svid_lifetime: Lifetime::from_millis(0),
        human_svid_lifetime: Lifetime::from_millis(0),
        digest: Digest::of(b""),
    }
}

/// A policy that gives every certificate that life, if the limits allow it.
fn certifying(life: Lifetime) -> Policy {
    Policy { svid_lifetime: life, human_svid_lifetime: life, ..policy() }
}

fn peek<T: Statement>(signed: &Signed) -> Result<T, String> {
    signed.peek_unverified().map_err(|error| format!("{error}"))
}

fn refused(refusal: Refusal) -> String {
    format!("a conforming broker refuses it: {refusal}")
}
