//! What a holder has, as far as the caller may see it.

use std::str::FromStr;

use countersign_protocol::{
    digest::ChainId,
    domain::{Chain, State},
    graph::{Step, Walk},
    name::{InstanceId, PrincipalId},
};

use crate::service::caller::Caller;

/// Who holds: a principal with all its instances, or one of them.
#[derive(Clone, Debug)]
pub(super) enum Holder {
    Principal(PrincipalId),
    Instance(InstanceId),
}

impl FromStr for Holder {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let instance = text.parse().map(Self::Instance);
        instance.or_else(|_| text.parse().map(Self::Principal)).map_err(drop)
    }
}

impl Holder {
    fn is(&self, instance: &InstanceId) -> bool {
        match self {
            Self::Principal(principal) => instance.principal() == principal,
            Self::Instance(holder) => instance == holder,
        }
    }

    /// The links that it holds after that one, among others that are not meant. An admin's are looked up;
    /// another caller's are found on a walk through what it sees, so that what it does not see costs
    /// it nothing and shows in nothing.
    pub(super) fn links<'s>(
        &'s self,
        caller: &Caller,
        state: &'s State,
        after: Option<ChainId>,
        meant: impl Fn(&Chain) -> bool + Copy + 's,
    ) -> Box<dyn Iterator<Item = Step<'s>> + 's> {
        if caller.is_admin() {
            return Box::new(self.held(state, after, meant));
        }
        let walk = Walk::seen_by(state, caller.instance()).after(after, meant);
        // The walk goes on beneath what others hold, but that is not what is asked for.
        Box::new(walk.map(|step| Step { entered: step.entered && self.is(&step.link.holder), ..step }))
    }

    fn held<'s>(
        &'s self,
        state: &'s State,
        after: Option<ChainId>,
        meant: impl Fn(&Chain) -> bool + Copy + 's,
    ) -> impl Iterator<Item = Step<'s>> + 's {
        let last = after.and_then(|id| state.chain(&id)).map(|link| &link.holder);
        let instances: Box<dyn Iterator<Item = _> + 's> = match self {
            Self::Principal(principal) => Box::new(state.instances_of(principal)),
            Self::Instance(id) => Box::new(state.instance(id).map(|instance| (id, instance)).into_iter()),
        };
        let rest = instances.skip_while(move |(id, _)| last.is_some_and(|last| *id < last));
        let held = rest.flat_map(move |(id, instance)| {
            let after = after.filter(|_| last == Some(id));
            let chains = instance.holds.iter();
            chains.skip_while(move |chain| after.is_some_and(|after| **chain <= after))
        });
        held.filter_map(move |id| state.chain(id).map(|link| Step { id: *id, link, entered: meant(link) }))
    }
}
