//! The channel: mutual TLS 1.3 between instances of one trust domain.
//!
//! An [`Authority`] certifies keys; an [`Acceptor`] lets in who holds a certificate of its domain
//! and tells the handlers who that is ([`Peer`]). What this module relies on not happening:
//!
//! - A certificate is never made from what a peer asks to have in it: a peer gives a public key and
//!   proves that it holds the private one ([`ProvenKey`]), and the broker decides the rest.
//! - No handshake is ever a resumption. A resumed session skips the verification of the client's
//!   certificate, so that an expired one would be let in again.
//! - No connection outlives the certificate that opened it ([`Connection`]).
//! - No peer that has not finished its handshake can hold up another.
//! - Nobody gets more of the processor by having more under way.

mod acceptor;
mod authority;
mod certificate;
mod config;
mod connection;
mod half_open;
mod identity;
mod key;
mod seats;
mod turn;
mod verifier;

pub use acceptor::{AcceptLimits, Acceptor, Peer, Stranger};
pub use authority::{Authority, AuthorityError, Serial, Svid};
pub use certificate::{BadCertificate, Leaf, Validity};
pub use config::TlsTime;
pub use connection::Connection;
pub(crate) use half_open::source;
pub use identity::{BrokerIdentity, IdentityError};
pub use key::{BadKey, BadProof, ProvenKey, proof_of_possession, spki_hash};
pub(crate) use seats::{Holder, Seat, Seats};
pub use verifier::ClientVerifier;
