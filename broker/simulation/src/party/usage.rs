//! Using chains, revoking them, and having uses explained.

use std::collections::BTreeSet;

use countersign_forge::domain;
use countersign_protocol::{
    capability::Request as Wanted,
    digest::ChainId,
    extension::Extensions,
    id::{InvocationId, RequestId},
    name::InstanceId,
    revocation::RevokeRequest,
    session::Side,
    signed::{Signed, Statement},
    time::Lifetime,
    token::{Nonce, Proof, Via},
};

use super::{CAST, Holding, Purpose, Usage, seat};
use crate::{
    network::{Invoke, Packet, Request},
    plan::Step,
    scope,
    stop::Flow,
    stream,
    witness::Intended,
    world::World,
};

impl World {
    /// The chains that those who are there hold, as they know.
    pub fn holdings(&self) -> Vec<(usize, Holding)> {
        let parties = self.parties.iter().enumerate().filter(|(_, party)| !party.out);
        parties.flat_map(|(who, party)| party.holdings.iter().map(move |it| (who, it.clone()))).collect()
    }

    /// A holder has something done, sometimes many times.
    pub fn use_chain(&mut self, step: &Step) -> Flow {
        let times = if step.what & 24 == 24 { 4 } else { 1 };
        for _ in 0..times {
            self.use_once(step)?;
            self.pump()?;
        }
        Ok(())
    }

    fn use_once(&mut self, step: &Step) -> Flow {
        let holdings = self.holdings();
        let Some(at) = usize::from(step.which).checked_rem(holdings.len()) else { return Ok(()) };
        let (who, holding) = holdings[at].clone();
        if !self.ready(who)? {
            return Ok(());
        }
        let wanted = self.wish(&holding, step);
        let id = InvocationId::new(self.now, &mut self.rng);
        let streams = step.what & 96 == 96;
        let proof = self.proof(who, &holding, id, &wanted);
        let (signed, asked) = self.mean_as(who, proof, &wanted, streams);
        let proofs = BTreeSet::from([signed.digest()]);
        let usage = Usage { id, chain: holding.chain, wanted: wanted.clone(), proofs, streams };
        let token = holding.active.token().as_bytes().to_vec();
        let invoke = Invoke { token, proof: signed, wanted, body: Vec::new(), asked };
        self.ask(who, Request::Invoke(Box::new(invoke)), Purpose::Use(Box::new(usage)), true);
        Ok(())
    }

    /// Mostly something that the chain allows.
    fn wish(&self, holding: &Holding, step: &Step) -> Wanted {
        let wanted = scope::request(step.how);
        let rights = &holding.active.token().leaf().rights;
        if step.what & 7 == 7 || scope::allows(rights, &wanted) {
            return wanted;
        }
        scope::REQUESTS.iter().find(|it| scope::allows(rights, it)).cloned().unwrap_or(wanted)
    }

    /// What a holder signs for one use.
    pub fn proof(&mut self, who: usize, holding: &Holding, id: InvocationId, wanted: &Wanted) -> Proof {
        let agent = self.parties[who].agent.clone();
        Proof {
            domain: domain(),
            invocation_id: id,
            chain_id: holding.chain,
            activation_leaf: holding.active.activation().leaf,
            caller: agent.id,
            callee: wanted.callee.clone(),
            action: wanted.action.clone(),
            resource: wanted.resource.clone(),
            arguments: wanted.arguments.digest(b""),
            nonce: Nonce::new(&mut self.rng),
            issued: self.now,
            expires: self.now.plus(Lifetime::from_millis(25_000)),
            via: Via::Broker,
            channel: agent.spki,
            extensions: Extensions::none(),
        }
    }

    /// The same for a use at once or as a stream; then with the head of what the caller sends in it.
    fn mean_as(
        &mut self,
        who: usize,
        proof: Proof,
        wanted: &Wanted,
        streams: bool,
    ) -> (Signed, Option<Signed>) {
        let via = if streams { Via::Stream } else { Via::Broker };
        let signed = self.mean(who, &Proof { via, ..proof }, wanted);
        let key = &self.parties[who].agent.key;
        let asked = streams.then(|| stream::head(&signed, Side::Caller, key, self.now));
        (signed, asked)
    }

    /// Signs a proof, and has the witness know what was meant by it.
    pub fn mean(&mut self, who: usize, proof: &Proof, wanted: &Wanted) -> Signed {
        let agent = &self.parties[who].agent;
        let signed = proof.sign(&agent.key);
        let meant = Intended { holder: agent.id.clone(), request: wanted.clone(), body: Vec::new() };
        self.witness.intended.insert(signed.digest(), meant);
        signed
    }

