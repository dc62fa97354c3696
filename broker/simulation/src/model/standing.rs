//! Who may come in, stay, grant and revoke.

use std::collections::BTreeSet;

use countersign_forge::{domain, principal};
use countersign_protocol::{
    capability::Rights,
    digest::ChainId,
    domain::{Actor, Attested, EventKind, JoinTokenIssued},
    grant::GrantRequest,
    identity::{JoinStatement, RenewStatement},
    name::InstanceId,
    revocation::RevokeRequest,
    signed::Signed,
    time::Timestamp,
};

use super::{
    Model, Standing,
    verdict::{
        Check,
        Verdict::{self, Happens, Known, Refused},
        after, is_fresh, known_terms, must, outcome, peek,
    },
};
use crate::{
    invariant::Invariant::{Authority, Bounds, Consent, Doubt, Holder, Model as Rules, Revocation},
    scope,
};

/// How long a join token lives at most, in milliseconds.
const INVITATION_MS: u64 = 86_400_000;

impl Model {
    /// Whether that channel is a live instance's.
    pub(super) fn admit(&self, actor: &Actor, now: Timestamp) -> Check {
        must(Doubt, self.now.is_none_or(|last| last <= now), "the clock is behind the ledger")?;
        let member = self.members.get(&actor.instance).ok_or(Refused(Doubt, "nobody of that name"))?;
        must(Revocation, member.standing == Standing::Live, "it was revoked or locked")?;
        must(Holder, member.spki == actor.spki, "another channel")
    }

    pub(super) fn judge_invitation(
        &self,
        event: &JoinTokenIssued,
        now: Timestamp,
    ) -> Result<Verdict, Verdict> {
        let by_admin = event.issued_by.as_ref().is_none_or(|by| {
            *by.principal() == principal("root")
                && self.members.get(by).is_some_and(|it| it.standing == Standing::Live)
        });
        must(Authority, by_admin, "not by an admin")?;
        must(Authority, event.principal != domain().broker(), "in the broker's own name")?;
        must(Bounds, now < event.expires && event.expires <= after(now, INVITATION_MS), "it lives too long")?;
        must(Holder, !self.tokens.contains_key(&event.secret), "the secret is known")?;
        Ok(Happens(EventKind::JoinTokenIssued))
    }

    /// Judges a join.
    pub fn judge_join(&self, join: &Signed, attested: &Attested, now: Timestamp) -> Verdict {
        outcome((|| {
            must(Doubt, self.now.is_none_or(|last| last <= now), "the clock is behind the ledger")?;
            let statement: JoinStatement = peek(join)?;
            known_terms(&statement.extensions)?;
            let token = self.tokens.get(&attested.evidence).ok_or(Refused(Doubt, "no such token"))?;
            must(
                Doubt,
                statement.domain == domain() && statement.evidence == attested.evidence,
                "other evidence",
            )?;
            must(Doubt, now < token.expires, "the token has expired")?;
            must(Holder, token.principal == *statement.instance.principal(), "for someone else")?;
            if let Some(used) = token.used_by {
                return if used == join.digest() {
                    Ok(Known)
                } else {
                    Err(Refused(Holder, "the token is used"))
                };
            }
            must(Doubt, is_fresh(statement.issued, now), "it is not fresh")?;
            must(Holder, !self.members.contains_key(&statement.instance), "the instance exists")?;
            must(Holder, statement.spki == attested.spki, "another channel")?;
            Ok(Happens(EventKind::InstanceAdmitted))
        })())
    }

    /// Judges a renewal.
    pub fn judge_renewal(&self, renewal: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let statement: RenewStatement = peek(renewal)?;
            let member = self.members.get(&actor.instance).ok_or(Refused(Doubt, "nobody of that name"))?;
            must(
                Consent,
                statement.instance == actor.instance && statement.domain == domain(),
                "of another one",
            )?;
            known_terms(&statement.extensions)?;
            if member.request == renewal.digest() {
                return Ok(Known);
            }
            must(Doubt, is_fresh(statement.issued, now), "it is not fresh")?;
            must(Holder, statement.spki == member.spki, "another channel")?;
            must(Consent, statement.configuration == member.configuration, "another configuration")?;
            must(Rules, statement.generation <= member.generation, "a generation to come")?;
            let forks = statement.generation < member.generation;
            Ok(Happens(if forks { EventKind::InstanceForked } else { EventKind::InstanceRenewed }))
        })())
    }

    /// Judges a grant.
    pub fn judge_grant(&self, signed: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let request: GrantRequest = peek(signed)?;
            must(
                Consent,
                request.originator == actor.instance && request.domain == domain(),
                "of another one",
            )?;
            known_terms(&request.extensions)?;
            if self.grant_exists(request.grant_id) {
                let same = self.links.values().any(|link| link.asked == signed.digest());
                return if same { Ok(Known) } else { Err(Refused(Consent, "the id is used")) };
            }
            must(Doubt, is_fresh(request.issued, now), "it is not fresh")?;
            must(Doubt, self.is_live(&request.holder, now), "its holder is gone")?;
            let rights = &request.rights;
            let rule = scope::widest();
            let bound = Rights {
                not_before: rights.not_before,
                not_after: rights.not_after,
                delegations_left: rule.delegations_left + 1,
                ..rule
            };
            let ruled = *request.originator.principal() == principal("alice")
                && ["planner", "dealer"].contains(&request.holder.principal().short());
            let life = rights.not_after.since(now).as_millis();
            must(Doubt, ruled && now < rights.not_after && life <= scope::GRANT_MS, "no rule allows it")?;
            must(Authority, scope::growth(&bound, rights).is_none(), "more than the rule")?;
            Ok(Happens(EventKind::GrantIssued))
        })())
    }

    /// Judges a revocation.
    pub fn judge_revocation(&self, signed: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let request: RevokeRequest = peek(signed)?;
            must(Consent, request.sender == actor.instance && request.domain == domain(), "of another one")?;
            known_terms(&request.extensions)?;
            if let Some((known, _)) = self.revocations.get(&request.request_id) {
                return if *known == signed.digest() {
                    Ok(Known)
                } else {
                    Err(Refused(Consent, "the id is used"))
                };
            }
            must(Doubt, is_fresh(request.issued, now), "it is not fresh")?;
            let admin = *actor.instance.principal() == principal("root");
            let ends = match (&request.chain, &request.instance) {
                (Some(chain), _) => {
                    let link = self.links.get(chain).ok_or(Refused(Consent, "no such chain"))?;
                    let above = self.path(*chain).any(|(_, it)| it.holder == actor.instance);
                    let answers = link.originator == *actor.instance.principal();
                    must(Consent, above || answers || admin, "it is not its own")?;
                    self.living_beneath(*chain).len()
                }
                (None, Some(instance)) => {
                    must(Doubt, self.members.contains_key(instance), "nobody of that name")?;
                    must(Consent, admin || *instance == actor.instance, "it is not its own")?;
                    self.ending_with(instance).len()
                }
                (None, None) => return Err(Refused(Doubt, "of nothing")),
            };
            must(Doubt, ends as u64 == request.chains, "another number ends")?;
            Ok(Happens(EventKind::Revoked))
        })())
    }

    /// What ends with an instance.
    pub fn ending_with(&self, instance: &InstanceId) -> BTreeSet<ChainId> {
        let held = self.links.iter().filter(|(_, link)| link.holder == *instance);
        held.flat_map(|(id, _)| self.living_beneath(*id)).collect()
    }
}
