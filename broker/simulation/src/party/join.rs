//! Coming in, staying, and being copied.

use countersign_forge::{Agent, configuration, domain, principal};
use countersign_protocol::{
    digest::{Digest, SpkiHash},
    domain::Attested,
    extension::Extensions,
    id::InstanceUuid,
    identity::{JoinStatement, RenewStatement},
    key::SigningKey,
    signed::{Signed, Statement},
    time::Lifetime,
};
use rand::Rng;

use super::{Party, Purpose, seat};
use crate::{broker::Decided, network::Request, stop::Flow, world::World};

/// How long a join token lives, in milliseconds.
const TOKEN_MS: u64 = 60_000;

impl World {
    /// A process of that principal is gone; another one, with new keys, wants in.
    pub fn rejoin(&mut self, who: usize, how: u8) -> Flow {
        let name = self.parties[who].name;
        if self.parties[who].calls.values().any(|call| matches!(call.purpose, Purpose::Join(_))) {
            // It has asked already, and asks the same again.
            return self.retry(who, 0);
        }
        let Some(secret) = self.invite(name, how)? else { return Ok(()) };
        let agent = Agent {
            id: principal(name).instance(InstanceUuid::new(self.now, &mut self.rng)),
            key: SigningKey::generate(&mut self.rng),
            spki: SpkiHash::from_bytes(self.rng.r#gen()),
        };
        // What the process before it knew is gone with it; its keys may not be.
        self.ghosts.push(self.parties[who].agent.clone());
        let old = &self.parties[who];
        let mut next = Party::new(name, old.agent.clone(), old.generation, old.certified_until);
        next.out = true;
        self.parties[who] = next;
        let (join, attested) = self.join_statement(&agent, secret);
        self.ask(who, Request::Join(Box::new((join, attested))), Purpose::Join(Box::new(agent)), true);
        Ok(())
    }

    /// A join token for a principal: by the admin where it can, else by the operator.
    pub fn invite(&mut self, name: &str, how: u8) -> Flow<Option<Digest>> {
        let secret = Digest::from_bytes(self.rng.r#gen());
        let by = (how & 1 == 1 && name != "root").then(|| self.address(seat("root")).actor);
        let (who, expires) = (principal(name), self.broker_now().plus(Lifetime::from_millis(TOKEN_MS)));
        if self.process.is_none() {
            return Ok(None);
        }
        let decided = self
            .decide(|state, context| state.decide_join_token(context, by.as_ref(), secret, &who, expires))?;
        Ok(matches!(decided, Decided::Recorded(_)).then_some(secret))
    }

    /// What a new process signs, and what the attestor sees of it.
    pub fn join_statement(&self, agent: &Agent, secret: Digest) -> (Signed, Attested) {
        let join = JoinStatement {
            domain: domain(),
            instance: agent.id.clone(),
            key: agent.key.public(),
            spki: agent.spki,
            configuration: configuration(),
            evidence: secret,
            issued: self.now,
            extensions: Extensions::none(),
        };
        let attestor = "join_token".parse().unwrap();
        (join.sign(&agent.key), Attested { attestor, evidence: secret, spki: agent.spki })
    }

    /// What a process signs to stay, from the certificate that it holds.
    pub fn renewal(&self, who: usize) -> RenewStatement {
        let party = &self.parties[who];
        RenewStatement {
            domain: domain(),
            instance: party.agent.id.clone(),
            spki: party.agent.spki,
            configuration: configuration(),
            generation: party.generation,
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// Somebody renews its certificate.
    pub fn stay(&mut self, who: usize) -> Flow {
        if !self.ready(who)? {
            return Ok(());
        }
        let pending = self.parties[who].calls.values().any(|call| matches!(call.purpose, Purpose::Renewal));
        if !pending {
            let signed = self.renewal(who).sign(&self.parties[who].agent.key);
            self.ask(who, Request::Renew(signed), Purpose::Renewal, true);
        }
        Ok(())
    }

    /// A process was copied: both copies renew from what they hold, each in its own words.
    pub fn fork(&mut self, who: usize) -> Flow {
        if !self.ready(who)? {
            return Ok(());
        }
        let key = self.parties[who].agent.key.clone();
        let first = self.renewal(who);
        let second = RenewStatement { issued: first.issued.plus(Lifetime::from_millis(1)), ..first.clone() };
        for statement in [first, second] {
            self.ask(who, Request::Renew(statement.sign(&key)), Purpose::Renewal, true);
        }
        Ok(())
    }
}