    /// Somebody sends again what was not answered: the same, or the same use under a fresh proof.
    pub fn retry(&mut self, who: usize, which: u8) -> Flow {
        let calls: Vec<u64> = self.parties[who].calls.keys().copied().collect();
        let Some(at) = usize::from(which).checked_rem(calls.len()) else { return Ok(()) };
        let number = calls[at];
        let Some(mut call) = self.parties[who].calls.get(&number).cloned() else { return Ok(()) };
        if let (Request::Invoke(invoke), Purpose::Use(usage)) = (&mut call.request, &mut call.purpose) {
            let holding = self.parties[who].holdings.iter().find(|held| held.chain == usage.chain).cloned();
            let Some(holding) = holding else { return Ok(()) };
            let proof = self.proof(who, &holding, usage.id, &usage.wanted);
            (invoke.proof, invoke.asked) = self.mean_as(who, proof, &usage.wanted, usage.streams);
            usage.proofs.insert(invoke.proof.digest());
        }
        let (from, request, honest) = (self.address(who), call.request.clone(), call.honest);
        self.parties[who].calls.insert(number, call);
        self.send(Packet::Request { from, call: number, request, honest });
        Ok(())
    }

    /// Callees take nothing for a while: a use waits, and sometimes its chain is revoked or held up meanwhile.
    pub fn stall(&mut self, step: &Step) -> Flow {
        self.stalled = 2 + step.how % 3;
        let Some(at) = usize::from(step.which).checked_rem(self.holdings().len()) else { return Ok(()) };
        let chain = self.holdings()[at].1.chain;
        self.use_chain(&Step { what: 0, ..*step })?;
        let alice = seat("alice");
        if step.what & 1 == 0 || !self.ready(alice)? {
            return Ok(());
        }
        if step.what & 2 == 2 {
            return self.suspend_meanwhile(chain);
        }
        let ends = self.witness.model.living_beneath(chain).len() as u64;
        let signed = self.revocation(alice, Some(chain), None, ends).sign(&self.parties[alice].agent.key);
        self.ask(alice, Request::Revoke(signed), Purpose::Revocation, true);
        Ok(())
    }

    /// Somebody who may, or thinks so, revokes.
    pub fn make_revocation(&mut self, step: &Step) -> Flow {
        let ended = step.what & 48 == 48;
        let links = self.witness.model.links.iter().filter(|(_, it)| !ended || it.status.has_ended());
        let links: Vec<ChainId> = links.map(|(id, _)| *id).collect();
        let Some(at) = usize::from(step.which).checked_rem(links.len()) else { return Ok(()) };
        let chain = links[at];
        let holders: Vec<InstanceId> =
            self.witness.model.path(chain).map(|(_, it)| it.holder.clone()).collect();
        let who = match step.who & 7 {
            0 | 1 => seat("alice"),
            2 => seat("root"),
            3 => usize::from(step.how) % CAST.len(),
            _ => {
                let holder = &holders[usize::from(step.how) % holders.len()];
                self.parties.iter().position(|party| party.agent.id == *holder).unwrap_or(seat("alice"))
            }
        };
        if !self.ready(who)? {
            return Ok(());
        }
        let instance = (step.what & 15 == 15).then(|| match step.how & 1 {
            0 => self.parties[who].agent.id.clone(),
            _ => self.parties[usize::from(step.how) % CAST.len()].agent.id.clone(),
        });
        let ends = match &instance {
            Some(instance) => self.witness.model.ending_with(instance).len(),
            None => self.witness.model.living_beneath(chain).len(),
        };
        let stale = u64::from(step.what & 15 == 14);
        let chain = instance.is_none().then_some(chain);
        let request = self.revocation(who, chain, instance, ends as u64 + stale);
        let signed = request.sign(&self.parties[who].agent.key);
        self.ask(who, Request::Revoke(signed), Purpose::Revocation, true);
        Ok(())
    }

    /// What somebody signs to revoke.
    pub fn revocation(
        &mut self,
        who: usize,
        chain: Option<ChainId>,
        instance: Option<InstanceId>,
        chains: u64,
    ) -> RevokeRequest {
        RevokeRequest {
            domain: domain(),
            sender: self.parties[who].agent.id.clone(),
            chain,
            instance,
            chains,
            request_id: RequestId::new(self.now, &mut self.rng),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// Somebody has a use explained, and verifies the evidence.
    pub fn explain(&mut self, step: &Step) -> Flow {
        let asked = self
            .parties
            .iter()
            .enumerate()
            .flat_map(|(who, it)| it.answered.iter().map(move |id| (who, *id)));
        let asked: Vec<(usize, InvocationId)> = asked.collect();
        let Some(at) = usize::from(step.which).checked_rem(asked.len()) else { return Ok(()) };
        let (who, id) = asked[at];
        let Some(bundle) = self.read_bundle(id)? else { return Ok(()) };
        let explained = bundle.verify(&self.keys.set).map_err(|refusal| refusal.to_string());
        self.believed(who, explained)?;
        self.tally.count("act", "a bundle verified");
        Ok(())
    }
}
