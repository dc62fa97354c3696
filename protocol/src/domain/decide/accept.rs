//! The commit that makes a contract: both signatures, a parent in force, budget held, leaf appended.

use super::{Context, Decision};
use crate::{
    contract::ContractBody,
    domain::{ContractFinalized, Event, Instance, Negotiation, StandingOffer, State},
    negotiation::Accept,
    refusal::Reason,
    require, require_some,
    signed::{Algorithm, KeyedSignature},
    token::append_hop,
};

impl State {
    /// One decision, two entries, one commit: there is no state in which one side holds something
    /// usable and the other no contract.
    pub(super) fn decide_accept(
        &self,
        context: &Context<'_>,
        delegatee: &Instance,
        accept: &Accept,
        negotiation: &Negotiation,
        moved: Event,
    ) -> Decision {
        let named = |offer: &&StandingOffer| offer.hash == accept.contract;
        let offer =
            require_some!("NEG-015", negotiation.offer.as_ref().filter(named), Reason::AcceptMismatch);
        require!("NEG-014", context.now < offer.expires, Reason::OfferExpired);
        self.check_seen(&accept.seen)?;
        let (key, signature) = (delegatee.statement.key, accept.contract_signature);
        let mut contract = offer.contract.clone();
        contract.signatures.push(KeyedSignature { algorithm: Algorithm::Ed25519, key, signature });
        // The delegator's key was held against its record when the offer was ordered.
        let signers: Vec<_> = contract.signatures.iter().map(|signature| signature.key).collect();
        let body: ContractBody = contract.open(&signers).map_err(super::not_opened)?;
        let grantor = &body.grantor.instance;
        let live = self.is_live(grantor, context.now);
        require!("NEG-019", live, Reason::ParentChanged, "The grantor is gone.");
        // Its standing was checked on its channel; a channel can outlive the newest certificate.
        let live = self.is_live(&delegatee.statement.instance, context.now);
        require!("NEG-022", live, Reason::CertificateExpired, "The delegatee has to renew it first.");
        let parent = self.check_parent(context, &body, grantor)?;
        require!("CTR-012", context.now < body.rights.not_after, Reason::OutsideValidity);
        require!("CTR-013", self.contract(&body.contract_id).is_none(), Reason::IdAlreadyUsed);
        let freed = self.check_replaced(&body)?;
        let available = parent.account.available().plus(freed).unwrap_or_default();
        let asked = body.rights.budget.ceiling;
        require!(
            "CTR-020",
            asked <= available,
            Reason::BudgetExceeded,
            "{asked} asked, {available} available."
        );
        let token = self.chain_token(parent)?;
        let token = append_hop(&token, &body.hop_terms(), body.grantor.key, offer.hop_signature);
        let chain_id = token.verify(self.domain_keys()?)?.chain_id();
        let finalized = ContractFinalized {
            negotiation_id: body.negotiation_id,
            contract,
            chain_id,
            token: token.as_bytes().to_vec(),
        };
        Ok(vec![moved, Event::ContractFinalized(finalized)])
    }
}
