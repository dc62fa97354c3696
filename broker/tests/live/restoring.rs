//! Going on from a backup that is older than what others have seen.

use std::{fs, path::PathBuf, sync::Arc};

use countersign::{Agent as Sdk, Options, Target};
use countersign_broker::{
    AssemblyError, RestoreError, RunError, admin_token, backup, clock::SystemClock, config::Config,
    doctor::doctor, restore, rotate,
};
use countersign_protocol::{
    contract::{Side, State},
    digest::Digest,
    explain::Bundle,
    ledger::Origin,
    payload::Payload as _,
    time::Lifetime,
    trust::{KeyPurpose, KeySet},
};

use crate::{
    story::audit,
    support::{DOMAIN, Newcomer, Story, TestBroker, principal, rights},
};

fn pinned(broker: &TestBroker) -> KeySet {
    fs::read_to_string(broker.config.public_dir().join("keys.txt")).unwrap().trim().parse().unwrap()
}

/// Stops the broker and moves its ledger away, as evidence of what the backup does not hold.
async fn lose(broker: &mut TestBroker) -> PathBuf {
    broker.stop().await;
    let lost = broker.path().join("lost");
    fs::rename(broker.config.ledger_dir(), &lost).unwrap();
    lost
}

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock)
}

/// Attack line 29: a grant was revoked after the backup; it, and all else, comes back by an admin's word only.
#[tokio::test]
async fn nothing_comes_back_by_itself() {
    let mut story = Box::pin(Story::begin()).await;
    let answer = story.read("/data/eu/q3.csv").await.unwrap();
    let to = story.broker.path().join("backup");
    backup(&story.broker.config, &to).await.unwrap();
    let (grant, contract) = (story.granted.chain_id(), story.contracted.chain_id());
    story.alice.revoke(&Target::Chain(grant), 2).await.unwrap();
    let old = pinned(&story.broker);
    lose(&mut story.broker).await;

    let restored = restore(&story.broker.config, clock(), &to).await.unwrap();
    let keys = restored.keys;
    assert_eq!(restored.from.origin, Origin::of(&DOMAIN.parse().unwrap()));
    assert!(keys.origin() != restored.from.origin && keys.continues(&old));
    assert_eq!(pinned(&story.broker), keys);
    let found = doctor(&story.broker.config, Arc::clone(&story.broker.clock)).await;
    assert!(found.iter().all(|finding| finding.outcome.is_ok()), "{found:?}");
    let root = principal("human/root");
    let token = admin_token(&story.broker.config, clock(), &root).await.unwrap();
    story.broker.restart().await;

    assert!(story.read("/data/eu/q3.csv").await.is_err(), "whoever was in it is locked");
    let admin = Sdk::join(&token, Options::new(Digest::of(b"root"))).await.unwrap();
    assert_eq!(*admin.keys(), keys, "a newcomer is told the new keys");
    let links = [admin.grants().await.unwrap(), admin.contracts(None).await.unwrap()].concat();
    let states: Vec<_> = links.iter().map(|link| (link.chain_id, link.state)).collect();
    assert_eq!(states, [grant, contract].map(|chain| (chain, State::Suspended)), "the revoked one, too");
    let bundle = admin.explain(answer.invocation).await.unwrap();
    let bundle = Bundle::from_bytes(&bundle).unwrap();
    assert!(bundle.verify(&keys).is_ok(), "what was done before is explained as ever");
    assert_eq!(bundle.verify(&old).unwrap_err().rule(), "LOG-032", "to who has heard of it");
    let resumed = admin.resume(grant, Side::Admin, 2).await.unwrap();
    assert_eq!(resumed.link.state, State::Active);
    assert!(story.read("/data/eu/q3.csv").await.is_err(), "its holders' keys stay locked");

    let life = Lifetime::from_millis(60_000);
    let join = async |path: &str| {
        let token = admin.create_join_token(&principal(path), life).await.unwrap();
        Sdk::join(&token, Options::new(Digest::of(path.as_bytes()))).await.unwrap()
    };
    let (alice, planner) = (join("human/alice").await, join("agent/planner").await);
    let anew = alice.grant(planner.instance(), rights(&alice, 5, 1, "/data")).await.unwrap();
    assert_eq!(anew.active().activation().origin, keys.origin(), "whoever joins anew goes on");
    let token = admin.create_join_token(&root, life).await.unwrap();
    audit(&Newcomer::new(&story.broker.clock).join(&token).await.unwrap(), keys).await;
}

