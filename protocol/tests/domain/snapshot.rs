//! Snapshots: whoever goes on from one gets the state that the whole ledger folds into. That each
//! state of each test here comes back from its snapshot is checked where the state is made, in
//! `forge::World::record`.

use countersign_protocol::{
    digest::Digest,
    domain::{FOLD_VERSION, State},
    ledger::Tree,
    payload::Malformed,
};
use proptest::{prelude::*, sample::Index};

use crate::audit::eventful;

/// SHA-256 of the snapshot of [`eventful`] under each version of the fold. A line that is here is
/// never changed: whoever meets another digest has changed the fold, and adds a version.
const DIGESTS: [(u32, &str); 9] = [
    (1, "6b033ce10a7d951fc104032cc24bdd0ccc1d5f5f9bd652e51407ff8f689e21b7"),
    (2, "04059a900fc23e3c460ce92794264085591154da74a9e385dcd6ed9220cf92ba"),
    (3, "6faa0980b3963789c5c8d53faaf3c4d6b4914f9b70fd7282be2984be5d57606a"),
    (4, "712b48ff95ce95d4507cc750f983c1060df9a7e57fa7782c37752e80d08c906f"),
    (5, "8ae618b3399350a2dcb91a7cd5812de8b7b305df13431092647134bddb646fd8"),
    (6, "7ae67ff1f0850de05882211efb8638762030b810c8cea47e4e0ffac66efaa4de"),
    (7, "88bb450bac4fa80efa9d0346df0d6ab481a6dbc388a069f5d79e7637175a36df"),
    (8, "170efce769aaa65ca67b8dabafc912a943bf2b302864807a2658641c5798e17c"),
    (9, "104fa01b10e18556e6b3552bdc8f79307ed6e399c48bf9d2fcce760acc7ee3a4"),
];

#[test]
fn a_changed_fold_has_another_version() {
    let world = eventful();
    let found = Digest::of(&world.state.to_snapshot()).to_string();
    let known = DIGESTS.iter().find(|(version, _)| *version == FOLD_VERSION);
    assert_eq!(
        known.map(|(_, digest)| *digest),
        Some(found.as_str()),
        "what a ledger folds into, or how that is written, has changed: raise FOLD_VERSION, so that a \
         broker does not go on from a snapshot that its predecessor made, and add the digest under it"
    );
    assert_eq!(DIGESTS.last().map(|(version, _)| *version), Some(FOLD_VERSION), "versions only rise");
}

#[test]
fn a_snapshot_of_any_time_and_the_rest_make_the_same_state() {
    let world = eventful();
    let mut folded = State::default();
    for cut in 0..=world.entries.len() {
        let (tree, snapshot) = (folded.tree().clone(), folded.to_snapshot());
        let resumed = State::from_snapshot(&snapshot, tree).unwrap();
        let (_, rest) = world.entries.split_at(cut);
        assert_eq!(rest.iter().fold(resumed, State::evolve), world.state, "cut after {cut} entries");
        folded = rest.iter().take(1).fold(folded, State::evolve);
    }
}

#[test]
fn the_tree_is_not_in_the_snapshot() {
    let world = eventful();
    let snapshot = world.state.to_snapshot();
    let other = State::from_snapshot(&snapshot, Tree::default()).unwrap();
    assert_eq!(other.to_snapshot(), snapshot);
    assert_eq!(other.tree().size().get(), 0);
    let root = world.state.tree().root();
    assert!(snapshot.windows(32).all(|window| window != root.as_bytes()));
}

#[test]
fn what_is_cut_or_longer_is_no_snapshot() {
    let snapshot = eventful().state.to_snapshot();
    for length in 0..snapshot.len() {
        assert!(State::from_snapshot(&snapshot[..length], Tree::default()).is_err(), "{length} bytes");
    }
    let longer = [snapshot.as_slice(), &[8, 0]].concat();
    let refused = State::from_snapshot(&longer, Tree::default());
    assert_eq!(refused, Err(Malformed::Unexpected { field: 1 }));
}

proptest! {
    /// Its keeper's seal says that a snapshot is what was written. Without one, it may be another
    /// state or none, and nothing worse.
    #[test]
    fn a_damaged_snapshot_stops_nobody(at: Index, bit in 0..8u32) {
        thread_local!(static SNAPSHOT: Vec<u8> = eventful().state.to_snapshot());
        let mut snapshot = SNAPSHOT.with(Vec::clone);
        *at.get_mut(&mut snapshot) ^= 1 << bit;
        if let Ok(state) = State::from_snapshot(&snapshot, Tree::default()) {
            prop_assert_eq!(state.to_snapshot().len(), snapshot.len());
        }
    }
}
