//! `runbook audit`: who did what, in all runs.

use comfy_table::{ContentArrangement, Table, presets};
use runbook_report::text::visible_line;
use runbook_report::{ACTS, Act, acts, pruned};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::many::{LeftOut, each_run, since, warn};
use crate::output;
use crate::view::paint::Paint;
use crate::view::text::moment;

/// Shows who did what, in all runs: started, approved, rejected, answered, retried, skipped, cancelled, pruned
///
/// In the order in which it was done; an answer counts from when it was written. A run that an engine has cannot be read
/// until the engine is gone: it is named on standard error, and under `left_out` in the JSON.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook audit --since 30d\n  runbook audit --by mia --event approved --event rejected\n  \
    runbook audit --runbook p0-response --output json | jq '.acts[] | select(.event == \"approved\")'"
)]
pub(crate) struct Args {
    /// Only what was done since: a period such as `30d`, a day, or an RFC 3339 time
    #[arg(long, value_name = "SINCE")]
    since: Option<String>,
    /// Only what this person did, by login name; may be given more than once
    #[arg(long, value_name = "NAME")]
    by: Vec<String>,
    /// Only in runs of this runbook; may be given more than once
    #[arg(long, value_name = "ID")]
    runbook: Vec<String>,
    /// Only this, such as `approved`; may be given more than once
    #[arg(long, value_name = "EVENT", value_parser = clap::builder::PossibleValuesParser::new(ACTS))]
    event: Vec<String>,
    /// What is printed
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Found {
    acts: Vec<Act>,
    left_out: Vec<LeftOut>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let from = args.since.as_deref().map(since).transpose()?.unwrap_or(0);
    let fits = |act: &Act| {
        let one_of = |wanted: &[String], it: &str| wanted.is_empty() || wanted.iter().any(|one| one == it);
        act.at_ms >= from
            && one_of(&args.by, &act.by.name)
            && one_of(&args.runbook, &act.runbook)
            && one_of(&args.event, act.event)
    };
    let mut found = vec![];
    let state = context.state()?;
    let removals = state
        .removals()
        .map_err(|error| Failure::new(ExitCode::Internal, format!("cannot read which runs were removed: {error}")))?;
    found.extend(removals.iter().map(pruned).filter(&fits));
    let folders = state.runs()?;
    let folders = folders.into_iter().filter(|folder| from == 0 || may_reach(folder, from));
    let left_out = each_run(folders, |_, run, records| found.extend(acts(run, records).into_iter().filter(&fits)));
    // Runs overlap; what was done at the same moment stays in the order of its run.
    found.sort_by_key(|act| act.at_ms);
    warn(&left_out);
    match args.output {
        Format::Json => output::json(&Found { acts: found, left_out }),
        Format::Table if found.is_empty() => output::note("nothing was done that fits"),
        Format::Table => output::line(table(&found, Paint::stdout())),
    }
    Ok(ExitCode::Succeeded)
}

/// Whether something may have been done in a run since a moment: a run that is known to have ended before is not read.
fn may_reach(folder: &RunFolder, from: u64) -> bool {
    let ended_at = Status::read(folder).ok().and_then(|status| status.ended_at);
    ended_at.is_none_or(|ended_at| ended_at >= from)
}

fn table(acts: &[Act], paint: Paint) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["WHEN", "WHO", "DID", "RUNBOOK", "STEP", "RUN", "WHY"]);
    for act in acts {
        table.add_row([
            moment(act.at_ms),
            visible_line(&act.by.name),
            if act.event == "broke_glass" { "BREAK GLASS".to_owned() } else { act.event.replace('_', " ") },
            act.runbook.clone(),
            act.step.clone().unwrap_or_else(|| "-".to_owned()),
            act.run.clone(),
            act.reason.as_deref().map(visible_line).unwrap_or_default(),
        ]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let (header, rows) = lines.split_first().map_or(("", &lines[..]), |(header, rows)| (header.as_str(), rows));
    std::iter::once(paint.bold(header)).chain(rows.iter().cloned()).collect::<Vec<_>>().join("\n")
}
