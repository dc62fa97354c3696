//! Rights as people write them: all but their times, which follow when they are granted.

use std::fmt::{self, Write as _};

use super::{LifetimeText, Section, constraint, text::quoted};
use crate::{
    capability::{Amount, Budget, Capability, Rights, Window},
    limits::{ACTIONS_MAX, AUDIENCES_MAX, CAPABILITIES_MAX, CHAIN_MAX_DEPTH, CONSTRAINTS_MAX},
    name::PrincipalId,
    payload::{Ascending, Bounded},
    time::{Lifetime, Timestamp},
};

/// Everything in [`Rights`] but the times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What may be done: `[[capability]]`.
    pub capabilities: Bounded<Capability, 1, CAPABILITIES_MAX>,
    /// The callees: `audiences`.
    pub audiences: Ascending<PrincipalId, 1, AUDIENCES_MAX>,
    /// How much: `budget`.
    pub budget: Budget,
    /// How many hops may follow: `delegations_left`.
    pub delegations_left: u32,
}

impl Scope {
    /// Reads it off the keys `capability`, `audiences`, `budget` and `delegations_left`.
    pub fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let capabilities = section.sections("capability", capability);
        let audiences = section.list("audiences");
        let budget = section.section("budget", budget);
        let delegations_left = section.required("delegations_left").filter(|left: &u32| {
            let fits = *left as usize <= CHAIN_MAX_DEPTH;
            if !fits {
                section.problem("delegations_left", format!("it is {left}"), "16 at most");
            }
            fits
        });
        let capabilities = Bounded::new(capabilities?).map_err(|_| {
            section.problem("capability", "there are none, or too many", "1 to 32 [[capability]] tables")
        });
        let audiences = Ascending::new(audiences?).map_err(|_| {
            section.problem("audiences", "there are none, too many, or one twice", "1 to 16 principals")
        });
        Some(Self {
            capabilities: capabilities.ok()?,
            audiences: audiences.ok()?,
            budget: budget?,
            delegations_left: delegations_left?,
        })
    }

    /// These rights from `not_before` on, for `lifetime`; `None` if that is no time at all.
    pub fn between(&self, not_before: Timestamp, lifetime: Lifetime) -> Option<Rights> {
        let not_after = not_before.plus(lifetime);
        (not_before < not_after).then(|| Rights {
            capabilities: self.capabilities.clone(),
            audiences: self.audiences.clone(),
            not_before,
            not_after,
            budget: self.budget.clone(),
            delegations_left: self.delegations_left,
        })
    }

    /// Writes it as it is read; `prefix` goes before the name of each table, with its dot.
    pub fn write(&self, prefix: &str, to: &mut String) -> fmt::Result {
        let audiences: Vec<_> = self.audiences.iter().map(|name| quoted(name.as_str())).collect();
        writeln!(to, "audiences = [{}]", audiences.join(", "))?;
        writeln!(to, "delegations_left = {}", self.delegations_left)?;
        let Budget { unit, ceiling, per_call, window } = &self.budget;
        write!(to, "budget = {{ unit = \"{unit}\", ceiling = {ceiling}, per_call = {per_call}")?;
        if let Some(Window { ceiling, length }) = window {
            write!(to, ", window = {{ ceiling = {ceiling}, length = \"{}\" }}", LifetimeText(*length))?;
        }
        writeln!(to, " }}")?;
        for capability in self.capabilities.iter() {
            let actions: Vec<_> = capability.actions.iter().map(|action| quoted(action.as_str())).collect();
            writeln!(to, "\n[[{prefix}capability]]")?;
            writeln!(to, "resource = {}", quoted(capability.resource.as_str()))?;
            writeln!(to, "actions = [{}]", actions.join(", "))?;
            if !capability.constraints.is_empty() {
                writeln!(to, "constraints = [")?;
                for constraint in capability.constraints.iter() {
                    writeln!(to, "    {},", constraint::text(constraint))?;
                }
                writeln!(to, "]")?;
            }
        }
        Ok(())
    }
}

fn capability(section: &mut Section<'_, '_>) -> Option<Capability> {
    let resource = section.required("resource");
    let actions = section.list("actions");
    let constraints = section.sections("constraints", constraint::read);
    let actions = Ascending::<_, 1, ACTIONS_MAX>::new(actions?)
        .map_err(|_| section.problem("actions", "there are none, too many, or one twice", "1 to 16 actions"));
    let mut constraints = constraints?;
    constraints.sort_by(|a, b| a.argument.cmp(&b.argument));
    if constraints.windows(2).any(|pair| matches!(pair, [a, b] if a.argument == b.argument)) {
        section.problem("constraints", "two are for one argument", "one constraint for each argument");
        return None;
    }
    let constraints = Bounded::<_, 0, CONSTRAINTS_MAX>::new(constraints)
        .map_err(|_| section.problem("constraints", "there are too many", "16 at most"));
    Some(Capability { resource: resource?, actions: actions.ok()?, constraints: constraints.ok()? })
}

fn budget(section: &mut Section<'_, '_>) -> Option<Budget> {
    let unit = section.required("unit");
    let ceiling: Option<Amount> = section.required("ceiling");
    let per_call: Option<Amount> = section.required("per_call");
    let window = section.optional_section("window", |section| {
        let (ceiling, length) = (section.required("ceiling"), section.required("length"));
        Some(Window { ceiling: ceiling?, length: length? })
    });
    let (ceiling, per_call, window) = (ceiling?, per_call?, window?);
    if per_call == Amount::ZERO || per_call > ceiling {
        section.problem("per_call", format!("it is {per_call}"), "1 at least, and the ceiling at most");
        return None;
    }
    if window.as_ref().is_some_and(|window| window.ceiling < per_call) {
        section.problem("window.ceiling", "it is below per_call", "enough for one call");
        return None;
    }
    Some(Budget { unit: unit?, ceiling, per_call, window })
}
