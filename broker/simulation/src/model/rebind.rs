//! Who takes over what another process of its principal held.

use countersign_forge::domain;
use countersign_protocol::{
    contract::{Rebind, RebindConsent, RebindRequest},
    digest::ChainId,
    domain::{Actor, ChainRebound, EventKind},
    ledger::LeafIndex,
    signed::Signed,
    time::Timestamp,
    token::{RebindTerms, Stated, UnverifiedToken},
};

use super::{
    Link, Member, Model, Status,
    table::{CONTRACT, Cell},
    verdict::{
        Check,
        Verdict::{self, Happens, Known, Refused},
        after, is_fresh, known_terms, must, outcome, peek,
    },
};
use crate::invariant::Invariant::{Consent, Doubt, Holder, Revocation};

/// From when on a request is stale, in milliseconds.
const STALE_MS: u64 = 30_001;

/// What the last block of a rebind's token says.
fn terms_in(event: &ChainRebound) -> Option<RebindTerms> {
    let token = UnverifiedToken::from_bytes(event.token.clone());
    match token.peek_unverified().ok()?.1.pop()? {
        (_, Stated::Rebind(terms)) => Some(terms),
        (_, Stated::Hop(_)) => None,
    }
}

/// The grantor's consent in it.
pub(super) fn consent_in(event: &ChainRebound) -> Option<Signed> {
    terms_in(event)?.consent
}

impl Model {
    /// Judges who asks for a chain.
    pub fn judge_rebind(&self, signed: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let request: RebindRequest = peek(signed)?;
            must(Consent, request.sender == actor.instance && request.domain == domain(), "of another one")?;
            known_terms(&request.extensions)?;
            if let Some(known) = self.known_request(&request.request_id, signed) {
                return known;
            }
            must(Doubt, is_fresh(request.issued, now), "it is not fresh")?;
            must(Doubt, self.is_live(&actor.instance, now), "it has not renewed")?;
            let link = self.may_take_over(&request, now)?;
            Ok(Happens(match link.rebind {
                Rebind::GrantorConsent => EventKind::RebindAsked,
                Rebind::Domain | Rebind::Never => EventKind::ChainRebound,
            }))
        })())
    }

    /// Judges a grantor's consent.
    pub fn judge_consent(&self, signed: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let consent: RebindConsent = peek(signed)?;
            must(Consent, consent.sender == actor.instance && consent.domain == domain(), "of another one")?;
            known_terms(&consent.extensions)?;
            if let Some(known) = self.known_request(&consent.request_id, signed) {
                return known;
            }
            must(Doubt, is_fresh(consent.issued, now), "it is not fresh")?;
            let hop = |(id, link): (&ChainId, &Link)| {
                link.hop.unwrap_or(*id) == consent.hop && !link.status.has_ended()
            };
            let link = self.links.iter().find(|it| hop(*it)).map(|(_, link)| link);
            let link = link.ok_or(Refused(Consent, "no such chain"))?;
            must(Consent, link.parent.is_some() && link.grantor == actor.instance, "it is another's to say")?;
            let wanted = link.wanted.as_ref().ok_or(Refused(Consent, "nobody asked"))?;
            let request: RebindRequest = peek(wanted)?;
            let new = self.members.get(&request.sender).ok_or(Refused(Doubt, "nobody of that name"))?;
            let named = (&consent.holder.instance, consent.holder.key) == (&request.sender, new.key);
            must(Consent, named && consent.from == link.holder, "somebody else asked")?;
            must(Consent, consent.evidence == new.admitted.1, "on other evidence")?;
            must(Doubt, self.is_live(&request.sender, now), "who asked has not renewed")?;
            self.may_take_over(&request, now)?;
            Ok(Happens(EventKind::ChainRebound))
        })())
    }

    fn known_request(
        &self,
        id: &countersign_protocol::id::RequestId,
        signed: &Signed,
    ) -> Option<Result<Verdict, Verdict>> {
        let (known, _) = self.revocations.get(id)?;
        Some(if *known == signed.digest() { Ok(Known) } else { Err(Refused(Consent, "the id is used")) })
    }

    /// The link, if who asks for it may have it.
    fn may_take_over(&self, request: &RebindRequest, now: Timestamp) -> Result<&Link, Verdict> {
        let link = self.links.get(&request.chain).ok_or(Refused(Holder, "no such chain"))?;
        must(Holder, link.holder.principal() == request.sender.principal(), "it is of another principal")?;
        must(Consent, link.rebind != Rebind::Never, "nobody agreed to that")?;
        self.table_allows(request.chain, now)?;
        let member = |of: &countersign_protocol::name::InstanceId| {
            self.members.get(of).ok_or(Refused(Doubt, "nobody of that name"))
        };
        let (new, old) = (member(&request.sender)?, member(&link.holder)?);
        must(Revocation, self.is_newer(new, link), "it is no newer than the holder")?;
        must(Holder, new.configuration == old.configuration, "it is something else")?;
        let chains = self.living_beneath(request.chain).len() as u64;
        must(Doubt, chains == request.chains, "another number")?;
        Ok(link)
    }

    fn is_newer(&self, new: &Member, link: &Link) -> bool {
        let wanted = link.wanted.as_ref().and_then(|it| it.peek_unverified::<RebindRequest>().ok());
        let last = wanted.and_then(|it| self.members.get(&it.sender)).map(|it| it.admitted.0);
        new.admitted.0 > link.leaf && last.is_none_or(|last| new.admitted.0 >= last)
    }

    fn table_allows(&self, id: ChainId, now: Timestamp) -> Check {
        for (_, link) in self.path(id) {
            let moves = matches!(CONTRACT.cell(link.status.name(), "party.rebind"), Some(Cell::To(..)));
            must(Revocation, moves && now < link.rights.not_after, "a link of it is not in force")?;
        }
        Ok(())
    }

    pub(super) fn want(&mut self, signed: &Signed) {
        let request: RebindRequest = signed.peek_unverified().unwrap();
        self.revocations.insert(request.request_id, (signed.digest(), after(request.issued, STALE_MS)));
        self.links.entry(request.chain).and_modify(|link| link.wanted = Some(signed.clone()));
    }

    pub(super) fn take_over(&mut self, event: &ChainRebound, leaf: LeafIndex) {
        let signed = &event.request;
        let request: RebindRequest = signed.peek_unverified().unwrap();
        self.revocations.insert(request.request_id, (signed.digest(), after(request.issued, STALE_MS)));
        if let Some(signed) = consent_in(event) {
            let consent: RebindConsent = signed.peek_unverified().unwrap();
            self.revocations.insert(consent.request_id, (signed.digest(), after(consent.issued, STALE_MS)));
        }
        self.end_as(request.chain, Status::Rebound);
        let left = self.available(request.chain);
        let Some(old) = self.links.get(&request.chain) else { return };
        let link = Link {
            holder: request.sender,
            status: Status::Active,
            leaf,
            ceiling: left,
            hop: Some(old.hop.unwrap_or(request.chain)),
            before: Some(request.chain),
            ..old.clone()
        };
        self.links.insert(event.chain_id, link);
    }
}
