//! Whether the core's state and the model's are one.

use countersign_protocol::{
    digest::ChainId,
    domain::{Chain, Instance, Negotiation, Standing as CoreStanding, State},
    id::NegotiationId,
    name::InstanceId,
};

use super::{Model, Standing};

impl Model {
    /// The first thing in which the two differ.
    pub fn difference(&self, state: &State) -> Option<String> {
        let sizes = self.roots.len() as u64 == state.tree().size().get() + 1;
        if !sizes || self.roots.last() != Some(&state.tree().root()) {
            return Some("the log".into());
        }
        if (self.epoch, self.now) != (state.epoch(), state.last_time()) {
            return Some(format!("epoch or time: {} {:?}", self.epoch, self.now));
        }
        let members = state.instances().find_map(|(id, it)| self.member_differs(id, it));
        let links = || self.links.keys().find_map(|id| self.link_differs(*id, state.chain(id)));
        let talks = || state.negotiations().find_map(|(id, it)| self.talk_differs(*id, it));
        members
            .or_else(links)
            .or_else(talks)
            .or_else(|| self.counts_differ(state))
            .or_else(|| self.uses_differ(state))
    }

    fn member_differs(&self, id: &InstanceId, core: &Instance) -> Option<String> {
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
        (!same).then(|| format!("{id}: {:?}", core.standing))
    }

    fn link_differs(&self, id: ChainId, core: Option<&Chain>) -> Option<String> {
        let (Some(core), Some(link)) = (core, self.links.get(&id)) else {
            return Some(format!("the core has no chain {id}"));
        };
        if (link.status.name(), &link.holder, link.parent, link.depth, link.leaf)
            != (core.state.name(), &core.holder, core.parent, core.depth, core.leaf)
        {
            return Some(format!(
                "chain {id} is {} in the core, {} here",
                core.state.name(),
                link.status.name()
            ));
        }
        let (account, balance) = (self.account(id), core.account.balance());
        let held = core.account.held().get();
        let same = (account.settled, account.open, account.delegated, self.held(id))
            == (balance.settled.get(), balance.open.get(), balance.delegated.get(), held);
        (!same)
            .then(|| format!("chain {id} has {balance:?} and is held {held} in the core, {account:?} here"))
    }

    fn talk_differs(&self, id: NegotiationId, core: &Negotiation) -> Option<String> {
        let Some(talk) = self.talks.get(&id) else {
            return Some(format!("the core still has negotiation {id}"));
        };
        let same = talk.state == core.state.name()
            && talk.round == core.round
            && talk.transcript == core.transcript
            && talk.said.len() == core.moves.len()
            && talk.answering == core.delegator_instance
            && talk.offer.as_ref().map(|offer| offer.hash) == core.offer.as_ref().map(|offer| offer.hash);
        (!same).then(|| format!("negotiation {id} is {} in the core, {} here", core.state.name(), talk.state))
    }

    fn counts_differ(&self, state: &State) -> Option<String> {
        let here = (self.members.len(), self.talks.len());
        let core = (state.instances().count(), state.negotiations().count());
        let links = state.grants().count() + state.contracts().count();
        (here != core || links != self.links.len())
            .then(|| format!("counts: {core:?} in the core, {here:?} here"))
    }

    fn uses_differ(&self, state: &State) -> Option<String> {
        let differs = self.uses.iter().find(|(id, _)| {
            let here =
                self.remembered(id).map(|it| (&it.caller, &it.callee, it.chain, it.end.map(|(end, _)| end)));
            let core = state.invocation(id);
            let core =
                core.map(|it| (&it.caller, &it.callee, it.chain, it.outcome.as_ref().map(|(end, _)| *end)));
            here != core
        });
        differs.map(|(id, _)| format!("invocation {id}"))
    }
}
