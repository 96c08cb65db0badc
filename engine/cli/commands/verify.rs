//! `runbook verify`: whether a record is as it was written.

use std::path::Path;

use runbook_journal::{Examined, examine};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::record;
use runbook_runtime::status::state_of;
use serde::Serialize;

use super::validate::Format;
use crate::context::{Context, shown};
use crate::failure::Failure;
use crate::output;
use crate::view::paint::Paint;
use crate::view::text::{count, visible_line};

/// Checks that the records of runs are whole and as they were written
///
/// A record is one line for each decision, chained by hashes, with a seal at its end. What is checked: that each line can be
/// read and has exactly the bytes that would be written for it, its number, the chain, the seals, the digest of the plan, and
/// that a run can have gone so. Every line that is wrong is named. A run that has not ended is `not sealed`.
///
/// A FILE needs no state folder: verify a record wherever it was taken. Exit codes: 0 when nothing is wrong, 1 when something
/// is, 8 when an engine has the run now.
///
/// What this cannot prove: that nobody wrote the whole file anew and chained it anew. Keep the `head` that is printed elsewhere.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook verify last\n  runbook verify record.jsonl\n  \
    runbook verify 01KB3 01KB4 --output json\n\n\
    JSON: one object with `valid` and `records`, each with `name`, `valid`, `run`, `runbook`, `state`, `lines`, `segments`\n\
    (how many are sealed), `head` (the hash of the last line) and `findings`, each with `line` (counted from 1), `kind` and\n\
    `message`.")]
pub(crate) struct Args {
    /// Runs (an id, the beginning of one, or `last`) or files
    #[arg(required = true, value_name = "RUN|FILE")]
    records: Vec<String>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

#[derive(Serialize)]
struct Report {
    valid: bool,
    records: Vec<Verified>,
}

/// One record.
#[derive(Serialize)]
struct Verified {
    name: String,
    valid: bool,
    run: Option<String>,
    runbook: Option<String>,
    state: Option<&'static str>,
    lines: u64,
    segments: usize,
    head: String,
    findings: Vec<Told>,
}

/// One thing that is wrong.
#[derive(Serialize)]
struct Told {
    line: u64,
    kind: &'static str,
    message: String,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let records = args.records.iter().map(|name| verified(name, context)).collect::<Result<Vec<_>, _>>()?;
    let report = Report { valid: records.iter().all(|record| record.valid), records };
    match args.output {
        Format::Json => output::json(&report),
        Format::Text => report.records.iter().for_each(|record| print(record, Paint::stdout())),
    }
    Ok(if report.valid { ExitCode::Succeeded } else { ExitCode::Failed })
}

fn verified(name: &str, context: &Context) -> Result<Verified, Failure> {
    let file = Path::new(name);
    if file.is_file() {
        let bytes = std::fs::read(file)
            .map_err(|error| Failure::new(ExitCode::Usage, format!("cannot read {}: {error}", file.display())))?;
        return Ok(told(shown(file), examine(&bytes)));
    }
    let folder = context.find_run(name).map_err(|failure| failure.also("a file is named by its path"))?;
    let id = folder.id().to_string();
    match record::read(&folder) {
        Ok(bytes) => Ok(told(id, examine(&bytes))),
        Err(error) => Err(Failure::from(error)
            .also(format!("run {id} cannot be verified now: its record is sealed when it has ended"))),
    }
}

fn told(name: String, examined: Examined) -> Verified {
    let created = examined.run.created();
    let one = |finding: runbook_journal::Finding| Told {
        line: finding.line,
        kind: finding.wrong.word(),
        message: finding.wrong.to_string(),
    };
    Verified {
        name,
        valid: examined.findings.is_empty(),
        run: created.map(|created| created.run.to_string()),
        runbook: created.map(|created| created.plan.about.id.clone()),
        state: created.map(|_| state_of(&examined.run)),
        lines: examined.lines,
        segments: examined.seals.len(),
        head: examined.head.to_string(),
        findings: examined.findings.into_iter().map(one).collect(),
    }
}

fn print(record: &Verified, paint: Paint) {
    let name = visible_line(&record.name);
    let what = match (&record.run, &record.runbook, record.state) {
        (Some(run), Some(runbook), Some(state)) => {
            format!("run {} of `{}`, {}", visible_line(run), visible_line(runbook), state.replace('_', " "))
        }
        _ => "no run".to_owned(),
    };
    let lines = count(usize::try_from(record.lines).unwrap_or(usize::MAX), "line");
    let mark = if record.valid { "✓" } else { "✗" };
    output::line(paint.bold(&format!("{mark} {name}: {what}; {lines}, {} sealed", count(record.segments, "segment"))));
    for finding in &record.findings {
        output::line(format!("  line {}: {}", finding.line, visible_line(&finding.message)));
    }
    output::line(format!("  head: sha256 {}", record.head));
}
