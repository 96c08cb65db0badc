//! Texts for people: times, durations, widths, and text of others made harmless.
//!
//! A script, a message or a log can hold anything. Shown as it is, an escape sequence could erase the line above it, and a
//! person would approve something else than what they read.

use jiff::tz::TimeZone;
pub(crate) use runbook_report::text::{acts, count, duration, names, rfc3339, timestamp, visible, visible_line};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_for_people_and_utc_for_programs() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(clock_in(1_700_000_000_123, &zone), "00:13:20");
        assert_eq!(moment_in(1_700_000_000_123, &zone), "2023-11-15 00:13:20 +02:00");
    }

    #[test]
    fn lines_of_logs_lose_what_moves_the_cursor() {
        assert_eq!(log_line("\x1b[31mred\x1b[0m\tx\x07  "), "red x");
        assert_eq!(log_line("10%\r50%\r100%\r"), "100%");
        assert_eq!(log_line("\x1b]0;title\x07text"), "text");
        assert_eq!(log_line("half \x1b["), "half [");
    }
}
