//! One capability, compiled.

use super::cell::Cell;
use crate::{
    capability::{Capability, Constraint, Request, ResourceName, ResourcePattern},
    limits::ACTIONS_MAX,
    name::Word,
    payload::Ascending,
};

/// All of it has to hold.
#[derive(Clone, Debug)]
pub(super) struct Row {
    actions: Ascending<Word, 1, ACTIONS_MAX>,
    resources: Resources,
    /// At most one for each argument; the cheapest first.
    cells: Box<[Cell]>,
}

/// A pattern: names have one spelling, so what stands before its first star is compared as it is.
#[derive(Clone, Debug)]
struct Resources {
    prefix: Box<str>,
    /// The segments from the first star on, `**` left out: a literal, or `None` for `*`.
    rest: Box<[Option<Box<str>>]>,
    /// Whether `**` follows.
    open: bool,
}

impl Row {
    /// Without the constraints that are asked before it.
    pub(super) fn compile(capability: &Capability, asked: &[&Constraint]) -> Self {
        let own = capability.constraints.iter().filter(|constraint| !asked.contains(constraint));
        let mut cells: Box<[Cell]> = own.map(Cell::compile).collect();
        cells.sort_by_key(Cell::price);
        let resources = Resources::compile(&capability.resource);
        Self { actions: capability.actions.clone(), resources, cells }
    }

    /// What it costs to ask, to compare rows by: nothing for one without constraints.
    pub(super) fn price(&self) -> usize {
        self.cells.iter().map(Cell::price).sum()
    }

    pub(super) fn ignores_arguments(&self) -> bool {
        self.cells.is_empty()
    }

    pub(super) fn allows(&self, request: &Request) -> bool {
        self.covers(&request.action, &request.resource)
            && self.cells.iter().all(|cell| cell.holds(&request.arguments))
    }

    pub(super) fn covers(&self, action: &Word, resource: &ResourceName) -> bool {
        self.actions.has(action) && self.resources.hold(resource)
    }
}

impl Resources {
    fn compile(pattern: &ResourcePattern) -> Self {
        let text = pattern.as_str();
        // A star is never part of a literal.
        let (prefix, stars) = text.split_at(text.find('*').unwrap_or(text.len()));
        let open = stars.ends_with("**");
        let segments = stars.split('/').filter(|segment| !matches!(*segment, "" | "**"));
        let rest = segments.map(|segment| (segment != "*").then(|| segment.into())).collect();
        Self { prefix: prefix.into(), rest, open }
    }

    fn hold(&self, name: &ResourceName) -> bool {
        let Some(found) = name.as_str().strip_prefix(&*self.prefix) else { return false };
        let mut found = found.split('/').filter(|segment| !segment.is_empty());
        let wanted = |segment: &Option<Box<str>>, found| segment.as_deref().is_none_or(|text| text == found);
        let all = self.rest.iter().all(|segment| found.next().is_some_and(|found| wanted(segment, found)));
        // `**` is one segment or more, and without it none may be left.
        all && found.next().is_some() == self.open
    }
}
