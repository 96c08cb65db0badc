//! Long stretches of time by the calendar: `90d`, `6mo`, `7y`. Unlike durations of steps, whose units have fixed lengths.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A stretch of time back from some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    text: String,
}

impl Period {
    /// Reads `90d`, `12h`, `2w`, `6mo` or `7y`, also several of them: `1y6mo`.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let period = Self { text: text.trim().to_owned() };
        match period.span() {
            Some(span) if span.is_positive() => Ok(period),
            Some(_) => Err(format!("`{text}` is not longer than nothing")),
            None => Err(format!("`{text}` is not a period such as `90d`, `2w`, `6mo` or `7y`")),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The moment so long before another, both in milliseconds since 1970; the beginning of time where that would be earlier.
    pub fn before(&self, now_ms: u64) -> u64 {
        let back = || {
            let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
            let then = now.to_zoned(TimeZone::UTC).checked_sub(self.span()?).ok()?;
            u64::try_from(then.timestamp().as_millisecond()).ok()
        };
        back().unwrap_or(0)
    }

    /// Its length in milliseconds, with months and years as they are before a moment.
    pub fn length_before(&self, now_ms: u64) -> u64 {
        now_ms - self.before(now_ms)
    }

    fn span(&self) -> Option<Span> {
        let span: Span = self.text.parse().ok()?;
        // What is longer than the calendar is no period.
        Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC).checked_add(span).ok().map(|_| span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01T00:00:00Z
    const NOW: u64 = 1_772_323_200_000;
    const DAY: u64 = 86_400_000;

    #[test]
    fn years_and_months_follow_the_calendar() {
        for (text, days) in [("1d", 1), ("90d", 90), ("2w", 14), ("1mo", 28), ("1y", 365), ("7y", 2_557), ("24h", 1)] {
            assert_eq!(Period::parse(text).unwrap().length_before(NOW), days * DAY, "{text}");
        }
        assert_eq!(Period::parse("200y").unwrap().before(NOW), 0, "the beginning of time");
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in ["", "90", "d", "-3d", "0d", "3 fortnights", "999999y", "3d ago"] {
            assert!(Period::parse(text).is_err(), "{text}");
        }
    }
}
