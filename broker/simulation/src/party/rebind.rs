//! Taking over, after a restart, what the process before held.

use countersign_forge::domain;
use countersign_protocol::{
    contract::{Rebind, RebindConsent, RebindRequest},
    digest::ChainId,
    extension::Extensions,
    id::RequestId,
    signed::Statement,
    token::Holder,
};

use super::Purpose;
use crate::{hostile::pick, network::Request, plan::Step, stop::Flow, world::World};

impl World {
    /// A grantor consents where somebody asks, or a newer process asks for what an older one of its
    /// principal held: mostly for what it may have.
    pub fn make_rebind(&mut self, step: &Step) -> Flow {
        if step.what & 3 == 3 && self.consent_to_rebind(step)? {
            return Ok(());
        }
        let links = &self.witness.model.links;
        let open: Vec<ChainId> = links
            .iter()
            .filter(|(_, it)| it.rebind != Rebind::Never && !it.status.has_ended())
            .map(|(id, _)| *id)
            .collect();
        let brink: Vec<ChainId> =
            open.iter().filter(|id| self.witness.model.is_on_the_brink(**id)).copied().collect();
        let ended = self.ended_alike(step.who);
        let all: Vec<ChainId> = links.keys().copied().collect();
        let among = match step.how % 8 {
            0 if !ended.is_empty() => ended,
            1 => all,
            2 | 3 if !brink.is_empty() => brink,
            _ => open,
        };
        let Some(chain) = pick(step.which, &among) else { return Ok(()) };
        let spent = self.spend_the_last(step)?;
        let chain = spent.filter(|id| self.witness.model.links[id].rebind != Rebind::Never).unwrap_or(chain);
        let holder = self.witness.model.links[&chain].holder.clone();
        let of = |party: &super::Party| party.agent.id.principal() == holder.principal();
        let Some(who) = self.parties.iter().position(of) else { return Ok(()) };
        if self.parties[who].agent.id == holder && !self.parties[who].out {
            self.rejoin(who, 0)?;
        }
        if !self.ready(who)? {
            return Ok(());
        }
        self.fetch_taken(who)?;
        let stale = u64::from(step.who & 31 == 31);
        let request = self.rebind_request(who, chain, stale);
        let signed = request.sign(&self.parties[who].agent.key);
        self.ask(who, Request::Rebind(signed), Purpose::Rebind(chain), true);
        Ok(())
    }

    /// What somebody signs to take a chain over.
    pub fn rebind_request(&mut self, who: usize, chain: ChainId, stale: u64) -> RebindRequest {
        RebindRequest {
            domain: domain(),
            sender: self.parties[who].agent.id.clone(),
            chain,
            chains: self.witness.model.living_beneath(chain).len() as u64 + stale,
            request_id: RequestId::new(self.now, &mut self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// A grantor that is asked consents; whether one was.
    fn consent_to_rebind(&mut self, step: &Step) -> Flow<bool> {
        let links = &self.witness.model.links;
        let wanted: Vec<ChainId> =
            links.iter().filter(|(_, it)| it.wanted.is_some()).map(|(id, _)| *id).collect();
        let Some(chain) = pick(step.which, &wanted) else { return Ok(false) };
        let grantor = links[&chain].grantor.clone();
        let Some(who) = self.parties.iter().position(|it| it.agent.id == grantor) else { return Ok(false) };
        if !self.ready(who)? {
            return Ok(true);
        }
        if let Some(consent) = self.rebind_consent(who, chain) {
            let signed = consent.sign(&self.parties[who].agent.key);
            self.ask(who, Request::Consent(signed), Purpose::Revocation, true);
        }
        Ok(true)
    }

    /// What somebody signs to let who asked have that chain.
    pub fn rebind_consent(&mut self, who: usize, chain: ChainId) -> Option<RebindConsent> {
        let model = &self.witness.model;
        let link = model.links.get(&chain)?;
        let request: RebindRequest = link.wanted.as_ref()?.peek_unverified().ok()?;
        let new = model.members.get(&request.sender)?;
        Some(RebindConsent {
            domain: domain(),
            sender: self.parties[who].agent.id.clone(),
            hop: link.hop.unwrap_or(chain),
            from: link.holder.clone(),
            holder: Holder { instance: request.sender, key: new.key },
            evidence: new.admitted.1,
            request_id: RequestId::new(self.now, &mut self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        })
    }

    /// Somebody has itself shown what it has taken over, and verifies it.
    pub fn fetch_taken(&mut self, who: usize) -> Flow {
        let own = &self.parties[who].agent.id;
        let links = &self.witness.model.links;
        let taken: Vec<ChainId> =
            links.iter().filter(|(_, it)| it.hop.is_some() && it.holder == *own).map(|(id, _)| *id).collect();
        taken.into_iter().try_for_each(|chain| self.fetch(who, chain, None))
    }
}
