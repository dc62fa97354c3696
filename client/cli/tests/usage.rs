//! What the program says to whoever types something that cannot be done.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod support;

use std::{fs, path::Path};

use countersign_cli::Exit;
use countersign_protocol::{
    capability::{Amount, Budget, Capability, Rights},
    digest::Digest,
    extension::Extensions,
    id::{GrantId, InstanceUuid},
    join_token::{JoinSecret, JoinToken},
    key::SigningKey,
    name::PrincipalId,
    payload::{Ascending, Bounded},
    time::Timestamp,
    token::{Evidence, EvidenceKind, GrantTerms, Holder, mint_grant},
    trust::KeySet,
};
use rand::{SeedableRng, rngs::StdRng};
use support::{Ran, run};

fn principal(text: &str) -> PrincipalId {
    format!("spiffe://acme.example/{text}").parse().unwrap()
}

fn join_token(whose: &str) -> JoinToken {
    JoinToken {
        domain: "acme.example".parse().unwrap(),
        principal: principal(whose),
        // Nobody listens on the discard port.
        enrolment: "127.0.0.1:9".parse().unwrap(),
        broker: "127.0.0.1:9".parse().unwrap(),
        authority: Digest::of(b"certificate"),
        secret: JoinSecret::generate(&mut StdRng::seed_from_u64(1)),
    }
}

/// Runs a command without input and without any session.
fn alone(args: &[&str]) -> Ran {
    run(tempfile::tempdir().unwrap().path(), b"", args)
}

#[test]
fn help_and_version_are_data_and_mistakes_are_not() {
    let help = alone(&["--help"]);
    assert_eq!((help.exit, help.err.as_str()), (Exit::Ok, ""));
    for command in [
        "join",
        "context",
        "status",
        "doctor",
        "agent",
        "grant",
        "negotiate",
        "contract",
        "token",
        "can",
        "invoke",
        "graph",
        "explain",
        "revoke",
        "ledger",
        "verify",
        "drain",
        "completion",
        "man",
    ] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command}: {}", help.out);
        assert_eq!(alone(&[command, "--help"]).exit, Exit::Ok, "{command}");
    }
    assert!(help.out.contains("5 tampered"), "{}", help.out);
    // What keeping a session costs is said before one is kept.
    let join = alone(&["join", "--help"]).out;
    assert!(join.contains("mode 0600") && join.contains("can act as you"), "{join}");
    assert!(alone(&["grant", "create", "--help"]).out.contains("\n  [[capability]]\n"));
    assert_eq!(alone(&["--version"]).exit, Exit::Ok);

    for mistake in [
        &[][..],
        &["conquer"],
        &["status", "--verbose"],
        &["-o", "yaml", "status"],
        &["revoke", "0123456789ab"],
        &["revoke", "0123456789ab", "--dry-run", "--confirm", "1"],
        &["revoke", "planner", "--dry-run"],
        &["contract", "rebind", "0123456789ab"],
        &["contract", "rebind", "--confirm", "1"],
        &["contract", "consent", "0123456789ab"],
        &["contract", "suspend", "0123456789ab", "--confirm", "1"],
        &["contract", "suspend", "0123456789ab", "--as", "holder", "--confirm", "1"],
        &["contract", "retire", "0123456789ab"],
        &["contract", "breach", "0123456789ab", "--as", "holder", "--confirm", "1"],
        &["explain", "not-an-id"],
        &["verify", "bundle"],
        &["grant", "create", "--to", "x", "--lifetime", "8h"],
        &["grant", "create", "--to", "x", "--lifetime", "8h", "--resource", "file:/data/**"],
        &["grant", "create", "--to", "x", "--lifetime", "soon", "--file", "rights.toml"],
        &["agent", "invite", "planner"],
    ] {
        let ran = alone(mistake);
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Usage, ""), "{mistake:?}: {}", ran.err);
        assert!(!ran.err.is_empty(), "{mistake:?}");
    }
}

#[test]
fn completion_and_manual_pages_are_of_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = alone(&["completion", shell]);
        assert_eq!((script.exit, script.err.as_str()), (Exit::Ok, ""));
        assert!(script.out.contains("blast-radius"), "{shell}");
    }
    assert!(alone(&["man"]).out.contains(".TH"), "a manual page");
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().to_str().unwrap();
    assert_eq!(alone(&["man", "--dir", dir]).exit, Exit::Ok);
    let page = fs::read_to_string(directory.path().join("countersign-graph-who-can.1")).unwrap();
    assert!(page.contains("countersign\\-graph\\-who\\-can"), "{page}");
    assert!(page.contains("as\\-of"), "{page}");
    assert_eq!(alone(&["man", "--dir", dir]).exit, Exit::Conflict, "no file is written over");
}

