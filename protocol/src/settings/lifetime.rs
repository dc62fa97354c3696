//! Lengths of time as people write them: `90s`, `5m`, `1h30m`.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::time::Lifetime;

/// The units, longest first, and their milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time that reads from and prints as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifetimeText(pub Lifetime);

/// The text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a length of time: numbers with a unit of d, h, m, s or ms, longest first, such as 1h30m")]
pub struct NotALifetime;

impl FromStr for LifetimeText {
    type Err = NotALifetime;

    fn from_str(text: &str) -> Result<Self, NotALifetime> {
        let mut units = UNITS.iter();
        let (mut rest, mut sum) = (text, 0u64);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(NotALifetime)?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            // Taking units off the front keeps them in order, each at most once.
            let (_, millis) = units.find(|(name, _)| *name == unit).ok_or(NotALifetime)?;
            let number: u64 = number.parse().map_err(|_| NotALifetime)?;
            let length = number.checked_mul(*millis).ok_or(NotALifetime)?;
            sum = sum.checked_add(length).ok_or(NotALifetime)?;
            rest = after;
        }
        if sum > 0 { Ok(Self(Lifetime::from_millis(sum))) } else { Err(NotALifetime) }
    }
}

impl fmt::Display for LifetimeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_millis();
        for (unit, millis) in UNITS {
            let (count, rest) = (left / millis, left % millis);
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
            left = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_units_in_order() {
        for (text, millis) in [("5m", 300_000), ("1h30m", 5_400_000), ("250ms", 250), ("1d", 86_400_000)] {
            let read: LifetimeText = text.parse().unwrap();
            assert_eq!((read.0.as_millis(), read.to_string().as_str()), (millis, text));
        }
        for bad in ["", "0s", "5", "m", "5 m", "30m1h", "1h1h", "-5m", "5M", "1.5h", "99999999999999999999d"]
        {
            assert_eq!(bad.parse::<LifetimeText>(), Err(NotALifetime), "{bad}");
        }
    }
}
