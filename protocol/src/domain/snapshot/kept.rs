//! How a snapshot writes a value: its parts one after another, in the order of its declaration.
//!
//! This is not the grammar of what is signed. Nobody else reads a snapshot, so nothing in it needs a
//! name or may be absent; but whatever has an encoding in that grammar is written in it, and read
//! back only through its own constructor.

use std::collections::{BTreeMap, BTreeSet};

use crate::payload::{Element, Malformed, Reader, Writer};

/// The tag of every value: its place says what it is.
const PART: u32 = 1;

/// A part of the state.
pub(in crate::domain) trait Kept: Sized {
    /// Writes the value.
    fn keep(&self, out: &mut Writer);

    /// Reads what [`keep`](Self::keep) wrote.
    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Writes a struct field by field. A field that is not named here does not compile.
macro_rules! kept {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::domain::snapshot::Kept for $name {
            fn keep(&self, out: &mut $crate::payload::Writer) {
                let Self { $($field),* } = self;
                $( $field.keep(out); )*
            }

            fn recall(
                input: &mut $crate::payload::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::payload::Malformed> {
                $( let $field = $crate::domain::snapshot::Kept::recall(input)?; )*
                Ok(Self { $($field),* })
            }
        }
    };
}
pub(in crate::domain) use kept;

/// Types with an encoding of their own.
macro_rules! elements {
    ($($name:ty),* $(,)?) => { $(
        impl Kept for $name {
            fn keep(&self, out: &mut Writer) {
                put_element(self, out);
            }

            fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                take_element(input)
            }
        }
    )* };
}
pub(super) use elements;

/// Types that are a number: how it is got, and what is made of it if it is one of theirs.
macro_rules! numbers {
    ($($name:ty: $get:expr, $new:expr;)*) => { $(
        impl Kept for $name {
            fn keep(&self, out: &mut Writer) {
                put_number($get(*self), out);
            }

            fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                take_number(input, $new)
            }
        }
    )* };
}
pub(super) use numbers;

pub(super) fn put_element(element: &impl Element, out: &mut Writer) {
    element.put_element(PART, out);
}

pub(super) fn take_element<T: Element>(input: &mut Reader<'_>) -> Result<T, Malformed> {
    T::from_element(PART, input.bytes(PART)?.ok_or(Malformed::Missing { field: PART })?)
}

pub(super) fn put_number(number: u64, out: &mut Writer) {
    out.stated_varint(PART, number);
}

pub(super) fn take_number<T>(
    input: &mut Reader<'_>,
    new: impl FnOnce(u64) -> Option<T>,
) -> Result<T, Malformed> {
    let number = input.stated_varint(PART)?.ok_or(Malformed::Missing { field: PART })?;
    new(number).ok_or(Malformed::Value { field: PART })
}

/// Many of a kind: how many, then each.
fn put_all<'a, T: Kept + 'a>(all: impl ExactSizeIterator<Item = &'a T>, out: &mut Writer) {
    put_number(all.len() as u64, out);
    all.for_each(|one| one.keep(out));
}

/// Nothing is set aside for so many: a number that is wrong meets the end of the input.
fn take_all<T: Kept, C: FromIterator<T>>(input: &mut Reader<'_>) -> Result<C, Malformed> {
    let count = take_number(input, Some)?;
    (0..count).map(|_| T::recall(input)).collect()
}

numbers! {
    u64: |it| it, Some;
    u32: u64::from, |number| u32::try_from(number).ok();
    usize: |it| it as u64, |number| usize::try_from(number).ok();
}

elements!(Vec<u8>);

impl<T: Kept> Kept for Option<T> {
    fn keep(&self, out: &mut Writer) {
        put_all(self.iter(), out);
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match take_number(input, Some)? {
            0 => Ok(None),
            1 => T::recall(input).map(Some),
            _ => Err(Malformed::Value { field: PART }),
        }
    }
}

impl<T: Kept> Kept for Vec<T> {
    fn keep(&self, out: &mut Writer) {
        put_all(self.iter(), out);
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        take_all(input)
    }
}

impl<T: Kept + Ord> Kept for BTreeSet<T> {
    fn keep(&self, out: &mut Writer) {
        put_all(self.iter(), out);
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        take_all(input)
    }
}

impl<K: Kept + Ord, V: Kept> Kept for BTreeMap<K, V> {
    fn keep(&self, out: &mut Writer) {
        put_number(self.len() as u64, out);
        for (key, value) in self {
            key.keep(out);
            value.keep(out);
        }
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        take_all::<(K, V), _>(input)
    }
}

impl<A: Kept, B: Kept> Kept for (A, B) {
    fn keep(&self, out: &mut Writer) {
        self.0.keep(out);
        self.1.keep(out);
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::recall(input)?, B::recall(input)?))
    }
}
