//! How chains may be used.

use countersign_forge::domain;
use countersign_protocol::{
    capability::Rights,
    digest::ChainId,
    domain::{Actor, EventKind, Intent, InvocationEnded, InvocationOutcome},
    id::InvocationId,
    name::InstanceId,
    time::Timestamp,
    token::{Proof, Via},
};

use super::{
    Asked, Model, Status, Use,
    verdict::{
        SKEW_MS,
        Verdict::{self, Happens, Known, Refused},
        after, known_terms, must, outcome, peek,
    },
};
use crate::invariant::Invariant::{Budget, Consent, Doubt, Holder, Revocation};

/// How long results are remembered, in milliseconds.
const RETENTION_MS: u64 = 600_000;
/// How long a proof lives at most, in milliseconds.
const PROOF_MS: u64 = 60_000;

impl Model {
    pub(super) fn judge_intent(&self, intent: &Intent, now: Timestamp) -> Result<Verdict, Verdict> {
        let proof: Proof = peek(&intent.proof)?;
        must(Holder, intent.invocation_id == proof.invocation_id, "of another invocation")?;
        let path: Vec<ChainId> = self.path(proof.chain_id).map(|(id, _)| id).collect();
        must(Holder, intent.chain.iter().rev().eq(&path), "another chain")?;
        let member = self.members.get(&proof.caller).ok_or(Refused(Doubt, "nobody of that name"))?;
        let actor = Actor { instance: proof.caller.clone(), spki: member.spki };
        let verdict = self.judge_use(&proof, &actor, Some(&intent.callee), now);
        let per_call = self.links.get(&proof.chain_id).map(|link| link.rights.budget.per_call);
        must(Budget, per_call == Some(intent.reserved), "another reserve")?;
        Ok(verdict)
    }

    /// Judges a use whose request the proof is for; whether the chain allows it, the caller knows.
    pub fn judge_use(
        &self,
        proof: &Proof,
        actor: &Actor,
        callee: Option<&InstanceId>,
        now: Timestamp,
    ) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let link = self.links.get(&proof.chain_id).ok_or(Refused(Consent, "no such chain"))?;
            must(
                Holder,
                proof.caller == actor.instance && link.holder == actor.instance,
                "it does not hold it",
            )?;
            must(Holder, proof.via != Via::Direct && proof.channel == actor.spki, "another channel")?;
            must(
                Consent,
                proof.domain == domain() && proof.activation_leaf == link.leaf,
                "another activation",
            )?;
            known_terms(&proof.extensions)?;
            must(Holder, proof.issued < proof.expires && proof.issued <= after(now, SKEW_MS), "its times")?;
            must(
                Holder,
                proof.expires.since(proof.issued).as_millis() <= PROOF_MS && now < proof.expires,
                "its times",
            )?;
            let valid = |rights: &Rights| {
                rights.not_before <= now && now < rights.not_after && rights.audiences.has(&proof.callee)
            };
            must(
                Holder,
                self.path(proof.chain_id).all(|(_, link)| valid(&link.rights)),
                "a link is not valid",
            )?;
            must(Holder, !self.nonces.contains_key(&(proof.caller.clone(), proof.nonce)), "it was used")?;
            must(
                Revocation,
                self.path(proof.chain_id).all(|(_, it)| it.status != Status::Revoked),
                "it is revoked",
            )?;
            if let Some(known) = self.remembered(&proof.invocation_id) {
                let same = known.asked == Asked::of(proof)
                    && known.caller == proof.caller
                    && known.chain == proof.chain_id;
                return if same {
                    Ok(Known)
                } else {
                    Err(Refused(Holder, "the id stands for something else"))
                };
            }
            must(
                Revocation,
                self.path(proof.chain_id).all(|(_, it)| it.status != Status::Suspended),
                "it is suspended",
            )?;
            must(Holder, self.in_force(proof.chain_id, now), "a link is not in force")?;
            let made = proof.invocation_id.time().ok_or(Refused(Holder, "an id of no time"))?;
            must(
                Holder,
                made <= after(now, SKEW_MS) && now < after(made, RETENTION_MS),
                "an id of another time",
            )?;
            let ready = |it: &InstanceId| *it.principal() == proof.callee && self.is_live(it, now);
            must(Doubt, callee.is_some_and(ready), "nobody to do it")?;
            let per_call = link.rights.budget.per_call.get();
            must(Budget, self.windows_allow(proof.chain_id, per_call, now), "the window is full")?;
            must(Budget, per_call <= self.available(proof.chain_id), "the budget is used up")?;
            Ok(Happens(EventKind::Intent))
        })())
    }

    /// An invocation that is not forgotten.
    pub fn remembered(&self, id: &InvocationId) -> Option<&Use> {
        self.uses.get(id).filter(|it| self.now.is_none_or(|now| it.forget.is_none_or(|at| now < at)))
    }

    pub(super) fn judge_end(&self, event: &InvocationEnded) -> Result<Verdict, Verdict> {
        let known = self.uses.get(&event.invocation_id).ok_or(Refused(Budget, "no such invocation"))?;
        must(Budget, known.end.is_none(), "it has ended")?;
        let (settled, receipt) = (event.settled.get(), event.receipt.is_some());
        let fits = match event.outcome {
            InvocationOutcome::Receipted => settled <= known.reserved && receipt,
            InvocationOutcome::Cancelled => settled == 0 && !receipt,
            InvocationOutcome::Unknown => settled == known.reserved && !receipt,
            InvocationOutcome::InSession => false,
        };
        must(Budget, fits, "another cost")?;
        Ok(Happens(EventKind::InvocationEnded))
    }
}

impl Asked {
    pub(super) fn of(proof: &Proof) -> Self {
        Self {
            callee: proof.callee.clone(),
            action: proof.action.to_string(),
            resource: proof.resource.to_string(),
            arguments: proof.arguments,
            via: proof.via,
        }
    }
}
