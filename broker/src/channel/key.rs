//! The public keys of channels: P-256 and nothing else, in the one encoding that it has here.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use countersign_protocol::digest::{Digest, SpkiHash};
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use thiserror::Error;

/// A SubjectPublicKeyInfo of a P-256 key on the named curve, up to the point: everything but the
/// point is fixed, so comparing it leaves a parser nothing to be lenient about (RFC 5480, 2).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Bytes of an uncompressed point: 0x04, x, y.
const POINT_BYTES: usize = 65;
const UNCOMPRESSED: u8 = 0x04;

/// The bytes are not the SubjectPublicKeyInfo of a P-256 key: another algorithm or curve, explicit
/// curve parameters, a compressed point, no point of the curve, or trailing bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the SubjectPublicKeyInfo of a P-256 key on the named curve with an uncompressed point")]
pub struct BadKey;

/// Why a proof that a key is held was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadProof {
    /// There is no key to prove.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The signature was not made by that key over that message.
    #[error("the signature over the statement does not verify under the key that it presents")]
    Signature,
}

/// SHA-256 of a SubjectPublicKeyInfo in DER: the name of a channel's key.
pub fn spki_hash(spki_der: &[u8]) -> SpkiHash {
    SpkiHash::from_bytes(Digest::of(spki_der).to_array())
}

/// Verifies that whoever sends `spki_der` holds its private key: `signature` is ECDSA with SHA-256,
/// in DER, over `message`. The message must name what the signature is for, and be fresh; both are
/// the caller's to check.
pub fn proof_of_possession(spki_der: &[u8], message: &[u8], signature: &[u8]) -> Result<ProvenKey, BadProof> {
    let (point, key) = parse(spki_der)?;
    key.verify_sig(message, signature).map_err(|_| BadProof::Signature)?;
    Ok(ProvenKey { point, spki: spki_hash(spki_der) })
}

/// A P-256 public key whose holder has proven possession. Nothing else is ever certified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenKey {
    point: [u8; POINT_BYTES],
    spki: SpkiHash,
}

impl ProvenKey {
    /// The name of the key.
    pub fn spki_hash(&self) -> SpkiHash {
        self.spki
    }

    /// The key of a peer whose handshake is done, and with it the proof.
    pub(super) fn by_handshake(spki_der: &[u8]) -> Result<Self, BadKey> {
        Self::own(spki_der)
    }

    /// The broker's own key, which it need not prove to itself.
    pub(super) fn own(spki_der: &[u8]) -> Result<Self, BadKey> {
        let (point, _) = parse(spki_der)?;
        Ok(Self { point, spki: spki_hash(spki_der) })
    }
}

impl PublicKeyData for ProvenKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// Refuses everything that is not a P-256 key.
pub(super) fn check_p256(spki_der: &[u8]) -> Result<(), BadKey> {
    parse(spki_der).map(drop)
}

fn parse(spki_der: &[u8]) -> Result<([u8; POINT_BYTES], ParsedPublicKey), BadKey> {
    let point = spki_der.strip_prefix(&SPKI_PREFIX).ok_or(BadKey)?;
    let point: [u8; POINT_BYTES] = point.try_into().map_err(|_| BadKey)?;
    if point.first() != Some(&UNCOMPRESSED) {
        return Err(BadKey);
    }
    // Parsing checks that the point is on the curve and is not the point at infinity.
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| BadKey)?;
    Ok((point, key))
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SigningKey as _};

    use super::*;

    const STATEMENT: &[u8] = b"enrol me as the planner, 2026-01-01";

    fn p256() -> KeyPair {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
    }

    #[test]
    fn the_holder_of_a_key_proves_it() {
        let key = p256();
        let spki = key.subject_public_key_info();
        let proven = proof_of_possession(&spki, STATEMENT, &key.sign(STATEMENT).unwrap()).unwrap();
        assert_eq!(proven.spki_hash(), spki_hash(&spki));
        assert_eq!(proven.subject_public_key_info(), spki);
    }

    #[test]
    fn someone_elses_key_is_not_proven() {
        let (key, other) = (p256(), p256());
        let signature = key.sign(STATEMENT).unwrap();
        let refused = |spki: &[u8], message: &[u8], signature: &[u8]| {
            assert_eq!(proof_of_possession(spki, message, signature), Err(BadProof::Signature));
        };
        refused(&other.subject_public_key_info(), STATEMENT, &signature);
        refused(&key.subject_public_key_info(), b"enrol me as the treasurer", &signature);
        refused(&key.subject_public_key_info(), STATEMENT, &[signature.as_slice(), &[0]].concat());
        refused(&key.subject_public_key_info(), STATEMENT, &signature[1..]);
        refused(&key.subject_public_key_info(), STATEMENT, &[]);
    }

    #[test]
    fn only_a_p256_key_in_its_one_encoding_is_a_key() {
        let key = p256();
        let good = key.subject_public_key_info();
        let signature = key.sign(STATEMENT).unwrap();

        let mut compressed = good.clone();
        compressed[26] = 2 + (compressed[90] & 1);
        compressed.truncate(26 + 33);
        (compressed[1], compressed[24]) = (0x39, 0x22);
        let mut hybrid = good.clone();
        hybrid[26] = 6 + (hybrid[90] & 1);
        let mut off_curve = good.clone();
        off_curve[90] ^= 1;
        let mut secp256k1 = good.clone();
        secp256k1.splice(11..23, [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a]);

        for (case, spki) in [
            ("nothing", vec![]),
            ("a trailing byte", [good.as_slice(), &[0]].concat()),
            ("a byte short", good[..90].to_vec()),
            ("the bare point", good[26..].to_vec()),
            ("a compressed point", compressed),
            ("a hybrid point", hybrid),
            ("a point off the curve", off_curve),
            ("another curve", secp256k1),
            ("the point at infinity", [&SPKI_PREFIX[..], &[0; 65]].concat()),
        ] {
            assert_eq!(proof_of_possession(&spki, STATEMENT, &signature), Err(BadKey.into()), "{case}");
        }
    }

    #[test]
    fn other_algorithms_are_refused_with_their_valid_signatures() {
        for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let signature = key.sign(STATEMENT).unwrap();
            let outcome = proof_of_possession(&key.subject_public_key_info(), STATEMENT, &signature);
            assert_eq!(outcome, Err(BadProof::Key(BadKey)), "{algorithm:?}");
        }
    }
}
