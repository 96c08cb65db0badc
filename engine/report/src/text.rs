//! Texts for people and programs: times, durations, and text of others made harmless.
//!
//! A script, a message or a log can hold anything. Shown as it is, an escape sequence could erase the line above it, and a
//! person would approve something else than what they read.

/// A duration as people read it: `0.4s`, `12s`, `1m 03s`, `2h 05m`, `3d 04h`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{seconds}.{}s", ms % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A moment for programs: RFC 3339 in UTC.
pub fn rfc3339(ms: u64) -> String {
    format!("{:.3}", timestamp(ms))
}

/// Moments beyond the calendar are its last one.
pub fn timestamp(ms: u64) -> jiff::Timestamp {
    i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or(jiff::Timestamp::MAX)
}

/// A moment for people who read it anywhere: RFC 3339 in UTC, to the second.
pub fn instant(ms: u64) -> String {
    format!("{:.0}", timestamp(ms - ms % 1000))
}

/// Text of others with everything visible that a terminal would act on, or that would change the order of what is read.
/// Line ends stay, tabs become four spaces.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            char if acts(char) => out.extend(char.escape_unicode()),
            char => out.push(char),
        }
    }
    out
}

/// The same on one line.
pub fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

/// Whether a terminal acts on it, or it changes the direction of what follows, or it takes no place.
pub fn acts(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `1 step`, `3 steps`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Names for a sentence: the first few of them.
pub fn names<'n>(all: impl ExactSizeIterator<Item = &'n str>) -> String {
    const FEW: usize = 3;
    let more = all.len().saturating_sub(FEW);
    let first: Vec<String> = all.take(FEW).map(|name| format!("`{name}`")).collect();
    let first = first.join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_grow_coarser() {
        for (ms, text) in [
            (0, "0.0s"),
            (450, "0.4s"),
            (9_999, "9.9s"),
            (12_345, "12s"),
            (63_000, "1m 03s"),
            (3_599_999, "59m 59s"),
            (7_500_000, "2h 05m"),
            (273_600_000, "3d 04h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn moments_are_utc() {
        assert_eq!(rfc3339(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
        assert_eq!(instant(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-"));
    }

    #[test]
    fn what_a_terminal_would_act_on_is_shown() {
        assert_eq!(visible("a\tb\nrm -rf /\r\x1b[2Kecho ok"), "a    b\nrm -rf /\\u{d}\\u{1b}[2Kecho ok");
        assert_eq!(visible("x\u{202e}y\u{200b}"), "x\\u{202e}y\\u{200b}");
        assert_eq!(visible_line("a\nb"), "a\\nb");
        assert_eq!(visible("naïve 漢字"), "naïve 漢字");
    }

    #[test]
    fn few_names_of_many() {
        assert_eq!(names(["a"].into_iter()), "`a`");
        assert_eq!(names(["a", "b", "c", "d", "e"].into_iter()), "`a`, `b`, `c` and 2 more");
        assert_eq!((count(1, "step"), count(2, "step")), ("1 step".to_owned(), "2 steps".to_owned()));
    }
}
