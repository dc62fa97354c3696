//! Names and rights that are someone else's: joining, staying, revoking.

use countersign_forge::{Agent, principal};
use countersign_protocol::{
    digest::{ChainId, Digest, SpkiHash},
    id::InstanceUuid,
    key::SigningKey,
    revocation::RevokeRequest,
    signed::Statement,
    time::{Lifetime, Timestamp},
};
use rand::Rng;

use super::{Cheat, pick};
use crate::{
    network::{Address, Request},
    party::{CAST, critical, seat},
    plan::Step,
    stop::Flow,
    world::World,
};

impl World {
    /// A revocation of what is others', or one that is wrong in itself.
    pub(super) fn bad_revocation(&mut self, cheat: Cheat, step: &Step) -> bool {
        let who = if step.who & 1 == 0 { seat("mallory") } else { seat("dealer") };
        let me = self.parties[who].agent.id.clone();
        let model = &self.witness.model;
        let others = model.links.keys().filter(|id| !model.path(**id).any(|(_, link)| link.holder == me));
        let own = model.links.keys().filter(|id| model.path(**id).any(|(_, link)| link.holder == me));
        let (others, own): (Vec<ChainId>, Vec<ChainId>) = (others.copied().collect(), own.copied().collect());
        let mut request = match (cheat, step.how % 4) {
            (Cheat::RevokesOthers, 0) => {
                self.revocation(who, Some(ChainId::from_bytes([step.which; 32])), None, 0)
            }
            (Cheat::RevokesOthers, 1) => {
                let victim = self.parties[usize::from(step.which) % CAST.len()].agent.id.clone();
                let ends = self.witness.model.ending_with(&victim).len() as u64;
                self.revocation(who, None, Some(victim), ends)
            }
            (Cheat::RevokesOthers, _) => {
                let Some(chain) = pick(step.which, &others) else { return false };
                let ends = self.witness.model.living_beneath(chain).len() as u64;
                self.revocation(who, Some(chain), None, ends)
            }
            _ => {
                let Some(chain) = pick(step.which, &own) else { return false };
                let ends = self.witness.model.living_beneath(chain).len() as u64;
                self.revocation(who, Some(chain), None, ends)
            }
        };
        if cheat == Cheat::MisusesRevocation && !self.misuse(&mut request, step) {
            return false;
        }
        let signed = request.sign(&self.parties[who].agent.key);
        self.attack(who, Request::Revoke(signed));
        true
    }

    fn misuse(&mut self, request: &mut RevokeRequest, step: &Step) -> bool {
        match step.how % 7 {
            0 => request.sender = self.parties[seat("alice")].agent.id.clone(),
            1 => request.issued = Timestamp::new(self.now.as_millis() - 60_000).unwrap(),
            2 => request.domain = "other.example".parse().unwrap(),
            3 => request.extensions = critical(),
            _ => {
                let used: Vec<_> = self.witness.model.revocations.keys().copied().collect();
                let Some(id) = pick(step.which, &used) else { return false };
                request.request_id = id;
            }
        }
        true
    }

