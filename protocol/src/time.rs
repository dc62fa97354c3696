//! Points in time and lengths of time, in whole milliseconds. The core never reads a clock.

use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z; after that instant, before the year 10000, so that it
/// fits Datalog's `i64` and RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

const YEAR_10000_MS: u64 = 253_402_300_800_000;

impl Timestamp {
    /// `None` for zero, which states nothing, and from the year 10000 on.
    pub const fn new(millis: u64) -> Option<Self> {
        if millis > 0 && millis < YEAR_10000_MS { Some(Self(millis)) } else { None }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    /// This point and `lifetime` more; the last representable point if that is earlier.
    pub const fn plus(self, lifetime: Lifetime) -> Self {
        let sum = self.0.saturating_add(lifetime.0);
        if sum < YEAR_10000_MS { Self(sum) } else { Self(YEAR_10000_MS - 1) }
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Self) -> Lifetime {
        Lifetime(self.0.saturating_sub(earlier.0))
    }
}

crate::scalar!(Timestamp, zero = refused);

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
    }
}

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(u64);

impl Lifetime {
    /// A length of `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn new(millis: u64) -> Option<Self> {
        Some(Self(millis))
    }
}

crate::scalar!(Lifetime, zero = refused);

/// The proleptic Gregorian date `days` days after 1970-01-01, by counting in eras of 400 years that
/// begin on the first of March (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_rfc_3339() {
        for (millis, text) in [
            (1, "1970-01-01T00:00:00.001Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
            (YEAR_10000_MS - 1, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), text);
        }
    }

    #[test]
    fn the_ends_of_time_are_refused() {
        assert_eq!(Timestamp::new(0), None);
        assert_eq!(Timestamp::new(YEAR_10000_MS), None);
        assert_eq!(Timestamp(YEAR_10000_MS - 1).plus(Lifetime(9)), Timestamp(YEAR_10000_MS - 1));
    }
}
