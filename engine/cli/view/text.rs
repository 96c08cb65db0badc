//! Texts for people: times, durations, widths, and text of others made harmless.
//!
//! A script, a message or a log can hold anything. Shown as it is, an escape sequence could erase the line above it, and a
//! person would approve something else than what they read.

use jiff::tz::TimeZone;

/// A duration as people read it: `0.4s`, `12s`, `1m 03s`, `2h 05m`, `3d 04h`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{seconds}.{}s", ms % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// The clock on the wall: `12:03:04`.
pub(crate) fn clock(ms: u64) -> String {
    clock_in(ms, &TimeZone::system())
}

fn clock_in(ms: u64, zone: &TimeZone) -> String {
    format_in(ms, zone, "%H:%M:%S")
}

/// A moment with its day and offset: `2025-11-30 12:03:04 +01:00`.
pub(crate) fn moment(ms: u64) -> String {
    moment_in(ms, &TimeZone::system())
}

fn moment_in(ms: u64, zone: &TimeZone) -> String {
    format_in(ms, zone, "%Y-%m-%d %H:%M:%S %:z")
}

fn format_in(ms: u64, zone: &TimeZone, form: &str) -> String {
    timestamp(ms).to_zoned(zone.clone()).strftime(form).to_string()
}

/// A moment for programs: RFC 3339 in UTC.
pub(crate) fn rfc3339(ms: u64) -> String {
    format!("{:.3}", timestamp(ms))
}

/// Moments beyond the calendar are its last one.
fn timestamp(ms: u64) -> jiff::Timestamp {
    i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or(jiff::Timestamp::MAX)
}

/// Text of others with everything visible that a terminal would act on, or that would change the order of what is read.
/// Line ends stay, tabs become four spaces.
pub(crate) fn visible(text: &str) -> String {
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
pub(crate) fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

/// A line of a log: without colours, cursor movements and the like, and of a progress bar only its last state.
pub(crate) fn log_line(line: &str) -> String {
    let plain = console::strip_ansi_codes(line);
    let last = plain.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut out = String::with_capacity(last.len());
    for char in last.chars() {
        match char {
            '\t' => out.push(' '),
            char if acts(char) => {}
            char => out.push(char),
        }
    }
    out.trim_end().to_owned()
}

/// Whether a terminal acts on it, or it changes the direction of what follows, or it takes no place.
fn acts(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Cuts a line to a width in columns.
pub(crate) fn cut(line: &str, width: usize) -> String {
    console::truncate_str(line, width, "…").into_owned()
}

/// Pads a line to a width in columns; a longer one stays as it is.
pub(crate) fn pad(line: &str, width: usize) -> String {
    console::pad_str(line, width, console::Alignment::Left, None).into_owned()
}

/// A JSON value as people read it: text without quotes, all else as JSON.
pub(crate) fn value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => visible_line(text),
        serde_json::Value::Null => "none".to_owned(),
        other => visible_line(&other.to_string()),
    }
}

/// `1 step`, `3 steps`.
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Names for a sentence: the first few of them.
pub(crate) fn names<'n>(all: impl ExactSizeIterator<Item = &'n str>) -> String {
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
    fn times_are_local_for_people_and_utc_for_programs() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(clock_in(1_700_000_000_123, &zone), "00:13:20");
        assert_eq!(moment_in(1_700_000_000_123, &zone), "2023-11-15 00:13:20 +02:00");
        assert_eq!(rfc3339(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
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
    fn lines_of_logs_lose_what_moves_the_cursor() {
        assert_eq!(log_line("\x1b[31mred\x1b[0m\tx\x07  "), "red x");
        assert_eq!(log_line("10%\r50%\r100%\r"), "100%");
        assert_eq!(log_line("\x1b]0;title\x07text"), "text");
        assert_eq!(log_line("half \x1b["), "half [");
    }

    #[test]
    fn few_names_of_many() {
        assert_eq!(names(["a"].into_iter()), "`a`");
        assert_eq!(names(["a", "b", "c", "d", "e"].into_iter()), "`a`, `b`, `c` and 2 more");
        assert_eq!((count(1, "step"), count(2, "step")), ("1 step".to_owned(), "2 steps".to_owned()));
    }
}
