//! Making an offer: the terms, the contract that they become, and the hop that follows from it.

use countersign_protocol::{
    capability::Rights,
    contract::{
        Acceptance, ContractBody, ContractVersion, Disclosure, FailurePolicy, Offline, Party, Rebind,
    },
    digest::ChainId,
    extension::Extensions,
    id::ContractId,
    negotiation::{Move, MoveKind, Offer},
    payload::Payload,
    signed::{Algorithm, Statement, sign_detached},
    time::Lifetime,
    token::{append_hop, sign_hop},
};

use super::talk::{Offered, Talk};
use crate::{
    agent::Agent,
    clock::entropy,
    error::{About, Error, deceived},
    held::Held,
};

/// The terms of an offer. They become the contract, so each one is stated.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What the delegatee may do: within what the delegator holds.
    pub rights: Rights,
    /// Whether another instance of the delegatee may take over.
    pub rebind: Rebind,
    /// What callees see of the chain.
    pub disclosure: Disclosure,
    /// How old the newest revocation state may be on which a use is decided.
    pub max_staleness: Lifetime,
    /// Whether the broker can be left out.
    pub offline: Offline,
    /// What completes an invocation.
    pub acceptance: Acceptance,
    /// What an invocation with an unknown outcome costs.
    pub failure: FailurePolicy,
    /// The contract between the same two that ends when this one begins.
    pub replaces: Option<ContractId>,
    /// How long the offer can be accepted.
    pub offer_lifetime: Lifetime,
}

impl Terms {
    /// Terms in which all but the rights, the staleness and the offer's life are the only values
    /// that this version of the specification has.
    pub fn new(rights: Rights, max_staleness: Lifetime, offer_lifetime: Lifetime) -> Self {
        Self {
            rights,
            rebind: Rebind::Never,
            disclosure: Disclosure::Full,
            max_staleness,
            offline: Offline::Forbidden,
            acceptance: Acceptance::SignedReceipt,
            failure: FailurePolicy::SettleReserved,
            replaces: None,
            offer_lifetime,
        }
    }
}

impl Agent {
    /// Signs the contract that the terms make of what is held, and the hop. Whether the chain above
    /// allows the terms is not looked at here: a hop that widens is of no use to anyone.
    pub(super) async fn make_offer(&self, held: &Held, talk: &Talk, terms: Terms) -> Result<Move, Error> {
        let token = held.token();
        let seen = self.ledger().seen().await?;
        let body = ContractBody {
            version: ContractVersion::V1,
            contract_id: ContractId::new(self.now(), &mut entropy()),
            negotiation_id: talk.id,
            transcript: talk.transcript,
            domain: self.domain().clone(),
            grantor: Party {
                instance: self.instance().clone(),
                key: self.public_key(),
                configuration: self.configuration(),
            },
            grantee: talk.delegatee.clone(),
            originator: token.grant().originator.clone(),
            grant_id: token.grant().grant_id,
            parent: token.chain_id(),
            depth: token.depth() as u32 + 1,
            rights: terms.rights,
            rebind: terms.rebind,
            disclosure: terms.disclosure,
            max_staleness: terms.max_staleness,
            offline: terms.offline,
            purpose: talk.purpose,
            acceptance: terms.acceptance,
            failure: terms.failure,
            seen,
            algorithm: Algorithm::Ed25519,
            replaces: terms.replaces,
            extensions: Extensions::none(),
        };
        let contract = body.to_bytes();
        let mut made = self.next_move(talk, MoveKind::Offer);
        made.offer = Some(Offer {
            contract_signature: sign_detached(ContractBody::TYPE, &contract, &self.inner.key),
            hop_signature: sign_hop(token, &body.hop_terms(), &self.inner.key),
            contract,
            expires: self.now().plus(terms.offer_lifetime),
        });
        Ok(made)
    }

    /// The chain that a contract has made must be the one that follows from it, not another one that
    /// the broker names.
    pub(super) fn check_chain(&self, held: &Held, offered: &Offered, named: &[u8]) -> Result<ChainId, Error> {
        let hop =
            append_hop(held.token(), &offered.body.hop_terms(), self.public_key(), offered.hop_signature);
        let token = hop.verify(&self.keys()).map_err(|refusal| deceived(About::Chain, refusal))?;
        match token.chain_id().as_bytes() == named {
            true => Ok(token.chain_id()),
            false => Err(deceived(About::Chain, "the contract has made another chain than is said")),
        }
    }
}
