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
const SEEDS: u64 = 12_000;

/// A guard, by its rule and the number of its place among those of the rule in one file, and the
/// sentence that is untrue without it.
const BITES: &[(&str, &str, usize, Invariant)] = &[
    ("IDN-020", "protocol/src/domain/decide/identity.rs", 0, Invariant::Authority),
    ("IDN-046", "protocol/src/domain/decide/identity.rs", 0, Invariant::Authority),
    ("NEG-004", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Authority),
    ("CTR-011", "protocol/src/domain/decide/offer.rs", 0, Invariant::Authority),
    ("CTR-011", "protocol/src/domain/decide/offer.rs", 1, Invariant::Authority),
    ("CTR-011", "protocol/src/domain/decide/offer.rs", 2, Invariant::Authority),
    ("TOK-050", "protocol/src/domain/decide/grant.rs", 0, Invariant::Consent),
    ("IDN-030", "protocol/src/domain/decide/identity.rs", 0, Invariant::Consent),
    ("API-002", "protocol/src/domain/decide/mod.rs", 0, Invariant::Consent),
    ("CTR-003", "protocol/src/domain/decide/offer.rs", 0, Invariant::Consent),
    ("CTR-003", "protocol/src/domain/decide/offer.rs", 1, Invariant::Consent),
    ("CTR-005", "protocol/src/domain/decide/offer.rs", 0, Invariant::Consent),
    ("CTR-006", "protocol/src/domain/decide/offer.rs", 0, Invariant::Consent),
    ("CTR-007", "protocol/src/domain/decide/offer.rs", 0, Invariant::Consent),
    ("CTR-013", "protocol/src/domain/decide/offer.rs", 0, Invariant::Consent),
    ("CTR-045", "protocol/src/domain/decide/rebind.rs", 0, Invariant::Revocation),
    ("CTR-047", "protocol/src/domain/decide/rebind.rs", 0, Invariant::Doubt),
    ("CHN-040", "protocol/src/domain/decide/revoke.rs", 0, Invariant::Consent),
    ("CHN-043", "protocol/src/domain/decide/revoke.rs", 0, Invariant::Consent),
    ("IDN-026", "protocol/src/domain/decide/identity.rs", 0, Invariant::Holder),
    ("IDN-028", "protocol/src/domain/decide/identity.rs", 0, Invariant::Holder),
    ("IDN-031", "protocol/src/domain/decide/identity.rs", 0, Invariant::Holder),
    ("API-030", "protocol/src/domain/decide/invoke.rs", 0, Invariant::Holder),
    ("API-031", "protocol/src/domain/decide/invoke.rs", 0, Invariant::Holder),
    ("TOK-047", "protocol/src/domain/decide/invoke.rs", 0, Invariant::Holder),
    ("IDN-013", "protocol/src/domain/decide/mod.rs", 0, Invariant::Holder),
    ("CHN-009", "protocol/src/token/proof.rs", 0, Invariant::Holder),
    ("CHN-009", "protocol/src/token/proof.rs", 1, Invariant::Holder),
    ("TOK-043", "protocol/src/token/proof.rs", 1, Invariant::Holder),
    ("API-041", "protocol/src/domain/decide/invoke.rs", 1, Invariant::Liveness),
    ("API-041", "protocol/src/domain/decide/invoke.rs", 4, Invariant::Liveness),
    ("LOG-020", "protocol/src/domain/decide/offer.rs", 0, Invariant::Record),
    ("CHN-030", "protocol/src/domain/decide/invoke.rs", 0, Invariant::Revocation),
    ("IDN-011", "protocol/src/domain/decide/mod.rs", 0, Invariant::Revocation),
    ("IDN-012", "protocol/src/domain/decide/mod.rs", 0, Invariant::Revocation),
    ("CTR-008", "protocol/src/domain/decide/offer.rs", 0, Invariant::Revocation),
    ("CTR-020", "protocol/src/domain/decide/accept.rs", 0, Invariant::Budget),
    ("API-042", "protocol/src/domain/decide/invoke.rs", 0, Invariant::Budget),
    ("CTR-024", "protocol/src/domain/decide/invoke.rs", 0, Invariant::Budget),
    ("NEG-002", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Secrecy),
    ("CHN-044", "protocol/src/domain/decide/revoke.rs", 0, Invariant::Secrecy),
    ("LOG-030", "protocol/src/explain/assemble.rs", 0, Invariant::Secrecy),
    ("IDN-021", "protocol/src/domain/decide/identity.rs", 0, Invariant::Bounds),
    ("NEG-010", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Bounds),
    ("NEG-012", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Bounds),
    ("NEG-013", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Bounds),
    ("NEG-017", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Bounds),
    ("NEG-023", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Bounds),
    ("CTR-012", "protocol/src/domain/decide/accept.rs", 0, Invariant::Doubt),
    ("NEG-014", "protocol/src/domain/decide/accept.rs", 0, Invariant::Doubt),
    ("IDN-025", "protocol/src/domain/decide/identity.rs", 0, Invariant::Doubt),
    ("LOG-001", "protocol/src/domain/decide/identity.rs", 0, Invariant::Doubt),
    ("TIM-003", "protocol/src/domain/decide/mod.rs", 0, Invariant::Doubt),
    ("TIM-005", "protocol/src/domain/decide/mod.rs", 0, Invariant::Doubt),
    ("NEG-008", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Doubt),
    ("NEG-018", "protocol/src/domain/decide/offer.rs", 0, Invariant::Doubt),
    ("CHN-042", "protocol/src/domain/decide/revoke.rs", 0, Invariant::Doubt),
    ("IDN-034", "protocol/src/domain/decide/identity.rs", 0, Invariant::Model),
    ("NEG-006", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Model),
    ("NEG-007", "protocol/src/domain/decide/negotiate.rs", 0, Invariant::Model),
    ("NEG-007", "protocol/src/domain/decide/negotiate.rs", 1, Invariant::Model),
];

/// The place of a guard, as a build with `guards-off` knows it.
fn place(rule: &str, file: &str, number: usize) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join(file)).expect("the core's source");
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
