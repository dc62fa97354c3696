//! Callees: what does not verify end to end is not done, and nothing is done twice.

use countersign_forge::domain;
use countersign_protocol::{
    capability::Amount,
    digest::Digest,
    extension::{Criticality, Extension, Extensions},
    id::InvocationId,
    payload::Payload,
    receipt::{ActionOutcome, Receipt},
    session::Side,
    signed::{Signed, Statement},
    time::Lifetime,
    token::{Activation, ActiveToken, Permit, Presentation, Via},
};

use super::seat;
use crate::{
    network::{Address, Answer, Job, Packet},
    plan::counted,
    stop::Flow,
    stream,
    witness::Deed,
    world::World,
};

/// What a callee answers with.
const RESULT: &[u8] = b"result";

counted! {
    /// How a callee answers falsely.
    Swindle {
        /// It wants more than was reserved.
        CostsMore,
        /// The receipt is for another invocation.
        OtherInvocation,
        /// It is for another chain.
        OtherChain,
        /// It is for another proof.
        OtherProof,
        /// It names another callee.
        OtherCallee,
        /// It is of another domain.
        OtherDomain,
        /// Somebody else signed it.
        OtherKey,
        /// It is for another result.
        OtherResult,
        /// It says something critical that nobody knows.
        Extended,
        /// It is less than was done.
        CostsLess,
    }
}

impl World {
    /// A callee is given something.
    pub fn serve_job(&mut self, to: &Address, job: &Job) -> Flow {
        let who = to.party;
        if self.parties[who].agent.id != to.actor.instance || self.parties[who].out {
            return Ok(());
        }
        let Some(permit) = self.verify_job(who, job) else {
            self.tally.count("act", "a job refused by its callee");
            return Ok(());
        };
        match self.parties[who].served.get(&job.id).cloned() {
            None => {
                let swindle = self.swindle.take_if(|_| who == seat("archive"));
                let cost = self.do_it(who, &permit, job, swindle.is_some())?;
                let (receipt, body) = self.receipt(who, &permit, cost, swindle, job.asked.is_some());
                let key = &self.parties[who].agent.key;
                let told = job.asked.is_some().then(|| stream::head(&job.proof, Side::Callee, key, self.now));
                let answer = (receipt, body, told);
                self.parties[who].served.insert(job.id, Some(answer.clone()));
                self.send_receipt(who, job.id, answer);
            }
            Some(Some(answer)) => self.send_receipt(who, job.id, answer),
            Some(None) => {}
        }
        Ok(())
    }

    fn send_receipt(&mut self, who: usize, id: InvocationId, (receipt, body, told): Answer) {
        let from = self.address(who);
        self.send(Packet::Receipt { from, id, receipt, body, told });
    }

    /// Token, activation and proof, all from the bytes on and by the pinned keys; for this callee, by
    /// this way, and young enough to be remembered.
    pub fn verify_job(&mut self, who: usize, job: &Job) -> Option<Permit> {
        let keys = &self.keys.set;
        let token = self.tokens.verify(&job.token, keys).ok()?;
        let activation = Activation::open(&job.activation, keys).ok()?;
        let active = ActiveToken::new(token, activation).ok()?;
        let presented = Presentation { proof: &job.proof, request: &job.wanted, body: &job.body };
        let permit = active.permit(&presented, self.now).ok()?;
        let proof = permit.proof();
        let made = proof.invocation_id.time()?;
        let after =
            |at: countersign_protocol::time::Timestamp, millis| at.plus(Lifetime::from_millis(millis));
        let young = made <= after(self.now, 30_000) && self.now < after(made, 600_000);
        let way = if job.asked.is_some() { Via::Stream } else { Via::Broker };
        let ours = proof.callee == *self.parties[who].agent.id.principal() && proof.via == way;
        let caller = active.token().leaf().holder.key;
        let asked = job.asked.as_ref().is_none_or(|head| stream::is_asked(&job.proof, head, caller));
        (ours && asked && young && proof.invocation_id == job.id).then_some(permit)
    }

    /// Does it; says what it cost.
    fn do_it(&mut self, who: usize, permit: &Permit, job: &Job, swindle: bool) -> Flow<u64> {
        let leaf = permit.chain().last().and_then(|chain| self.witness.model.links.get(chain));
        let most = leaf.map_or(0, |link| link.rights.budget.per_call.get());
        // Nothing, or all, or something between; mostly all.
        let cost = (u64::from(job.id.as_bytes()[15]) % (most + 3)).min(most);
        let callee = self.parties[who].agent.id.clone();
        self.witness.done(job, Deed { cost, callee, swindle }, &self.ledger)?;
        self.tally.count("act", "something done by a callee");
        Ok(cost)
    }

    fn receipt(
        &mut self,
        who: usize,
        permit: &Permit,
        cost: u64,
        swindle: Option<Swindle>,
        streams: bool,
    ) -> (Signed, Vec<u8>) {
        let (proof, agent) = (permit.proof(), self.parties[who].agent.clone());
        let result = match streams {
            true => stream::account(&permit.proof_digest()).to_bytes(),
            false => RESULT.to_vec(),
        };
        let mut receipt = Receipt {
            domain: domain(),
            invocation_id: proof.invocation_id,
            chain_id: proof.chain_id,
            proof: permit.proof_digest(),
            callee: agent.id.clone(),
            outcome: ActionOutcome::Done,
            result: Digest::of(&result),
            cost: Amount::new(cost).unwrap(),
            finished: self.now,
            extensions: Extensions::none(),
        };
        let (mut key, mut body) = (agent.key, result);
        if let Some(swindle) = swindle {
            self.tally.count("hostile act", &format!("callee {}", swindle.name()));
            match swindle {
                Swindle::CostsMore => receipt.cost = Amount::new(4).unwrap(),
                Swindle::OtherInvocation => {
                    receipt.invocation_id = InvocationId::new(self.now, &mut self.rng)
                }
                Swindle::OtherChain => receipt.chain_id = permit.chain()[0],
                Swindle::OtherProof => receipt.proof = Digest::of(b"another proof"),
                Swindle::OtherCallee => receipt.callee = self.parties[seat("files")].agent.id.clone(),
                Swindle::OtherDomain => receipt.domain = "other.example".parse().unwrap(),
                Swindle::OtherKey => key = self.parties[seat("mallory")].agent.key.clone(),
                Swindle::OtherResult => body = b"another result".to_vec(),
                Swindle::Extended => receipt.extensions = critical(),
                Swindle::CostsLess => receipt.cost = Amount::ZERO,
            }
        }
        (receipt.sign(&key), body)
    }
}

/// An extension that nobody knows, and that nobody may pass over.
pub fn critical() -> Extensions {
    let extension =
        Extension { id: "unheard".parse().unwrap(), criticality: Criticality::Critical, bytes: vec![1] };
    Extensions::new(vec![extension]).unwrap()
}
