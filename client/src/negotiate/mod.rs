//! Negotiating, from either side.

mod account;
mod delegatee;
mod delegator;
mod offer;
mod talk;

pub use delegatee::{Ask, Delegatee, Offer, OfferReply};
pub use delegator::{Delegated, Delegator, RequestReply, Wanted};
pub use offer::Terms;

use countersign_protocol::{id::NegotiationId, negotiation::MoveKind};

use crate::{agent::Agent, error::Error};

impl Agent {
    /// Takes this side's last word back, which ends the negotiation: the delegator its offer, the
    /// delegatee its request.
    pub async fn withdraw(&self, negotiation: NegotiationId) -> Result<(), Error> {
        let account = self.account(negotiation).await?;
        self.submit(&self.next_move(&account.talk, MoveKind::Withdraw)).await.map(drop)
    }
}
