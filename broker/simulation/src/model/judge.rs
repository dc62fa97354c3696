//! What may happen.

use countersign_protocol::{
    contract::{self, ChangeRequest, RebindConsent, RebindRequest, hash_of},
    domain::{Actor, Attested, ChainClosed, ContractFinalized, EndCause, Event, EventKind, NegotiationEnded},
    grant::GrantRequest,
    identity::RenewStatement,
    name::InstanceId,
    negotiation::Move,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    time::Timestamp,
};

use super::{
    Model,
    verdict::{
        Check,
        Verdict::{self, Happens, Known, Refused},
        must, outcome, peek,
    },
};
use crate::{
    invariant::Invariant::{Budget, Consent, Doubt, Model as Rules, Record},
    stop::Violation,
};

impl Model {
    /// Whether an event may happen now.
    pub fn judge(&self, event: &Event, now: Timestamp) -> Result<(), Violation> {
        let verdict = match self.must_follow(event, now) {
            Ok(false) => self.verdict(event, now),
            Ok(true) => Happens(event.kind()),
            Err(refused) => refused,
        };
        let broken = |invariant, seen: String| Err(Violation { invariant, seen });
        match verdict {
            Happens(kind) if kind == event.kind() => Ok(()),
            Happens(kind) => broken(Rules, format!("{} was to happen", kind.name())),
            Known => broken(Rules, "it happened before".into()),
            Refused(sentence, why) => broken(sentence, why.into()),
        }
    }

    /// Whether the event is what has to follow the one before; a decision is recorded whole.
    fn must_follow(&self, event: &Event, now: Timestamp) -> Result<bool, Verdict> {
        must(Doubt, self.now.is_none_or(|last| last <= now), "time went back")?;
        if let Some(id) = self.accepted {
            let offer = self.talks.get(&id).and_then(|talk| talk.offer.as_ref());
            let follows = matches!(event, Event::ContractFinalized(ContractFinalized { negotiation_id, contract, .. })
                if *negotiation_id == id && offer.is_some_and(|offer| offer.hash == hash_of(&contract.payload)));
            must(Consent, follows, "an accept without the contract that was on offer")?;
        }
        if let Some(next) = self.awarded.first() {
            let follows = matches!(event, Event::NegotiationEnded(NegotiationEnded { negotiation_id, cause: EndCause::Awarded, .. })
                if negotiation_id == next);
            must(Consent, follows, "an award that leaves another open")?;
        }
        if let Some(chain) = self.exhausted {
            let follows = matches!(event, Event::ChainClosed(ChainClosed { chain_id, state })
                if *chain_id == chain && *state == contract::State::Fulfilled);
            must(Budget, follows, "a used up budget without the end of its chain")?;
        }
        Ok(self.accepted.is_some() || !self.awarded.is_empty() || self.exhausted.is_some())
    }

