//! The tables of `spec/machines`, read as data: nothing here comes from the code that is generated
//! from them.

use std::{collections::BTreeMap, sync::LazyLock};

use toml::Table as Toml;

/// What a cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The state that follows, and whether a round is used.
    To(String, bool),
    /// The reason of the refusal.
    Refuse(String),
}

/// One machine: each state, with each input's cell.
#[derive(Debug)]
pub struct Table {
    /// The cells by state and input.
    pub cells: BTreeMap<(String, String), Cell>,
    terminal: BTreeMap<String, bool>,
}

/// The negotiation.
pub static NEGOTIATION: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("../../../../spec/machines/negotiation.toml")));

/// The life of a contract.
pub static CONTRACT: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("../../../../spec/machines/contract.toml")));

impl Table {
    fn read(text: &str) -> Self {
        let document: Toml = text.parse().unwrap();
        let mut cells = BTreeMap::new();
        for (state, roles) in document["cell"].as_table().unwrap() {
            for (role, inputs) in roles.as_table().unwrap() {
                for (input, cell) in inputs.as_table().unwrap() {
                    let round = cell.get("round").and_then(toml::Value::as_bool).unwrap_or(false);
                    let word = |key| cell.get(key).and_then(toml::Value::as_str).map(str::to_owned);
                    let cell = match word("to") {
                        Some(to) => Cell::To(to, round),
                        None => Cell::Refuse(word("refuse").unwrap()),
                    };
                    cells.insert((state.clone(), format!("{role}.{input}")), cell);
                }
            }
        }
        let states = document["state"].as_table().unwrap();
        let terminal =
            states.iter().map(|(name, state)| (name.clone(), state["terminal"].as_bool().unwrap()));
        Self { cells, terminal: terminal.collect() }
    }

    /// What an input leads to in a state.
    pub fn cell(&self, state: &str, input: &str) -> Option<&Cell> {
        self.cells.get(&(state.to_owned(), input.to_owned()))
    }

    /// Whether nothing leads out of a state.
    pub fn is_terminal(&self, state: &str) -> bool {
        self.terminal.get(state).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::{contract, negotiation};

    use super::*;

    /// The model's table and the core's are of one size: no cell is missing here.
    #[test]
    fn every_cell_is_read() {
        assert_eq!(NEGOTIATION.cells.len(), negotiation::State::ALL.len() * negotiation::Input::ALL.len());
        assert_eq!(CONTRACT.cells.len(), contract::State::ALL.len() * contract::Input::ALL.len());
        assert_eq!(
            NEGOTIATION.cell("OFFERED", "delegatee.counter"),
            Some(&Cell::To("REQUESTED".into(), true))
        );
        assert!(NEGOTIATION.is_terminal("FINALIZED") && !NEGOTIATION.is_terminal("OFFERED"));
    }
}
