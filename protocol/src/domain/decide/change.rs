//! Holding a contract up, and ending it by one side's word.

use super::{Actor, Context, Decision, check_issued, open_own};
use crate::{
    contract::{Cell, ChangeKind, ChangeRequest, Input, Side, next},
    domain::{Chain, Changed, Event, State},
    id::InvocationId,
    refusal::{Reason, Refusal},
    require, require_some,
    signed::Signed,
};

impl State {
    /// Suspends, resumes or ends one link of a chain: a grant, or a contract.
    pub fn decide_change(&self, context: &Context<'_>, actor: &Actor, signed: &Signed) -> Decision {
        self.check_clock(context.now)?;
        let sender = self.admitted(actor)?;
        let request: ChangeRequest = open_own(signed, sender.statement.key)?;
        context.check_domain(&request.domain)?;
        request.extensions.check()?;
        require!("CTR-030", request.sender == actor.instance, Reason::ChannelMismatch);
        if let Some((digest, _)) = self.revocations.get(&request.request_id) {
            require!("CTR-031", *digest == signed.digest(), Reason::IdAlreadyUsed);
            return Ok(Vec::new());
        }
        check_issued(request.issued, context.now)?;
        let chain = require_some!("CTR-032", self.chain(&request.chain), Reason::NotFound);
        require!("CTR-032", is_on_its_side(context, &request, chain), Reason::ChangeNotAllowed);
        check_state(&request, chain)?;
        if let Some(invocation) = request.invocation {
            let shown = self.is_beneath(invocation, &request);
            require!("CTR-036", shown, Reason::NotFound, "{invocation} was not made under this contract.");
        }
        let chains = self.live_subtree(request.chain).len() as u64;
        require!(
            "CTR-037",
            chains == request.chains,
            Reason::PreviewStale,
            "It is about {chains}, not {}.",
            request.chains
        );
        Ok(vec![Event::Changed(Changed { request: signed.clone() })])
    }

    /// Whether an invocation was made under the contract, or under one beneath it.
    fn is_beneath(&self, invocation: InvocationId, request: &ChangeRequest) -> bool {
        let trace = self.trace(&invocation);
        trace.is_some_and(|trace| self.path(trace.chain).any(|(link, _)| link == request.chain))
    }
}

fn is_on_its_side(context: &Context<'_>, request: &ChangeRequest, chain: &Chain) -> bool {
    let by = &request.sender;
    match request.side {
        // People come back with new keys: a grant is its originator's, whichever copy signed it.
        Side::Grantor if chain.parent.is_none() => chain.originator == *by.principal(),
        Side::Grantor => chain.grantor == *by,
        Side::Holder => chain.holder == *by,
        Side::Admin => context.is_admin(by),
    }
}

/// What the table says, and whose the suspensions are that stand.
fn check_state(request: &ChangeRequest, chain: &Chain) -> Result<(), Refusal> {
    if let Cell::Refuse(reason) = next(chain.state, input(request, chain)) {
        return Err(Refusal::new("CTR-033", reason, format!("It is {}.", chain.state.name())));
    }
    let own = chain.suspended_by.contains(&request.side);
    let suspends = request.kind == ChangeKind::Suspend;
    require!("CTR-034", !suspends || !own, Reason::ContractSuspended, "By the same side.");
    let resumes = request.kind == ChangeKind::Resume;
    require!("CTR-035", !resumes || own, Reason::ContractNotSuspended, "The other side has.");
    Ok(())
}

fn input(request: &ChangeRequest, chain: &Chain) -> Input {
    let another = chain.suspended_by.iter().any(|side| *side != request.side);
    match request.kind {
        ChangeKind::Suspend => Input::PartySuspend,
        ChangeKind::Resume if another => Input::PartyLift,
        ChangeKind::Resume => Input::PartyResume,
        ChangeKind::Retire => Input::PartyRetire,
        ChangeKind::Breach => Input::PartyBreach,
    }
}
