//! Walking the graph downwards, one link after another, from any place on.

use std::{collections::BTreeSet, ops::Bound};

use crate::{
    digest::ChainId,
    domain::{Chain, State},
    id::GrantId,
    name::InstanceId,
};

/// The links at and beneath some tops, parents before their children.
///
/// The order is that of the tops and then of the chain ids, so a walk that stopped after a link goes
/// on from its id alone: nothing is kept between two pages, and what was there throughout comes once.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a> {
    state: &'a State,
    tops: Tops<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Tops<'a> {
    /// Every grant.
    Grants,
    /// One link.
    One(ChainId),
    /// The links in either set, apart from those beneath others of them.
    Sets([Option<&'a BTreeSet<ChainId>>; 2]),
}

/// One link of a walk.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The link.
    pub id: ChainId,
    /// What the state has of it.
    pub link: &'a Chain,
    /// Whether the walk goes on beneath it. Where it does not, the link itself is not meant either.
    pub entered: bool,
}

impl<'a> Walk<'a> {
    /// Everything.
    pub fn all(state: &'a State) -> Self {
        Self { state, tops: Tops::Grants }
    }

    /// One link and what is beneath it.
    pub fn beneath(state: &'a State, top: ChainId) -> Self {
        Self { state, tops: Tops::One(top) }
    }

    /// What an instance holds, and what is beneath that.
    pub fn held_by(state: &'a State, instance: &InstanceId) -> Self {
        Self { state, tops: Tops::Sets([held(state, instance), None]) }
    }

    /// What an instance is a party to: what it holds, the grants that its principal answers for, and
    /// all beneath.
    pub fn seen_by(state: &'a State, instance: &InstanceId) -> Self {
        let answers_for = state.originated_by(instance.principal());
        Self { state, tops: Tops::Sets([held(state, instance), answers_for]) }
    }

    /// The links after that one; all of them after `None`. `enter` says of each whether it is meant,
    /// and what is beneath it looked at.
    pub fn after<F>(self, last: Option<ChainId>, enter: F) -> impl Iterator<Item = Step<'a>>
    where
        F: Fn(&Chain) -> bool,
    {
        let enters = move |id| self.state.chain(&id).is_some_and(&enter);
        let first = match last {
            None => self.next_top(None),
            // Whoever made the place up is not led out of the walk by it.
            Some(last) => self.holds(last).then(|| self.next(last, enters(last))).flatten(),
        };
        let step =
            move |id: ChainId| self.state.chain(&id).map(|link| Step { id, link, entered: enters(id) });
        let first = first.and_then(&step);
        std::iter::successors(first, move |last| self.next(last.id, last.entered).and_then(&step))
    }

    /// How many links have not ended, by the counts that the state keeps at the tops.
    pub fn live(&self) -> u64 {
        let tops = std::iter::successors(self.next_top(None), |top| self.next_top(Some(*top)));
        tops.filter_map(|top| self.state.chain(&top)).map(|link| link.live).sum()
    }

    /// The link that follows: the first beneath, or else the next beside it or beside one above it.
    fn next(&self, id: ChainId, descend: bool) -> Option<ChainId> {
        let first = self.state.chain(&id)?.children.first();
        if let Some(first) = first.filter(|_| descend) {
            return Some(*first);
        }
        let mut at = id;
        while !self.is_top(at) {
            let parent = self.state.chain(&at)?.parent?;
            let beside = (Bound::Excluded(at), Bound::Unbounded);
            if let Some(next) = self.state.chain(&parent)?.children.range(beside).next() {
                return Some(*next);
            }
            at = parent;
        }
        self.next_top(Some(at))
    }

    fn holds(&self, id: ChainId) -> bool {
        self.state.path(id).any(|(link, _)| self.is_named(link))
    }

    /// Whether a link is among those that the walk was begun with.
    fn is_named(&self, id: ChainId) -> bool {
        match self.tops {
            Tops::Grants => self.state.chain(&id).is_some_and(|link| link.parent.is_none()),
            Tops::One(top) => id == top,
            Tops::Sets(sets) => sets.into_iter().flatten().any(|set| set.contains(&id)),
        }
    }

    fn is_top(&self, id: ChainId) -> bool {
        self.is_named(id) && !self.state.path(id).skip(1).any(|(link, _)| self.is_named(link))
    }

    fn next_top(&self, after: Option<ChainId>) -> Option<ChainId> {
        match self.tops {
            Tops::Grants => {
                let grant: Option<GrantId> =
                    after.and_then(|id| self.state.chain(&id)).map(|link| link.grant_id);
                self.state.grants_after(grant).next().map(|(_, id)| *id)
            }
            Tops::One(top) => after.is_none().then_some(top),
            Tops::Sets(sets) => {
                let mut after = after;
                loop {
                    let rest = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
                    let next = sets.into_iter().flatten().filter_map(|set| set.range(rest).next()).min();
                    after = Some(*next?);
                    if after.is_some_and(|next| self.is_top(next)) {
                        return after;
                    }
                }
            }
        }
    }
}

fn held<'a>(state: &'a State, instance: &InstanceId) -> Option<&'a BTreeSet<ChainId>> {
    state.instance(instance).map(|instance| &instance.holds)
}
