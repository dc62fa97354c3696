//! A chain is used by its holder, for just what it signed for.

use countersign_protocol::{
    domain::Intent,
    key::PublicKey,
    time::{Lifetime, Timestamp},
    token::{Proof, Via},
};

use super::{Intended, Witness};
use crate::{
    invariant::Invariant::{Authority, Consent, Holder, Revocation},
    model::Status,
    scope,
    stop::{Flow, hold},
};

impl Witness {
    pub(super) fn check_use(&self, intent: &Intent, now: Timestamp) -> Flow {
        let claimed = intent.proof.peek_unverified::<Proof>().ok();
        let link = claimed.as_ref().and_then(|proof| self.model.links.get(&proof.chain_id));
        hold(Consent, link.is_some(), || "a chain is used that was never activated".into())?;
        let (Some(proof), Some(link)) = (claimed, link) else { return Ok(()) };
        let key: Option<PublicKey> = self.model.members.get(&link.holder).map(|member| member.key);
        let signed = key.is_some_and(|key| intent.proof.open::<Proof>(&[key]).is_ok());
        hold(Holder, signed && proof.caller == link.holder, || {
            format!("{} did not sign this use", link.holder)
        })?;
        let spki = self.model.members.get(&proof.caller).map(|member| member.spki);
        hold(Holder, spki == Some(proof.channel) && proof.via != Via::Direct, || {
            "a proof for another channel".into()
        })?;
        let meant = self.intended.get(&intent.proof.digest());
        hold(Holder, meant.is_some_and(|meant| meant.is(&proof)), || {
            "a request that its holder did not mean".into()
        })?;
        self.check_time(&proof, now)?;
        let used = self.model.nonces.contains_key(&(proof.caller.clone(), proof.nonce));
        hold(Holder, !used, || "a proof that was used".into())?;
        let other = self.model.remembered(&proof.invocation_id).is_some();
        hold(Holder, !other, || "an invocation's id that was used".into())?;
        self.check_links(&proof, meant, now)?;
        let callee = intent.callee.principal() == &proof.callee;
        hold(Holder, callee, || format!("{} gets what is for {}", intent.callee, proof.callee))
    }

    fn check_time(&self, proof: &Proof, now: Timestamp) -> Flow {
        let ahead = now.plus(Lifetime::from_millis(30_000));
        let life = proof.expires.since(proof.issued).as_millis();
        let timely = proof.issued <= ahead && now < proof.expires && life <= 60_000;
        hold(Holder, timely, || {
            format!("a proof from {} to {}, used at {now}", proof.issued, proof.expires)
        })?;
        let made = proof.invocation_id.time();
        let young = made.is_some_and(|made| made <= ahead && now < made.plus(Lifetime::from_millis(600_000)));
        hold(Holder, young, || "an id of another time: it may have been used".into())
    }

    fn check_links(&self, proof: &Proof, meant: Option<&Intended>, now: Timestamp) -> Flow {
        let mut below: Option<bool> = None;
        for (_, link) in self.model.path(proof.chain_id) {
            hold(Revocation, !link.status.was_ended(), || format!("the link of {} was ended", link.holder))?;
            hold(Revocation, link.status != Status::Suspended, || {
                format!("the link of {} is suspended", link.holder)
            })?;
            let valid = link.rights.not_before <= now && now < link.rights.not_after;
            hold(Holder, valid && link.status == Status::Active, || {
                format!("the link of {} is not in force", link.holder)
            })?;
            hold(Holder, link.rights.audiences.has(&proof.callee), || {
                format!("{} is no audience", proof.callee)
            })?;
            let allowed = meant.is_none_or(|meant| scope::allows(&link.rights, &meant.request));
            hold(if below == Some(true) { Authority } else { Holder }, allowed, || {
                format!("the link of {} does not allow it", link.holder)
            })?;
            below = Some(allowed);
        }
        hold(Revocation, self.is_standing(&proof.caller), || format!("{} was revoked", proof.caller))
    }
}

impl Intended {
    /// Whether a proof is for just this.
    fn is(&self, proof: &Proof) -> bool {
        let request = &self.request;
        self.holder == proof.caller
            && (&request.callee, &request.action, &request.resource)
                == (&proof.callee, &proof.action, &proof.resource)
            && request.arguments.digest(&self.body) == proof.arguments
    }
}
