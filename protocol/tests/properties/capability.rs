//! The subset relation of capabilities against brute force over a small universe.

use countersign_protocol::{
    capability::{Capability, IntRange, IntSet, ResourceName, ResourcePattern, Rule},
    payload::Payload,
};
use proptest::prelude::*;

use crate::universe::{UNIVERSE, capabilities, rules, values};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Sound: what is contained allows nothing that its container does not.
    #[test]
    fn containment_is_sound(wide in capabilities(), narrow in capabilities()) {
        if wide.contains(&narrow) {
            for request in UNIVERSE.iter() {
                prop_assert!(!narrow.allows(request) || wide.allows(request), "{request:?}");
            }
        }
    }

    /// The same for one rule alone, whatever its type, with the ends of the numbers among the values.
    #[test]
    fn containment_of_rules_is_sound(wide in rules(), narrow in rules()) {
        if wide.contains(&narrow) {
            for value in values() {
                prop_assert!(!narrow.holds(&value) || wide.holds(&value), "{value:?}");
            }
        }
    }

    /// Not vacuous: it is a partial order that every capability is part of.
    #[test]
    fn containment_is_reflexive_and_transitive(a in capabilities(), b in capabilities(), c in capabilities()) {
        prop_assert!(a.contains(&a));
        prop_assert!(!(a.contains(&b) && b.contains(&c)) || a.contains(&c));
    }

    #[test]
    fn a_capability_has_one_encoding(capability in capabilities()) {
        let bytes = capability.to_bytes();
        prop_assert_eq!(Capability::from_bytes(&bytes).map(|read| read.to_bytes()), Ok(bytes));
    }
}

/// Rules of one type: where every value of the universe agrees, containment must see it.
#[test]
fn containment_is_not_too_timid() {
    let range = |min, max| Rule::IntRange(IntRange { min, max });
    let set = |numbers: &[i64]| Rule::IntIn(IntSet::new(numbers.to_vec()).unwrap());
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
fn names() -> Vec<ResourceName> {
    let mut paths = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..4 {
        paths = paths.iter().flat_map(|path| ["a", "b", "c"].map(|next| format!("{path}/{next}"))).collect();
        all.extend(paths.iter().map(|path| format!("f:{path}").parse().unwrap()));
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
            let outside = names.iter().find(|name| narrow.holds(name) && !wide.holds(name));
            assert_eq!(wide.contains(&narrow), outside.is_none(), "{wide} {narrow} {outside:?}");
            contained += usize::from(outside.is_none());
        }
    }
    assert!(contained > patterns().len(), "more than each pattern in itself");
}
