//! Lists with bounds, so that a decoded list needs no second look.

use std::ops::Deref;

use thiserror::Error;

use super::{Element, Field, Malformed, Reader, Writer};

/// A list has too few or too many elements, or they are not in strictly ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a list has {min} to {max} elements here, each one once and in ascending order if it is a set")]
pub struct NotList {
    /// Fewest elements.
    pub min: usize,
    /// Most elements.
    pub max: usize,
}

/// `MIN` to `MAX` elements in the order that was signed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bounded<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> Bounded<T, MIN, MAX> {
    /// Takes the elements as they are.
    pub fn new(elements: Vec<T>) -> Result<Self, NotList> {
        let fits = (MIN..=MAX).contains(&elements.len());
        if fits { Ok(Self(elements)) } else { Err(NotList { min: MIN, max: MAX }) }
    }
}

/// A set of `MIN` to `MAX` elements, encoded in strictly ascending order so that it has one encoding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ascending<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T: Ord, const MIN: usize, const MAX: usize> Ascending<T, MIN, MAX> {
    /// Sorts the elements; an element that is given twice is refused.
    pub fn new(mut elements: Vec<T>) -> Result<Self, NotList> {
        elements.sort();
        Self::sorted(elements)
    }

    /// Takes elements that are in ascending order already.
    pub fn sorted(elements: Vec<T>) -> Result<Self, NotList> {
        let ascending = elements.is_sorted_by(|a, b| a < b);
        let fits = (MIN..=MAX).contains(&elements.len());
        if ascending && fits { Ok(Self(elements)) } else { Err(NotList { min: MIN, max: MAX }) }
    }

    /// Whether every element is also in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|element| other.has(element))
    }

    /// Whether the element is in the set.
    pub fn has(&self, element: &T) -> bool {
        self.0.binary_search(element).is_ok()
    }
}

macro_rules! list {
    ($name:ident, $bound:path, $make:ident) => {
        impl<T, const MIN: usize, const MAX: usize> Deref for $name<T, MIN, MAX> {
            type Target = [T];

            fn deref(&self) -> &[T] {
                &self.0
            }
        }

        impl<T: Element + $bound, const MIN: usize, const MAX: usize> Field for $name<T, MIN, MAX> {
            fn put(&self, number: u32, writer: &mut Writer) {
                self.0.put(number, writer);
            }

            fn take(number: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                let mut elements = Vec::new();
                while let Some(bytes) = reader.bytes(number)? {
                    // Stop at the bound, not after the whole input has been collected.
                    if elements.len() == MAX {
                        return Err(Malformed::Value { field: number });
                    }
                    elements.push(T::from_element(number, bytes)?);
                }
                Self::$make(elements).map_err(|_| Malformed::Value { field: number })
            }
        }
    };
}

impl<T, const MAX: usize> Default for Bounded<T, 0, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

list!(Bounded, Sized, new);
list!(Ascending, Ord, sorted);

#[cfg(test)]
mod tests {
    use crate::{digest::Digest, payload, payload::Payload};

    use super::*;

    payload! {
        struct Lists {
            1 => set: Ascending<Digest, 1, 2>,
            2 => list: Bounded<Digest, 0, 1>,
        }
    }

    fn digest(byte: u8) -> Digest {
        Digest::from_bytes([byte; 32])
    }

    fn encode(set: &[u8], list: &[u8]) -> Vec<u8> {
        let mut writer = Writer::default();
        set.iter().for_each(|byte| digest(*byte).put(1, &mut writer));
        list.iter().for_each(|byte| digest(*byte).put(2, &mut writer));
        writer.into_bytes()
    }

    #[test]
    fn bounds_and_order_are_part_of_the_grammar() {
        assert!(Lists::from_bytes(&encode(&[1, 2], &[9])).is_ok());
        for (set, list) in
            [(&[2, 1][..], &[][..]), (&[1, 1], &[]), (&[], &[]), (&[1, 2, 3], &[]), (&[1], &[8, 9])]
        {
            let refused = Lists::from_bytes(&encode(set, list));
            assert!(matches!(refused, Err(Malformed::Value { .. })), "{set:?} {list:?}");
        }
    }
}
