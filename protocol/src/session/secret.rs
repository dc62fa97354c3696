//! Keys that caller and callee share and the broker between them does not have.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use rand_core::{CryptoRng, RngCore};
use sha2::Sha256;
use thiserror::Error;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::digest::{Digest, SessionLink, tagged_hash};

/// One side's half of a key agreement: the 32 bytes of an X25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EphemeralKey([u8; 32]);

impl EphemeralKey {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for EphemeralKey {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

crate::blob!(EphemeralKey);

/// The other side's key is of small order: what comes of it is known to everyone (SES-002).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the other side's key is of small order")]
pub struct NotAgreed;

/// A MAC is not over this link under this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the MAC is not over this link under the session's key")]
pub struct WrongMac;

/// The private half, made for one session. It prints as `Ephemeral(..)` and is zeroized when dropped.
pub struct Ephemeral(StaticSecret);

impl Ephemeral {
    /// Draws a new one.
    pub fn generate<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self(StaticSecret::from(*seed))
    }

    /// The public half.
    pub fn public(&self) -> EphemeralKey {
        EphemeralKey(PublicKey::from(&self.0).to_bytes())
    }

    /// The session's keys. They are bound to both signed statements: whoever changes anything in one
    /// of them leaves the two sides with different keys.
    pub fn agree(
        self,
        other: &EphemeralKey,
        opening: &Digest,
        answer: &Digest,
    ) -> Result<SessionKeys, NotAgreed> {
        let shared = self.0.diffie_hellman(&PublicKey::from(other.0));
        if !shared.was_contributory() {
            return Err(NotAgreed);
        }
        let salt = tagged_hash("countersign session keys v1", &[opening.as_bytes(), answer.as_bytes()]);
        let keys = Hkdf::<Sha256>::new(Some(&salt), shared.as_bytes());
        let expand = |info: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            // One block of output: it cannot be too long.
            keys.expand(info, &mut *key).map(|()| MacKey(key)).map_err(|_| NotAgreed)
        };
        Ok(SessionKeys { requests: expand(b"requests")?, results: expand(b"results")? })
    }
}

impl fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ephemeral(..)")
    }
}

/// One key for each direction, so that nothing said one way can be sent back.
#[derive(Clone, Debug)]
pub struct SessionKeys {
    /// The caller's MACs.
    pub requests: MacKey,
    /// The callee's.
    pub results: MacKey,
}

/// HMAC-SHA-256 over links. It prints as `MacKey(..)` and is zeroized when dropped.
#[derive(Clone)]
pub struct MacKey(Zeroizing<[u8; 32]>);

impl MacKey {
    /// The MAC of a link.
    pub fn mac(&self, link: &SessionLink) -> [u8; 32] {
        self.over(link).finalize().into_bytes().into()
    }

    /// Whether this is the MAC of that link, compared in constant time.
    pub fn verify(&self, link: &SessionLink, mac: &[u8]) -> Result<(), WrongMac> {
        self.over(link).verify_slice(mac).map_err(|_| WrongMac)
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn over(&self, link: &SessionLink) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("any length is a key");
        mac.update(link.as_bytes());
        mac
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}
