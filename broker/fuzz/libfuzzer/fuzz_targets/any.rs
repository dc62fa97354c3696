//! Every target: the name of the binary says which one this is.
#![no_main]

use std::sync::LazyLock;

use countersign_fuzz::{Target, mutate::mutate};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

static TARGET: LazyLock<&Target> =
    LazyLock::new(|| Target::named(env!("CARGO_BIN_NAME")).expect("a target of that name"));

static SEEDS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| (TARGET.seeds)().into_iter().map(|seed| seed.bytes).collect());

fuzz_target!(|bytes: &[u8]| {
    (TARGET.run)(bytes);
});

// Half of the mutations know the form of an input, and half do not.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut rng = StdRng::seed_from_u64(u64::from(seed));
    if rng.gen_bool(0.5) {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut mutant = mutate(TARGET.form, &data[..size], &SEEDS, &mut rng);
    mutant.truncate(max_size);
    data[..mutant.len()].copy_from_slice(&mutant);
    mutant.len()
});
