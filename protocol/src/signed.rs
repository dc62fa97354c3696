//! Signed statements: a typed payload and the signatures over it.
//!
//! What is signed is the DSSE v1 pre-authentication encoding of *(type, payload)*, so a signature
//! over one kind of statement is worthless under any other (CONV-020). Verification works on the
//! bytes that were received; only verified bytes are decoded, and they are never re-encoded.

use crate::{
    code_enum,
    digest::Digest,
    key::{BadSignature, PublicKey, Signature, SigningKey},
    limits::SIGNATURES_MAX,
    payload,
    payload::{Bounded, Field as _, Malformed, Payload, Reader, Writer},
};

/// A payload that has a type of its own and may therefore be signed.
pub trait Statement: Payload {
    /// The media type, with the format's version.
    const TYPE: &'static str;

    /// Signs this statement with one key.
    fn sign(&self, key: &SigningKey) -> Signed {
        let mut signed =
            Signed { payload_type: Self::TYPE.into(), payload: self.to_bytes(), signatures: Vec::new() };
        signed.add_signature(key);
        signed
    }
}

code_enum! {
    /// How a signature was made. There is one way; a second one will be a second value.
    pub enum Algorithm {
        /// RFC 8032 Ed25519, verified strictly.
        Ed25519 = 1,
    }
}

payload! {
    /// One signature of an envelope.
    pub struct KeyedSignature {
        /// How it was made.
        1 => pub algorithm: Algorithm,
        /// Whose it claims to be; believed only once it verifies.
        2 => pub key: PublicKey,
        /// The signature.
        3 => pub signature: Signature,
    }
}

/// The media type of a payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PayloadType(String);

impl PayloadType {
    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The media type.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for PayloadType {
    fn from(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

impl TryFrom<&[u8]> for PayloadType {
    type Error = Malformed;

    fn try_from(bytes: &[u8]) -> Result<Self, Malformed> {
        let printable = !bytes.is_empty() && bytes.len() <= 128 && bytes.iter().all(u8::is_ascii_graphic);
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| Malformed::Value { field: 1 })?;
        if printable { Ok(Self(text)) } else { Err(Malformed::Value { field: 1 }) }
    }
}

crate::blob!(PayloadType);

/// The envelope of every signed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What the payload is.
    pub payload_type: PayloadType,
    /// The payload as it was signed.
    pub payload: Vec<u8>,
    /// The signatures, in the order in which they were made.
    pub signatures: Vec<KeyedSignature>,
}

payload! {
    /// An envelope as it is read. Each signature brings a key, which costs a reader more than all else in
    /// the envelope: it stops at the bound.
    struct SignedFields {
        1 => payload_type: PayloadType,
        2 => payload: Vec<u8>,
        3 => signatures: Bounded<KeyedSignature, 0, SIGNATURES_MAX>,
    }
}

impl Payload for Signed {
    fn encode_fields(&self, writer: &mut Writer) {
        self.payload_type.put(1, writer);
        self.payload.put(2, writer);
        self.signatures.put(3, writer);
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let SignedFields { payload_type, payload, signatures } = SignedFields::decode_fields(reader)?;
        Ok(Self { payload_type, payload, signatures: signatures.to_vec() })
    }
}
crate::embedded!(Signed);

impl Signed {
    /// Adds the signature of one more key.
    pub fn add_signature(&mut self, key: &SigningKey) {
        let signature = key.sign(&signed_bytes(self.payload_type.as_str(), &self.payload));
        self.signatures.push(KeyedSignature { algorithm: Algorithm::Ed25519, key: key.public(), signature });
    }

    /// Verifies that exactly these keys signed, in this order, then decodes the payload.
    pub fn open<T: Statement>(&self, signers: &[PublicKey]) -> Result<T, NotOpened> {
        if self.payload_type.as_str() != T::TYPE {
            return Err(NotOpened::Type);
        }
        if self.signatures.len() != signers.len() {
            return Err(NotOpened::Signers);
        }
        let message = signed_bytes(T::TYPE, &self.payload);
        for (signature, key) in self.signatures.iter().zip(signers) {
            if signature.key != *key {
                return Err(NotOpened::Signers);
            }
            key.verify(&message, &signature.signature)?;
        }
        Ok(T::from_bytes(&self.payload)?)
    }

