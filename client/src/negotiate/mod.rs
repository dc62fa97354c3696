//! Negotiating, from either side.

mod delegatee;
mod delegator;

pub use delegatee::{Ask, Delegatee, Offer, OfferReply};
pub use delegator::{Delegated, Delegator, RequestReply, Terms, Wanted};

use countersign_protocol::id::NegotiationId;

use crate::{agent::Agent, error::Error};

impl Agent {
    /// Takes this side's last word back, which ends the negotiation.
    pub async fn withdraw(&self, negotiation: NegotiationId) -> Result<(), Error> {
        let _ = negotiation;
        unimplemented!()
    }
}
