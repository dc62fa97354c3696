//! Losing power, and starting again from what is on the disk.

use countersign_protocol::{
    domain::{End, Entry, SessionCause, State},
    id::{InvocationId, SessionId},
    payload::Payload,
};

use super::{Decided, Point, Process};
use crate::{
    invariant::Invariant,
    stop::{Flow, Stop, hold},
    world::World,
};

impl World {
    /// The power goes: what is not on the disk is gone.
    pub fn crash(&mut self, steps: u8) {
        let undurable = self.process.take().map(|process| process.state);
        self.network.broken();
        self.crash_in = 0;
        self.outage = steps;
        let durable = self.ledger.head().size.get() as usize;
        // Where nothing was lost, the state that is folded again must be this one.
        self.before_crash = undurable.filter(|state| state.tree().size().get() as usize == durable);
        self.witness.lose(durable);
    }

    /// Starts, unless the clock or the ledger forbids it.
    pub fn start(&mut self) -> Flow {
        let entries = self.ledger.entries();
        let mut state = State::default();
        for bytes in &entries {
            let entry = Entry::from_bytes(bytes);
            hold(Invariant::Recovery, entry.is_ok(), || format!("leaf {} is no entry", state.tree().size()))?;
            state = entry.iter().fold(state, State::evolve);
        }
        let head = self.ledger.head();
        let whole = state.tree().size() == head.size && state.tree().root() == head.root;
        hold(Invariant::Recovery, whole, || {
            format!("the fold ends at {}, the log at {head}", state.tree().size())
        })?;
        if let Some(before) = self.before_crash.take() {
            hold(Invariant::Recovery, before == state, || "the fold is another state than before".into())?;
        }
        self.witness.compare(&state)?;
        let kept = self.ledger.checkpoint();
        if let Some(kept) = &kept {
            let claimed = kept.peek_unverified();
            let held = state.tree().root_at(claimed.size) == Some(claimed.root);
            hold(Invariant::Record, held, || {
                format!("the log does not hold its checkpoint of {}", claimed.size)
            })?;
        }
        self.witness.check_released(&state)?;
        self.process = Some(Process { newest: kept, ..Process::of(state, head) });
        self.know_keys();
        self.tally.count("fault", "restart");
        self.settle_unknown()
    }

    /// Ends what has an INTENT and no RESULT, before anyone is served.
    fn settle_unknown(&mut self) -> Flow {
        loop {
            let Some(process) = &self.process else { return Ok(()) };
            let open = process.state.open_invocations().map(|(id, _)| *id).next();
            let Some(id): Option<InvocationId> = open else { return self.end_sessions() };
            if let Decided::Refused(..) = self.end(id, &End::Unknown)? {
                // The clock is behind the ledger: nobody is served until it is not.
                self.process = None;
                self.outage = 1;
                return Ok(());
            }
            self.pass(Point::Settling)?;
            self.flush()?;
        }
    }

    /// Nobody is in a session any more.
    fn end_sessions(&mut self) -> Flow {
        let open = self.process.iter().flat_map(|process| process.state.open_sessions());
        let open: Vec<SessionId> = open.map(|(id, _)| *id).collect();
        for id in open {
            let cause = SessionCause::Stopped;
            let ended = self.decide(|state, context| state.decide_end_session(context, id, cause))?;
            if let Decided::Refused(..) = ended {
                self.process = None;
                self.outage = 1;
                return Ok(());
            }
            self.flush()?;
        }
        Ok(())
    }

    /// Ends a step: what became of it, a crash included, is what the next one begins with.
    pub fn survive(&mut self, flow: Flow, steps: u8) -> Flow {
        match flow {
            Err(Stop::Crash) => {
                self.crash(steps);
                Ok(())
            }
            other => other,
        }
    }
}
