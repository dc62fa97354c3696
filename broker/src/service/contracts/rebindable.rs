//! What a fresh instance finds of its principal's, and what became of its asking for it.

use std::{fmt, str::FromStr};

use countersign_protocol::{
    digest::ChainId,
    domain::State,
    id::RequestId,
    name::{InstanceId, PrincipalId},
    refusal::Refusal,
};
use countersign_wire::v1;

use super::super::convert;
use crate::domain::recorded;

/// One chain of one holder: where a page ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    holder: InstanceId,
    pub(super) chain: ChainId,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.holder, self.chain)
    }
}

/// The text is no place.
#[derive(Debug)]
pub(super) struct NotAPlace;

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (holder, chain) = text.split_once(' ').ok_or(NotAPlace)?;
        let (holder, chain) = (holder.parse(), chain.parse());
        Ok(Self { holder: holder.map_err(|_| NotAPlace)?, chain: chain.map_err(|_| NotAPlace)? })
    }
}

/// What the instances of a principal have held so far, ended or not, after that place.
pub(super) fn places<'a>(
    state: &'a State,
    principal: &'a PrincipalId,
    after: Option<Place>,
) -> impl Iterator<Item = Place> + 'a {
    let begun = after.clone();
    let instances = state.instances_of(principal);
    let instances = instances.skip_while(move |(id, _)| begun.as_ref().is_some_and(|it| **id < it.holder));
    let places = instances.flat_map(|(holder, instance)| {
        instance.holds.iter().map(|chain| Place { holder: holder.clone(), chain: *chain })
    });
    places.skip_while(move |place| after.as_ref().is_some_and(|after| place <= after))
}

/// The leaf at which a request was recorded, the epoch, and the link that came of it: the one that begins
/// at that leaf, or the one that it is about.
pub(super) fn outcome(
    state: &State,
    request: &RequestId,
    about: ChainId,
) -> Result<(u64, u64, v1::Link), Refusal> {
    let (_, leaf) = recorded(state.revocation(request))?;
    let contract = state.chain(&about).and_then(|chain| chain.contract);
    let current = contract.and_then(|(contract, _)| state.contract(&contract));
    let taken = current.filter(|id| state.chain(id).is_some_and(|chain| chain.leaf == leaf));
    let id = taken.unwrap_or(about);
    Ok((leaf.get(), state.epoch(), convert::link(id, recorded(state.chain(&id))?)))
}
