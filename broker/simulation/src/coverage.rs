//! What a full run must meet: a zero there shows that nothing was shown.

use std::fmt;

use countersign_protocol::domain::EventKind;
use toml::Table;

use crate::{
    broker::Point,
    hostile::{Cheat, Distortion, Lack, Lie, Oversell, Question},
    model::table::{CONTRACT, NEGOTIATION, Table as Machine},
    party::Swindle,
    plan::{Act, Fate, Leg},
    tally::Tally,
};

/// Reasons that no decision gives in such a world, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("NAME_NOT_NORMAL", "a service gives it for the text of a name; here names are values"),
    ("BROKER_DRAINING", "the shell gives it before it asks the core"),
];

/// Cells that nothing can meet, and why.
const UNREACHABLE: &[(&str, &str)] = &[
    ("NONE broker.deadline", "what is not there is not due"),
    ("NONE broker.equivocation", "where nothing was said, nothing contradicts it"),
    ("NONE broker.award", "where nothing was asked, nothing is awarded"),
    ("FINALIZED broker.award", "it was awarded itself: NEG-027 and NEG-105 leave no other open"),
    ("NONE broker.exhaust", "what is not there spends nothing"),
    ("NONE broker.expire", "what is not there is not due"),
    ("FULFILLED broker.exhaust", "the last of its budget was settled already"),
];

/// One thing to be met, and how often it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What kind of thing.
    pub group: &'static str,
    /// Which.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// What was met, in order.
#[derive(Clone, Debug)]
pub struct Coverage(Vec<Line>);

impl Coverage {
    /// Holds a tally against what there is.
    pub fn of(tally: &Tally) -> Self {
        let expected = expected();
        Self(
            expected
                .into_iter()
                .map(|(group, name)| Line { count: tally.of(group, &name), group, name })
                .collect(),
        )
    }

    /// What was never met.
    pub fn missed(&self) -> Vec<&Line> {
        self.0.iter().filter(|line| line.count == 0).collect()
    }
}

/// Everything that a full run must meet.
fn expected() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut add =
        |group: &'static str, names: Vec<String>| all.extend(names.into_iter().map(|name| (group, name)));
    add("act", Act::ALL.iter().map(|act| act.name().to_owned()).collect());
    add(
        "event",
        EventKind::all().map(|kind| kind.name().to_owned()).filter(|kind| kind != "KeysPublished").collect(),
    );
    add("refusal", reasons());
    add("fault", faults());
    add("crash point", Point::ALL.iter().map(|point| point.name().to_owned()).collect());
    add("negotiation cell", cells(&NEGOTIATION));
    add("contract cell", cells(&CONTRACT));
    let named = |who: &str, names: Vec<&str>| names.iter().map(|name| format!("{who} {name}")).collect();
    add("hostile act", named("holder", Cheat::ALL.iter().map(|it| it.name()).collect()));
    add("hostile act", named("grantor", Oversell::ALL.iter().map(|it| it.name()).collect()));
    add("hostile act", named("contract with wrong", Distortion::ALL.iter().map(|it| it.name()).collect()));
    add("hostile act", named("callee", Swindle::ALL.iter().map(|it| it.name()).collect()));
    add("stream", ["begun", "receipted"].map(str::to_owned).to_vec());
    add("lie", Lie::ALL.iter().map(|it| it.name().to_owned()).collect());
    add("question", Question::ALL.iter().map(|it| it.name().to_owned()).collect());
    add("lack", Lack::ALL.iter().map(|it| it.name().to_owned()).collect());
    all
}

/// Every reason of the registry, save those that are given elsewhere.
fn reasons() -> Vec<String> {
    let registry: Table = include_str!("../../../spec/errors.toml").parse().unwrap();
    let elsewhere = |reason: &str| ELSEWHERE.iter().any(|(name, _)| *name == reason);
    registry.keys().filter(|reason| !elsewhere(reason)).cloned().collect()
}

fn faults() -> Vec<String> {
    let fates = [Fate::Lost, Fate::Doubled, Fate::Delayed];
    let legs = Leg::ALL
        .iter()
        .flat_map(|leg| fates.map(|fate| format!("{} {}", leg.name(), fate.name()).to_lowercase()));
    legs.chain(["clock back", "clock forward", "power cut", "restart"].map(str::to_owned)).collect()
}

fn cells(machine: &Machine) -> Vec<String> {
    let cells = machine.cells.keys().map(|(state, input)| format!("{state} {input}"));
    cells.filter(|cell| !UNREACHABLE.iter().any(|(name, _)| name == cell)).collect()
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = "";
        for line in &self.0 {
            if line.group != group {
                group = line.group;
                writeln!(f, "{group}")?;
            }
            writeln!(f, "  {:>10}  {}", line.count, line.name)?;
        }
        let given = ELSEWHERE.iter().chain(UNREACHABLE);
        writeln!(f, "not to be met")?;
        given.into_iter().try_for_each(|(name, why)| writeln!(f, "              {name}: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exception is of something that there is.
    #[test]
    fn every_exception_is_one() {
        let registry: Table = include_str!("../../../spec/errors.toml").parse().unwrap();
        assert!(ELSEWHERE.iter().all(|(reason, _)| registry.contains_key(*reason)));
        let all: Vec<String> = [&*NEGOTIATION, &*CONTRACT]
            .iter()
            .flat_map(|machine| machine.cells.keys())
            .map(|(state, input)| format!("{state} {input}"))
            .collect();
        assert!(UNREACHABLE.iter().all(|(cell, _)| all.iter().any(|known| known == cell)));
    }

    #[test]
    fn what_was_never_met_is_named() {
        let mut tally = Tally::default();
        assert!(Coverage::of(&tally).missed().iter().any(|line| line.name == "Ask"));
        tally.count("act", "Ask");
        assert!(!Coverage::of(&tally).missed().iter().any(|line| line.name == "Ask"));
    }
}
