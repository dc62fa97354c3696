//! Ending chains and instances before their time.

use super::{Actor, Context, Decision, check_issued, open_own};
use crate::{
    digest::ChainId,
    domain::{Event, Revoked, State},
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
            (Some(chain), _) => self.revocable_chains(context, &actor.instance, *chain)?,
            (None, Some(instance)) => self.revocable_instance(context, &actor.instance, instance)?,
            (None, None) => Vec::new(),
        };
        require!(
            "CHN-042",
            ending.len() as u64 == request.chains,
            Reason::PreviewStale,
            "It would end {}, not {}.",
            ending.len(),
            request.chains
        );
        Ok(vec![Event::Revoked(Revoked { request: signed.clone() })])
    }

    /// The chains in force that revoking `id` would end, if `by` may: an admin, the originator, or
    /// a holder of this link or of one above it.
    pub fn revocable_chains(
        &self,
        context: &Context<'_>,
        by: &InstanceId,
        id: ChainId,
    ) -> Result<Vec<ChainId>, Refusal> {
        let chain = require_some!("CHN-043", self.chain(&id), Reason::NotFound);
        let above = self.path(id).any(|(_, link)| link.holder == *by);
        let allowed = above || chain.originator == *by.principal() || context.is_admin(by);
        require!("CHN-043", allowed, Reason::RevocationNotAllowed);
        Ok(self.live_subtree(id))
    }

    /// The chains in force that revoking an instance would end, if `by` may: an admin, or the
    /// instance itself.
    pub fn revocable_instance(
        &self,
        context: &Context<'_>,
        by: &InstanceId,
        id: &InstanceId,
    ) -> Result<Vec<ChainId>, Refusal> {
        let instance = require_some!("CHN-044", self.instance(id), Reason::NotFound);
        require!("CHN-044", by == id || context.is_admin(by), Reason::RevocationNotAllowed);
        let mut chains: Vec<ChainId> = instance.holds.iter().flat_map(|id| self.live_subtree(*id)).collect();
        chains.sort();
        chains.dedup();
        Ok(chains)
    }
}
