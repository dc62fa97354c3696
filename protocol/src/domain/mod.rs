//! A trust domain as its ledger tells it: events, the state that they fold into, and the decisions
//! that make new ones.
//!
//! `decide` is where rules live; it takes the state, the time and an input, and gives events or a
//! [`Refusal`](crate::refusal::Refusal). [`State::evolve`] is total, and replay runs it alone.

mod account;
mod census;
mod decide;
mod event;
mod evolve;
mod evolve_change;
mod evolve_negotiation;
mod evolve_rebind;
mod evolve_restore;
mod evolve_session;
mod session;
mod snapshot;
mod state;

pub use account::Account;
pub use census::Census;
pub use decide::{Actor, Attested, Begin, Context, Decision, End, GrantRule, OpenSession, Policy};
pub(crate) use decide::{Rebinding, Wanted, WantedSession, check_issued};
pub use event::*;
pub use session::{Said, Session, Spoken, Strands};
pub use snapshot::FOLD_VERSION;
pub use state::{
    Chain, Instance, Invocation, JoinToken, MadeMove, Negotiation, Standing, StandingOffer, State, Trace,
};

use crate::{
    digest::{Digest, tagged_hash},
    token::{Proof, Via},
};

/// What makes a retry the same invocation: everything but nonce, times and channel.
fn fingerprint(proof: &Proof) -> Digest {
    let tag = match proof.via {
        Via::Broker | Via::Direct => "countersign invocation v1",
        Via::Stream => "countersign stream v1",
    };
    Digest::from_bytes(tagged_hash(
        tag,
        &[
            proof.chain_id.as_bytes(),
            proof.callee.as_str().as_bytes(),
            proof.action.as_str().as_bytes(),
            proof.resource.as_str().as_bytes(),
            proof.arguments.as_bytes(),
        ],
    ))
}