/// The power goes while it restores, a key was rotated after the backup, and it is done twice.
#[tokio::test]
async fn it_is_another_log_each_time_and_takes_no_key_of_the_one_that_is_lost() {
    let mut broker = TestBroker::start().await;
    let to = broker.path().join("backup");
    backup(&broker.config, &to).await.unwrap();
    broker.stop().await;
    let lost_keys = rotate(&broker.config, clock(), &[KeyPurpose::Checkpoint]).await.unwrap();
    broker.restart().await;
    let lost = lose(&mut broker).await;
    let unfinished = broker.config.data_dir.join("ledger.restoring");
    fs::create_dir(&unfinished).unwrap();
    let first = restore(&broker.config, clock(), &to).await.unwrap();
    assert!(!unfinished.exists());
    assert!(!first.keys.continues(&lost_keys), "the rotation is lost");
    let checkpoint = |keys: &KeySet| keys.in_use(KeyPurpose::Checkpoint).unwrap().clone();
    assert_eq!(checkpoint(&first.keys).id, 2, "its number is free again");
    assert_ne!(checkpoint(&first.keys).key, checkpoint(&lost_keys).key);
    let names = fs::read_dir(&broker.config.key_dir).unwrap();
    let names: Vec<String> = names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    let aside = names.iter().filter(|name| name.starts_with("checkpoint-2.before-")).count();
    assert_eq!(aside, 1, "no key is ever deleted: {names:?}");

    let refused = restore(&broker.config, clock(), &to).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Exists(_)), "{refused}");
    fs::remove_dir_all(broker.config.ledger_dir()).unwrap();
    let second = restore(&broker.config, clock(), &to).await.unwrap();
    assert_eq!(second.from, first.from);
    assert_ne!(second.keys.origin(), first.keys.origin());
    broker.restart().await;
    assert!(lost.exists());
}

/// Nobody takes a copy for the ledger by starting on it.
#[tokio::test]
async fn no_broker_runs_on_a_backup_and_nothing_else_is_restored() {
    let mut broker = TestBroker::start().await;
    let (to, data) = (broker.path().join("backup"), broker.config.data_dir.clone());
    backup(&broker.config, &to).await.unwrap();
    lose(&mut broker).await;
    let elsewhere = Config { data_dir: to.clone(), ..broker.config.clone() };
    let options = countersign_broker::Options::until(std::future::pending());
    let outcome = countersign_broker::run(elsewhere, options).await;
    let refused = matches!(outcome, Err(RunError::Assembly(AssemblyError::IsABackup(_))));
    assert!(refused, "{outcome:?}");
    let refused = restore(&broker.config, clock(), &data).await.unwrap_err();
    assert!(matches!(refused, RestoreError::NotABackup(_)), "{refused}");

    let other = TestBroker::start().await;
    let theirs = Config { key_dir: other.config.key_dir.clone(), ..broker.config.clone() };
    let refused = restore(&theirs, clock(), &to).await.unwrap_err();
    assert!(matches!(refused, RestoreError::OtherKeys | RestoreError::Checkpoint(_)), "{refused}");
    assert!(!broker.config.ledger_dir().exists(), "nothing is in its place");
    restore(&broker.config, clock(), &to).await.unwrap();
    broker.restart().await;
}
