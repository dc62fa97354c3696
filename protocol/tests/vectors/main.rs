//! The frozen vectors of `conformance/vectors`: they are what the builder makes, the core judges them
//! as they say, and each rejected one differs from an accepted one in one fault.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::expect_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]

mod build;
mod cast;
mod diff;
mod folder;
mod grammar;
mod judge;
mod lint;
mod read;
mod second;
mod vector;
mod view;

use vector::{Vector, Verdict};

/// Run with `COUNTERSIGN_BLESS=1` to write the files after a wanted change.
#[test]
fn the_files_are_what_the_builder_makes() {
    let made = vector::files(&build::vectors(), build::other_files());
    if std::env::var_os("COUNTERSIGN_BLESS").is_some_and(|value| value == "1") {
        folder::write(&made);
    }
    let found = folder::read_made();
    for (path, text) in &made {
        let first = |found: &String| {
            found.lines().zip(text.lines()).find(|(a, b)| a != b).map(|(a, b)| format!("{a}\nshould be\n{b}"))
        };
        match found.get(path) {
            Some(found) if found == text => (),
            Some(found) => panic!("{path} differs: {}\n{BLESS}", first(found).unwrap_or_default()),
            None => panic!("{path} is missing\n{BLESS}"),
        }
    }
    let strange: Vec<&String> = found.keys().filter(|path| !made.contains_key(*path)).collect();
    assert!(strange.is_empty(), "nothing makes {strange:?}\n{BLESS}");
}

const BLESS: &str = "If that is meant: COUNTERSIGN_BLESS=1 cargo test -p countersign-protocol --test vectors";

/// Everything is read from the files: what the builder knows does not matter here.
#[test]
fn the_core_judges_every_vector_as_it_says() {
    let mut wrong = Vec::new();
    for vector in folder::vectors() {
        if let Err(what) = agrees(&vector) {
            wrong.push(format!("{}: {what}", vector.id));
        }
    }
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong.join("\n"));
}

fn agrees(vector: &Vector) -> Result<(), String> {
    let expect = &vector.expect;
    match (expect.verdict, judge::judge(vector)) {
        (Verdict::Accept, Ok(output)) if output == expect.output => Ok(()),
        (Verdict::Reject, Err(no)) => {
            let same = expect.reason.as_ref() == Some(&no.reason)
                && (expect.fault.is_none() || expect.fault.as_deref() == no.fault)
                && no.rules.iter().any(|rule| judge::stands_for(rule, &vector.requirement));
            if same { Ok(()) } else { Err(format!("{expect:?} of {}, got {no:?}", vector.requirement)) }
        }
        (_, got) => Err(format!("{expect:?}, got {got:?}")),
    }
}
