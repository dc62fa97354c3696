//! The channel to a broker: mutual TLS 1.3, with the broker known by its SPIFFE ID.
//!
//! [`TlsKey`] is made in memory, [`Identity`] joins it with the certificate that the broker issued,
//! [`Trust`] says which broker is believed to be one, and [`Connector`] opens connections for
//! tonic. What this module relies on not happening:
//!
//! - The private key does not leave the process but by the one call that has `danger` in its name.
//! - A broker is never known by its address or DNS name, only by a certificate of the expected
//!   trust domain that names `service/broker`.
//! - No handshake is a resumption, so the broker's certificate is verified each time.

mod anchor;
mod certificate;
mod connector;
mod identity;
mod key;
mod verifier;

pub use anchor::{Anchor, BadAnchor, ForeignAnchor, Trust};
pub use certificate::BadCertificate;
pub use connector::Connector;
pub use identity::{BadSvid, Identity, Svid};
pub use key::{KeyError, TlsKey};
pub use verifier::BrokerVerifier;
