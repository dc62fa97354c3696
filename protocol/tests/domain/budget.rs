//! Budgets under any order of events: delegations, uses, results, revocations and deadlines among
//! siblings, as they come.

use countersign_forge::{START_MS, World, keys, rights};
use countersign_protocol::{
    audit::Audit,
    capability::{Amount, Budget, Rights, Window},
    digest::ChainId,
    domain::{End, Event, State},
    id::InvocationId,
    signed::{Signed, Statement},
    time::Lifetime,
};
use proptest::prelude::*;

use crate::{
    explain::ledger,
    invocation::{begin, end, receipt, revoke},
};

/// One step; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Delegate { parent: usize, to: usize, ceiling: u64, per_call: u64 },
    Begin { chain: usize },
    Receipt { open: usize, cost: u64 },
    Cancel { open: usize },
    GiveUp { open: usize },
    Revoke { chain: usize },
    Wait { millis: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = 0..1000usize;
    let step = prop_oneof![
        3 => (any.clone(), 0..3usize, 1..12u64, 1..4u64).prop_map(|(parent, to, ceiling, per_call)| {
            Step::Delegate { parent, to, ceiling: ceiling.max(per_call), per_call }
        }),
        6 => any.clone().prop_map(|chain| Step::Begin { chain }),
        3 => (any.clone(), 0..4u64).prop_map(|(open, cost)| Step::Receipt { open, cost }),
        1 => any.clone().prop_map(|open| Step::Cancel { open }),
        1 => any.clone().prop_map(|open| Step::GiveUp { open }),
        1 => any.prop_map(|chain| Step::Revoke { chain }),
        1 => (1..400_000u64).prop_map(|millis| Step::Wait { millis }),
    ];
    prop::collection::vec(step, 10..40)
}

const CEILING: u64 = 20;
const WINDOW_CEILING: u64 = 9;
const WINDOW_MS: u64 = 600_000;

fn budgeted(ceiling: u64, per_call: u64, delegations_left: u32) -> Rights {
    let window =
        Window { ceiling: Amount::new(WINDOW_CEILING).unwrap(), length: Lifetime::from_millis(WINDOW_MS) };
    let budget = Budget {
        unit: "calls".parse().unwrap(),
        ceiling: Amount::new(ceiling).unwrap(),
        per_call: Amount::new(per_call).unwrap(),
        window: Some(window),
    };
    Rights { budget, ..rights(1, delegations_left) }
}

/// A use without a result: its id, its chain and its proof.
type Open = (InvocationId, ChainId, Signed);

/// The domain, and what was spent by an account that is kept apart from its own.
struct Run {
    world: World,
    grant: ChainId,
    chains: Vec<ChainId>,
    open: Vec<Open>,
    spent: u64,
}

impl Run {
    fn new() -> Self {
        let mut world = World::new();
        world.policy.grant_rules[0].rights = budgeted(CEILING, 3, 5);
        let grant = world.grant(budgeted(CEILING, 3, 4)).unwrap();
        Self { world, grant, chains: vec![grant], open: Vec::new(), spent: 0 }
    }

    fn holder(&self, chain: ChainId) -> String {
        self.world.state.chain(&chain).unwrap().holder.principal().short().to_owned()
    }

    /// Takes one step; whether it was allowed is the core's to say.
    fn take(&mut self, step: &Step) {
        let chain = |number: usize| self.chains[number % self.chains.len()];
        match *step {
            Step::Delegate { parent, to, ceiling, per_call } => {
                let parent = chain(parent);
                let left = self.world.state.chain(&parent).unwrap().rights.delegations_left;
                let grantor = self.holder(parent);
                let rights = budgeted(ceiling, per_call, left.saturating_sub(1));
                let grantee = ["researcher", "fetcher", "mallory"][to];
                if grantor != grantee {
                    self.chains.extend(self.world.contract(parent, &grantor, grantee, rights).ok());
                }
            }
            Step::Begin { chain: number } => {
                let chain = chain(number);
                let holder = self.holder(chain);
                let begun = begin(&mut self.world, &holder, chain);
                self.open.extend(begun.ok().map(|(id, proof)| (id, chain, proof)));
            }
            Step::Receipt { open, cost } => self.end(open, Some(cost)),
            Step::Cancel { open } => {
                if let Some((id, ..)) = self.pick(open) {
                    end(&mut self.world, id, &End::Cancelled).unwrap();
                }
            }
            Step::GiveUp { open } => self.end(open, None),
            Step::Revoke { chain: number } => {
                let chain = chain(number);
                if chain != self.grant {
                    let count = self.world.state.live_subtree(chain).len() as u64;
                    revoke(&mut self.world, "alice", chain, count).unwrap();
                }
            }
            Step::Wait { millis } => {
                self.world.pass(millis);
                self.world.decide(|state, context| state.decide_tick(context)).unwrap();
            }
        }
    }

