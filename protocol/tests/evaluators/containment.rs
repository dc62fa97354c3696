//! The subset relation of capabilities against brute force: whatever is within allows nothing more.

use std::cell::Cell;

use countersign_protocol::{
    capability::{self as core, IntRange, IntSet, ResourcePattern, Rule as CoreRule},
    payload::Payload,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    brute, chains,
    plain::{Capability, Link, Rule, Value},
    requests::{self, Aim},
    vocabulary,
};

/// One of a kind, made from a seed.
fn any_of<T: std::fmt::Debug>(make: fn(&mut StdRng) -> T) -> impl Strategy<Value = T> {
    any::<u64>().prop_map(move |seed| make(&mut StdRng::seed_from_u64(seed)))
}

fn core(capability: &Capability) -> core::Capability {
    capability.to_core().unwrap()
}

/// A capability, and one that is made of it or of nothing.
fn pairs() -> impl Strategy<Value = (Capability, Capability)> {
    let made = |(wide, seed): (Capability, u64)| {
        let narrow = chains::narrower(&wide, &mut StdRng::seed_from_u64(seed));
        // In turn a narrower and a wider one, so that the answer is not always yes.
        if seed % 3 == 0 { (narrow, wide) } else { (wide, narrow) }
    };
    prop_oneof![
        3 => (any_of(vocabulary::capability), any::<u64>()).prop_map(made),
        1 => (any_of(vocabulary::capability), any_of(vocabulary::capability)),
    ]
}

/// Sound: what is contained allows nothing that its container does not.
#[test]
fn containment_is_sound() {
    let (contained, allowed) = (Cell::new(0), Cell::new(0));
    let uses = prop::collection::vec((requests::aims(), any::<u64>()), 8);
    let run = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() }).run(
        &(pairs(), uses),
        |((wide, narrow), uses)| {
            if !core(&wide).contains(&core(&narrow)) {
                return Ok(());
            }
            contained.set(contained.get() + 1);
            let link =
                Link { capabilities: vec![narrow.clone()], ..chains::first(&mut StdRng::seed_from_u64(0)) };
            for (aim, seed) in uses {
                let (request, _) = requests::random(std::slice::from_ref(&link), aim, seed);
                if aim != Aim::Misspelled && brute::is_request(&request) && brute::allows(&narrow, &request) {
                    allowed.set(allowed.get() + 1);
                    prop_assert!(brute::allows(&wide, &request), "{:?}", request);
                }
            }
            Ok(())
        },
    );
    run.unwrap();
    assert!(
        contained.get() > 300 && contained.get() < 900 && allowed.get() > 500,
        "{contained:?} {allowed:?}"
    );
}

/// The same for one rule alone, whatever its type, with the ends of the numbers among the values.
#[test]
fn containment_of_rules_is_sound() {
    let mut rng = StdRng::seed_from_u64(1);
    let rules: Vec<Rule> = (0..250).map(|_| vocabulary::rule(&mut rng)).collect();
    let mut values: Vec<Value> = (0..200).map(|_| vocabulary::value(&mut rng)).collect();
    for rule in &rules {
        values.extend([requests::inside(rule, &mut rng), requests::outside(rule, &mut rng)]);
    }
    values.retain(|value| value.to_core().is_some());
    let mut kinds = std::collections::BTreeSet::new();
    for (wide, narrow) in rules.iter().flat_map(|wide| rules.iter().map(move |narrow| (wide, narrow))) {
        if wide == narrow || !wide.to_core().unwrap().contains(&narrow.to_core().unwrap()) {
            continue;
        }
        kinds.insert((wide.kind(), narrow.kind()));
        for value in &values {
            let sound = !brute::holds(narrow, value) || brute::holds(wide, value);
            assert!(sound, "{value:?} is in {narrow:?} and not in {wide:?}");
        }
    }
    assert!(kinds.len() >= 11, "every pair of kinds that can be within one another: {kinds:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    /// Not vacuous: it is a partial order that every capability is part of.
    #[test]
    fn containment_is_reflexive_and_transitive(
        wide in any_of(vocabulary::capability),
        seeds in any::<[u64; 2]>(),
        other in any_of(vocabulary::capability),
    ) {
        let narrower = |wide: &Capability, seed| chains::narrower(wide, &mut StdRng::seed_from_u64(seed));
        let middle = narrower(&wide, seeds[0]);
        let narrow = narrower(&middle, seeds[1]);
        for (a, b, c) in [(&wide, &middle, &narrow), (&narrow, &middle, &wide), (&wide, &other, &narrow)] {
            let (a, b, c) = (core(a), core(b), core(c));
            prop_assert!(a.contains(&a));
            prop_assert!(!(a.contains(&b) && b.contains(&c)) || a.contains(&c));
        }
    }

    #[test]
    fn a_capability_has_one_encoding(capability in any_of(vocabulary::capability)) {
        let bytes = core(&capability).to_bytes();
        prop_assert_eq!(core::Capability::from_bytes(&bytes).map(|read| read.to_bytes()), Ok(bytes));
    }
}

/// Rules of one type: where every value of the universe agrees, containment must see it.
#[test]
fn containment_is_not_too_timid() {
    let range = |min, max| CoreRule::IntRange(IntRange { min, max });
    let set = |numbers: &[i64]| CoreRule::IntIn(IntSet::new(numbers.to_vec()).unwrap());
    assert!(range(0, 9).contains(&range(0, 9)));
    assert!(range(0, 9).contains(&set(&[0, 9])));
    assert!(set(&[1, 2, 3]).contains(&range(1, 3)));
    assert!(!set(&[1, 2, 3]).contains(&range(1, 4)));
    assert!(!set(&[1, 3]).contains(&range(1, 3)));
    assert!(!set(&[1]).contains(&range(i64::MIN, i64::MAX)));
    assert!(!range(0, 9).contains(&set(&[0, 10])));
}

/// Patterns of up to two segments over `a`, `b` and `*`, with and without `**` after them.
fn patterns() -> Vec<ResourcePattern> {
    let segments = ["a", "b", "*"].map(str::to_owned);
    let two = segments.iter().flat_map(|first| segments.iter().map(move |then| format!("{first}/{then}")));
    let closed: Vec<String> = segments.iter().cloned().chain(two).collect();
    let open = closed.iter().map(|path| format!("{path}/**")).chain(["**".to_owned()]);
    closed.iter().cloned().chain(open).map(|path| format!("f:/{path}").parse().unwrap()).collect()
}

/// Names of up to four segments over `a`, `b` and `c`: more depth and one more letter than any pattern
/// has, so that two patterns that differ differ on one of these.
fn names() -> Vec<String> {
    let mut paths = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..4 {
        paths = paths.iter().flat_map(|path| ["a", "b", "c"].map(|next| format!("{path}/{next}"))).collect();
        all.extend(paths.iter().map(|path| format!("f:{path}")));
    }
    all
}

/// For resources the answer is exact: contained if and only if nothing is outside.
#[test]
fn containment_of_patterns_is_what_brute_force_says() {
    let names = names();
    let mut contained = 0;
    for wide in patterns() {
        for narrow in patterns() {
            let outside = names.iter().find(|name| {
                brute::pattern_holds(narrow.as_str(), name) && !brute::pattern_holds(wide.as_str(), name)
            });
            assert_eq!(wide.contains(&narrow), outside.is_none(), "{wide} {narrow} {outside:?}");
            contained += usize::from(outside.is_none());
        }
    }
    assert!(contained > patterns().len(), "more than each pattern in itself");
}
