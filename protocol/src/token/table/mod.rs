//! The decision table: what all links of a chain say of one request.
//!
//! Links are compiled once and flattened: one stretch of time, the callees that all of them name, and
//! for each link that says something new the capabilities, one of which has to allow. What is cheap
//! is asked first, nothing is allocated to allow, and there is no Datalog. The table does not lean
//! on the walk: it would keep every ancestor's limits even if a hop had widened them.

mod cell;
mod row;

use super::{chain::Link, proof::Proof};
use crate::{
    capability::{Capability, Constraint, Request, ResourceName},
    name::{InstanceId, PrincipalId, Word},
    refusal::{Reason, Refusal},
    require,
    time::Timestamp,
};
use row::Row;

/// What a chain says of any request. It permits nothing: who asks, and whether the chain is active,
/// are not its questions.
#[derive(Clone, Debug)]
pub struct Table {
    begins: Bound,
    ends: Bound,
    /// The last link's audiences, each with the first link that leaves it out.
    callees: Box<[(PrincipalId, Option<usize>)]>,
    /// From the grant on.
    clauses: Box<[Clause]>,
    /// Who is named in a refusal.
    holders: Box<[InstanceId]>,
}

/// An end of the time that all links have in common.
#[derive(Clone, Copy, Debug)]
struct Bound {
    at: Timestamp,
    /// Whose it is.
    link: usize,
}

/// One of these has to allow the request.
#[derive(Clone, Debug)]
struct Clause {
    rows: Box<[Row]>,
    /// The first link that says so.
    link: usize,
}

impl Table {
    /// Compiles the links of a chain, from the grant to the leaf.
    pub fn compile(ancestors: &[Link], leaf: &Link) -> Self {
        let last = ancestors.len();
        let mut begins = Bound { at: leaf.rights.not_before, link: last };
        let mut ends = Bound { at: leaf.rights.not_after, link: last };
        for (link, rights) in ancestors.iter().map(|link| &link.rights).enumerate() {
            if rights.not_before > begins.at {
                begins = Bound { at: rights.not_before, link };
            }
            if rights.not_after < ends.at {
                ends = Bound { at: rights.not_after, link };
            }
        }
        let left_out = |callee| ancestors.iter().position(|link| !link.rights.audiences.has(callee));
        let audiences = leaf.rights.audiences.iter();
        let callees = audiences.map(|callee| (callee.clone(), left_out(callee))).collect();
        let links = || ancestors.iter().chain(std::iter::once(leaf));
        let holders = links().map(|link| link.holder.instance.clone()).collect();
        Self { begins, ends, callees, clauses: clauses(links()), holders }
    }

    /// Whether every link allows the request at that time: first by time, then by audience, then by
    /// capability.
    pub fn decide(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
        self.check_time(now)?;
        self.check_callee(&request.callee)?;
        let refuses = |clause: &&Clause| !clause.rows.iter().any(|row| row.allows(request));
        let refusing = self.clauses.iter().find(refuses);
        require!(
            "CHN-008",
            refusing.is_none(),
            Reason::CheckFailed,
            "No capability of {} allows {} on {}.",
            self.holder(refusing.map(|clause| clause.link)),
            request.action,
            request.resource
        );
        Ok(())
    }

    /// Whether every link is valid at that time and names that callee: without it, no request is allowed.
    pub(super) fn check_opening(&self, callee: &PrincipalId, now: Timestamp) -> Result<(), Refusal> {
        self.check_time(now)?;
        self.check_callee(callee)
    }

    /// The same where the arguments are not known any more; and whether no link asks about them.
    pub(super) fn decide_without_arguments(&self, used: &Proof, then: Timestamp) -> Result<bool, Refusal> {
        self.decide_of_the_past(&used.callee, &used.action, &used.resource, then)
    }

    /// See [`Table::decide_without_arguments`].
    pub(super) fn decide_of_the_past(
        &self,
        callee: &PrincipalId,
        action: &Word,
        resource: &ResourceName,
        then: Timestamp,
    ) -> Result<bool, Refusal> {
        self.check_opening(callee, then)?;
        let covering = |clause: &Clause| {
            let covers = |row: &&Row| row.covers(action, resource);
            // Rows that ask about no argument come first.
            clause.rows.iter().find(covers).map(Row::ignores_arguments)
        };
        let refusing = self.clauses.iter().find(|clause| covering(clause).is_none());
        require!(
            "CHN-008",
            refusing.is_none(),
            Reason::CheckFailed,
            "No capability of {} covers {action} on {resource}.",
            self.holder(refusing.map(|clause| clause.link))
        );
        Ok(self.clauses.iter().all(|clause| covering(clause) == Some(true)))
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let (outside, begun) = (Reason::OutsideValidity, self.begins.at <= now);
        let (since, until) = (self.begins, self.ends);
        require!(
            "CHN-006",
            begun,
            outside,
            "The link of {} begins at {}; now is {now}.",
            self.holder(Some(since.link)),
            since.at
        );
        require!(
            "CHN-006",
            now < until.at,
            outside,
            "The link of {} ends at {}; now is {now}.",
            self.holder(Some(until.link)),
            until.at
        );
        Ok(())
    }

    fn check_callee(&self, callee: &PrincipalId) -> Result<(), Refusal> {
        let last = self.holders.len() - 1;
        let named = self.callees.iter().find(|(named, _)| named == callee);
        let refusing = named.map_or(Some(last), |(_, left_out)| *left_out);
        require!(
            "CHN-007",
            refusing.is_none(),
            Reason::AudienceMismatch,
            "The link of {} does not name {callee}.",
            self.holder(refusing)
        );
        Ok(())
    }

    fn holder(&self, link: Option<usize>) -> &str {
        link.and_then(|link| self.holders.get(link)).map_or("", InstanceId::as_str)
    }
}

/// Whether one capability allows a request, whatever else there is.
pub(crate) fn allows(capability: &Capability, request: &Request) -> bool {
    Row::compile(capability, &[]).allows(request)
}

/// A link that says the same as the one above it adds none. A constraint of a link with one capability
/// has to hold in any case, so that what is beneath need not ask it again.
fn clauses<'a>(links: impl Iterator<Item = &'a Link>) -> Box<[Clause]> {
    let mut above: Option<&[Capability]> = None;
    let mut asked: Vec<&Constraint> = Vec::new();
    let clauses = links.enumerate().filter_map(|(link, this)| {
        let capabilities: &[Capability] = &this.rights.capabilities;
        if above.replace(capabilities) == Some(capabilities) {
            return None;
        }
        let mut rows: Box<[Row]> = capabilities.iter().map(|this| Row::compile(this, &asked)).collect();
        rows.sort_by_key(Row::price);
        if let [only] = capabilities {
            asked.extend(only.constraints.iter());
        }
        Some(Clause { rows, link })
    });
    clauses.collect()
}
