//! It bites: with a guard of the core off, some seed breaks the sentence that the guard is there for.
//! The guard is named in the environment of a process of its own, so each is tried in one:
//!
//! ```text
//! cargo test -p countersign-simulation --features guards-off --test bites -- --ignored
//! ```
#![cfg(feature = "guards-off")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up must stop")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use countersign_simulation::{fleet::run_all, invariant::Invariant};

/// Within so many seeds.
const SEEDS: u64 = 2_000;

/// A guard, by its rule and the number of its place among those of the rule in one file, and the
/// sentence that is untrue without it.
const BITES: &[(&str, &str, usize, Invariant)] = &[
    ("CTR-011", "domain/decide/offer", 0, Invariant::Authority),
    ("CTR-011", "domain/decide/offer", 1, Invariant::Authority),
    ("CTR-011", "domain/decide/offer", 2, Invariant::Authority),
    ("NEG-004", "domain/decide/negotiate", 0, Invariant::Authority),
    ("IDN-020", "domain/decide/identity", 0, Invariant::Authority),
    ("IDN-046", "domain/decide/identity", 0, Invariant::Authority),
    ("CTR-003", "domain/decide/offer", 0, Invariant::Consent),
    ("CTR-003", "domain/decide/offer", 1, Invariant::Consent),
    ("CTR-005", "domain/decide/offer", 0, Invariant::Consent),
    ("CTR-006", "domain/decide/offer", 0, Invariant::Consent),
    ("CTR-007", "domain/decide/offer", 0, Invariant::Consent),
    ("CTR-013", "domain/decide/offer", 0, Invariant::Consent),
    ("CHN-040", "domain/decide/revoke", 0, Invariant::Consent),
    ("TOK-050", "domain/decide/grant", 0, Invariant::Consent),
    ("IDN-030", "domain/decide/identity", 0, Invariant::Consent),
    ("TOK-047", "domain/decide/invoke", 0, Invariant::Holder),
    ("CHN-009", "token/proof", 0, Invariant::Holder),
    ("CHN-009", "token/proof", 1, Invariant::Holder),
    ("TOK-043", "token/proof", 1, Invariant::Holder),
    ("IDN-013", "domain/decide/mod", 0, Invariant::Holder),
    ("IDN-026", "domain/decide/identity", 0, Invariant::Holder),
    ("IDN-028", "domain/decide/identity", 0, Invariant::Holder),
    ("API-030", "domain/decide/invoke", 0, Invariant::Holder),
    ("API-031", "domain/decide/invoke", 0, Invariant::Holder),
    ("LOG-020", "domain/decide/offer", 0, Invariant::Record),
    ("API-041", "domain/decide/invoke", 1, Invariant::Record),
    ("API-041", "domain/decide/invoke", 4, Invariant::Record),
    ("CHN-030", "domain/decide/invoke", 0, Invariant::Revocation),
    ("IDN-011", "domain/decide/mod", 0, Invariant::Revocation),
    ("IDN-012", "domain/decide/mod", 0, Invariant::Revocation),
    ("CTR-020", "domain/decide/accept", 0, Invariant::Budget),
    ("API-042", "domain/decide/invoke", 0, Invariant::Budget),
    ("CTR-024", "domain/decide/invoke", 0, Invariant::Budget),
    ("NEG-002", "domain/decide/negotiate", 0, Invariant::Secrecy),
    ("CHN-044", "domain/decide/revoke", 0, Invariant::Secrecy),
    ("LOG-030", "explain/assemble", 0, Invariant::Secrecy),
    ("NEG-010", "domain/decide/negotiate", 0, Invariant::Bounds),
    ("NEG-012", "domain/decide/negotiate", 0, Invariant::Bounds),
    ("NEG-013", "domain/decide/negotiate", 0, Invariant::Bounds),
    ("NEG-017", "domain/decide/negotiate", 0, Invariant::Bounds),
    ("NEG-023", "domain/decide/negotiate", 0, Invariant::Bounds),
    ("IDN-021", "domain/decide/identity", 0, Invariant::Bounds),
    ("LOG-001", "domain/decide/identity", 0, Invariant::Doubt),
    ("TIM-003", "domain/decide/mod", 0, Invariant::Doubt),
    ("TIM-005", "domain/decide/mod", 0, Invariant::Doubt),
    ("IDN-025", "domain/decide/identity", 0, Invariant::Doubt),
    ("CTR-008", "domain/decide/offer", 0, Invariant::Doubt),
    ("CTR-012", "domain/decide/accept", 0, Invariant::Doubt),
    ("NEG-008", "domain/decide/negotiate", 0, Invariant::Doubt),
    ("NEG-014", "domain/decide/accept", 0, Invariant::Doubt),
    ("NEG-018", "domain/decide/offer", 0, Invariant::Doubt),
    ("CHN-042", "domain/decide/revoke", 0, Invariant::Doubt),
    ("NEG-006", "domain/decide/negotiate", 0, Invariant::Model),
    ("NEG-007", "domain/decide/negotiate", 0, Invariant::Model),
    ("NEG-007", "domain/decide/negotiate", 1, Invariant::Model),
];

/// The place of a guard, as a build with `guards-off` knows it.
fn place(rule: &str, file: &str, number: usize) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = format!("protocol/src/{file}.rs");
    let text = fs::read_to_string(root.join(&file)).expect("the core's source");
    let lines: Vec<&str> = text.lines().collect();
    // Not written out, or this line would be taken for a guard.
    let guard = concat!("require", "!(");
    let guards = lines.iter().enumerate().filter(|(at, line)| {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        line.contains(guard) && (line.contains(rule) || (!line.contains('"') && next.contains(rule)))
    });
    let (at, _) = guards.clone().nth(number).unwrap_or_else(|| panic!("{file} has no such guard {rule}"));
    format!("{file}:{}", at + 1)
}

/// One sentence that a run of seeds breaks, and with which seed.
#[test]
#[ignore = "run by the other test, in a process with a guard off"]
fn seeds_as_the_environment_has_it() {
    let seeds = env::var("COUNTERSIGN_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let report = run_all(0..seeds, None, 1);
    match report.broken.first_key_value() {
        Some((seed, violation)) => {
            println!("broken: {} by seed {seed}: {}", violation.invariant.name(), violation.seen)
        }
        None => println!("unbroken: {} seeds", report.seeds),
    }
}

#[test]
#[ignore = "a while for each guard"]
fn without_its_guard_a_sentence_is_untrue() {
    let mut wrong = Vec::new();
    for (rule, file, number, invariant) in BITES {
        let place = place(rule, file, *number);
        let mut child = Command::new(env::current_exe().expect("this test"));
        child.args(["--exact", "seeds_as_the_environment_has_it", "--ignored", "--nocapture"]);
        let output =
            child.env("COUNTERSIGN_GUARD_OFF", &place).env("RUST_BACKTRACE", "0").output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let said =
            text.lines().find(|line| line.contains("broken: ")).unwrap_or("it said nothing").to_owned();
        println!("{rule} {place}: {said}");
        if !said.contains(&format!("broken: {} by", invariant.name())) {
            wrong.push(format!("{rule} {place} should break {}: {said}", invariant.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
