//! Certificates and channel keys, which whoever can reach a listener may send.

use countersign::channel::Anchor;
use countersign_broker::channel::{Leaf, proof_of_possession, spki_hash};
use countersign_forge::domain;
use countersign_protocol::digest::Digest;

use super::{Seed, Verdict};
use crate::memory;

/// The first byte selects: an instance's certificate, an authority's, a key with a proof.
pub(super) fn certificate(input: &[u8]) -> Verdict {
    let Some((kind, der)) = input.split_first() else { return Verdict::Refused };
    match kind % 3 {
        0 => leaf(der),
        1 => anchor(der),
        _ => key(der),
    }
}

fn leaf(der: &[u8]) -> Verdict {
    let Ok(leaf) = memory::in_proportion(der.len(), || Leaf::parse(der, &domain())) else {
        return Verdict::Refused;
    };
    assert_eq!(leaf.instance.principal().domain(), domain());
    assert_eq!(leaf.spki_der.len(), 91, "a P-256 key has one encoding");
    assert!(der.windows(leaf.spki_der.len()).any(|part| part == leaf.spki_der));
    assert!(der.windows(leaf.instance.as_str().len()).any(|part| part == leaf.instance.as_str().as_bytes()));
    assert_eq!(Leaf::parse(&[der, &[0]].concat(), &domain()).ok(), None, "bytes after it");
    assert_eq!(Leaf::parse(der, &"other.example".parse().unwrap()).ok(), None, "of another domain");
    Verdict::Accepted
}

fn anchor(der: &[u8]) -> Verdict {
    let Ok(anchor) = Anchor::parse(der) else { return Verdict::Refused };
    assert_eq!(anchor.fingerprint(), Digest::of(der));
    assert!(Leaf::parse(der, anchor.domain()).is_err(), "an authority is no instance");
    Verdict::Accepted
}

/// 91 bytes of a key, and a signature over a fixed text.
fn key(bytes: &[u8]) -> Verdict {
    let (spki, signature) = bytes.split_at(bytes.len().min(91));
    match proof_of_possession(spki, b"statement", signature) {
        Ok(key) => {
            assert_eq!(key.spki_hash(), spki_hash(spki));
            Verdict::Accepted
        }
        Err(_) => Verdict::Refused,
    }
}

/// Certificates are made with random numbers, so they are in the corpus and not made here.
pub(super) fn seeds() -> Vec<Seed> {
    Vec::new()
}
