//! What a domain is made of on the disk.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use countersign_broker::{
    AssemblyError, InitError, Options, RunError, admin_token, backup, clock::SystemClock, config::Config,
    init, run,
};

use crate::support::{DOMAIN, Newcomer, TestBroker, principal};

/// Every file under a directory, with its bytes, but for what is derived from the ledger: sled changes
/// its files when they are read.
fn contents(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
        if entry.file_name() == "derived" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            all.extend(contents(&entry.path()));
        } else {
            all.insert(entry.path().display().to_string(), fs::read(entry.path()).unwrap());
        }
    }
    all
}

#[tokio::test]
async fn a_domain_is_made_once_and_nothing_of_it_overwritten() {
    let mut broker = TestBroker::start().await;
    broker.stop().await;
    let before = contents(broker.path());
    let again = init(&broker.config, Arc::new(SystemClock)).await;
    assert!(matches!(again, Err(InitError::Exists(_))), "{again:?}");
    assert_eq!(contents(broker.path()), before);

    // Another domain's configuration over the same keys makes no second domain with them.
    let text = fs::read_to_string(broker.path().join("countersign.toml")).unwrap();
    let other = text.replace("prod.acme.example", "dev.acme.example").replace("\"data\"", "\"data2\"");
    let other = Config::parse("other", &other, broker.path()).unwrap();
    let refused = init(&other, Arc::new(SystemClock)).await;
    assert!(matches!(refused, Err(InitError::Assembly(AssemblyError::WrongDomain { .. }))), "{refused:?}");
}

#[tokio::test]
async fn the_keys_are_apart_from_the_data_and_private() {
    let broker = TestBroker::start().await;
    let mut secrets: Vec<Vec<u8>> = Vec::new();
    for (path, bytes) in contents(&broker.config.key_dir) {
        let text = String::from_utf8(bytes).unwrap();
        match text.strip_prefix("countersign-ed25519-seed-v1 ") {
            Some(seed) => secrets.extend([hex::decode(seed.trim()).unwrap(), seed.trim().into()]),
            None if path.ends_with(".key") => secrets.extend(text.lines().nth(1).map(Into::into)),
            None => {}
        }
    }
    assert_eq!(secrets.len(), 9);
    for (path, bytes) in contents(&broker.config.data_dir) {
        let holds = |secret: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!secrets.iter().any(holds), "{path}");
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&broker.config.key_dir), 0o700);
    assert_eq!(mode(&broker.config.data_dir), 0o700);
    let public = fs::read_to_string(broker.config.public_dir().join("keys.txt")).unwrap();
    assert!(public.starts_with("countersign-keys-v1 "), "{public}");
}

/// A broker runs, and is used, while it is copied.
#[tokio::test]
async fn a_backup_is_whole() {
    let mut broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let to = broker.path().join("backup");
    let (copied, _) = tokio::join!(backup(&broker.config, &to), async {
        for number in 0..5 {
            broker.agent(&admin, &format!("agent/number-{number}")).await;
        }
    });
    let copied = copied.unwrap();
    assert!(copied.head.size.get() >= 3, "{copied:?}");
    assert!(backup(&broker.config, &to).await.unwrap_err().to_string().contains("there already"));
    assert!(!fs::read_dir(&to).unwrap().any(|it| it.unwrap().file_name() == "keys"), "no key is in it");

    broker.stop().await;
    let last = broker.path().join("last");
    let stopped = backup(&broker.config, &last).await.unwrap();
    assert_eq!(stopped.covered, stopped.head.size, "a broker that stops signs a last checkpoint");
    let segments = to.join(format!("ledger/domains/{DOMAIN}/segments"));
    let segment = fs::read_dir(segments).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    // Of its header: the end of a segment may be torn, and is cut.
    bytes[20] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let damaged = Config { data_dir: to, ..broker.config.clone() };
    let refused = backup(&damaged, &broker.path().join("damaged")).await.unwrap_err();
    assert!(refused.to_string().contains("byte"), "a copy of what is damaged is none: {refused}");
}

