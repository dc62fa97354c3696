//! Taking over what is others', and consenting to what is others' to give.

use countersign_forge::{Agent, domain};
use countersign_protocol::{
    contract::{Rebind, RebindConsent},
    digest::{ChainId, Digest},
    extension::Extensions,
    id::RequestId,
    signed::Statement,
    time::Timestamp,
    token::Holder,
};

use super::pick;
use crate::{
    network::Request,
    party::{critical, seat},
    plan::Step,
    world::World,
};

impl World {
    /// A rebind by nobody who may ask for it, or one that is wrong in itself.
    pub(super) fn bad_rebind(&mut self, step: &Step) -> bool {
        let links = &self.witness.model.links;
        let open: Vec<ChainId> =
            links.iter().filter(|(_, it)| it.rebind != Rebind::Never).map(|(id, _)| *id).collect();
        let nowhere = ChainId::from_bytes([step.which; 32]);
        let chain = if step.who & 14 == 14 { Some(nowhere) } else { pick(step.which, &open) };
        let Some(chain) = chain else { return false };
        let ghost = pick(step.how, &self.ghosts).filter(|_| step.who & 1 == 1);
        if let Some(ghost) = ghost {
            // The process that held it before, or one that never did.
            let links = &self.witness.model.links;
            let own = |id: &&ChainId| links[*id].holder.principal() == ghost.id.principal();
            let own: Vec<ChainId> =
                open.iter().filter(own).filter(|id| !links[*id].status.has_ended()).copied().collect();
            let chain = pick(step.which, &own).unwrap_or(chain);
            let mut request = self.rebind_request(seat("mallory"), chain, 0);
            request.sender = ghost.id.clone();
            let signed = request.sign(&ghost.key);
            self.attack_from(self.address_of(&ghost), Request::Rebind(signed));
            return true;
        }
        let who = seat("mallory");
        let mut request = self.rebind_request(who, chain, 0);
        match step.how % 6 {
            0 => request.sender = self.parties[seat("researcher")].agent.id.clone(),
            1 => request.issued = Timestamp::new(self.now.as_millis() - 60_000).unwrap(),
            2 => request.domain = "other.example".parse().unwrap(),
            3 => request.extensions = critical(),
            4 => {
                let used: Vec<_> = self.witness.model.revocations.keys().copied().collect();
                let Some(id) = pick(step.which, &used) else { return false };
                request.request_id = id;
            }
            _ => {}
        }
        let signed = request.sign(&self.parties[who].agent.key);
        self.attack(who, Request::Rebind(signed));
        true
    }

    /// A consent by nobody who was asked, or to something else.
    pub(super) fn bad_consent(&mut self, step: &Step) -> bool {
        let links = &self.witness.model.links;
        let asks = |wanted: bool| -> Vec<ChainId> {
            let open = links.iter().filter(|(_, it)| it.rebind == Rebind::GrantorConsent);
            open.filter(|(_, it)| it.wanted.is_some() == wanted).map(|(id, _)| *id).collect()
        };
        // Where somebody asks; else where nobody does.
        let Some(chain) = pick(step.which, &asks(true)).or(pick(step.which, &asks(false))) else {
            return false;
        };
        let grantor = links[&chain].grantor.clone();
        let real = self.parties.iter().position(|it| it.agent.id == grantor);
        let who = real.filter(|_| step.who & 1 == 1).unwrap_or(seat("mallory"));
        let mallory = self.parties[seat("mallory")].agent.clone();
        let asked = self.rebind_consent(who, chain);
        let mut consent = asked.unwrap_or_else(|| self.consent_to(who, chain, &mallory));
        match step.how % 6 {
            // A grantor that means it would say just this; here only others do.
            0 if who == seat("mallory") => {}
            1 => consent.holder.key = mallory.key.public(),
            2 => consent.from = consent.holder.instance.clone(),
            3 => consent.hop = ChainId::from_bytes([step.how; 32]),
            4 => consent.sender = self.parties[seat("alice")].agent.id.clone(),
            _ => consent.extensions = critical(),
        }
        let signed = consent.sign(&self.parties[who].agent.key);
        self.attack(who, Request::Consent(signed));
        true
    }

    /// What a grantor would sign that hands the chain to that agent.
    fn consent_to(&mut self, who: usize, chain: ChainId, to: &Agent) -> RebindConsent {
        let link = &self.witness.model.links[&chain];
        RebindConsent {
            domain: domain(),
            sender: self.parties[who].agent.id.clone(),
            hop: link.hop.unwrap_or(chain),
            from: link.holder.clone(),
            holder: Holder { instance: to.id.clone(), key: to.key.public() },
            evidence: Digest::of(b"nothing"),
            request_id: RequestId::new(self.now, &mut self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }
}
