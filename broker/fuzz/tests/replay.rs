//! Every target over its seeds, its corpus, and a few mutations of both.
#![expect(clippy::panic, reason = "a finding is told by a panic")]

use std::{
    collections::BTreeMap,
    env, fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use countersign_fuzz::{TARGETS, Target, Verdict, corpus, mutate::mutate};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

/// `COUNTERSIGN_FUZZ_RUNS=100000` makes so many mutations for each target, `COUNTERSIGN_FUZZ_SEED` other
/// ones, `COUNTERSIGN_FUZZ_TARGET` for one target alone.
#[test]
fn no_input_breaks_a_property() {
    let runs = number("COUNTERSIGN_FUZZ_RUNS").unwrap_or(100);
    let seed = number("COUNTERSIGN_FUZZ_SEED").unwrap_or(1);
    let only = env::var("COUNTERSIGN_FUZZ_TARGET").ok();
    for target in TARGETS.iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name)) {
        replay(target, runs, seed);
    }
}

fn number(variable: &str) -> Option<u64> {
    Some(env::var(variable).ok()?.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

fn replay(target: &Target, runs: u64, seed: u64) {
    let mut inputs: BTreeMap<String, Vec<u8>> = corpus::checked_in(target);
    inputs.extend((target.seeds)().into_iter().map(|seed| (seed.name, seed.bytes)));
    let mut known = Tally::default();
    inputs.iter().for_each(|(name, bytes)| known.count(run(target, name, bytes)));
    assert!(known.accepted > 0 && known.refused > 0, "{}: {known:?}", target.name);

    let donors: Vec<Vec<u8>> = inputs.into_values().collect();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut mutants = Tally::default();
    for number in 0..runs {
        let Some(donor) = donors.choose(&mut rng) else { break };
        let mut mutant = mutate(target.form, donor, &donors, &mut rng);
        mutant.truncate(target.max_bytes);
        mutants.count(run(target, &format!("mutation {number} of seed {seed}"), &mutant));
    }
    println!("{:14} {known:?}, of {runs} mutations {mutants:?}", target.name);
}

/// What became of inputs.
#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    refused: u64,
}

impl Tally {
    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accepted => self.accepted += 1,
            Verdict::Refused => self.refused += 1,
        }
    }
}

/// Runs a target, and says which input it was if it breaks a property.
fn run(target: &Target, name: &str, bytes: &[u8]) -> Verdict {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).unwrap_or_else(|_| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-finding", target.name));
        fs::write(&file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        panic!("{}: {name} breaks a property; it is in {}", target.name, file.display());
    })
}

#[test]
fn a_corpus_is_small_and_for_a_target() {
    for target in TARGETS {
        let inputs = corpus::checked_in(target);
        let bytes: usize = inputs.values().map(|input| corpus::shown(input).len()).sum();
        assert!(inputs.len() <= corpus::INPUTS_MAX, "{}: {} inputs", target.name, inputs.len());
        assert!(bytes <= corpus::BYTES_MAX, "{}: {bytes} bytes", target.name);
    }
}

#[test]
fn every_target_has_a_binary_for_the_fuzzer() {
    let manifest = include_str!("../libfuzzer/Cargo.toml");
    let names = manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|bin| bin.split('"').next());
    assert_eq!(names.collect::<Vec<_>>(), TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
}