#[test]
fn what_cannot_be_drawn_says_so_before_anything_is_done() {
    let failure = alone(&["-o", "dot", "revoke", "0123456789ab", "--confirm", "1"]);
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.err.contains("table, wide, json or jsonl"), "{}", failure.err);
    // The twin lacks a session and nothing else.
    assert_eq!(alone(&["-o", "dot", "graph", "tree"]).exit, Exit::Denied);
}

#[test]
fn without_a_session_the_next_step_is_to_join() {
    for command in [&["status"][..], &["grant", "list"], &["ledger", "checkpoint"], &["agent", "list"]] {
        let failure = alone(&[&["-o", "json"], command].concat()).failure(Exit::Denied);
        assert_eq!(failure["exit"], "denied", "{command:?}");
        assert!(failure["next"].as_str().unwrap().contains("countersign join"), "{command:?}");
    }
    let named = alone(&["--domain", "acme.example", "status"]);
    assert_eq!(named.exit, Exit::Denied, "{}", named.err);
    assert!(named.err.starts_with("error: There is no session in acme.example\nwhy:   "), "{}", named.err);
}

#[test]
fn a_program_is_not_joined_from_the_command_line() {
    for whose in ["agent/planner", "service/files"] {
        let home = tempfile::tempdir().unwrap();
        let ran = run(home.path(), join_token(whose).to_text().as_bytes(), &["join"]);
        assert_eq!(ran.exit, Exit::Usage);
        assert!(ran.err.contains("SDK"), "{}", ran.err);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing is kept");
    }
}

#[test]
fn a_join_token_is_never_printed_back() {
    let home = tempfile::tempdir().unwrap();
    let text = join_token("human/alice").to_text();
    let secret = &text[text.len() / 2..];
    let silent = |input: &str, output: &str, exit: Exit| {
        let ran = run(home.path(), input.as_bytes(), &["-o", output, "join", "-"]);
        assert_eq!(ran.exit, exit, "{}", ran.err);
        assert!(!ran.err.contains(secret) && !ran.out.contains(secret), "{}{}", ran.out, ran.err);
    };
    for spoilt in [format!(" {}", *text), format!("{}\n\n", *text), secret.to_owned()] {
        silent(&spoilt, "table", Exit::Usage);
        silent(&spoilt, "json", Exit::Usage);
    }
    // With a line's end it is a token: what is missing is the broker.
    silent(&format!("{}\r\n", *text), "json", Exit::Unavailable);
    assert!(run(home.path(), b"", &["join"]).err.contains("csjoin1_"), "it says what one looks like");
}

#[test]
fn every_problem_of_a_file_of_rights_is_told() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("rights.toml");
    fs::write(&path, "audiences = [\"files\"]\nspeed = 9\n").unwrap();
    let path = path.to_str().unwrap();
    let ran = run(home.path(), b"", &["grant", "create", "--to", "x", "--lifetime", "8h", "--file", path]);
    assert_eq!(ran.exit, Exit::Usage);
    for key in ["audiences", "speed", "budget", "capability", "delegations_left"] {
        assert!(ran.err.contains(key), "{key}: {}", ran.err);
    }
}

/// A wrong path must not fill the memory.
#[test]
fn a_file_has_its_size() {
    let home = tempfile::tempdir().unwrap();
    let said_of = |bytes: usize| {
        let path = home.path().join("rights.toml");
        fs::write(&path, format!("#{}", " ".repeat(bytes - 1))).unwrap();
        let path = path.to_str().unwrap();
        run(home.path(), b"", &["grant", "create", "--to", "x", "--lifetime", "8h", "--file", path]).err
    };
    let (largest, larger) = (said_of(256 * 1024), said_of(256 * 1024 + 1));
    assert!(largest.contains("delegations_left"), "the twin is read: {largest}");
    assert!(larger.contains("more than 262144 bytes"), "{larger}");
}

