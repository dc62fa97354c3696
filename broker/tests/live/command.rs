//! `countersignd` as an operator meets it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use countersign_broker::{
    clock::{Clock, SystemClock},
    doctor::doctor,
};
use countersign_protocol::join_token::JoinToken;

use crate::support::{DOMAIN, Newcomer, TestBroker, principal};

fn countersignd(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersignd"));
    command
        .current_dir(directory)
        .args(arguments)
        .env_remove("COUNTERSIGN_CONFIG")
        .env_remove("COUNTERSIGN_LOG");
    command
}

/// Runs a command to its end: exit code, stdout, stderr.
fn end(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = countersignd(directory, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

const INIT: [&str; 5] =
    ["init", "--trust-domain", DOMAIN, "--admin", "spiffe://prod.acme.example/human/root"];

/// Replaces the template's ports by free ones.
fn free_ports(directory: &Path) {
    let (one, two) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = |listener: TcpListener| listener.local_addr().unwrap().to_string();
    let path = directory.join("countersign.toml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("127.0.0.1:7443", &port(one)).replace("127.0.0.1:7444", &port(two));
    fs::write(path, text).unwrap();
}

#[test]
fn init_makes_a_domain_once_and_puts_nothing_but_the_token_on_stdout() {
    let directory = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = end(directory.path(), &["init"]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains("--trust-domain"), "{stderr}");

    let (code, stdout, stderr) = end(directory.path(), &INIT);
    assert_eq!(code, 0, "{stderr}");
    let token: JoinToken = stdout.trim().parse().unwrap();
    assert_eq!((token.principal, stdout.lines().count()), (principal("human/root"), 1));
    assert!(!stderr.contains("csjoin1_"), "{stderr}");
    assert!(
        fs::read_to_string(directory.path().join("countersign.toml")).unwrap().contains("# Which grants")
    );
    assert!(directory.path().join("data/public/authority.pem").exists());

    let (code, stdout, stderr) = end(directory.path(), &INIT);
    assert_eq!((code, stdout.as_str()), (7, ""), "{stderr}");
    assert!(stderr.contains("exists already"), "{stderr}");
    let (code, ..) = end(directory.path(), &["init", "--trust-domain", "dev.acme.example"]);
    assert_eq!(code, 2, "a configuration is not overruled");
}

/// What a backup holds goes on under another name, once there is no other ledger.
#[test]
fn a_backup_is_restored_where_there_is_no_ledger() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(end(directory.path(), &INIT).0, 0);
    assert_eq!(end(directory.path(), &["backup", "copy"]).0, 0);
    let (code, stdout, stderr) = end(directory.path(), &["restore", "copy"]);
    assert_eq!((code, stdout.as_str()), (7, ""), "{stderr}");
    assert!(stderr.contains("move it away"), "{stderr}");
    fs::rename(directory.path().join("data/ledger"), directory.path().join("lost")).unwrap();
    assert_eq!(end(directory.path(), &["restore", "lost"]).0, 2, "it is no backup");
    let (code, stdout, stderr) = end(directory.path(), &["restore", "copy"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with(&format!("{DOMAIN}/ledger/")), "{stdout}");
    assert!(stderr.contains("2 entries of prod.acme.example/ledger are taken over"), "{stderr}");
    let (code, _, stderr) = end(directory.path(), &["admin-token", "spiffe://prod.acme.example/human/root"]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn a_join_token_in_a_file_is_for_its_owner_alone_and_overwrites_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [&INIT[..], &["--join-token-file", "token"]].concat();
    let (code, stdout, stderr) = end(directory.path(), &arguments);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    let path = directory.path().join("token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let first = fs::read_to_string(&path).unwrap();
    assert!(first.parse::<JoinToken>().is_ok());
    let again = ["admin-token", "spiffe://prod.acme.example/human/root", "--join-token-file", "token"];
    assert_eq!(end(directory.path(), &again).0, 6);
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    let (code, stdout, _) = end(directory.path(), &again[..2]);
    assert_eq!(code, 0);
    assert_ne!(stdout.trim(), first);
}

#[test]
fn config_check_tells_every_problem_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(end(directory.path(), &["config", "check"]).0, 2, "there is none");
    assert_eq!(end(directory.path(), &INIT).0, 0);
    assert_eq!(end(directory.path(), &["config", "check"]).0, 0);
    let path = directory.path().join("countersign.toml");
    let text = fs::read_to_string(&path).unwrap();
    let bad = text.replace("svid_lifetime = \"5m\"", "svid_lifetime = 5\nsvid_lifetme = \"5m\"");
    fs::write(&path, bad.replace("admins = [", "admins = [\"root\", ")).unwrap();
    let (code, stdout, stderr) = end(directory.path(), &["config", "check"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(stderr.lines().count(), 3, "{stderr}");
    for place in
        ["countersign.toml:", "svid_lifetime: it is 5; expected", "svid_lifetme: there is no", "admins[0]"]
    {
        assert!(stderr.contains(place), "{place}: {stderr}");
    }
    for command in [&["run"][..], &["doctor"], &["init"]] {
        assert_eq!(end(directory.path(), command).0, 2, "{command:?}");
    }
}

fn wait_for(child: &mut Child, what: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
        let found = line.contains(what);
        lines.push(line);
        if found {
            return lines;
        }
    }
    panic!("it ended without a word of {what:?}: {lines:?}");
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop_and_logs_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (_, stdout, _) = end(directory.path(), &INIT);
    let unused: JoinToken = stdout.trim().parse().unwrap();
    free_ports(directory.path());
    let (_, stdout, _) = end(directory.path(), &["admin-token", "spiffe://prod.acme.example/human/root"]);
    let token: JoinToken = stdout.trim().parse().unwrap();
    assert_ne!(token.enrolment, unused.enrolment, "a token carries the configured address");

    // The log goes to a file, so that a full pipe does not stop the broker.
    let log = directory.path().join("log");
    let mut child = countersignd(directory.path(), &["run"])
        .env("COUNTERSIGN_LOG", "trace")
        .stderr(fs::File::create(&log).unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    while !fs::read_to_string(&log).unwrap().contains("\"serving\"") {
        assert!(child.try_wait().unwrap().is_none(), "{}", fs::read_to_string(&log).unwrap());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut admin = Newcomer::new(&clock).join(&token).await.unwrap();
    admin.renew().await.unwrap();
    let made = countersign_wire::v1::CreateJoinTokenRequest {
        trust_domain: DOMAIN.into(),
        principal: principal("agent/planner").to_string(),
        lifetime_ms: 60_000,
    };
    let made = admin.identity_client().await.create_join_token(made).await.unwrap().into_inner().join_token;

    let stopped = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", child.id())).status().unwrap();
    assert!(stopped.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));

    let log = fs::read_to_string(&log).unwrap();
    assert!(log.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "JSON, a line each");
    assert!(log.contains("\"stopped\"") && log.len() > 10_000, "{}", log.len());
    for (name, secret) in [("used", token), ("unused", unused), ("made", made.parse().unwrap())] {
        let bytes = secret.secret.as_bytes();
        let forms = [
            secret.to_text().to_string(),
            hex::encode(bytes),
            format!("{bytes:?}"),
            bytes.escape_ascii().to_string(),
        ];
        assert!(!forms.iter().any(|form| log.contains(form.trim_matches(['[', ']']))), "{name}");
    }
    for name in ["capability-1.key", "activation-1.key", "checkpoint-1.key"] {
        let seed = fs::read_to_string(directory.path().join("keys").join(name)).unwrap();
        assert!(!log.contains(seed.split(' ').nth(1).unwrap().trim()), "{name}");
    }
}

#[test]
fn data_and_keys_may_be_elsewhere_than_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let arguments =
        [&INIT[..], &["--state-dir", state.to_str().unwrap(), "--join-token-file", "token"]].concat();
    let (code, _, stderr) = end(directory.path(), &arguments);
    assert_eq!(code, 0, "{stderr}");
    assert!(state.join("data/ledger").exists() && state.join("keys/capability-1.key").exists());
    assert!(!directory.path().join("data").exists());
    let (code, _, stderr) = end(directory.path(), &[&INIT[..], &["--state-dir", "here"]].concat());
    assert_eq!(code, 2);
    assert!(stderr.contains("an absolute path"), "{stderr}");
}

/// The messages of `sd_notify(3)`, on the socket that systemd would give.
#[test]
fn systemd_is_told_that_it_serves_that_it_lives_and_that_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    end(directory.path(), &INIT);
    free_ports(directory.path());
    let path = directory.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut child = countersignd(directory.path(), &["run"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = |wanted: &str| loop {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        if text.lines().any(|line| line == wanted) {
            return;
        }
    };
    until("READY=1");
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    Command::new("sh").arg("-c").arg(format!("kill -TERM {}", child.id())).status().unwrap();
    until("STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_broker_that_cannot_run_says_why() {
    let directory = tempfile::tempdir().unwrap();
    end(directory.path(), &INIT);
    free_ports(directory.path());
    let key = directory.path().join("keys/activation-1.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, stderr) = end(directory.path(), &["run"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("activation-1.key") && stderr.contains("chmod"), "{stderr}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    let mut child = countersignd(directory.path(), &["run"]).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&mut child, "\"serving\"");
    let (code, _, stderr) = end(directory.path(), &["run"]);
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains("is open elsewhere"), "{stderr}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_doctor_tells_what_is_wrong_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    end(directory.path(), &INIT);
    free_ports(directory.path());
    let (code, stdout, stderr) = end(directory.path(), &["doctor"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.lines().all(|line| line.starts_with("ok ")), "{stdout}");
    assert!(stdout.contains("all 2 entries"), "{stdout}");

    let key = directory.path().join("keys/checkpoint-1.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let (code, stdout, _) = end(directory.path(), &["doctor"]);
    assert_eq!(code, 6);
    let problems: Vec<_> = stdout.lines().filter(|line| line.starts_with("problem ")).collect();
    assert!(problems[0].contains("checkpoint-1.key") && problems[0].contains("chmod go="), "{stdout}");
}

#[tokio::test]
async fn the_doctor_sees_a_damaged_ledger_a_taken_port_and_a_wrong_clock() {
    let mut broker = TestBroker::start().await;
    broker.admin().await;
    let problems = async |clock: Arc<dyn Clock>| -> Vec<String> {
        let findings = doctor(&broker.config, clock).await;
        findings
            .iter()
            .filter(|finding| finding.outcome.is_err())
            .map(|finding| finding.subject.clone())
            .collect()
    };
    let system = || Arc::new(SystemClock) as Arc<dyn Clock>;
    let running = problems(system()).await;
    assert_eq!(running, ["ledger and checkpoint", "listen", "enrolment_listen"]);
    broker.stop().await;
    let problems = async |clock: Arc<dyn Clock>| -> Vec<String> {
        let findings = doctor(&broker.config, clock).await;
        findings
            .iter()
            .filter(|finding| finding.outcome.is_err())
            .map(|finding| finding.subject.clone())
            .collect()
    };
    assert!(problems(system()).await.is_empty());
    let findings = doctor(&broker.config, system()).await;
    let folded = findings.iter().find(|finding| finding.subject == "snapshot of the state").unwrap();
    assert!(folded.outcome.is_ok(), "{folded}, which the broker kept when it stopped");
    let past = countersign_protocol::time::Timestamp::new(1_600_000_000_000).unwrap();
    let slow = Arc::new(countersign_broker::clock::ManualClock::at(past));
    assert_eq!(problems(slow).await, ["authority", "clock"]);

    let segments = broker.config.ledger_dir().join("domains").join(DOMAIN).join("segments");
    let segment = fs::read_dir(segments).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    assert_eq!(problems(system()).await, ["ledger and checkpoint"]);
}
