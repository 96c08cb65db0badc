//! What the commands print and how they end, as a person or a program sees it.

mod asking;
mod exit_codes;
mod library;
mod params;
mod pipes;
mod plan;
mod runs;
mod validate;
mod waiting;

use std::process::Output;

use crate::kit::Home;

/// Status, standard output and standard error of a command, with what differs each time made the same.
fn seen(home: &Home, args: &[&str]) -> String {
    clean(home, &home.run(args))
}

fn clean(home: &Home, output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
    let mut all = format!("exit code: {code}\n");
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            all.push_str(&format!("--- {name}\n{}\n", text(bytes)));
        }
    }
    all.replace(&home.path().display().to_string(), "[HOME]")
}

/// Compares what is [`seen`], with ids, digests, times and durations made the same.
macro_rules! assert_seen {
    ($seen:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            (r"\b[0-9a-f]{64}\b", "[SHA256]"),
            (r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", "[RUN]"),
            (r"\b01[0-9A-HJKMNP-TV-Z]{8,23}\b", "[RUN-PREFIX]"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "[TIME]"),
            (r"\d\d:\d\d:\d\d", "[CLOCK]"),
            (r"after (\d+\.\ds|\d+s|\d+m \d\ds)", "after [TIME SPENT]"),
            (r"started by \S+", "started by [ME]"),
        ]}, { insta::assert_snapshot!($seen, @$expected) })
    };
}
use assert_seen;

/// A runbook with one step.
fn one_step(id: &str, step: &str) -> String {
    format!("schema: runbook/v1\nid: {id}\ntitle: One step\nsteps:\n  - id: only\n    {step}\n")
}
