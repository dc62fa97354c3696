//! The key of this copy's channels.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use countersign_protocol::digest::{Digest, SpkiHash};
use rustls::{
    Error, SignatureAlgorithm, SignatureScheme,
    pki_types::SubjectPublicKeyInfoDer,
    sign::{Signer, SigningKey},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// The cryptographic library could not make or use a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the cryptographic library failed to make or use a P-256 key")]
pub struct KeyError;

/// A P-256 key, made in memory. Its one byte form is [`danger_to_pkcs8`](Self::danger_to_pkcs8);
/// without that it cannot be copied to another process.
///
/// It prints as `TlsKey(..)`.
#[derive(Clone)]
pub struct TlsKey {
    pair: Arc<EcdsaKeyPair>,
    spki: Arc<[u8]>,
}

impl TlsKey {
    /// Makes a new key, with the operating system's entropy.
    pub fn generate() -> Result<Self, KeyError> {
        Self::of(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| KeyError)?)
    }

    /// Reads a key that [`danger_to_pkcs8`](Self::danger_to_pkcs8) wrote. Whatever else has read the
    /// same bytes is on its channels whoever this process is.
    pub fn danger_from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        Self::of(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).map_err(|_| KeyError)?)
    }

    /// The private key, as PKCS #8 in DER. From then on the key is as safe as these bytes are kept.
    pub fn danger_to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let pkcs8 = self.pair.to_pkcs8v1().map_err(|_| KeyError)?;
        Ok(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    fn of(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyError)?;
        let spki = spki.as_ref().into();
        Ok(Self { pair: Arc::new(pair), spki })
    }

    /// The public half: a SubjectPublicKeyInfo in DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The name of the key: SHA-256 of [`spki_der`](Self::spki_der).
    pub fn spki_hash(&self) -> SpkiHash {
        spki_hash(&self.spki)
    }

    /// Signs a statement by which a broker sees that this process holds the key: ECDSA with
    /// SHA-256, in DER.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        // The library draws the nonce itself and does not look at the generator.
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError)?;
        Ok(signature.as_ref().to_vec())
    }
}

pub(super) fn spki_hash(spki_der: &[u8]) -> SpkiHash {
    SpkiHash::from_bytes(Digest::of(spki_der).to_array())
}

impl fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsKey(..)")
    }
}

/// The one signature scheme of a P-256 key in TLS 1.3.
const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

impl SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SCHEME).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.spki_der().into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for TlsKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Self::sign(self, message).map_err(|error| Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEME
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};

    use super::*;

    #[test]
    fn a_signature_verifies_under_the_public_half_alone() {
        let (key, other) = (TlsKey::generate().unwrap(), TlsKey::generate().unwrap());
        let signature = key.sign(b"statement").unwrap();
        let verify = |key: &TlsKey| {
            let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.spki_der()).unwrap();
            key.verify_sig(b"statement", &signature)
        };
        assert!(verify(&key).is_ok());
        assert!(verify(&other).is_err());
        assert_ne!(key.spki_hash(), other.spki_hash());
    }

    #[test]
    fn an_exported_key_is_the_same_key() {
        let key = TlsKey::generate().unwrap();
        let pkcs8 = key.danger_to_pkcs8().unwrap();
        let again = TlsKey::danger_from_pkcs8(&pkcs8).unwrap();
        assert_eq!(again.spki_hash(), key.spki_hash());
        assert_eq!(TlsKey::danger_from_pkcs8(&pkcs8[1..]).unwrap_err(), KeyError);
    }

    #[test]
    fn a_key_does_not_print_itself() {
        assert_eq!(format!("{:?}", TlsKey::generate().unwrap()), "TlsKey(..)");
    }
}
