//! What an offer must be: a contract that says what the negotiation, the chain and the parties say.

use super::{Context, open_own};
use crate::{
    contract::{ContractBody, Party, SeenCheckpoint},
    domain::{Chain, Instance, Negotiation, State},
    key::PublicKey,
    name::InstanceId,
    negotiation::{Move, Offer},
    refusal::{Reason, Refusal},
    require, require_some,
    signed::{Algorithm, KeyedSignature, Signed, Statement},
    token::{Token, UnverifiedToken, append_hop},
};

const MISMATCH: Reason = Reason::OfferMismatch;

impl State {
    pub(super) fn check_offer(
        &self,
        context: &Context<'_>,
        delegator: &Instance,
        made: &Move,
        offer: &Offer,
        negotiation: &Negotiation,
    ) -> Result<(), Refusal> {
        let body = open_contract(offer, delegator.statement.key)?;
        require!("NEG-018", context.now < offer.expires, Reason::OfferExpired);
        self.check_parties(made, &body, delegator, negotiation)?;
        let parent = self.check_parent(context, &body, &made.sender)?;
        require!("CTR-011", body.originator == parent.originator, MISMATCH, "The originator differs.");
        require!("CTR-011", body.grant_id == parent.grant_id, MISMATCH, "The grant differs.");
        require!("CTR-011", body.depth == parent.depth + 1, MISMATCH, "The depth is {}.", parent.depth + 1);
        require!("CTR-012", body.rights.not_after > context.now, Reason::OutsideValidity);
        require!("CTR-013", self.contract(&body.contract_id).is_none(), Reason::IdAlreadyUsed);
        self.check_replaced(&body)?;
        self.check_seen(&body.seen)?;
        body.check_extensions()?;
        // The hop must be one that every verifier accepts on this parent: narrower, without a loop,
        // signed by the holder.
        let token = self.chain_token(parent)?;
        let (key, signature) = (delegator.statement.key, offer.hop_signature);
        append_hop(&token, &body.hop_terms(), key, signature).verify(self.domain_keys()?)?;
        Ok(())
    }

    fn check_parties(
        &self,
        made: &Move,
        body: &ContractBody,
        delegator: &Instance,
        negotiation: &Negotiation,
    ) -> Result<(), Refusal> {
        let delegatee = self.instance(&negotiation.delegatee);
        require!("CTR-003", body.domain == made.domain, MISMATCH, "The domain differs.");
        require!("CTR-003", body.negotiation_id == made.negotiation_id, MISMATCH, "The negotiation differs.");
        require!("CTR-004", body.transcript == negotiation.transcript, MISMATCH, "The transcript differs.");
        require!("CTR-005", is_party(&body.grantor, delegator), MISMATCH, "The grantor is not the sender.");
        let grantee = delegatee.is_some_and(|delegatee| is_party(&body.grantee, delegatee));
        require!("CTR-006", grantee, MISMATCH, "The grantee is not the delegatee.");
        require!("CTR-007", body.purpose == negotiation.purpose, MISMATCH, "The purpose differs.");
        Ok(())
    }

    /// The grantor holds the parent chain, and it is in force.
    pub(super) fn check_parent(
        &self,
        context: &Context<'_>,
        body: &ContractBody,
        grantor: &InstanceId,
    ) -> Result<&Chain, Refusal> {
        let parent = require_some!("CTR-008", self.chain(&body.parent), Reason::ParentChanged);
        require!(
            "CTR-009",
            parent.holder == *grantor,
            Reason::ParentChanged,
            "The grantor does not hold it."
        );
        for (_, link) in self.path(body.parent) {
            let in_force =
                link.state == crate::contract::State::Active && context.now < link.rights.not_after;
            require!("CTR-008", in_force, Reason::ParentChanged, "A link is {}.", link.state.name());
        }
        Ok(parent)
    }

    /// A checkpoint that a party saw must be one of this log: a contradiction would prove a split view.
    pub(super) fn check_seen(&self, seen: &SeenCheckpoint) -> Result<(), Refusal> {
        let root = self.tree().root_at(seen.size);
        require!("LOG-020", root == Some(seen.root), Reason::LogInconsistent, "At size {}.", seen.size);
        Ok(())
    }

    /// The verified token of a chain.
    pub(super) fn chain_token(&self, chain: &Chain) -> Result<Token, Refusal> {
        UnverifiedToken::from_bytes(chain.token.clone()).verify(self.domain_keys()?)
    }
}

fn open_contract(offer: &Offer, key: PublicKey) -> Result<ContractBody, Refusal> {
    let signature =
        KeyedSignature { algorithm: Algorithm::Ed25519, key, signature: offer.contract_signature };
    let signed = Signed {
        payload_type: ContractBody::TYPE.into(),
        payload: offer.contract.clone(),
        signatures: vec![signature],
    };
    open_own(&signed, key)
}

fn is_party(party: &Party, instance: &Instance) -> bool {
    let statement = &instance.statement;
    party.instance == statement.instance
        && party.key == statement.key
        && party.configuration == statement.configuration
}
