//! Whether the core's state and the model's are one.

use countersign_protocol::{
    contract,
    digest::ChainId,
    domain::{Chain, Instance, Negotiation, Standing as CoreStanding, State},
    id::NegotiationId,
    name::InstanceId,
};

use super::{Model, Standing, Status};
use crate::{invariant::Invariant, stop::Violation};

fn differs(invariant: Invariant, seen: String) -> Option<Violation> {
    Some(Violation { invariant, seen })
}

impl Model {
    /// The first thing in which the two differ.
    pub fn difference(&self, state: &State) -> Option<Violation> {
        let sizes = self.roots.len() as u64 == state.tree().size().get() + 1;
        if !sizes || self.roots.last() != Some(&state.tree().root()) {
            return differs(Invariant::Record, "the logs differ".into());
        }
        if (self.epoch, self.now) != (state.epoch(), state.last_time()) {
            return differs(Invariant::Model, format!("epoch or time: {} {:?}", self.epoch, self.now));
        }
        let members = state.instances().find_map(|(id, it)| self.member_differs(id, it));
        let links = || self.links.keys().find_map(|id| self.link_differs(*id, state.chain(id)));
        let talks = || state.negotiations().find_map(|(id, it)| self.talk_differs(*id, it));
        members
            .or_else(links)
            .or_else(talks)
            .or_else(|| self.counts_differ(state))
            .or_else(|| self.uses_differ(state))
            .or_else(|| self.sittings_differ(state))
    }

    fn member_differs(&self, id: &InstanceId, core: &Instance) -> Option<Violation> {
        let same = self.members.get(id).is_some_and(|member| {
            let standing = match member.standing {
                Standing::Live => CoreStanding::Live,
                Standing::Revoked => CoreStanding::Revoked,
                Standing::Forked => CoreStanding::Forked,
            };
            let statement = &core.statement;
            (standing, member.generation, member.expires, member.key, member.spki)
                == (core.standing, statement.generation, statement.expires, statement.key, statement.spki)
        });
        let gone = self.members.get(id).is_some_and(|member| member.standing != Standing::Live);
        let back = gone && core.standing == CoreStanding::Live;
        let sentence = if back { Invariant::Revocation } else { Invariant::Model };
        if same { None } else { differs(sentence, format!("{id} is {:?} in the core", core.standing)) }
    }

    fn link_differs(&self, id: ChainId, core: Option<&Chain>) -> Option<Violation> {
        let (Some(core), Some(link)) = (core, self.links.get(&id)) else {
            return differs(Invariant::Model, format!("the core has no chain {id}"));
        };
        if (link.status.name(), &link.holder, link.parent, link.depth, link.leaf)
            != (core.state.name(), &core.holder, core.parent, core.depth, core.leaf)
        {
            let back = link.status.was_ended() && !core.state.is_terminal();
            let back = back || link.status == Status::Suspended && core.state == contract::State::Active;
            let sentence = if back { Invariant::Revocation } else { Invariant::Model };
            let (there, here) = (core.state.name(), link.status.name());
            return differs(sentence, format!("chain {id} is {there} in the core, {here} here"));
        }
        if link.held_up_by != core.suspended_by {
            return differs(Invariant::Revocation, format!("chain {id} is held up by others in the core"));
        }
        let (account, balance) = (self.account(id), core.account.balance());
        let held = core.account.held().get();
        let same = (account.settled, account.open, account.delegated, self.held(id))
            == (balance.settled.get(), balance.open.get(), balance.delegated.get(), held);
        let seen = || format!("chain {id} has {balance:?} and is held {held} in the core, {account:?} here");
        if same { None } else { differs(Invariant::Budget, seen()) }
    }

    fn talk_differs(&self, id: NegotiationId, core: &Negotiation) -> Option<Violation> {
        let Some(talk) = self.talks.get(&id) else {
            return differs(Invariant::Bounds, format!("the core never forgets negotiation {id}"));
        };
        let same = talk.state == core.state.name()
            && talk.round == core.round
            && talk.transcript == core.transcript
            && talk.said.len() == core.moves.len()
            && talk.answering == core.delegator_instance
            && talk.offer.as_ref().map(|offer| offer.hash) == core.offer.as_ref().map(|offer| offer.hash);
        let seen = || format!("negotiation {id} is {} in the core, {} here", core.state.name(), talk.state);
        if same { None } else { differs(Invariant::Model, seen()) }
    }

    fn counts_differ(&self, state: &State) -> Option<Violation> {
        let here = (self.members.len(), self.talks.len());
        let core = (state.instances().count(), state.negotiations().count());
        let links = state.grants().count() + state.contracts().count();
        let current = self.links.values().filter(|link| link.status != Status::Rebound).count();
        if here == core && links == current {
            return None;
        }
        differs(Invariant::Model, format!("counts: {core:?} in the core, {here:?} here"))
    }

    fn sittings_differ(&self, state: &State) -> Option<Violation> {
        let open = self.sessions.iter().filter(|(_, it)| it.ended.is_none()).map(|(id, _)| id);
        let same = open.eq(state.open_sessions().map(|(id, _)| id));
        let counts = state.instances().all(|(id, it)| {
            let own = |sitting: &&super::Sitting| sitting.ended.is_none() && sitting.caller == *id;
            self.sessions.values().filter(own).count() == it.sessions
        });
        if same && counts { None } else { differs(Invariant::Model, "other sessions are open".into()) }
    }

    fn uses_differ(&self, state: &State) -> Option<Violation> {
        let other = self.uses.iter().find(|(id, _)| {
            let here =
                self.remembered(id).map(|it| (&it.caller, &it.callee, it.chain, it.end.map(|(end, _)| end)));
            let core = state.invocation(id);
            let core =
                core.map(|it| (&it.caller, &it.callee, it.chain, it.outcome.as_ref().map(|(end, _)| *end)));
            here != core
        });
        other.and_then(|(id, _)| differs(Invariant::Model, format!("invocation {id} differs")))
    }
}
