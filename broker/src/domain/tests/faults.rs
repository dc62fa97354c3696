//! A domain over the embedded engine, on a disk that fails.

use std::path::Path;

use countersign_store::{EmbeddedStore, Fault, Faults, Options};
use tempfile::TempDir;

use super::*;
use crate::{
    config::Config,
    server::{RunError, Stopped, cannot_go_on},
};

/// What can go wrong with a write, and whether it is there afterwards.
const FAULTS: [(Fault, bool); 6] = [
    (Fault::LostWrite, false),
    (Fault::LostReply, true),
    (Fault::Torn(100), false),
    (Fault::FullDisk, false),
    (Fault::FullAtSync, true),
    (Fault::FailedSync, true),
];

fn faulty(path: &Path, faults: Faults) -> Arc<dyn Store> {
    Arc::new(EmbeddedStore::danger_open_faulty(path, Options::default(), faults).unwrap())
}

/// A restart: whoever held the store has let go, and its files are read anew.
async fn reopened(path: &Path) -> Arc<Domain> {
    open(Arc::new(free(path).await)).await.unwrap()
}

/// Drops the domain, and waits until its files are free.
pub(super) async fn closed(domain: Arc<Domain>, path: &Path) {
    drop(domain);
    drop(free(path).await);
}

/// The writer's task ends once the domain is dropped, and only then is the store free.
pub(super) async fn free(path: &Path) -> EmbeddedStore {
    for _ in 0..1_000 {
        match EmbeddedStore::open(path) {
            Ok(store) => return store,
            Err(StoreError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the store stays open");
}

/// Makes decisions one after another until the chosen write fails; gives how many were acknowledged.
async fn until_failed(domain: &Domain) -> usize {
    for number in 0..10 {
        if let Err(refusal) = decide(domain, number).await {
            assert_eq!(refusal.reason(), Reason::LedgerUnavailable);
            return number;
        }
    }
    panic!("no write failed");
}

#[tokio::test]
async fn an_error_does_not_mean_that_nothing_was_written() {
    for (fault, is_kept) in FAULTS {
        for at in 0..3 {
            let dir = TempDir::new().unwrap();
            let domain = open(faulty(dir.path(), Faults::at(at, fault))).await.unwrap();
            let acknowledged = until_failed(&domain).await;
            assert_eq!(acknowledged, at, "{fault:?}");
            let unavailable = (Reason::LedgerUnavailable, "LOG-002");
            assert_eq!(reason(decide(&domain, acknowledged).await), unavailable, "a retry does not help");
            assert_eq!(reason(domain.read(|_, _| Ok(())).await), unavailable);
            drop(domain);

            let domain = reopened(dir.path()).await;
            for number in 0..acknowledged {
                let again = reason(decide(&domain, number).await);
                assert_eq!(again, (Reason::IdAlreadyUsed, "IDN-022"), "{fault:?}: {number} is lost");
            }
            let retried = decide(&domain, acknowledged).await;
            match is_kept {
                true => assert_eq!(reason(retried), (Reason::IdAlreadyUsed, "IDN-022"), "{fault:?}"),
                false => assert_eq!(retried.unwrap().get(), at as u64 + 1, "{fault:?}"),
            }
            assert_eq!(decide(&domain, at + 1).await.unwrap().get(), at as u64 + 2, "it goes on");
        }
    }
}

/// A flush that failed is not made good by reading again what the system holds.
#[tokio::test]
async fn only_after_a_write_that_found_no_room_does_the_same_process_go_on() {
    for (fault, _) in FAULTS {
        let dir = TempDir::new().unwrap();
        let admin = format!("spiffe://{}/human/root", name()).parse().unwrap();
        let config = Config::parse("test", &Config::template(&name(), &admin, None), dir.path()).unwrap();
        std::fs::create_dir(&config.data_dir).unwrap();
        let domain = open(faulty(&config.ledger_dir(), Faults::at(1, fault))).await.unwrap();
        let mut stopping = Box::pin(cannot_go_on(&config, &domain));
        assert!(timeout(Duration::from_millis(20), &mut stopping).await.is_err(), "all is well");
        until_failed(&domain).await;
        match (fault, stopping.await) {
            (Fault::FullDisk, Ok(stopped)) => assert_eq!(stopped, Stopped::RoomAgain),
            (Fault::FullDisk, Err(error)) => panic!("{error}"),
            (_, stopped) => assert!(matches!(stopped, Err(RunError::Ledger(_))), "{fault:?}: {stopped:?}"),
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_while_many_are_decided() {
    for (fault, _) in FAULTS {
        for at in [0, 1, 3] {
            let dir = TempDir::new().unwrap();
            let domain = open(faulty(dir.path(), Faults::at(at, fault))).await.unwrap();
            let mut acknowledged = Vec::new();
            for wave in 0..=at {
                let calls: Vec<_> =
                    (0..20).map(|n| (wave * 20 + n, deciding(&domain, wave * 20 + n))).collect();
                for (number, call) in calls {
                    acknowledged.extend(call.await.unwrap().ok().map(|size| (number, size)));
                }
            }
            assert!(acknowledged.len() < 20 * (at + 1), "{fault:?}: no write failed");
            drop(domain);
            let domain = reopened(dir.path()).await;
            let size = domain.peek(|state, _| state.tree().size());
            for (number, told) in acknowledged {
                assert!(told <= size, "{fault:?}: it said {told}, and there are {size}");
                assert_eq!(reason(decide(&domain, number).await), (Reason::IdAlreadyUsed, "IDN-022"));
            }
        }
    }
}

#[tokio::test]
async fn a_slow_disk_delays_answers_and_changes_none() {
    let dir = TempDir::new().unwrap();
    let faults = Faults::always(Fault::Slow(Duration::from_millis(40)));
    let domain = open(faulty(dir.path(), faults.clone())).await.unwrap();
    let calls: Vec<_> = (0..200).map(|number| deciding(&domain, number)).collect();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert!(faults.flushes() < 20, "what waits for a slow disk goes out together: {}", faults.flushes());
}
