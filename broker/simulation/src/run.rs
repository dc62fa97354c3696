//! One plan from its beginning to its end, or to the first thing that must never be possible.

use std::panic::{AssertUnwindSafe, catch_unwind};

use countersign_protocol::audit::Audit;

use crate::{
    invariant::Invariant,
    plan::{Act, Plan, Step},
    stop::{Flow, Stop, Violation, hold},
    tally::Tally,
    world::World,
};

/// How time passes in a step, in milliseconds.
const WAITS: [u64; 8] = [5, 200, 1_000, 3_000, 11_000, 31_000, 61_000, 150_000];
/// Longer waits, in which nobody renews.
const LONG_WAITS: [u64; 2] = [650_000, 3_700_000];
/// By how much the broker's clock is wrong, in milliseconds.
const DRIFTS: [i64; 12] = [0, -1, -3_000, -40_000, 1_000, 12_000, 31_000, 95_000, 0, 0, 0, 0];
/// How far apart renewals are, in milliseconds.
const BREATH_MS: u64 = 100_000;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was met.
    pub tally: Tally,
    /// What must never be possible, and at which step it was; none if all was well.
    pub broken: Option<(usize, Violation)>,
}

/// Runs a plan. A panic breaks [`Invariant::Bounds`].
pub fn run(plan: &Plan, trace: bool) -> Outcome {
    let mut at = 0;
    let mut tally = Tally::default();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::begin(plan.seed);
        world.trace = trace;
        let ended = plan.steps.iter().try_for_each(|step| {
            at += 1;
            world.say(|| format!("{at:>4} {step}"));
            world.take_step(step)
        });
        let ended = ended.and_then(|()| world.finish(plan.seed));
        tally = world.tally;
        ended
    }));
    let broken = match ran {
        Ok(Ok(())) => None,
        Ok(Err(Stop::Broken(violation))) => Some(violation),
        Ok(Err(Stop::Crash)) => {
            Some(Violation { invariant: Invariant::Recovery, seen: "it did not start again".into() })
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(Violation {
                invariant: Invariant::Bounds,
                seen: format!("a panic: {}", text.unwrap_or_default()),
            })
        }
    };
    Outcome { tally, broken: broken.map(|violation| (at, violation)) }
}

impl World {
    /// Takes one step.
    fn take_step(&mut self, step: &Step) -> Flow {
        self.tally.count("act", step.act.name());
        self.network.begin(step);
        self.slow = step.slow;
        self.outage = self.outage.saturating_sub(1);
        // The power may go a second time, while the broker reads what the first time left.
        self.crash_in = u8::from(std::mem::take(&mut self.cut_again));
        let flow = match self.process {
            None if self.outage == 0 => self.start(),
            _ => Ok(()),
        };
        self.survive(flow, 1)?;
        self.crash_in = step.crash;
        // What was left unwritten is written before the next thing is done.
        let flow = if self.slow { Ok(()) } else { self.flush() };
        self.survive(flow, step.how % 3 + 1)?;
        self.stalled = self.stalled.saturating_sub(1);
        let flow = self
            .rotate_if_due()
            .and_then(|()| self.forward_waiting())
            .and_then(|()| self.act(step))
            .and_then(|()| self.pump());
        self.survive(flow, step.how % 3 + 1)
    }

    fn act(&mut self, step: &Step) -> Flow {
        match step.act {
            Act::Ask => self.open_negotiation(step),
            Act::Answer => self.answer_request(step),
            Act::Decide => self.answer_offer(step),
            Act::Agree => self.agree_on(step),
            Act::Withdraw => self.withdraw(step),
            Act::Race => self.race(step),
            Act::Grant => self.make_grant(step),
            Act::Use => self.use_chain(step),
            Act::Sit => self.sit(step),
            Act::Revoke => self.make_revocation(step),
            Act::Change => self.make_change(step),
            Act::Rebind => self.make_rebind(step),
            Act::Retry => self.retry_any(step),
            Act::Look => self.look_again(step),
            Act::Explain => self.explain(step),
            Act::Stay => self.stay(usize::from(step.who) % self.parties.len()),
            Act::Rejoin => self.rejoin(usize::from(step.who) % self.parties.len(), step.how),
            Act::Fork => self.fork(usize::from(step.who) % 5),
            Act::Arrive => {
                self.network.arrive(step.which);
                Ok(())
            }
            Act::Wait => self.wait(step),
            Act::Jump => self.jump(step),
            Act::Tick => self.tick(),
            Act::Cut => {
                self.tally.count("fault", "power cut");
                self.cut_again = step.what & 1 == 1;
                Err(Stop::Crash)
            }
            Act::Cheat => self.cheat(step),
            Act::Oversell => self.oversell(step),
            Act::Lie => self.lie(step),
            Act::Swindle => self.begin_swindle(step),
            Act::Stall => self.stall(step),
            Act::Probe => self.probe(step),
            Act::Doubt => self.doubt(step),
        }
    }

