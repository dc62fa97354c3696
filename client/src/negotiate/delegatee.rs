//! The side that asks.

use std::future::Future;

use countersign_protocol::{
    capability::Rights, contract::ContractBody, id::NegotiationId, name::PrincipalId, time::Timestamp,
};

use crate::{agent::Agent, error::Error, held::Held};

/// What the delegatee asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it wants to be allowed.
    pub rights: Rights,
    /// What for. The text stays here; only its digest is signed. Send it to the other side by a way
    /// of your own, if it is to know.
    pub purpose: String,
    /// When the negotiation ends by itself.
    pub deadline: Timestamp,
    /// How many rounds it may take, from one to ten.
    pub max_rounds: u32,
}

/// An offer whose signatures, parties and transcript have been verified.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The negotiation.
    pub negotiation: NegotiationId,
    /// The contract that Accept would sign.
    pub contract: ContractBody,
    /// From when on it cannot be accepted any more.
    pub expires: Timestamp,
    /// What was asked for last.
    pub asked: Rights,
    /// The current round, from one.
    pub round: u32,
    /// How many more times this side can counter or decline.
    pub rounds_left: u32,
}

/// What the delegatee says to an offer.
#[derive(Clone, Debug)]
pub enum OfferReply {
    /// Signs the contract.
    Accept,
    /// Asks for something else. Uses a round.
    Counter(Rights),
    /// Turns it down and waits for another. Uses a round.
    Decline,
    /// Ends the negotiation.
    Reject,
}

/// How the delegatee decides. A closure from `&Offer` to [`OfferReply`] is one.
pub trait Delegatee: Send {
    /// Answers an offer.
    fn answer(&mut self, offer: &Offer) -> impl Future<Output = OfferReply> + Send;
}

impl<F: FnMut(&Offer) -> OfferReply + Send> Delegatee for F {
    async fn answer(&mut self, offer: &Offer) -> OfferReply {
        self(offer)
    }
}

impl Agent {
    /// Asks `delegator` for rights and negotiates until there is a contract, which comes back as a
    /// verified chain, or until one side ends it ([`Error::Ended`]).
    ///
    /// If this future is dropped, the negotiation goes on until its deadline.
    pub async fn negotiate<D: Delegatee>(
        &self,
        delegator: &PrincipalId,
        ask: Ask,
        strategy: &mut D,
    ) -> Result<Held, Error> {
        let _ = (delegator, ask, strategy);
        unimplemented!()
    }
}
