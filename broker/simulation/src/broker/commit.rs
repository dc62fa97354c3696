//! The one write path: decide, append, and tell once it is durable.

use bytes::Bytes;
use countersign_forge::domain;
use countersign_protocol::{
    domain::{Context, Decision, Entry, State},
    ledger::LeafIndex,
    payload::Payload,
    time::{Lifetime, Timestamp},
    trust::KeyPurpose,
};

use super::{Decided, Held, Point, Process, Then};
use crate::{
    invariant::Invariant,
    network::{Address, Packet, Reply},
    stop::{Flow, Stop, hold},
    world::World,
};

impl World {
    /// What the broker's clock says.
    pub fn broker_now(&self) -> Timestamp {
        let millis = self.now.as_millis().saturating_add_signed(self.drift);
        Timestamp::new(millis).unwrap_or(self.now)
    }

    /// What is looked at is judged by this time: what has expired by the ledger stays so.
    pub fn time_of(&self, state: &State) -> Timestamp {
        let now = self.broker_now();
        state.last_time().map_or(now, |last| last.max(now))
    }

    /// Passes a commit point, unless the power goes there.
    pub(super) fn pass(&mut self, point: Point) -> Flow {
        if self.crash_in == 1 {
            self.crash_in = 0;
            self.tally.count("crash point", point.name());
            self.say(|| format!("    the power goes: {}", point.name()));
            return Err(Stop::Crash);
        }
        self.crash_in = self.crash_in.saturating_sub(1);
        Ok(())
    }

    /// Decides, and lets the state evolve by the events; they are not durable yet.
    pub fn decide(&mut self, decide: impl FnOnce(&State, &Context<'_>) -> Decision) -> Flow<Decided> {
        let now = self.broker_now();
        let Some(process) = &self.process else { return Err(Stop::Crash) };
        let next = process.state.tree().size();
        let capability_key = self.keys.signer(KeyPurpose::Capability, next.next_leaf());
        let rebind_key = self.keys.signer(KeyPurpose::Rebind, next.next_leaf()).1;
        let domain = domain();
        let context = Context { now, policy: &self.policy, capability_key, rebind_key, domain: &domain };
        let events = match decide(&process.state, &context) {
            Ok(events) => events,
            Err(refusal) => {
                self.tally.refused(refusal.reason());
                self.say(|| format!("    refused: {refusal}"));
                return Ok(Decided::Refused(refusal, next));
            }
        };
        if events.is_empty() {
            self.say(|| "    known".to_owned());
            return Ok(Decided::Known(next));
        }
        for event in events {
            self.record(Entry { time: now, event })?;
        }
        self.process.as_ref().map_or(Err(Stop::Crash), |process| {
            self.witness.compare(&process.state)?;
            Ok(Decided::Recorded(process.state.tree().size()))
        })
    }

    fn record(&mut self, entry: Entry) -> Flow {
        let Some(process) = &mut self.process else { return Err(Stop::Crash) };
        let leaf = process.state.tree().size().next_leaf();
        self.tally.event(entry.event.kind());
        if self.trace {
            println!("    leaf {leaf}: {}", entry.event.kind().name());
        }
        self.witness.accept(&entry, leaf, &mut self.tally)?;
        process.queue.push(Bytes::from(entry.to_bytes()));
        process.state = std::mem::take(&mut process.state).evolve(&entry);
        self.witness.keep(entry);
        Ok(())
    }

    /// Writes what was decided, and serves whoever waited for that.
    pub fn flush(&mut self) -> Flow {
        if let Some(process) = &mut self.process
            && !process.queue.is_empty()
        {
            let (entries, durable) = (std::mem::take(&mut process.queue), process.durable);
            let undurable = self.witness.entries.iter().skip(durable.size.get() as usize);
            let point = Point::before(undurable.map(|entry| &entry.event));
            self.pass(point)?;
            let head = self.ledger.append(durable, entries);
            let seen = format!("{head:?}");
            self.pass(Point::WrittenUnknown)?;
            let Some(process) = &mut self.process else { return Err(Stop::Crash) };
            let size = process.state.tree().size();
            let written =
                head.as_ref().is_ok_and(|head| head.size == size && head.root == process.state.tree().root());
            hold(Invariant::Record, written, || {
                format!("{size} leaves were decided, and the append says {seen}")
            })?;
            process.durable = head.unwrap_or(durable);
        }
        self.serve()
    }

    /// Serves everyone for whom enough is durable.
    pub(super) fn serve(&mut self) -> Flow {
        loop {
            let Some(process) = &mut self.process else { return Ok(()) };
            let size = process.durable.size;
            let Some(at) = process.held.iter().position(|held| held.size <= size) else { return Ok(()) };
            let held = process.held.remove(at);
            match held.then {
                Then::Tell { to, call, reply } => self.answer(to, call, reply)?,
                Then::Acknowledge { to, call, leaf } => {
                    // Only now may the revoker be told: nothing beneath is forwarded from here on.
                    self.enforce()?;
                    self.pass(Point::RevocationUnacknowledged)?;
                    self.witness.acknowledged(leaf);
                    self.send(Packet::Reply { to, call, reply: Reply::Revoked(leaf) });
                }
                Then::Forward(id) => self.forward(id)?,
            }
        }
    }

    fn answer(&mut self, to: Address, call: u64, reply: Reply) -> Flow {
        self.pass(match &reply {
            Reply::Done(_) => Point::ResultUnanswered,
            Reply::Moved(told) if told.chain.is_some() => Point::ContractUntold,
            _ => Point::DurableUnanswered,
        })?;
        if let Reply::Done(done) = &reply {
            let durable = self.ledger.entry(done.result).is_some();
            hold(Invariant::Record, durable, || format!("leaf {} is told and not durable", done.result))?;
        }
        self.send(Packet::Reply { to, call, reply });
        Ok(())
    }

    /// Has somebody told as soon as everything up to that size is durable.
    pub(super) fn tell(&mut self, decided: &Decided, to: &Address, call: u64, reply: Reply) {
        let (to, size) = (to.clone(), decided.size());
        self.hold_back(Held { size, then: Then::Tell { to, call, reply } });
    }

    pub(super) fn hold_back(&mut self, held: Held) {
        if let Some(process) = &mut self.process {
            process.held.push(held);
        }
    }

    /// Sends something.
    pub fn send(&mut self, packet: Packet) {
        self.network.send(packet, &mut self.tally);
    }

    /// How long after the broker's time.
    pub(super) fn broker_in(&self, millis: u64) -> Timestamp {
        self.broker_now().plus(Lifetime::from_millis(millis))
    }
}

impl Decided {
    pub(super) fn size(&self) -> countersign_protocol::ledger::TreeSize {
        match self {
            Self::Recorded(size) | Self::Known(size) | Self::Refused(_, size) => *size,
        }
    }
}

impl Process {
    /// The leaf of a revocation.
    pub(super) fn revocation_leaf(&self, id: &countersign_protocol::id::RequestId) -> Option<LeafIndex> {
        self.state.revocation(id).map(|(_, leaf)| leaf)
    }
}
