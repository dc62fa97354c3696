//! Ending chains and instances before their time.

use super::{Actor, Context, Decision, check_issued, open_own};
use crate::{
    digest::ChainId,
    domain::{Event, Revoked, State},
    graph::Walk,
    name::InstanceId,
    refusal::{Reason, Refusal},
    require, require_some,
    revocation::RevokeRequest,
    signed::Signed,
};

impl State {
    /// Revokes a chain with everything beneath it, or an instance with everything that it holds.
    pub fn decide_revoke(&self, context: &Context<'_>, actor: &Actor, signed: &Signed) -> Decision {
        self.check_clock(context.now)?;
        let sender = self.admitted(actor)?;
        let request: RevokeRequest = open_own(signed, sender.statement.key)?;
        context.check_domain(&request.domain)?;
        request.extensions.check()?;
        require!("CHN-040", request.sender == actor.instance, Reason::ChannelMismatch);
        if let Some((digest, _)) = self.revocations.get(&request.request_id) {
            require!("CHN-041", *digest == signed.digest(), Reason::IdAlreadyUsed);
            return Ok(Vec::new());
        }
        check_issued(request.issued, context.now)?;
        let ending = match (&request.chain, &request.instance) {
            (Some(chain), _) => self.revocable_chain(context, &actor.instance, *chain)?.live(),
            (None, Some(instance)) => self.revocable_instance(context, &actor.instance, instance)?.live(),
            (None, None) => 0,
        };
        require!(
            "CHN-042",
            ending == request.chains,
            Reason::PreviewStale,
            "It would end {ending}, not {}.",
            request.chains
        );
        Ok(vec![Event::Revoked(Revoked { request: signed.clone() })])
    }

    /// What revoking `id` would end, if `by` may: an admin, the originator, or a holder of this link or
    /// of one above it.
    pub fn revocable_chain(
        &self,
        context: &Context<'_>,
        by: &InstanceId,
        id: ChainId,
    ) -> Result<Walk<'_>, Refusal> {
        let chain = require_some!("CHN-043", self.chain(&id), Reason::NotFound);
        let above = self.path(id).any(|(_, link)| link.holder == *by);
        let allowed = above || chain.originator == *by.principal() || context.is_admin(by);
        require!("CHN-043", allowed, Reason::RevocationNotAllowed);
        Ok(Walk::beneath(self, id))
    }

    /// What revoking an instance would end, if `by` may: an admin, or the instance itself.
    pub fn revocable_instance(
        &self,
        context: &Context<'_>,
        by: &InstanceId,
        id: &InstanceId,
    ) -> Result<Walk<'_>, Refusal> {
        require_some!("CHN-044", self.instance(id), Reason::NotFound);
        require!("CHN-044", by == id || context.is_admin(by), Reason::RevocationNotAllowed);
        Ok(Walk::held_by(self, id))
    }
}