    fn retry_any(&mut self, step: &Step) -> Flow {
        let waiting = self.parties.iter().enumerate().filter(|(_, party)| !party.calls.is_empty());
        let waiting: Vec<usize> = waiting.map(|(who, _)| who).collect();
        match usize::from(step.who).checked_rem(waiting.len()) {
            Some(at) => self.retry(waiting[at], step.which),
            None => Ok(()),
        }
    }

    /// Somebody reads the newest checkpoint, and has itself shown what it holds and has not seen.
    fn look_again(&mut self, step: &Step) -> Flow {
        let who = usize::from(step.who) % self.parties.len();
        self.look(who)?;
        let me = self.parties[who].agent.id.clone();
        let mine = self.witness.model.links.iter().filter(|(_, link)| link.holder == me);
        let mine: Vec<_> = mine.map(|(id, _)| *id).collect();
        match usize::from(step.which).checked_rem(mine.len()) {
            Some(at) => self.fetch(who, mine[at], None),
            None => Ok(()),
        }
    }

    fn wait(&mut self, step: &Step) -> Flow {
        if step.how >= 248 {
            self.pass_time(LONG_WAITS[usize::from(step.how & 1)]);
            return self.tick();
        }
        let mut left = WAITS[usize::from(step.how & 7)];
        while left > 0 {
            let breath = left.min(BREATH_MS);
            self.pass_time(breath);
            left -= breath;
            // Sometimes nobody is awake to renew.
            if step.what & 3 != 3 {
                self.renew_all()?;
            }
            self.tick()?;
        }
        Ok(())
    }

    /// Whoever has half of its certificate's life behind it renews.
    fn renew_all(&mut self) -> Flow {
        for who in 0..self.parties.len() {
            let party = &self.parties[who];
            let left = party.certified_until.since(self.now).as_millis();
            if !party.out && 0 < left && left < 160_000 {
                self.stay(who)?;
                self.pump()?;
            }
        }
        Ok(())
    }

    fn jump(&mut self, step: &Step) -> Flow {
        let drift = DRIFTS[usize::from(step.how) % DRIFTS.len()];
        if drift != self.drift {
            self.tally.count("fault", if drift < self.drift { "clock back" } else { "clock forward" });
            self.drift = drift;
        }
        Ok(())
    }

    /// The end: the broker starts if it can, everything is written, and the ledger is looked at as a
    /// whole.
    fn finish(&mut self, seed: u64) -> Flow {
        (self.crash_in, self.slow, self.drift, self.outage, self.stalled) = (0, false, 0, 0, 0);
        // Whatever the clocks were, now it is later.
        self.pass_time(100_000);
        if self.process.is_none() {
            self.start()?;
        }
        self.flush()?;
        self.tick()?;
        self.pump()?;
        let Some(process) = &self.process else { return Err(Stop::Crash) };
        self.witness.check_released(&process.state)?;
        // Each entry once more, with every signature in it: not for every seed.
        if seed.is_multiple_of(16) { self.audit() } else { Ok(()) }
    }

    fn audit(&mut self) -> Flow {
        let Some(checkpoint) = self.checkpoint()? else { return Ok(()) };
        let audit = Audit::begin(self.keys.set.clone());
        let report =
            self.ledger.entries().iter().fold(audit, |audit, entry| audit.entry(entry)).finish(&checkpoint);
        self.tally.count("act", "an audit of the whole ledger");
        hold(Invariant::Model, report.is_clean(), || format!("an audit finds {:?}", report.findings))
    }
}
