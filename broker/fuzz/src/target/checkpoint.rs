//! Checkpoints: a text, its signatures, and the names of logs and verifier keys.

use std::{collections::BTreeSet, sync::LazyLock};

use countersign_protocol::{
    ledger::{Checkpoint, NoteVerifier, Origin, SignedCheckpoint},
    limits::{CHECKPOINT_MAX_BYTES, CHECKPOINT_SIGNATURES_MAX, ORIGIN_MAX_BYTES},
    trust::KeySet,
};

use super::{Seed, Verdict, seeds_of};
use crate::{keys, memory, scene::SCENE, vectors};

pub(super) fn checkpoint(bytes: &[u8]) -> Verdict {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check_texts(text);
    }
    let Ok(signed) = memory::in_proportion(bytes.len(), || SignedCheckpoint::try_from(bytes)) else {
        return Verdict::Refused;
    };
    assert_eq!(signed.as_bytes(), bytes, "another text than was received");
    assert!(bytes.len() <= CHECKPOINT_MAX_BYTES);
    let lines = signed.as_str().lines().filter(|line| line.starts_with("— ")).count();
    assert!((1..=CHECKPOINT_SIGNATURES_MAX).contains(&lines));
    let claimed = signed.peek_unverified();
    let mut verdict = Verdict::Refused;
    for keys in [countersign_forge::keys(), keys::of_the_vectors()] {
        if let Ok(opened) = keys.open_checkpoint(&signed) {
            assert_eq!(&opened, claimed);
            assert!(KNOWN.contains(&opened.to_string()), "no log signed {opened:?}");
            verdict = Verdict::Accepted;
        }
    }
    check_anew(claimed, &countersign_forge::keys());
    verdict
}

/// What the log's own key signs opens if it is of that log, and not otherwise.
fn check_anew(claimed: &Checkpoint, keys: &KeySet) {
    let signed = SignedCheckpoint::sign(claimed, &countersign_forge::domain_key(203));
    let again: SignedCheckpoint = signed.as_str().parse().expect("what was signed can be read");
    let own = claimed.origin == Origin::of(keys.domain());
    assert_eq!(keys.open_checkpoint(&again).ok(), own.then(|| claimed.clone()));
}

/// Each text form prints as it was read.
fn check_texts(text: &str) {
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(verifier) = text.parse::<NoteVerifier>() {
        assert_eq!(verifier.to_string(), text);
    }
    if let Ok(origin) = text.parse::<Origin>() {
        assert!(origin.as_str() == text && text.len() <= ORIGIN_MAX_BYTES);
    }
}

/// The texts that some log signed.
static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let signed = seeds().into_iter().filter_map(|seed| SignedCheckpoint::try_from(&seed.bytes[..]).ok());
    signed.map(|signed| signed.peek_unverified().to_string()).collect()
});

pub(super) fn seeds() -> Vec<Seed> {
    let notes = vectors::inputs("open_checkpoint", "note_b64");
    let log = countersign_forge::keys().log_verifier().unwrap().to_string();
    let ours = [
        ("scene.checkpoint", SCENE.world.checkpoint().as_bytes().to_vec()),
        ("scene.text", SCENE.world.checkpoint().peek_unverified().to_string().into_bytes()),
        ("scene.vkey", log.into_bytes()),
    ];
    seeds_of(notes.into_iter().chain(ours.map(|(name, bytes)| (name.to_owned(), bytes))))
}