    fn impostor(&mut self, name: &str) -> Agent {
        Agent {
            id: principal(name).instance(InstanceUuid::new(self.now, &mut self.rng)),
            key: SigningKey::generate(&mut self.rng),
            spki: SpkiHash::from_bytes(self.rng.r#gen()),
        }
    }

    /// A join with a token that is used, unknown, for someone else, or with something changed.
    pub(super) fn bad_join(&mut self, step: &Step) -> Flow<bool> {
        let invited = if step.how.is_multiple_of(8) { "mallory" } else { "planner" };
        let Some(secret) = self.invite("mallory", 0)? else { return Ok(false) };
        let mut agent = self.impostor(invited);
        if !step.how.is_multiple_of(8) {
            agent.id = principal("mallory").instance(InstanceUuid::new(self.now, &mut self.rng));
        }
        let (mut join, mut attested) = self.join_statement(&agent, secret);
        match step.how % 8 {
            // For someone else's name.
            0 => {
                (join, attested) = {
                    let stranger = self.impostor("planner");
                    self.join_statement(&stranger, secret)
                }
            }
            // Unknown, and other evidence than the attestor saw.
            1 => attested.evidence = Digest::of(b"nothing"),
            2 => (join, attested) = self.join_statement(&agent, Digest::of(b"nothing")),
            // With a TLS key that it did not show.
            3 => attested.spki = SpkiHash::from_bytes([9; 32]),
            // As somebody who is there.
            4 => {
                agent.id = self.parties[seat("mallory")].agent.id.clone();
                (join, attested) = self.join_statement(&agent, secret);
            }
            // Not signed by the key in it.
            5 => {
                join = {
                    let mut forged = join.clone();
                    forged.signatures.clear();
                    forged.add_signature(&self.parties[seat("mallory")].agent.key);
                    forged.signatures[0].key = agent.key.public();
                    forged
                }
            }
            // Twice: the second time by another process.
            6 => {
                let second = self.impostor("mallory");
                let (again, seen) = self.join_statement(&second, secret);
                let from = self.address_of(&agent);
                self.attack_from(from, Request::Join(Box::new((join.clone(), attested.clone()))));
                (join, attested) = (again, seen);
            }
            // When its token has expired.
            _ => {
                self.pass_time(61_000);
                (join, attested) = self.join_statement(&agent, secret);
            }
        }
        let from = self.address_of(&agent);
        self.attack_from(from, Request::Join(Box::new((join, attested))));
        Ok(true)
    }

    /// A renewal in another's name, or with something changed.
    pub(super) fn bad_renewal(&mut self, step: &Step) -> bool {
        let mallory = seat("mallory");
        let mut statement = self.renewal(mallory);
        match step.how % 7 {
            0 => statement.instance = self.parties[seat("planner")].agent.id.clone(),
            1 => statement.spki = SpkiHash::from_bytes([9; 32]),
            2 => statement.configuration = Digest::of(b"another model"),
            3 => statement.generation += 1,
            4 => statement.issued = Timestamp::new(self.now.as_millis() - 40_000).unwrap(),
            5 => statement.domain = "other.example".parse().unwrap(),
            _ => statement.extensions = critical(),
        }
        let signed = statement.sign(&self.parties[mallory].agent.key);
        self.attack(mallory, Request::Renew(signed));
        true
    }

    /// A join token by nobody who may give one, or that lives too long, or with a secret that is known.
    pub(super) fn bad_invitation(&mut self, step: &Step) -> Flow<bool> {
        if self.process.is_none() {
            return Ok(false);
        }
        let by = self.address(if step.how & 1 == 0 { seat("mallory") } else { seat("root") }).actor;
        let who = match step.how % 6 {
            3 => countersign_forge::domain().broker(),
            5 => "spiffe://other.example/agent/mallory".parse().unwrap(),
            _ => principal("mallory"),
        };
        let life = if step.how % 6 == 1 { 86_400_001 } else { 60_000 };
        let expires = self.broker_now().plus(Lifetime::from_millis(life));
        let secret = Digest::of(&[step.which & 3]);
        self.decide(|state, context| state.decide_join_token(context, Some(&by), secret, &who, expires))?;
        Ok(true)
    }

    /// A process that is gone, or that nobody admitted, or that is on another channel, goes on.
    pub(super) fn haunt(&mut self, step: &Step) -> bool {
        let mallory = seat("mallory");
        let agent = match step.how % 4 {
            0 => self.impostor("mallory"),
            1 => Agent { spki: SpkiHash::from_bytes([9; 32]), ..self.parties[mallory].agent.clone() },
            _ => {
                let Some(ghost) = pick(step.which, &self.ghosts) else { return false };
                ghost
            }
        };
        let mut made = self.opening(mallory, "fetcher", step.how);
        made.sender = agent.id.clone();
        let signed = made.sign(&agent.key);
        let from = Address {
            certified_until: self.now.plus(Lifetime::from_millis(if step.who & 7 == 7 { 0 } else { 60_000 })),
            ..self.address_of(&agent)
        };
        self.attack_from(from, Request::Move(signed));
        true
    }
}
