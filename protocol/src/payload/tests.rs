use proptest::prelude::*;

use super::{Malformed, Packed, Payload};

crate::payload! {
    struct Inner { 1 => count: u64, }
}

crate::payload! {
    struct Outer {
        1 => number: u32,
        2 => signed: i64,
        3 => list: Vec<Inner>,
        4 => maybe: Option<Inner>,
        5 => packed: Packed,
        6 => must: Inner,
    }
}

fn outer() -> Outer {
    Outer {
        number: 7,
        signed: -3,
        list: vec![Inner { count: 0 }, Inner { count: 300 }],
        maybe: None,
        packed: Packed(vec![1, -1]),
        must: Inner { count: 1 },
    }
}

#[test]
fn a_value_reads_back_from_its_one_encoding() {
    assert_eq!(Outer::from_bytes(&outer().to_bytes()), Ok(outer()));
}

#[test]
fn each_departure_from_the_grammar_has_its_own_name() {
    let cases: [(&[u8], Malformed); 11] = [
        (&[0x08, 0x00, 0x32, 0x00], Malformed::StatedDefault { field: 1 }),
        (&[0x08, 0x87, 0x00, 0x32, 0x00], Malformed::Varint { at: 1 }),
        (&[0x0a, 0x01, 0x07, 0x32, 0x00], Malformed::WireType { field: 1 }),
        (&[0x0d, 0, 0, 0x66, 0x3f, 0x32, 0x00], Malformed::WireType { field: 1 }),
        (&[0x09, 0, 0, 0, 0, 0, 0, 0xec, 0x3f, 0x32, 0x00], Malformed::WireType { field: 1 }),
        (&[0x08, 0x07], Malformed::Missing { field: 6 }),
        (&[0x32, 0x00, 0x08, 0x07], Malformed::Unexpected { field: 1 }),
        (&[0x32, 0x00, 0x32, 0x00], Malformed::Unexpected { field: 6 }),
        (&[0x32, 0x00, 0x3a, 0x00], Malformed::Unexpected { field: 7 }),
        (&[0x32, 0x05, 0x08], Malformed::Truncated { field: 6 }),
        (&[0x2a, 0x00, 0x32, 0x00], Malformed::StatedDefault { field: 5 }),
    ];
    assert_eq!(Outer::from_bytes(&[0x32, 0x00]).map(|outer| outer.must.count), Ok(0), "the twin");
    for (bytes, expected) in cases {
        assert_eq!(Outer::from_bytes(bytes), Err(expected), "{bytes:x?}");
    }
}

#[test]
fn a_varint_beyond_64_bits_is_refused() {
    let mut bytes = vec![0x08];
    bytes.extend([0xff; 9]);
    bytes.push(0x02);
    assert_eq!(Inner::from_bytes(&bytes), Err(Malformed::Varint { at: 1 }));
}

proptest! {
    /// Whatever decodes, encodes to the bytes it came from: no second encoding exists.
    #[test]
    fn bytes_that_decode_are_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
        if let Ok(value) = Outer::from_bytes(&bytes) {
            prop_assert_eq!(value.to_bytes(), bytes);
        }
    }

    #[test]
    fn numbers_survive(count in any::<u64>(), signed in any::<i64>(), packed in proptest::collection::vec(any::<i64>(), 0..5)) {
        let value = Outer { signed, packed: Packed(packed), must: Inner { count }, ..outer() };
        prop_assert_eq!(Outer::from_bytes(&value.to_bytes()), Ok(value));
    }
}