    fn pick(&mut self, open: usize) -> Option<Open> {
        if self.open.is_empty() { None } else { Some(self.open.remove(open % self.open.len())) }
    }

    /// Ends one use with a receipt of that cost, or without one.
    fn end(&mut self, open: usize, cost: Option<u64>) {
        let Some((id, _, proof)) = self.pick(open) else { return };
        let reserved = self.world.state.invocation(&id).unwrap().reserved.get();
        let cost = cost.map(|cost| cost.min(reserved));
        match cost {
            Some(cost) => {
                let signed = receipt(&self.world, &proof, cost).sign(&self.world.agent("files").key);
                end(&mut self.world, id, &End::Receipt(&signed)).unwrap();
            }
            None => drop(end(&mut self.world, id, &End::Unknown).unwrap()),
        }
        self.spent += cost.unwrap_or(reserved);
    }

    /// What holds after every step.
    fn check(&self) -> Result<(), TestCaseError> {
        let state = &self.world.state;
        for id in &self.chains {
            let chain = state.chain(id).unwrap();
            prop_assert!(committed(state, *id) <= chain.rights.budget.ceiling.get(), "overspent");
            prop_assert!(committed(state, *id) <= chain.account.held().get(), "more than its parent holds");
            let held: u64 =
                chain.children.iter().map(|child| state.chain(child).unwrap().account.held().get()).sum();
            prop_assert_eq!(held, chain.account.balance().delegated.get(), "children and parent differ");
        }
        self.check_windows()
    }

    /// In no window was more reserved, by a link and all beneath it, than its ceiling.
    fn check_windows(&self) -> Result<(), TestCaseError> {
        let mut used = std::collections::BTreeMap::new();
        for entry in &self.world.entries {
            if let Event::Intent(intent) = &entry.event {
                for link in &intent.chain {
                    let window = entry.time.as_millis() / WINDOW_MS;
                    *used.entry((*link, window)).or_insert(0) += intent.reserved.get();
                }
            }
        }
        prop_assert!(used.values().all(|used| *used <= WINDOW_CEILING), "{used:?}");
        Ok(())
    }

    /// Everything ends: what is open is given up, and the hour is over.
    fn finish(&mut self) {
        while !self.open.is_empty() {
            self.end(0, None);
        }
        self.world.pass(3_600_000);
        self.world.decide(|state, context| state.decide_tick(context)).unwrap();
    }
}

fn committed(state: &State, id: ChainId) -> u64 {
    let balance = state.chain(&id).unwrap().account.balance();
    balance.settled.get() + balance.open.get() + balance.delegated.get()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Nothing is spent twice or lost, whatever the order; the ledger alone gives the same state again;
    /// and an audit agrees with every decision.
    #[test]
    fn budgets_are_conserved_over_any_interleaving(steps in steps()) {
        let mut run = Run::new();
        for step in &steps {
            run.take(step);
            run.check()?;
        }
        run.finish();
        run.check()?;
        for chain in &run.chains {
            let chain = run.world.state.chain(chain).unwrap();
            prop_assert!(chain.state.is_terminal());
            prop_assert_eq!(chain.account.balance().open, Amount::ZERO);
        }
        prop_assert_eq!(committed(&run.world.state, run.grant), run.spent);
        let replayed = run.world.entries.iter().fold(State::default(), State::evolve);
        prop_assert!(replayed == run.world.state, "the ledger is not the state");
        let audit = ledger(&run.world).iter().fold(Audit::begin(keys()), |audit, entry| audit.entry(entry));
        let report = audit.finish(&run.world.checkpoint());
        prop_assert!(report.is_clean(), "{:?}", report.findings);
    }
}

/// The property is about something: uses succeed, are refused, and siblings compete.
#[test]
fn a_sibling_gets_what_another_gave_up() {
    let mut run = Run::new();
    let delegate = |to, ceiling| Step::Delegate { parent: 0, to, ceiling, per_call: 1 };
    run.take(&delegate(0, 12));
    run.take(&delegate(1, 9));
    assert_eq!(run.chains.len(), 2, "nine more were not left");
    run.take(&Step::Begin { chain: 1 });
    run.take(&Step::Revoke { chain: 1 });
    run.take(&delegate(1, 19));
    assert_eq!(run.chains.len(), 3, "all but the one that is still open");
    run.take(&Step::Receipt { open: 0, cost: 1 });
    assert_eq!((run.spent, run.world.now.as_millis()), (1, START_MS));
    run.check().unwrap();
}