#[tokio::test]
async fn a_broker_with_other_keys_or_without_a_domain_does_not_run() {
    let mut broker = TestBroker::start().await;
    let other = TestBroker::start().await;
    broker.stop().await;
    for name in ["capability-1.key", "activation-1.key", "checkpoint-1.key"] {
        let (path, theirs) = (broker.config.key_dir.join(name), other.config.key_dir.join(name));
        let own = fs::read(&path).unwrap();
        fs::write(&path, fs::read(theirs).unwrap()).unwrap();
        let outcome = run(broker.config.clone(), Options::until(std::future::pending())).await;
        let wrong = matches!(outcome, Err(RunError::Assembly(AssemblyError::WrongKey { .. })));
        assert!(wrong, "{name}: {outcome:?}");
        fs::write(&path, own).unwrap();
    }
    broker.restart().await;
    broker.stop().await;
    fs::remove_dir_all(broker.config.ledger_dir()).unwrap();
    let outcome = run(broker.config.clone(), Options::until(std::future::pending())).await;
    assert!(matches!(outcome, Err(RunError::Assembly(AssemblyError::NotInitialised(_)))), "{outcome:?}");
}

#[tokio::test]
async fn the_operator_can_make_another_token_for_an_admin_and_for_nobody_else() {
    let mut broker = TestBroker::start().await;
    let clock = Arc::new(SystemClock);
    let busy = admin_token(&broker.config, clock.clone(), &principal("human/root")).await;
    assert!(busy.is_err(), "a broker runs");
    broker.stop().await;
    let other = admin_token(&broker.config, clock.clone(), &principal("agent/planner")).await;
    assert!(matches!(other, Err(InitError::NotAnAdmin(_))), "{other:?}");
    let token = admin_token(&broker.config, clock, &principal("human/root")).await.unwrap();
    broker.restart().await;
    let admin = Newcomer::new(&broker.clock).join(&token).await.unwrap();
    assert_ne!(admin.instance(), broker.admin().await.instance());
}

#[tokio::test]
async fn an_init_that_was_interrupted_goes_on_with_the_keys_that_it_made() {
    let mut broker = TestBroker::start().await;
    broker.stop().await;
    fs::remove_dir_all(&broker.config.data_dir).unwrap();
    let before = contents(&broker.config.key_dir);
    let token = init(&broker.config, Arc::new(SystemClock)).await.unwrap();
    assert_eq!(contents(&broker.config.key_dir), before);
    broker.restart().await;
    assert!(Newcomer::new(&broker.clock).join(&token).await.is_ok());

    broker.stop().await;
    fs::remove_dir_all(&broker.config.data_dir).unwrap();
    fs::remove_file(broker.config.key_dir.join("checkpoint-1.key")).unwrap();
    let refused = init(&broker.config, Arc::new(SystemClock)).await;
    assert!(matches!(refused, Err(InitError::Keys(_))), "half a set of keys is not added to: {refused:?}");
    assert!(!broker.config.key_dir.join("checkpoint-1.key").exists());
}

#[tokio::test]
async fn a_join_token_carries_an_address_that_exists() {
    let directory = tempfile::tempdir().unwrap();
    let text = Config::template(&DOMAIN.parse().unwrap(), &principal("human/root"), None)
        .replace("127.0.0.1:7443", "127.0.0.1:0")
        .replace("127.0.0.1:7444", "127.0.0.1:0");
    let clock = Arc::new(SystemClock);
    let config = Config::parse("any port", &text, directory.path()).unwrap();
    let refused = init(&config, clock.clone()).await;
    assert!(matches!(refused, Err(InitError::NoAddress)), "{refused:?}");
    assert!(!config.key_dir.exists(), "nothing is begun that cannot be ended");

    let told = "advertise = \"broker.acme.example:7443\"\nadvertise_enrolment = \"[::1]:9\"\n";
    let config = Config::parse("advertised", &format!("{told}{text}"), directory.path()).unwrap();
    let token = init(&config, clock).await.unwrap();
    assert_eq!(token.broker.as_str(), "broker.acme.example:7443");
    assert_eq!(token.enrolment.as_str(), "[::1]:9");
    let (ready, bound) = tokio::sync::oneshot::channel();
    let options = Options { ready: Some(ready), ..Options::until(std::future::pending()) };
    let running = tokio::spawn(run(config, options));
    let bound = bound.await.unwrap();
    assert!(bound.api.port() > 0 && bound.enrolment.port() > 0 && bound.api != bound.enrolment);
    running.abort();
}
