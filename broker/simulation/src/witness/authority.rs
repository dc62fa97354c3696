//! Authority only shrinks, and somebody answers for it.

use countersign_forge::principal;
use countersign_protocol::{
    contract::ContractBody,
    domain::{GrantIssued, Moved},
    grant::GrantRequest,
    negotiation::Move,
    time::Timestamp,
    token::{EvidenceKind, UnverifiedToken},
};

use super::Witness;
use crate::{
    invariant::Invariant::{Authority, Bounds, Revocation},
    model::{Standing, Status},
    scope,
    stop::{Flow, hold},
};

/// How many negotiations one instance may have open, and how many moves and hops there may be.
const OPEN: usize = 64;
const MOVES: usize = 21;
const HOPS: u32 = 16;

impl Witness {
    /// A grant has an originator, who signed for just this.
    pub(super) fn check_grant(&self, event: &GrantIssued) -> Flow {
        let request = event.request.peek_unverified::<GrantRequest>().ok();
        let claimed = UnverifiedToken::from_bytes(event.token.clone()).peek_unverified().ok();
        let evident = request.zip(claimed).is_some_and(|(request, (terms, hops))| {
            hops.is_empty()
                && terms.originator == *request.originator.principal()
                && (terms.evidence.kind, terms.evidence.digest)
                    == (EvidenceKind::Signed, event.request.digest())
                && (&terms.rights, &terms.holder.instance) == (&request.rights, &request.holder)
        });
        hold(Authority, evident, || "a grant that its originator did not ask for".into())
    }

    /// Whatever a contract allows, every link above allows, and the same originator answers for it.
    pub(super) fn check_growth(&self, body: &ContractBody) -> Flow {
        for (_, link) in self.model.path(body.parent) {
            let growth = scope::growth(&link.rights, &body.rights);
            hold(Authority, growth.is_none(), || {
                format!(
                    "{} goes beyond {}: {}",
                    body.grantee.instance,
                    link.holder,
                    growth.unwrap_or_default()
                )
            })?;
            let answers = link.originator == body.originator && link.grant_id == body.grant_id;
            hold(Authority, answers, || format!("{} does not answer for it", body.originator))?;
        }
        let root = self.model.path(body.parent).last().map(|(_, root)| root.originator.clone());
        hold(Authority, root == Some(principal("alice")), || "nobody answers for it".into())?;
        let twice = self
            .model
            .path(body.parent)
            .any(|(_, it)| it.holder.principal() == body.grantee.instance.principal());
        hold(Authority, !twice, || {
            format!("{} stands twice in one chain", body.grantee.instance.principal())
        })?;
        hold(Bounds, body.depth <= HOPS, || format!("a chain of {} hops", body.depth))
    }

    /// What is handed on is in force, and so is the hand.
    pub(super) fn check_parent(&self, body: &ContractBody, now: Timestamp) -> Flow {
        let revoked = self.model.path(body.parent).any(|(_, link)| link.status.was_ended());
        hold(Revocation, !revoked, || "a contract beneath what was revoked".into())?;
        let held_up = self.model.path(body.parent).any(|(_, link)| link.status == Status::Suspended);
        hold(Revocation, !held_up, || "a contract beneath what is suspended".into())?;
        let gone =
            [&body.grantor.instance, &body.grantee.instance].into_iter().find(|it| !self.is_standing(it));
        hold(Revocation, gone.is_none(), || format!("a contract of {gone:?}, which was revoked, at {now}"))
    }

    pub(super) fn is_standing(&self, instance: &countersign_protocol::name::InstanceId) -> bool {
        self.model.members.get(instance).is_some_and(|member| member.standing == Standing::Live)
    }

    /// A move is one of few, and not by somebody who was revoked.
    pub(super) fn check_bounds(&self, event: &Moved, now: Timestamp) -> Flow {
        let Ok(made) = event.signed_move.peek_unverified::<Move>() else { return Ok(()) };
        hold(Revocation, self.is_standing(&made.sender), || {
            format!("{} moves, and was revoked", made.sender)
        })?;
        let Some(talk) = self.model.talks.get(&made.negotiation_id) else {
            let open =
                self.model.talks.values().filter(|talk| talk.delegatee == made.sender && !talk.is_over());
            let open = open.count();
            hold(Bounds, open < OPEN, || format!("{} opens more than {OPEN} negotiations", made.sender))?;
            let lives = made
                .request
                .as_ref()
                .is_some_and(|it| it.deadline.since(now).as_millis() <= 3_600_000 && it.max_rounds <= 10);
            return hold(Bounds, lives, || "a negotiation that lasts too long".into());
        };
        hold(Bounds, talk.said.len() < MOVES && talk.round <= talk.max_rounds, || "endless moves".into())?;
        let uses_round = matches!(
            made.kind,
            countersign_protocol::negotiation::MoveKind::Counter
                | countersign_protocol::negotiation::MoveKind::Decline
        );
        hold(Bounds, !uses_round || talk.round < talk.max_rounds, || {
            format!("a round after the last of {}", talk.max_rounds)
        })
    }
}
