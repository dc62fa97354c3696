//! `spec/machines/*.toml` → the table of a state machine: an enumeration of states, one of inputs,
//! and a total function over both.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt::{self, Write as _},
};

use serde::Deserialize;

use super::{Registry, camel};

/// A map from role to kind, as TOML's dotted keys (`delegator.offer = …`) write it.
type ByInput<T> = BTreeMap<String, BTreeMap<String, T>>;

/// A machine as its file states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    state: BTreeMap<String, State>,
    input: ByInput<Input>,
    cell: BTreeMap<String, ByInput<Cell>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    code: u64,
    terminal: bool,
    doc: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    code: u64,
    doc: String,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Cell {
    To {
        to: String,
        #[serde(default)]
        round: bool,
    },
    Refuse {
        refuse: String,
    },
}

/// A machine whose table is known to be complete, in order of the codes.
struct Machine {
    states: Vec<(String, State)>,
    inputs: Vec<(String, Input)>,
    cells: BTreeMap<(String, String), Cell>,
}

/// The Rust table of a machine, or everything that is wrong with its source.
pub(super) fn compile(name: &str, text: &str, reasons: &Registry) -> Result<String, Box<dyn Error>> {
    let machine = Machine::from(toml::from_str::<Source>(text)?);
    let problems = machine.problems(reasons);
    if problems.is_empty() { Ok(machine.render(name)?) } else { Err(problems.join("; ").into()) }
}

impl From<Source> for Machine {
    fn from(source: Source) -> Self {
        let mut states: Vec<_> = source.state.into_iter().collect();
        states.sort_by_key(|(_, state)| state.code);
        let mut inputs: Vec<_> = flat(source.input).collect();
        inputs.sort_by_key(|(_, input)| input.code);
        let cells = source
            .cell
            .into_iter()
            .flat_map(|(state, row)| flat(row).map(move |(input, cell)| ((state.clone(), input), cell)))
            .collect();
        Self { states, inputs, cells }
    }
}

/// Pairs of `role.kind` and value.
fn flat<T>(map: ByInput<T>) -> impl Iterator<Item = (String, T)> {
    map.into_iter().flat_map(|(role, kinds)| {
        kinds.into_iter().map(move |(kind, value)| (format!("{role}.{kind}"), value))
    })
}

impl Machine {
    fn problems(&self, reasons: &Registry) -> Vec<String> {
        let mut problems = Vec::new();
        codes("state", self.states.iter().map(|(_, state)| state.code), &mut problems);
        codes("input", self.inputs.iter().map(|(_, input)| input.code), &mut problems);
        for (state, _) in &self.states {
            for (input, _) in &self.inputs {
                if !self.cells.contains_key(&(state.clone(), input.clone())) {
                    problems.push(format!("cell {state}.{input} is absent"));
                }
            }
        }
        for ((state, input), cell) in &self.cells {
            let place = format!("cell {state}.{input}");
            match self.state(state) {
                None => problems.push(format!("{place}: {state} is not a state")),
                Some(from) if from.terminal && matches!(cell, Cell::To { .. }) => {
                    problems.push(format!("{place} leads out of a terminal state"));
                }
                Some(_) => {}
            }
            if !self.inputs.iter().any(|(name, _)| name == input) {
                problems.push(format!("{place}: {input} is not an input"));
            }
            match cell {
                Cell::To { to, .. } if self.state(to).is_none() => {
                    problems.push(format!("{place}: {to} is not a state"));
                }
                Cell::Refuse { refuse } if !reasons.contains(refuse) => {
                    problems.push(format!("{place}: {refuse} is not a reason of spec/errors.toml"));
                }
                _ => {}
            }
        }
        problems
    }

    fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|(known, _)| known == name).map(|(_, state)| state)
    }

    fn render(&self, name: &str) -> Result<String, fmt::Error> {
        let mut out = format!(
            "// Generated from spec/machines/{name}.toml by `cargo xtask codegen`. Do not edit.\n\n\
             use crate::refusal::Reason;\n\n"
        );
        let states = self.states.iter().map(|(name, state)| (name, state.code, &state.doc));
        enumeration(&mut out, "State", &format!("A state of the {name}."), states)?;
        out.push_str("/// Whether nothing leads out of this state.\n");
        out.push_str("pub const fn is_terminal(self) -> bool {\nmatch self {\n");
        for (name, state) in &self.states {
            writeln!(out, "State::{} => {},", camel(name), state.terminal)?;
        }
        out.push_str("}\n}\n}\n\n");
        let inputs = self.inputs.iter().map(|(name, input)| (name, input.code, &input.doc));
        enumeration(&mut out, "Input", &format!("What moves the {name}, and who caused it."), inputs)?;
        out.push_str("}\n\n");
        out.push_str(CELL);
        out.push_str("\n/// What follows from an input in a state.\n");
        out.push_str("pub const fn next(state: State, input: Input) -> Cell {\nmatch state {\n");
        for (state, _) in &self.states {
            writeln!(out, "State::{} => match input {{", camel(state))?;
            for (input, _) in &self.inputs {
                if let Some(cell) = self.cells.get(&(state.clone(), input.clone())) {
                    writeln!(out, "Input::{} => {},", camel(input), expression(cell))?;
                }
            }
            out.push_str("},\n");
        }
        out.push_str("}\n}\n");
        Ok(out)
    }
}

