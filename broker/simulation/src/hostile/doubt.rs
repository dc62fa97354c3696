//! A broker that lacks something: it says no, whatever it is asked.

use bytes::Bytes;
use countersign_forge::domain;
use countersign_protocol::{
    domain::{Context, Decision, End, Entry, Policy, State},
    id::InvocationId,
    negotiation::Move,
    payload::Payload,
    signed::Statement,
    time::Timestamp,
    trust::KeyPurpose,
};

use super::pick;
use crate::{
    invariant::Invariant,
    party::seat,
    plan::{Step, counted},
    stop::{Flow, hold},
    world::World,
};

counted! {
    /// What it lacks.
    Lack {
        /// Its ledger is empty.
        Ledger,
        /// Its ledger does not begin with keys.
        Keys,
        /// Its policy says nothing.
        Policy,
        /// Its clock is behind its ledger.
        Clock,
        /// An entry of its ledger cannot be read.
        Entry,
    }
}

impl World {
    /// Asks a copy of the broker that lacks something.
    pub(crate) fn doubt(&mut self, step: &Step) -> Flow {
        let Some(process) = &self.process else { return Ok(()) };
        let lack = Lack::ALL[usize::from(step.what) % Lack::ALL.len()];
        let state = process.state.clone();
        self.tally.count("lack", lack.name());
        match lack {
            Lack::Ledger => {
                self.ask_everything(&State::default(), self.broker_now(), &self.policy.clone(), lack)
            }
            Lack::Keys => self.ask_without_keys(),
            Lack::Policy => {
                let policy = Policy { admins: Vec::new(), grant_rules: Vec::new(), ..self.policy.clone() };
                self.ask_policy(&state, &policy, lack)
            }
            Lack::Clock => {
                let last = state.last_time().map_or(1, Timestamp::as_millis);
                let behind = Timestamp::new(last - 1 - u64::from(step.how)).unwrap_or(self.now);
                self.ask_everything(&state, behind, &self.policy.clone(), lack)
            }
            Lack::Entry => self.read_damaged(step),
        }
    }

    /// Requests that a broker in order would grant, or might.
    fn ask_everything(&mut self, state: &State, now: Timestamp, policy: &Policy, lack: Lack) -> Flow {
        self.ask_policy_at(state, now, policy, lack)?;
        let me = seat("researcher");
        let made: Move = self.opening(me, "planner", 0);
        let agent = self.parties[me].agent.clone();
        let signed = made.sign(&agent.key);
        self.refuses(state, now, policy, lack, "a move", |state, context| {
            state.decide_move(context, &agent.actor(), &signed)
        })?;
        let renewal = self.renewal(me).sign(&agent.key);
        self.refuses(state, now, policy, lack, "a renewal", |state, context| {
            state.decide_renew(context, &agent.actor(), &renewal)
        })?;
        let revocation = self.revocation(me, None, Some(agent.id.clone()), 0).sign(&agent.key);
        self.refuses(state, now, policy, lack, "a revocation", |state, context| {
            state.decide_revoke(context, &agent.actor(), &revocation)
        })?;
        let open = state.open_invocations().next().map(|(id, _)| *id);
        let id = open.unwrap_or_else(|| InvocationId::new(now, &mut self.rng));
        self.refuses(state, now, policy, lack, "an end", |state, context| {
            state.decide_end(context, id, &End::Unknown)
        })
    }

    /// Everyone is there, and no key of the domain is known: nothing can be granted.
    fn ask_without_keys(&mut self) -> Flow {
        let known = self.witness.entries.iter().skip(1);
        let state = known.fold(State::default(), State::evolve);
        let alice = self.parties[seat("alice")].agent.clone();
        let granted = self.grant_request(seat("planner"), 0).sign(&alice.key);
        let (now, policy) = (self.broker_now(), self.policy.clone());
        self.refuses(&state, now, &policy, Lack::Keys, "a grant", |state, context| {
            state.decide_grant(context, &alice.actor(), &granted)
        })
    }

    fn ask_policy(&mut self, state: &State, policy: &Policy, lack: Lack) -> Flow {
        self.ask_policy_at(state, self.broker_now(), policy, lack)
    }

    /// Grants and join tokens, which are the operator's to allow.
    fn ask_policy_at(&mut self, state: &State, now: Timestamp, policy: &Policy, lack: Lack) -> Flow {
        let alice = self.parties[seat("alice")].agent.clone();
        let granted = self.grant_request(seat("planner"), 0).sign(&alice.key);
        self.refuses(state, now, policy, lack, "a grant", |state, context| {
            state.decide_grant(context, &alice.actor(), &granted)
        })?;
        let keys = self.keys.set.clone();
        if state.keys().is_some() {
            self.refuses(state, now, policy, lack, "a second set of keys", |state, context| {
                state.decide_keys(context, &keys)
            })?;
        }
        let root = self.parties[seat("root")].agent.actor();
        let secret = countersign_protocol::digest::Digest::of(b"doubt");
        let (who, expires) = (
            countersign_forge::principal("mallory"),
            now.plus(countersign_protocol::time::Lifetime::from_millis(1_000)),
        );
        self.refuses(state, now, policy, lack, "a join token", |state, context| {
            state.decide_join_token(context, Some(&root), secret, &who, expires)
        })
    }

    fn refuses(
        &mut self,
        state: &State,
        now: Timestamp,
        policy: &Policy,
        lack: Lack,
        what: &str,
        decide: impl FnOnce(&State, &Context<'_>) -> Decision,
    ) -> Flow {
        let next = state.tree().size().next_leaf();
        let capability_key = self.keys.signer(KeyPurpose::Capability, next);
        let rebind_key = self.keys.signer(KeyPurpose::Rebind, next).1;
        let domain = domain();
        let context = Context { now, policy, capability_key, rebind_key, domain: &domain };
        let decided = decide(state, &context);
        if let Err(refusal) = &decided {
            self.tally.refused(refusal.reason());
        }
        hold(Invariant::Doubt, decided.is_err(), || {
            format!("without {}, {what} is allowed", lack.name().to_lowercase())
        })
    }

    /// One byte of one entry is another: either that shows, or it is another ledger.
    fn read_damaged(&mut self, step: &Step) -> Flow {
        let entries = self.ledger.entries();
        let Some(victim) = pick(step.which, &entries) else { return Ok(()) };
        let mut damaged = victim.to_vec();
        let at = usize::from(step.how) * damaged.len() / 256;
        damaged[at] ^= 1 << (step.who & 7);
        let (mut state, mut readable) = (State::default(), true);
        for entry in &entries {
            let bytes = if *entry == victim { Bytes::from(damaged.clone()) } else { entry.clone() };
            match Entry::from_bytes(&bytes) {
                Ok(entry) => state = state.evolve(&entry),
                Err(_) => readable = false,
            }
        }
        let head = self.ledger.head();
        let same = readable && state.tree().size() == head.size && state.tree().root() == head.root;
        hold(Invariant::Doubt, !same, || format!("a flipped bit at byte {at} of an entry does not show"))
    }
}
