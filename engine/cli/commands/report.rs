//! `runbook report`: what a run came to, for people who were not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runbook_core::run::Run;
use runbook_core::units::Timestamp;
use runbook_report::{Given, LogEnd, Report};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::{RunFolder, write_whole};
use runbook_runtime::{EngineError, load, now};

use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::view::hint::Hints;
use crate::view::tail;

/// So many lines of the log of a failed attempt are in a report.
const LOG_LINES: usize = 20;

/// Writes what a run came to: summary, timeline, approvals, failures, outputs, and the headings of a post-mortem
///
/// Made from the record of the run, which is verified. Works as soon as no engine has the run, also before its end.
/// Markdown and HTML list what matters of a run with very many steps; JSON (`report/v1`) always has everything.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook report last\n  runbook report last --format html -o incident.html\n  \
    runbook report 01KB3 --format json | jq '.questions[] | {step, outcome, answers}'\n\n\
    `runbook schema report` describes the JSON.")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// What is written
    #[arg(long, value_enum, default_value = "md")]
    format: Format,
    /// The file to write to, readable by you alone, instead of standard output
    #[arg(short, long = "output", value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Markdown
    Md,
    /// One HTML file, for the browser and for paper
    Html,
    /// For programs
    Json,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let text = write(&of(&folder, |_| now())?, args.format)?;
    match &args.output {
        None => output::line(text.trim_end()),
        Some(file) => {
            save(file, &text)?;
            output::note(format!("written: {}", file.display()));
        }
    }
    Ok(ExitCode::Succeeded)
}

/// The report of a run that has ended, in two forms, as of its end: it is the same whenever it is made.
pub(super) fn of_ended(folder: &RunFolder) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let report = of(folder, |run| run.end().map_or_else(now, |end| end.at))?;
    let one = |name: &str, format| Ok((name.to_owned(), write(&report, format)?.into_bytes()));
    [one("report.html", Format::Html), one("report.md", Format::Md)].into_iter().collect()
}

/// The report of a run that no engine has, as of a moment.
fn of(folder: &RunFolder, moment: impl FnOnce(&Run) -> Timestamp) -> Result<Report, Failure> {
    let (run, records) = load(folder).map_err(|error| match error {
        EngineError::InUse => Failure::new(ExitCode::InUse, "an engine has this run: there is no report of it yet")
            .hint(format!("`{}` shows how it stands", Hints::of(folder).command("status", ""))),
        error => Failure::from(error),
    })?;
    let log_end = |attempt: &str| {
        let tail = tail::of_failure(folder, attempt, LOG_LINES)?;
        let file = tail.path.file_name()?.to_string_lossy().into_owned();
        Some(LogEnd { file, lines: tail.lines })
    };
    let seal = runbook_journal::sealed_head(folder.path()).map_err(EngineError::from)?;
    let given = Given { now: moment(&run), seal, log_end: &log_end };
    runbook_report::report(&run, &records, &given).ok_or_else(|| {
        Failure::new(ExitCode::Internal, format!("run {} cannot be read: its journal is empty", folder.id()))
    })
}

fn write(report: &Report, format: Format) -> Result<String, Failure> {
    let internal = |error: &dyn std::fmt::Display| Failure::new(ExitCode::Internal, error);
    match format {
        Format::Md => Ok(runbook_report::markdown(report)),
        Format::Html => runbook_report::html(report).map_err(|error| internal(&error)),
        Format::Json => serde_json::to_string_pretty(report).map_err(|error| internal(&error)),
    }
}

/// Appears whole, like all files that this program writes, and readable by its owner alone: it holds what an incident shows.
fn save(file: &Path, text: &str) -> Result<(), Failure> {
    let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    write_whole(file, text.as_bytes())
        .map_err(|error| Failure::new(ExitCode::Precondition, format!("cannot write {}: {error}", file.display())))
}
