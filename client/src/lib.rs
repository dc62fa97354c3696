//! The Countersign SDK: join a trust domain, negotiate rights from either side, hold and delegate
//! them, use them, serve actions under them, and answer for it.
//!
//! Nothing that a broker says is believed because it said so. Tokens, activations, contracts and
//! receipts are verified by their signers' keys, the domain's keys are believed because the join
//! token pinned the domain's authority, and every checkpoint of the ledger must agree with all that
//! were seen before it. What does not verify is [`Error::Deceived`].
//!
//! Start with [`Agent::join`].
//!
//! ```no_run
//! use countersign::{Agent, Ask, Call, Error, Offer, OfferReply, Options};
//! use countersign_protocol::{
//!     capability::Rights, digest::Digest, join_token::JoinToken, name::PrincipalId, time::Lifetime,
//! };
//!
//! async fn research(token: &JoinToken, planner: &PrincipalId, rights: Rights, call: Call) -> Result<Vec<u8>, Error> {
//!     let agent = Agent::join(token, Options::new(Digest::of(b"model, prompt, tools"))).await?;
//!     let deadline = agent.now().plus(Lifetime::from_millis(60_000));
//!     let ask = Ask { rights, purpose: "summarise the quarter".into(), deadline, max_rounds: 3, award: None };
//!     // Accepts whatever is offered. A real agent looks at the contract, and may counter.
//!     let mut strategy = |_: &Offer| OfferReply::Accept;
//!     let held = agent.negotiate(planner, ask, &mut strategy).await?;
//!     let answer = agent.invoke(&held, call).await?;
//!     // The receipt and every contract behind it are in the ledger.
//!     agent.prove(&answer).await?;
//!     Ok(answer.body)
//! }
//! ```

mod admin;
mod agent;
mod bundle;
mod chains;
mod change;
mod clock;
mod connection;
mod directory;
mod error;
mod evidence;
mod export;
mod feed;
mod graph;
mod held;
mod invoke;
mod join;
mod keyring;
mod ledger;
mod link;
mod negotiate;
mod operation;
mod page;
mod rebind;
mod renewal;
mod revocation;
mod serve;
mod session;
mod stream;

pub mod channel;
pub mod limits;

pub use admin::Info;
pub use agent::{Agent, Keep, Options, Trace};
pub use change::{Changed, Shown};
pub use clock::{Clock, SystemClock};
pub use error::{About, CallerFault, Deceit, Ending, Error, Refused};
pub use graph::{
    Ability, Asked, Denial, Edge, EdgeChange, Edges, Found, Graph, Holding, Judgement, Place, Use,
};
pub use held::Held;
pub use invoke::{Answer, Call};
pub use ledger::{Contradiction, Ledger};
pub use link::Link;
pub use negotiate::{Ask, Delegated, Delegatee, Delegator, Offer, OfferReply, RequestReply, Terms, Wanted};
pub use operation::Draining;
pub use rebind::{RebindAsked, TakenOver};
pub use revocation::{Preview, Revocations, Revoked, Target};
pub use serve::{Done, Handler, Invocation, Outcome, Output};
pub use session::{Reply, Session, SessionTerms};
pub use stream::{Chunks, InvokedStream, StreamEnd, Streamed, Upload};

/// Compiles the quick start of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
