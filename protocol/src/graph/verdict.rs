//! Why a use would be refused, and what would help: the link at fault, and the nearest one whose
//! holder could pass on what is missing.

use super::{Covers, Moment, Wish};
use crate::{
    capability::Amount,
    contract,
    digest::ChainId,
    domain::{Chain, State},
    time::Timestamp,
};

/// The first link from the grant down that is to blame, in the order in which a use is judged: what
/// has ended, then times, audiences, capabilities, and the accounts.
pub fn fault(state: &State, id: ChainId, wish: &Wish, now: Timestamp) -> Option<ChainId> {
    let mut links: Vec<_> = state.path(id).collect();
    links.reverse();
    let per_call = links.last().map_or(Amount::ZERO, |(_, leaf)| leaf.account.budget().per_call);
    let first =
        |blamed: &dyn Fn(&Chain) -> bool| links.iter().find(|(_, link)| blamed(link)).map(|(id, _)| *id);
    first(&|link| link.state == contract::State::Revoked)
        .or_else(|| first(&|link| link.state != contract::State::Active || link.rights.not_after <= now))
        .or_else(|| first(&|link| now < link.rights.not_before))
        .or_else(|| first(&|link| !link.rights.audiences.has(&wish.callee)))
        .or_else(|| first(&|link| wish.within(&link.rights) == Covers::No))
        .or_else(|| first(&|link| !link.account.window_allows(per_call, now)))
        .or_else(|| {
            let (id, leaf) = links.last()?;
            leaf.account.reserve(per_call).is_none().then_some(*id)
        })
}

/// The lowest link above whose holder has the right and may delegate it.
pub fn nearest(state: &State, id: ChainId, wish: &Wish, moment: Moment) -> Option<ChainId> {
    let above = state.path(id).skip(1);
    let mut can =
        above.filter(|(id, link)| link.rights.delegations_left > 0 && allows(state, *id, wish, moment));
    can.next().map(|(id, _)| id)
}

/// The other chains of the same holder, one after another: those that allow it, and nothing for the rest.
pub fn others<'a>(
    state: &'a State,
    id: ChainId,
    wish: &'a Wish,
    moment: Moment,
) -> impl Iterator<Item = Option<ChainId>> + 'a {
    let holder = state.chain(&id).and_then(|link| state.instance(&link.holder));
    let held = holder.into_iter().flat_map(|holder| &holder.holds).copied();
    held.filter(move |other| *other != id)
        .map(move |other| allows(state, other, wish, moment).then_some(other))
}

fn allows(state: &State, id: ChainId, wish: &Wish, moment: Moment) -> bool {
    let covers = state.chain(&id).is_some_and(|link| wish.within(&link.rights) != Covers::No);
    covers && moment.has_usable(state, id)
}
