//! Keys that are rotated while no broker runs, and what others make of it.

use std::{fs, path::Path, sync::Arc};

use countersign_broker::{
    clock::{Clock, SystemClock},
    keys::{KeyFiles, KeySource as _},
    rotate,
};
use countersign_protocol::{
    explain::Bundle,
    key::SigningKey,
    payload::Payload as _,
    trust::{KeyPurpose, KeySet},
};
use countersign_wire::v1::{self, info_client::InfoClient, ledger_client::LedgerClient};

use super::{
    story::audit,
    support::{DOMAIN, Story, TestBroker, rights},
};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn pinned(broker: &TestBroker) -> KeySet {
    fs::read_to_string(broker.config.public_dir().join("keys.txt")).unwrap().trim().parse().unwrap()
}

fn ids(keys: &KeySet, purpose: KeyPurpose) -> Vec<u32> {
    keys.keys().iter().filter(|key| key.purpose == purpose).map(|key| key.id).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_domain_goes_on_under_other_keys() {
    let mut broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let before = pinned(&broker);
    broker.stop().await;
    let after = rotate(&broker.config, clock(), &KeyPurpose::ALL).await.unwrap();
    assert!(after.continues(&before) && after != before);
    assert_eq!(pinned(&broker), after);
    for purpose in KeyPurpose::ALL {
        assert_eq!(ids(&after, purpose), [1, 2]);
    }
    assert_eq!(
        names(&broker.config.key_dir),
        [
            "activation-1.key",
            "activation-2.key",
            "authority.key",
            "authority.pem",
            "capability-1.key",
            "capability-2.key",
            "checkpoint-1.key",
            "checkpoint-2.key",
            "rebind-1.key",
            "rebind-2.key"
        ]
    );

    broker.restart().await;
    let request = v1::GetInfoRequest { trust_domain: DOMAIN.into() };
    let info = InfoClient::new(admin.channel().await).get_info(request).await.unwrap().into_inner();
    assert_eq!(info.log_vkey, after.log_verifier().unwrap().to_string());
    let request = v1::GetCheckpointRequest { trust_domain: DOMAIN.into() };
    broker.agent(&admin, "agent/planner").await;
    let told = LedgerClient::new(admin.channel().await).get_checkpoint(request).await.unwrap().into_inner();
    let checkpoint = told.checkpoint.parse().unwrap();
    assert!(after.open_checkpoint(&checkpoint).is_ok() && before.open_checkpoint(&checkpoint).is_err());

    broker.stop().await;
    let third = rotate(&broker.config, clock(), &[KeyPurpose::Checkpoint]).await.unwrap();
    assert_eq!(ids(&third, KeyPurpose::Checkpoint), [1, 2, 3]);
    assert_eq!(ids(&third, KeyPurpose::Capability), [1, 2], "what was not named stays");
    broker.restart().await;
}

/// Agents that run meanwhile go on, under chains of before and with new ones.
#[tokio::test]
async fn agents_follow_and_so_do_auditors() {
    let mut story = Box::pin(Story::begin()).await;
    let before = pinned(&story.broker);
    story.read("/data/eu/q3.csv").await.unwrap();
    story.broker.stop().await;
    let after = rotate(&story.broker.config, clock(), &KeyPurpose::ALL).await.unwrap();
    story.broker.restart().await;
    let answer = story.read("/data/eu/q4.csv").await.unwrap();
    let bundle = story.alice.explain(answer.invocation).await.unwrap();
    assert_eq!(*story.alice.keys(), after);
    assert!(Bundle::from_bytes(&bundle).unwrap().verify(&after).is_ok());
    story.alice.grant(story.planner.instance(), rights(&story.alice, 500, 3, "/data")).await.unwrap();
    for keys in [before, after] {
        audit(&story.root, keys).await;
    }
}

/// The power goes after the next keys were kept, and after the ledger has heard of them.
#[tokio::test]
async fn a_rotation_that_was_interrupted_is_finished() {
    let mut broker = TestBroker::start().await;
    broker.stop().await;
    let files = KeyFiles::in_dir(broker.config.key_dir.clone());
    let drawn = SigningKey::from_seed(&[77; 32]);
    files.keep_next(KeyPurpose::Activation, &drawn).unwrap();
    let after = rotate(&broker.config, clock(), &[KeyPurpose::Checkpoint]).await.unwrap();
    assert_eq!(after.in_use(KeyPurpose::Activation).unwrap().key, drawn.public(), "what was kept is used");
    assert_eq!(ids(&after, KeyPurpose::Checkpoint), [1], "and nothing else begun");

    let [numbered, next] =
        ["activation-2.key", "activation-next.key"].map(|name| broker.config.key_dir.join(name));
    fs::rename(&numbered, &next).unwrap();
    fs::remove_file(broker.config.public_dir().join("keys.txt")).unwrap();
    let mut options = countersign_broker::Options::until(std::future::pending());
    options.clock = clock();
    let refused = countersign_broker::run(broker.config.clone(), options).await.unwrap_err();
    assert!(refused.to_string().contains("countersignd key rotate"), "{refused}");
    assert_eq!(rotate(&broker.config, clock(), &[]).await.unwrap(), after, "the ledger hears of it once");
    assert!(numbered.exists() && !next.exists());
    assert_eq!(pinned(&broker), after);
    broker.restart().await;
}

#[tokio::test]
async fn nothing_is_rotated_while_a_broker_runs_or_with_keys_of_another_domain() {
    let mut broker = TestBroker::start().await;
    let refused = rotate(&broker.config, clock(), &KeyPurpose::ALL).await.unwrap_err();
    assert!(refused.to_string().contains("is open elsewhere"), "{refused}");
    broker.stop().await;
    let other = TestBroker::start().await;
    let theirs = other.config.key_dir.join("checkpoint-1.key");
    fs::copy(theirs, broker.config.key_dir.join("checkpoint-1.key")).unwrap();
    let refused = rotate(&broker.config, clock(), &KeyPurpose::ALL).await.unwrap_err();
    assert!(refused.to_string().contains("Checkpoint key is not the one"), "{refused}");
}