const CELL: &str = "/// One cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The input is allowed.
    To {
        /// The state that follows.
        state: State,
        /// Whether it uses one of the rounds.
        round: bool,
    },
    /// The input changes nothing, and this is why.
    Refuse(Reason),
}
";

/// Codes are on the wire: zero is no value there, and one code has one meaning.
fn codes(what: &str, codes: impl Iterator<Item = u64>, problems: &mut Vec<String>) {
    let mut seen = BTreeSet::from([0]);
    for code in codes {
        if !seen.insert(code) {
            problems.push(format!("{what} code {code} is zero or used twice"));
        }
    }
}

/// An enumeration with its `ALL` and `name`; its `impl` is left open for more.
fn enumeration<'a>(
    out: &mut String,
    kind: &str,
    doc: &str,
    variants: impl Iterator<Item = (&'a String, u64, &'a String)> + Clone,
) -> fmt::Result {
    // Written as it shall look: rustfmt leaves the inside of such a macro call alone.
    writeln!(out, "crate::code_enum! {{\n    /// {doc}\n    pub enum {kind} {{")?;
    for (name, code, doc) in variants.clone() {
        writeln!(out, "        /// {doc}\n        {} = {code},", camel(name))?;
    }
    writeln!(out, "    }}\n}}\n\nimpl {kind} {{\n/// Each of them, in order of the codes.")?;
    writeln!(out, "pub const ALL: &[{kind}] = &[")?;
    for (name, ..) in variants.clone() {
        writeln!(out, "{kind}::{},", camel(name))?;
    }
    writeln!(out, "];\n\n/// The name in the specification.")?;
    writeln!(out, "pub const fn name(self) -> &'static str {{\nmatch self {{")?;
    for (name, ..) in variants {
        writeln!(out, "{kind}::{} => {name:?},", camel(name))?;
    }
    out.push_str("}\n}\n\n");
    Ok(())
}

fn expression(cell: &Cell) -> String {
    match cell {
        Cell::To { to, round } => format!("Cell::To {{ state: State::{}, round: {round} }}", camel(to)),
        Cell::Refuse { refuse } => format!("Cell::Refuse(Reason::{})", camel(refuse)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &str = "
        [state.OPEN]
        code = 1
        terminal = false
        doc = 'd'
        [state.SHUT]
        code = 2
        terminal = true
        doc = 'd'
        [input.broker]
        close = { code = 1, doc = 'd' }
        [cell.OPEN]
        broker.close = { to = 'SHUT', round = true }
        [cell.SHUT]
        broker.close = { refuse = 'LATE' }
    ";

    fn compiled(from: &str, to: &str) -> Result<String, String> {
        let reasons = Registry::parse(
            "[LATE]\ncode = 'ABORTED'\nretry = 'no'\nmessage = 'It is shut.'\nhint = 'Come earlier.'",
        );
        assert!(COMPLETE.contains(from));
        compile("door", &COMPLETE.replacen(from, to, 1), &reasons.unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_complete_table_becomes_a_total_function() {
        let code = compiled("", "").unwrap();
        for line in [
            "        Shut = 2,",
            "Input::BrokerClose => \"broker.close\",",
            "Input::BrokerClose => Cell::To { state: State::Shut, round: true },",
            "Input::BrokerClose => Cell::Refuse(Reason::Late),",
        ] {
            assert!(code.contains(line), "{line} in\n{code}");
        }
    }

    #[test]
    fn an_incomplete_or_contradictory_table_is_refused() {
        for (from, to, problem) in [
            ("broker.close = { to = 'SHUT', round = true }", "", "cell OPEN.broker.close is absent"),
            ("to = 'SHUT'", "to = 'AJAR'", "cell OPEN.broker.close: AJAR is not a state"),
            ("'LATE'", "'EARLY'", "cell SHUT.broker.close: EARLY is not a reason of spec/errors.toml"),
            ("refuse = 'LATE'", "to = 'OPEN'", "cell SHUT.broker.close leads out of a terminal state"),
            ("[cell.SHUT]", "[cell.AJAR]", "AJAR is not a state"),
            ("[cell.SHUT]", "[cell.SHUT]\nbroker.open = { refuse = 'LATE' }", "broker.open is not an input"),
            ("code = 2", "code = 1", "state code 1 is zero or used twice"),
            ("close = { code = 1", "close = { code = 0", "input code 0 is zero or used twice"),
        ] {
            let error = compiled(from, to).unwrap_err();
            assert!(error.contains(problem), "{problem:?} in {error:?}");
        }
    }

    #[test]
    fn a_cell_says_one_thing() {
        assert!(compiled("refuse = 'LATE'", "refuse = 'LATE', to = 'SHUT'").is_err());
        assert!(compiled("refuse = 'LATE'", "refuse = 'LATE', round = true").is_err());
        assert!(compiled("refuse = 'LATE'", "").is_err());
    }
}
