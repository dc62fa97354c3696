//! One capability, compiled.

use super::cell::Cell;
use crate::{
    capability::{Capability, Request, ResourceName},
    limits::ACTIONS_MAX,
    name::Word,
    payload::Ascending,
};

/// All of it has to hold.
#[derive(Clone, Debug)]
pub(super) struct Row {
    actions: Ascending<Word, 1, ACTIONS_MAX>,
    scheme: Box<str>,
    /// A literal, or `None` for `*`.
    segments: Box<[Option<Box<str>>]>,
    /// Whether `**` follows.
    open: bool,
    /// At most one for each argument; the cheapest first.
    cells: Box<[Cell]>,
}

impl Row {
    pub(super) fn compile(capability: &Capability) -> Self {
        let pattern = capability.resource.parts();
        let mut cells: Box<[Cell]> = capability.constraints.iter().map(Cell::compile).collect();
        cells.sort_by_key(Cell::price);
        Self {
            actions: capability.actions.clone(),
            scheme: pattern.scheme.into(),
            segments: pattern.segments.into_iter().map(|segment| segment.map(Box::from)).collect(),
            open: pattern.open,
            cells,
        }
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
        self.actions.has(action)
            && *self.scheme == *resource.scheme()
            && self.holds_segments(resource.segments())
    }

    fn holds_segments<'a>(&self, mut found: impl Iterator<Item = &'a str>) -> bool {
        let wanted = |segment: &Option<Box<str>>, found| segment.as_deref().is_none_or(|text| text == found);
        let all =
            self.segments.iter().all(|segment| found.next().is_some_and(|found| wanted(segment, found)));
        // `**` is one segment or more, and without it none may be left.
        all && found.next().is_some() == self.open
    }
}