/// A file with the keys of acme.example, whose capability key is of that seed.
fn keys(directory: &Path, seed: u8) -> String {
    let public = |seed| SigningKey::from_seed(&[seed; 32]).public();
    let keys = KeySet::new("acme.example".parse().unwrap(), public(seed), public(12), public(13), public(14))
        .unwrap();
    let path = directory.join(format!("keys-{seed}.txt"));
    fs::write(&path, format!("{}\n", keys.to_text())).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A token of acme.example, whose capability key is of seed 1.
fn token() -> Vec<u8> {
    let now = Timestamp::new(1_800_000_000_000).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let word = |text: &str| text.parse().unwrap();
    let capability = Capability {
        resource: "file:/data/**".parse().unwrap(),
        actions: Ascending::new(vec![word("read")]).unwrap(),
        constraints: Bounded::default(),
    };
    let one = Amount::new(1).unwrap();
    let terms = GrantTerms {
        domain: "acme.example".parse().unwrap(),
        grant_id: GrantId::new(now, &mut rng),
        originator: principal("human/alice"),
        evidence: Evidence { kind: EvidenceKind::Signed, digest: Digest::of(b"request") },
        holder: Holder {
            instance: principal("agent/planner").instance(InstanceUuid::new(now, &mut rng)),
            key: SigningKey::from_seed(&[9; 32]).public(),
        },
        rights: Rights {
            capabilities: Bounded::new(vec![capability]).unwrap(),
            audiences: Ascending::new(vec![principal("service/files")]).unwrap(),
            not_before: now,
            not_after: Timestamp::new(now.as_millis() + 1).unwrap(),
            budget: Budget { unit: word("calls"), ceiling: one, per_call: one, window: None },
            delegations_left: 0,
        },
        extensions: Extensions::none(),
    };
    mint_grant(&terms, 1, &SigningKey::from_seed(&[1; 32])).as_bytes().to_vec()
}

#[test]
fn a_token_is_called_verified_only_if_it_was() {
    let home = tempfile::tempdir().unwrap();
    let (own, foreign) = (keys(home.path(), 1), keys(home.path(), 4));
    let inspect = |token: &[u8], more: &[&str]| {
        run(home.path(), token, &[&["-o", "json", "token", "inspect"], more].concat())
    };
    let token = token();

    let verified = inspect(&token, &["--keys", &own]).json();
    assert_eq!(
        (&verified["verified"], &verified["originator"]),
        (&true.into(), &principal("human/alice").as_str().into())
    );
    assert_eq!(verified["links"][0]["rights"]["capabilities"][0]["resource"], "file:/data/**");

    let failure = inspect(&token, &["--keys", &foreign]).failure(Exit::Tampered);
    assert_eq!((&failure["reason"], &failure["rule"]), (&"TOKEN_UNTRUSTED".into(), &"TOK-005".into()));

    let claimed = inspect(&token, &["--unverified"]).json();
    assert_eq!(claimed["verified"], false);
    assert!(claimed["links"][0]["chain_id"].is_null());
    let shown = run(home.path(), &token, &["token", "inspect", "--unverified"]).out;
    assert!(shown.starts_with("! NOT VERIFIED"), "{shown}");

    assert_eq!(inspect(&token, &[]).exit, Exit::Denied, "with no keys and no session, nothing is shown");
    for byte in 0..token.len() {
        let mut altered = token.clone();
        altered[byte] ^= 1;
        assert_eq!(inspect(&altered, &["--keys", &own]).exit, Exit::Tampered, "byte {byte}");
    }
}

#[test]
fn evidence_that_is_none_is_tampered_and_keys_that_are_none_are_a_mistake() {
    let home = tempfile::tempdir().unwrap();
    let keys = keys(home.path(), 1);
    let verify = |keys: &str| {
        run(home.path(), b"nonsense", &["-o", "json", "verify", "-", "--offline", "--keys", keys])
    };
    assert_eq!(verify(&keys).failure(Exit::Tampered)["rule"], "CONV-010");
    let absent = home.path().join("absent");
    assert_eq!(verify(absent.to_str().unwrap()).exit, Exit::Usage);
    fs::write(&absent, "countersign-keys-v1 AAAA\n").unwrap();
    assert!(
        verify(absent.to_str().unwrap()).failure(Exit::Usage)["next"].as_str().unwrap().contains("trust")
    );
}

#[test]
fn the_program_ends_with_the_code_and_colours_nothing_that_is_not_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let countersign = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(args).env("COUNTERSIGN_HOME", home.path().join("sessions")).env_remove("CLICOLOR_FORCE");
        command.output().unwrap()
    };
    for (args, exit) in [
        (&["--help"][..], Exit::Ok),
        (&["conquer"], Exit::Usage),
        (&["status"], Exit::Denied),
        (&["token", "inspect", "--unverified", "/dev/null"], Exit::Tampered),
    ] {
        let ran = countersign(args);
        assert_eq!(ran.status.code(), Some(exit.code().into()), "{args:?}");
        let said = [ran.stdout, ran.stderr].concat();
        assert!(!said.is_empty() && !said.contains(&0x1b), "{args:?}: {}", String::from_utf8_lossy(&said));
    }
}
