//! Identifiers and units, each its own type so that they cannot be mistaken for each other.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Defines a newtype over a string.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Wraps a name; the language has checked its form.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }
    };
}

name! {
    /// The id of a step, unique in its runbook.
    StepId
}
name! {
    /// The id of a run: a ULID, so ids sort by the time of their start.
    RunId
}
name! {
    /// The name of a secret; never its value.
    SecretName
}
name! {
    /// A role, such as `incident-commander`, or a login name where one is allowed.
    Role
}
name! {
    /// The name of a service of the environment.
    ServiceName
}
name! {
    /// A SHA-256 digest in lower-case hexadecimal.
    Digest
}

/// Where a step stands in [`Plan::steps`](crate::plan::Plan).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIx(pub u32);

impl StepIx {
    /// The place as an index of a slice.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `ms` milliseconds later; the last moment there is when that overflows.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Reads a duration such as `30s`, `5m`, `1h30m`, `250ms` or `2d` into milliseconds.
///
/// Units run from large to small and each stands at most once.
///
/// # Errors
/// Says what is wrong with the text; a bare number is an error because nobody knows its unit.
pub fn parse_duration(text: &str) -> Result<u64, DurationError> {
    const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    if rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(DurationError::NoUnit(rest.to_owned()));
    }
    let (mut total, mut next_unit) = (0u64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let place = UNITS.iter().position(|(name, _)| *name == unit);
        let (Ok(number), Some(place)) = (number.parse::<u64>(), place) else {
            return Err(DurationError::Malformed(text.to_owned()));
        };
        if place < next_unit {
            return Err(DurationError::Malformed(text.to_owned()));
        }
        next_unit = place + 1;
        total = number
            .checked_mul(UNITS[place].1)
            .and_then(|ms| total.checked_add(ms))
            .ok_or_else(|| DurationError::TooLong(text.to_owned()))?;
        rest = &rest[digits + letters..];
    }
    Ok(total)
}

/// Writes milliseconds the way [`parse_duration`] reads them.
pub fn format_duration(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut rest = ms;
    let mut out = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= size {
            out.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    out
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing was written.
    #[error("a duration is missing")]
    Empty,
    /// A number without its unit.
    #[error("`{0}` has no unit; write `{0}s`, `{0}m` or `{0}h`")]
    NoUnit(String),
    /// Not a row of numbers with units from large to small.
    #[error("`{0}` is not a duration such as `30s`, `5m` or `1h30m`")]
    Malformed(String),
    /// More milliseconds than a 64-bit number holds.
    #[error("`{0}` is too long")]
    TooLong(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms) in
            [("30s", 30_000), ("5m", 300_000), ("1h30m", 5_400_000), ("250ms", 250), ("1d2h3m4s5ms", 93_784_005)]
        {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
            assert_eq!(format_duration(ms), text);
        }
        assert_eq!(parse_duration("0s"), Ok(0));
        assert_eq!(format_duration(0), "0s");
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        assert_eq!(parse_duration(""), Err(DurationError::Empty));
        assert_eq!(parse_duration("30"), Err(DurationError::NoUnit("30".to_owned())));
        assert_eq!(parse_duration("1.5"), Err(DurationError::NoUnit("1.5".to_owned())));
        for text in ["s", "5 m", "30m1h", "5m5m", "1w", "-5s", "1.5h", "é"] {
            assert_eq!(parse_duration(text), Err(DurationError::Malformed(text.to_owned())), "{text}");
        }
        assert!(matches!(parse_duration("99999999999999999999d"), Err(DurationError::Malformed(_))));
        assert!(matches!(parse_duration("999999999999999999d"), Err(DurationError::TooLong(_))));
    }
}
