//! Ed25519 keys and signatures: one algorithm, verified strictly (CONV-030).

use std::fmt;

use ed25519_dalek::{Signer as _, Verifier as _};
use rand_core::{CryptoRng, RngCore};
use thiserror::Error;
use zeroize::Zeroizing;

/// A signature does not belong to these bytes and this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the signature does not verify under this key")]
pub struct BadSignature;

/// The bytes are no public key: not the canonical encoding of a point, or of a point of small order.
///
/// A point of mixed order is a key (CONV-102): whoever made it can make signatures that only some
/// verifiers accept, and every verifier of this protocol is held to the same equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an Ed25519 public key: not the one encoding of a point, or a point of small order")]
pub struct BadKey;

/// A private key. It prints as `SigningKey(..)` and is zeroized when dropped.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Draws a new key.
    pub fn generate<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self::from_seed(&seed)
    }

    /// The key that RFC 8032 derives from a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, for a key store.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs bytes as they are. Statements go through [`Signed`](crate::signed::Signed).
    pub(crate) fn sign(&self, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// A public key whose point has been checked: it has this one encoding, and it is not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// Accepts a signature only if every conforming strict verifier does: canonical encodings, no
    /// small-order key or commitment, the challenge reduced modulo L, no cofactor (CONV-102).
    ///
    /// The library's plain verification computes what the commitment has to be and compares bytes, so
    /// what it accepts is the one encoding of a point. All that its strict one does besides is to refuse
    /// points of small order, for which it decompresses the commitment; here the eight encodings that they
    /// have are looked for, and a key of small order is none. That is a tenth less for the same answers.
    pub fn verify(&self, bytes: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        signature.check_commitment()?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify(bytes, &signature).map_err(|_| BadSignature)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The 32 bytes by value.
    pub fn to_array(self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = BadKey;

    fn try_from(bytes: &[u8]) -> Result<Self, BadKey> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| BadKey)?;
        // Decompression accepts y ≥ p, and a sign for x = 0; a key must have one encoding. The points
        // with x = 0 are of small order, in either encoding.
        let mut unsigned = *bytes;
        unsigned[31] &= 0x7f;
        let small = [bytes, &unsigned].into_iter().any(|encoding| SMALL_ORDER.contains(encoding));
        if small || !is_reduced(bytes) {
            return Err(BadKey);
        }
        ed25519_dalek::VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| BadKey)
    }
}

/// Whether y, the encoding without the sign of x, is below p = 2^255 - 19.
fn is_reduced(encoding: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = encoding;
    *first < 0xed || last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

impl std::str::FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bytes = hex::decode(text).map_err(|_| BadKey)?;
        let key = Self::try_from(bytes.as_slice())?;
        // One text for one key: lower case.
        if key.to_string() == text { Ok(key) } else { Err(BadKey) }
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

crate::blob!(PublicKey);

/// The 64 bytes of an Ed25519 signature, not yet verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// The 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The 64 bytes by value.
    pub(crate) fn to_array(self) -> [u8; 64] {
        self.0
    }

    /// Refuses a commitment of small order: it would fit more messages than one.
    pub(crate) fn check_commitment(&self) -> Result<(), BadSignature> {
        if SMALL_ORDER.iter().any(|small| self.0.starts_with(small)) { Err(BadSignature) } else { Ok(()) }
    }
}

/// The canonical encodings of the eight points of small order.
const SMALL_ORDER: [[u8; 32]; 8] = [
    *b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    *b"\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\xfa",
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x85",
];

impl TryFrom<&[u8]> for Signature {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

crate::blob!(Signature);

#[cfg(test)]
mod tests;