    /// Decodes the payload before its signer is known, only to learn who that must be.
    pub fn peek_unverified<T: Statement>(&self) -> Result<T, NotOpened> {
        if self.payload_type.as_str() != T::TYPE {
            return Err(NotOpened::Type);
        }
        Ok(T::from_bytes(&self.payload)?)
    }

    /// SHA-256 of the payload as it was signed: names the statement.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.payload)
    }
}

/// Why an envelope was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The payload is of another type than the one expected here.
    #[error("the statement has another payload type")]
    Type,
    /// Signatures are missing, added, reordered or by other keys.
    #[error("the statement is not signed by exactly the expected keys")]
    Signers,
    /// A signature does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The payload departs from the grammar.
    #[error("the payload is malformed: {0}")]
    Malformed(#[from] Malformed),
}

/// DSSE v1 PAE: `DSSEv1 SP len(type) SP type SP len(payload) SP payload`, lengths in decimal.
pub fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Signs a statement whose envelope is rebuilt by its reader: a contract's second copy, a hop.
pub fn sign_detached(payload_type: &str, payload: &[u8], key: &SigningKey) -> Signature {
    key.sign(&signed_bytes(payload_type, payload))
}

/// Verifies what [`sign_detached`] signed.
pub fn verify_detached(
    payload_type: &str,
    payload: &[u8],
    key: &PublicKey,
    signature: &Signature,
) -> Result<(), BadSignature> {
    key.verify(&signed_bytes(payload_type, payload), signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    payload! {
        struct Note { 1 => number: u64, }
    }
    impl Statement for Note {
        const TYPE: &'static str = "test/note";
    }

    payload! {
        struct Other { 1 => number: u64, }
    }
    impl Statement for Other {
        const TYPE: &'static str = "test/other";
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    #[test]
    fn opens_for_its_signers_and_nobody_else() {
        let signed = Note { number: 4 }.sign(&key(1));
        let (one, two) = (key(1).public(), key(2).public());
        assert_eq!(signed.open::<Note>(&[one]), Ok(Note { number: 4 }));
        assert_eq!(signed.open::<Note>(&[two]), Err(NotOpened::Signers));
        assert_eq!(signed.open::<Note>(&[]), Err(NotOpened::Signers));
        assert_eq!(signed.open::<Note>(&[one, two]), Err(NotOpened::Signers));
    }

    #[test]
    fn a_signature_is_worthless_under_another_type() {
        let mut signed = Note { number: 4 }.sign(&key(1));
        assert!(matches!(signed.open::<Other>(&[key(1).public()]), Err(NotOpened::Type)));
        signed.payload_type = Other::TYPE.into();
        assert!(matches!(signed.open::<Other>(&[key(1).public()]), Err(NotOpened::Signature(_))));
    }

    /// Attack line 17: each signature is a point to decompress, before any is known to be needed. What is
    /// beyond the bound is not even looked at.
    #[test]
    fn an_envelope_has_few_signatures() {
        let signed = |signers: usize| {
            let mut signed = Note { number: 4 }.sign(&key(1));
            (1..signers).for_each(|_| signed.add_signature(&key(1)));
            signed
        };
        let most = signed(SIGNATURES_MAX);
        assert_eq!(Signed::from_bytes(&most.to_bytes()), Ok(most));
        let more = signed(SIGNATURES_MAX + 1).to_bytes();
        assert_eq!(Signed::from_bytes(&more), Err(Malformed::Value { field: 3 }));
        let mut garbled = more;
        garbled.truncate(garbled.len() - KEYED_SIGNATURE_BYTES);
        garbled.extend([0x1a, 2, 0x08, 9]);
        assert_eq!(Signed::from_bytes(&garbled), Err(Malformed::Value { field: 3 }));
        let one = garbled.len() - 4 - (SIGNATURES_MAX - 1) * KEYED_SIGNATURE_BYTES;
        garbled.drain(one..garbled.len() - 4);
        let refused = Signed::from_bytes(&garbled);
        assert_eq!(refused, Err(Malformed::Value { field: 1 }), "the twin: within the bound it is");
    }

    /// Tag, length, algorithm, key and signature.
    const KEYED_SIGNATURE_BYTES: usize = 2 + 2 + 34 + 66;

    #[test]
    fn a_changed_payload_is_refused() {
        let mut signed = Note { number: 4 }.sign(&key(1));
        signed.payload = Note { number: 5 }.to_bytes();
        assert!(matches!(signed.open::<Note>(&[key(1).public()]), Err(NotOpened::Signature(_))));
    }
}
