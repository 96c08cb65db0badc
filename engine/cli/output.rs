//! The only place that prints: data on standard output, everything else on standard error.
//!
//! A reader that went away (`| head`, a closed terminal) is no reason to fail, and never one to panic.

use std::io::Write as _;

use serde::Serialize;

/// Prints a line of data.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
}

/// Prints a value as JSON, readable by people too.
pub(crate) fn json<T: Serialize>(value: &T) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(text),
        Err(error) => note(format!("cannot write JSON: {error}")),
    }
}

/// Tells a person something that is no data.
pub(crate) fn note(text: impl AsRef<str>) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{}", text.as_ref());
}
