//! A person's session: how it begins, stays, and ends.

use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

use countersign_cli::Exit;

use crate::broker::{DOMAIN, Site};

#[test]
fn a_session_lies_in_a_file_that_only_its_owner_may_read() {
    let mut site = Site::start("");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let session = site.session("root");
    assert_eq!((mode(&session), mode(session.parent().unwrap())), (0o600, 0o700));

    let status = site.json("root", &["status"]).json();
    assert!(status["instance"].as_str().unwrap().starts_with(&format!("spiffe://{DOMAIN}/human/root/i/")));
    assert_eq!(status["generation"], 1);
    assert_eq!(site.run("root", &["--domain", DOMAIN, "status"]).exit, Exit::Ok);
    assert_eq!(site.run("root", &["--domain", "other.example", "status"]).exit, Exit::Denied);

    // A second join would throw away the first session's keys.
    let token = site.invite("human/root");
    assert_eq!(site.with_input("root", token.as_bytes(), &["join"]).exit, Exit::Conflict);
    let joined = site.with_input("root", token.as_bytes(), &["-o", "json", "join", "--replace"]);
    assert!(joined.err.contains("whoever can read it can act as you"), "{}", joined.err);
    assert_ne!(joined.json()["instance"], status["instance"]);
    let used = site.with_input("other", token.as_bytes(), &["-o", "json", "join"]);
    assert_eq!(used.failure(Exit::Denied)["reason"], "JOIN_REFUSED");

    fs::set_permissions(&session, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(site.run("root", &["status"]).exit, Exit::Denied);
    fs::set_permissions(&session, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(site.run("root", &["status"]).exit, Exit::Ok);

    site.stop();
    assert_eq!(site.json("root", &["status"]).failure(Exit::Unavailable)["exit"], "unavailable");
    fs::write(&session, "something else").unwrap();
    assert_eq!(site.run("root", &["status"]).exit, Exit::Tampered);
}

#[test]
fn commands_keep_a_session_alive_and_it_ends_without_them() {
    let site = Site::start("human_svid_lifetime = \"10s\"\n");
    site.join("alice");
    let before = fs::read(site.session("alice")).unwrap();
    // It is renewed between two and three fifths of its life.
    thread::sleep(Duration::from_millis(6_200));
    // The command that finds it past half its life renews it, and the next one goes on from there.
    assert_eq!(site.run("alice", &["status"]).exit, Exit::Ok);
    assert_ne!(fs::read(site.session("alice")).unwrap(), before);
    assert_eq!(site.json("alice", &["status"]).json()["generation"], 2);
    let renewed = fs::read(site.session("alice")).unwrap();
    thread::sleep(Duration::from_millis(6_200));
    assert_eq!(
        site.json("alice", &["status"]).exit,
        Exit::Ok,
        "the first certificate has ended, the second lives"
    );

    // Two that go on from one identity are found, and it is locked.
    fs::write(site.session("alice"), renewed).unwrap();
    let forked = site.run("alice", &["grant", "list"]);
    assert!(matches!(forked.exit, Exit::Ok | Exit::Denied), "{}", forked.err);
    assert_eq!(site.run("alice", &["status"]).exit, Exit::Denied);

    // root's session was left alone for longer than it lives, so another takes its place unasked.
    thread::sleep(Duration::from_millis(500));
    let ended = site.json("root", &["status"]).failure(Exit::Denied);
    assert!(ended["next"].as_str().unwrap().contains("Join again"), "{ended}");
}
