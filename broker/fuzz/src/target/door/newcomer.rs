//! A newcomer with keys of its own: without them a join gets no further than its two signatures.

use std::sync::LazyLock;

use countersign_broker::channel::{Leaf, ProvenKey, proof_of_possession, spki_hash};
use countersign_forge::{domain, principal};
use countersign_protocol::{
    identity::JoinStatement,
    key::SigningKey,
    payload::Payload,
    signed::{Signed, Statement},
};
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

use crate::{keys, wire::Field};

/// The key of a channel. Made once: keys take their time.
static CHANNEL: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate().unwrap());

/// The same, as a broker knows it.
pub(super) static PROVEN: LazyLock<ProvenKey> = LazyLock::new(|| {
    let signature = CHANNEL.sign(b"statement").unwrap();
    proof_of_possession(&CHANNEL.subject_public_key_info(), b"statement", &signature).unwrap()
});

/// The request with its statement signed by an instance key, and by the key of the channel that it is
/// made to name.
pub(super) fn signed_anew(message: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Field::read_all(message)?;
    let (key, spki) = (SigningKey::from_seed(&[9; 32]), CHANNEL.subject_public_key_info());
    let join = Signed::from_bytes(Field::bytes(&fields, 2)?).ok()?;
    let join = match join.peek_unverified::<JoinStatement>() {
        Ok(claimed) => JoinStatement { key: key.public(), spki: spki_hash(&spki), ..claimed }.sign(&key),
        Err(_) => keys::signed_by(&join, &key),
    };
    let join = join.to_bytes();
    let proof = CHANNEL.sign(&join).unwrap();
    fields.retain(|field| !matches!(field.number(), 2 | 5 | 6));
    fields.extend([(2, join), (5, spki), (6, proof)].map(|(number, bytes)| Field::of_bytes(number, &bytes)));
    Some(Field::write_all(&fields))
}

/// Whoever is let in is whom the join token is for, and has its own key certified.
pub(super) fn check_certificate(response: &[u8]) {
    let der = Field::find_bytes(response, 1).and_then(|certificate| Field::find_bytes(certificate, 1));
    let leaf = Leaf::parse(der.expect("a certificate"), &domain()).expect("the certificate of an instance");
    assert_eq!(leaf.instance.principal(), &principal("newcomer"));
    assert_eq!(leaf.spki_der, CHANNEL.subject_public_key_info());
}
