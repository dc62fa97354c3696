//! Starts that go on from a snapshot, and those that do not.

use std::path::Path;

use countersign_protocol::domain::FOLD_VERSION;
use countersign_store::{EmbeddedStore, Snapshot};
use tempfile::TempDir;

use super::{faults::closed, *};
use crate::snapshots;

/// A domain in a directory, and of how many entries its snapshot was.
async fn start(path: &Path) -> (Arc<Domain>, u64) {
    let domain = open(Arc::new(EmbeddedStore::open(path).unwrap())).await.unwrap();
    let recalled = domain.snapshot_size();
    (domain, recalled)
}

/// What every entry folds into.
async fn folded(store: &dyn Store) -> State {
    let end = store.head(&name()).await.unwrap().size.next_leaf();
    let entries = store.read(&name(), LeafIndex::ZERO..end, usize::MAX).await.unwrap();
    entries.iter().fold(State::default(), |state, bytes| state.evolve(&Entry::from_bytes(bytes).unwrap()))
}

async fn assert_folded(domain: &Domain) {
    let expected = folded(&**domain.store()).await;
    assert!(domain.peek(|state, _| *state == expected), "a start and a fold differ");
}

/// A closed ledger of so many entries, with a snapshot of the first of them.
async fn ledger(entries: usize, snapshot_of: usize) -> TempDir {
    let dir = TempDir::new().unwrap();
    let (domain, _) = start(dir.path()).await;
    for number in 0..entries {
        if number == snapshot_of {
            domain.keep_snapshot().await.unwrap();
        }
        decide(&domain, number).await.unwrap();
    }
    if entries == snapshot_of {
        domain.keep_snapshot().await.unwrap();
    }
    closed(domain, dir.path()).await;
    dir
}

#[tokio::test]
async fn a_start_goes_on_from_the_snapshot_wherever_it_was_made() {
    for cut in 0..=6 {
        let dir = ledger(6, cut).await;
        let (domain, recalled) = start(dir.path()).await;
        assert_eq!(recalled, cut as u64);
        assert_folded(&domain).await;
        assert_eq!(reason(decide(&domain, 0).await), (Reason::IdAlreadyUsed, "IDN-022"));
        assert_eq!(decide(&domain, 6).await.unwrap().get(), 7);
    }
}

#[tokio::test]
async fn without_what_is_derived_everything_is_folded() {
    let dir = ledger(4, 4).await;
    std::fs::remove_dir_all(dir.path().join("derived")).unwrap();
    let (domain, recalled) = start(dir.path()).await;
    assert_eq!(recalled, 0);
    assert_folded(&domain).await;
}

/// Who can write the directory, and holds no key, cannot make the broker forget what was used.
#[tokio::test]
async fn a_planted_snapshot_is_not_gone_on_from() {
    let dir = ledger(4, 0).await;
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let head = store.head(&name()).await.unwrap();
    let forgetful = State::default().to_snapshot();
    let other_key = Sealer::new(&SigningKey::from_seed(&[9; 32])).seal(&name(), head, &forgetful);
    let own_key = Sealer::new(&SigningKey::from_seed(&[1; 32])).seal(&name(), head, &forgetful);
    let bare = Snapshot { head, bytes: forgetful.into() };
    drop(store);
    for (planted, recalled) in [(bare, 0), (other_key, 0), (own_key, 4)] {
        let store = EmbeddedStore::open(dir.path()).unwrap();
        store.put_snapshot(&name(), planted).await.unwrap();
        drop(store);
        let (domain, found) = start(dir.path()).await;
        assert_eq!(found, recalled);
        assert_eq!(domain.is_folded().await.unwrap(), recalled == 0, "a fold finds it");
        let forgot = decide(&domain, 0).await.is_ok();
        assert_eq!(forgot, recalled > 0, "the twin has the seal, and so is believed");
        closed(domain, dir.path()).await;
    }
}

/// An upgrade: the broker of before, or of after, sealed what this one reads otherwise.
#[tokio::test]
async fn a_snapshot_of_another_fold_is_made_anew() {
    for version in [FOLD_VERSION - 1, FOLD_VERSION + 1] {
        let dir = ledger(4, 0).await;
        let store = EmbeddedStore::open(dir.path()).unwrap();
        let head = store.head(&name()).await.unwrap();
        let sealer = Sealer::new(&SigningKey::from_seed(&[1; 32]));
        let other = sealer.seal_as(version, &name(), head, &State::default().to_snapshot());
        store.put_snapshot(&name(), other).await.unwrap();
        drop(store);
        let (domain, recalled) = start(dir.path()).await;
        assert_eq!(recalled, 0, "every entry is folded");
        assert_folded(&domain).await;
        assert_eq!(
            reason(decide(&domain, 0).await),
            (Reason::IdAlreadyUsed, "IDN-022"),
            "nothing is forgotten"
        );
        assert_eq!(domain.keep_snapshot().await.unwrap().get(), 4);
        closed(domain, dir.path()).await;
        let (domain, recalled) = start(dir.path()).await;
        assert_eq!(recalled, 4, "and the next start goes on from its own");
        assert_folded(&domain).await;
    }
}

#[tokio::test]
async fn a_snapshot_is_kept_when_what_it_holds_is_durable() {
    let store = GatedStore::new(0);
    let domain = open(store.clone()).await.unwrap();
    let call = deciding(&domain, 0);
    until_decided(&domain, 1).await;
    let keeper = Arc::clone(&domain);
    let mut kept = tokio::spawn(async move { keeper.keep_snapshot().await });
    assert!(waits(&mut kept).await);
    assert_eq!(store.inner.take_snapshot(&name()).await.unwrap(), None);
    store.gate.add_permits(1);
    assert_eq!(kept.await.unwrap().unwrap().get(), 1);
    assert!(call.await.unwrap().is_ok());
    assert!(store.inner.take_snapshot(&name()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_snapshot_is_kept_each_time_that_so_many_were_added() {
    let dir = TempDir::new().unwrap();
    let (domain, _) = start(dir.path()).await;
    let keeping = tokio::spawn(snapshots::run(Arc::clone(&domain), 3));
    for number in 0..2 {
        decide(&domain, number).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(domain.snapshot_size(), 0);
    decide(&domain, 2).await.unwrap();
    let kept = async {
        while domain.snapshot_size() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), kept).await.unwrap();
    keeping.abort();
    let _cancelled = keeping.await;
    closed(domain, dir.path()).await;
    assert_eq!(start(dir.path()).await.1, 3);
}
