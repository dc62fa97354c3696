//! Capabilities: what may be done, to what, with which arguments.
//!
//! `child ⊆ parent` is decided on the types alone, without running anything (TOK-030). A name that
//! is not in its one normal form cannot be constructed here, so the relation never has to guess what
//! two spellings mean. Whether a chain allows one request is another question: the token's
//! decision table answers it.

mod argument;
mod constraint;
mod resource;
mod rights;
mod segment;

pub use argument::{Argument, Arguments, IpName, PathName, Text, UrlName, Value};
pub use constraint::{Cidr, Constraint, HostPattern, IntRange, IntSet, Rule, UrlPrefix};
pub use resource::{ResourceName, ResourcePattern};
pub use rights::{Amount, Budget, Rights, Widening, Window};

use crate::{
    limits::{ACTIONS_MAX, CONSTRAINTS_MAX},
    name::{PrincipalId, Word},
    payload,
    payload::{Ascending, Bounded},
};

payload! {
    /// Actions on resources, with constraints on the arguments.
    pub struct Capability {
        /// The resources.
        1 => pub resource: ResourcePattern,
        /// The actions, at least one: an empty list means nothing, never everything.
        2 => pub actions: Ascending<Word, 1, ACTIONS_MAX>,
        /// What arguments must satisfy, at most one constraint for each, ascending by name.
        3 => pub constraints: Bounded<Constraint, 0, CONSTRAINTS_MAX>,
    }
    valid_if Capability::constraints_ascend;
}

impl Capability {
    fn constraints_ascend(&self) -> bool {
        self.constraints.is_sorted_by(|a, b| a.argument < b.argument)
    }

    /// Whether every request that `other` allows is allowed here too.
    pub fn contains(&self, other: &Self) -> bool {
        let stricter = |wide: &Constraint| {
            other
                .constraints
                .iter()
                .any(|narrow| wide.argument == narrow.argument && wide.rule.contains(&narrow.rule))
        };
        other.actions.is_subset(&self.actions)
            && self.resource.contains(&other.resource)
            && self.constraints.iter().all(stricter)
    }
}

/// What a caller wants done, as a verifier sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who is to do it.
    pub callee: PrincipalId,
    /// The action.
    pub action: Word,
    /// The resource.
    pub resource: ResourceName,
    /// The typed arguments.
    pub arguments: Arguments,
}