    fn verdict(&self, event: &Event, now: Timestamp) -> Verdict {
        let so = |checked: Check| outcome(checked.map(|()| Happens(event.kind())));
        match event {
            Event::KeysPublished(_) => so(must(Record, self.now.is_none(), "a second set of keys")),
            Event::KeysRotated(_) => so(must(Record, self.now.is_some(), "other keys before the first")),
            Event::JoinTokenIssued(event) => outcome(self.judge_invitation(event, now)),
            Event::InstanceAdmitted(event) => {
                let (record, spki) = (&event.statement, event.statement.spki);
                let (attestor, evidence) = (record.attestor.clone(), record.evidence);
                self.judge_join(&event.join, &Attested { attestor, evidence, spki }, now)
            }
            Event::InstanceRenewed(event) => self.judge_renewed(&event.renewal, now),
            Event::InstanceForked(event) => self.judge_renewed(&event.renewal, now),
            Event::GrantIssued(event) => self.judge_own(
                &event.request,
                |it: &GrantRequest| &it.originator,
                |by| self.judge_grant(&event.request, by, now),
            ),
            Event::Moved(event) => self.judge_moved(&event.signed_move, now),
            Event::NegotiationEnded(ended) => self.judge_ending(ended, now),
            Event::ContractFinalized(_) => Refused(Consent, "a contract without its accept"),
            Event::ChainClosed(closed) => {
                let link = self.links.get(&closed.chain_id).filter(|link| !link.status.has_ended());
                let over = link.is_some_and(|link| link.rights.not_after <= now);
                so(must(Rules, over && closed.state == contract::State::Expired, "its time is not over"))
            }
            Event::Revoked(event) => self.judge_own(
                &event.request,
                |it: &RevokeRequest| &it.sender,
                |by| self.judge_revocation(&event.request, by, now),
            ),
            Event::Changed(event) => self.judge_own(
                &event.request,
                |it: &ChangeRequest| &it.sender,
                |by| self.judge_change(&event.request, by, now),
            ),
            Event::RebindAsked(event) => self.judge_own(
                &event.request,
                |it: &RebindRequest| &it.sender,
                |by| self.judge_rebind(&event.request, by, now),
            ),
            Event::ChainRebound(event) => match super::rebind::consent_in(event) {
                Some(consent) => self.judge_own(
                    &consent,
                    |it: &RebindConsent| &it.sender,
                    |by| self.judge_consent(&consent, by, now),
                ),
                None => self.judge_own(
                    &event.request,
                    |it: &RebindRequest| &it.sender,
                    |by| self.judge_rebind(&event.request, by, now),
                ),
            },
            Event::Intent(event) => outcome(self.judge_intent(event, now)),
            Event::InvocationEnded(event) => outcome(self.judge_end(event)),
            Event::SessionOpened(_)
            | Event::SessionAnswered(_)
            | Event::SessionIntent(_)
            | Event::SessionPassed(_)
            | Event::SessionResulted(_)
            | Event::SessionSigned(_)
            | Event::SessionEnded(_) => outcome(self.judge_sitting(event, now)),
            Event::Denied(denied) => {
                so(must(Rules, self.members.contains_key(&denied.caller), "a stranger's denial"))
            }
        }
    }

    fn judge_ending(&self, ended: &NegotiationEnded, now: Timestamp) -> Verdict {
        match (&ended.cause, &ended.evidence) {
            (EndCause::Equivocation, Some(evidence)) => self.judge_moved(evidence, now),
            (EndCause::Equivocation, None) => Refused(Consent, "equivocation without evidence"),
            (EndCause::Awarded, _) => Refused(Consent, "an award that nobody made"),
            (EndCause::Deadline, _) => {
                let open = self.talks.get(&ended.negotiation_id).filter(|talk| !talk.is_over());
                let due = open.is_some_and(|talk| talk.deadline <= now);
                let kind = EventKind::NegotiationEnded;
                outcome(must(Rules, due, "its deadline has not passed").map(|()| Happens(kind)))
            }
        }
    }

    fn judge_moved(&self, signed: &Signed, now: Timestamp) -> Verdict {
        self.judge_own(signed, |it: &Move| &it.sender, |by| self.judge_move(signed, by, now))
    }

    fn judge_renewed(&self, signed: &Signed, now: Timestamp) -> Verdict {
        self.judge_own(signed, |it: &RenewStatement| &it.instance, |by| self.judge_renewal(signed, by, now))
    }

    /// Judges a statement as if its sender sent it over its own channel.
    fn judge_own<T: Statement>(
        &self,
        signed: &Signed,
        who: impl Fn(&T) -> &InstanceId,
        judge: impl FnOnce(&Actor) -> Verdict,
    ) -> Verdict {
        let claimed: T = match peek(signed) {
            Ok(claimed) => claimed,
            Err(refused) => return refused,
        };
        match self.members.get(who(&claimed)) {
            Some(member) => judge(&Actor { instance: who(&claimed).clone(), spki: member.spki }),
            None => Refused(Doubt, "nobody of that name"),
        }
    }
}
