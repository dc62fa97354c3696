//! A ledger's entries in files that are verified by themselves.

use std::{fs, path::PathBuf};

use countersign_cli::Exit;

use crate::broker::Site;

/// An archive of a site, and its shards.
fn shards(dir: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_shard_has_so_many_entries_and_the_rest_waits() {
    let mut site = Site::start("");
    let dir = site.path("archive");
    site.join("alice");
    let archive =
        |more: &[&str]| site.json("root", &[&["ledger", "archive", &dir, "--entries", "2"], more].concat());
    // The keys, two join tokens and two admissions.
    let first = archive(&[]).json();
    assert_eq!((&first["shards"], &first["entries"]), (&2.into(), &4.into()), "the fifth waits: {first}");
    assert_eq!(archive(&[]).json()["entries"], 4, "nothing is written twice");
    let names: Vec<_> = shards(&dir).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["00000000000000000000.shard", "00000000000000000002.shard"]);
    // What an interruption left is written anew.
    fs::write(shards(&dir)[0].with_file_name("00000000000000000004.new"), b"half").unwrap();
    let all = archive(&["--to-end"]).json();
    assert_eq!((&all["shards"], &all["entries"]), (&3.into(), &5.into()));
    site.invite("agent/planner");
    let more = site.json("root", &["ledger", "archive", &dir, "--to-end"]).json();
    assert_eq!((&more["shards"], &more["entries"]), (&4.into(), &6.into()), "it goes on where it ended");

    let denied = site.run("alice", &["ledger", "archive", &site.path("other"), "--to-end"]);
    assert_ne!(denied.exit, Exit::Ok, "the entries are for admins");
    let keys = site.keys();
    let checkpoint = site.json("root", &["ledger", "checkpoint"]).json();
    site.stop();
    // Nothing but the files and the keys is needed from here on.
    let verify = || site.json("nobody", &["ledger", "verify", &dir, "--keys", &keys]);
    let verified = verify().json();
    assert_eq!((&verified["entries"], &verified["root"]), (&6.into(), &checkpoint["root"]));
    assert_eq!(verified["verified"].as_array().unwrap().len(), 2);

    let second = &shards(&dir)[1];
    let bytes = fs::read(second).unwrap();
    let mut altered = bytes.clone();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(second, altered).unwrap();
    assert_eq!(verify().exit, Exit::Tampered, "an altered entry");
    fs::remove_file(second).unwrap();
    let gap = verify();
    assert_eq!(gap.exit, Exit::Tampered, "a shard that is missing");
    assert!(gap.err.contains("does not go on from the 2 entries before it"), "{}", gap.err);
    fs::write(second, bytes).unwrap();
    assert_eq!(verify().exit, Exit::Ok, "the twin");
}
