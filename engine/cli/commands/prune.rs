//! `runbook prune`: removes runs that are over and older than they have to be kept.

use std::io::IsTerminal as _;

use comfy_table::{ContentArrangement, Table, presets};
use runbook_core::run::Run;
use runbook_core::units::Timestamp;
use runbook_language::{Period, Retention};
use runbook_report::text::{count, rfc3339};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::{RunFolder, StateFolder};
use runbook_runtime::identity::me;
use runbook_runtime::now;
use runbook_runtime::prune::{KeepError, disk_bytes};
use runbook_runtime::removals::Removal;
use serde::Serialize;

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::many::{LeftOut, each_run, warn};
use crate::output;
use crate::view::text::moment;

/// Removes runs that are over and were kept for long enough
///
/// A run whose runbook has tags that `[retention]` of runbook.toml names is kept for the longest of these; any other for
/// `--keep`, or the `default` there. Counted from its end. A run that is not over or not sealed, that an engine or supervisor
/// has, or that cannot be read is never removed. Shows what would go, and asks; without a terminal it wants `--yes`. Who removed
/// what is kept, and shown by `runbook audit`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook prune --keep 90d --dry-run\n  runbook prune --yes\n  \
    runbook prune --keep 30d --yes --output json\n\n\
    In runbook.toml:\n  [retention]\n  default = \"90d\"\n  tags = {audit = \"7y\", drill = \"2w\"}")]
pub(crate) struct Args {
    /// How long runs are kept whose tags say nothing, such as `90d` or `1y`
    #[arg(long, value_name = "PERIOD", value_parser = |text: &str| Period::parse(text))]
    keep: Option<Period>,
    /// Only show what would be removed
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

/// A run that was kept for long enough.
struct Old {
    folder: RunFolder,
    row: Row,
    ended_ms: u64,
}

/// The same for programs.
#[derive(Serialize)]
struct Row {
    run: String,
    runbook: String,
    ended_at: String,
    /// The period that has passed.
    kept_for: String,
    bytes: u64,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Found {
    removed: bool,
    bytes: u64,
    runs: Vec<Row>,
    left_out: Vec<LeftOut>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let (_, project) = context.project()?;
    let mut retention = project.retention.clone();
    retention.default = args.keep.or(retention.default);
    if retention.default.is_none() && retention.tags.is_empty() {
        return Err(Failure::new(ExitCode::Usage, "nothing says how long runs are kept")
            .hint("`--keep 90d`, or `[retention]` with `default = \"90d\"` in runbook.toml"));
    }
    let state = context.state()?;
    let (old, mut left_out) = old_runs(&state, &retention)?;
    let bytes = old.iter().map(|one| one.row.bytes).sum();
    if args.output == Format::Text {
        show(&old, bytes);
    }
    warn(&left_out);
    let removes = !args.dry_run && !old.is_empty() && (args.yes || asked(&old)?);
    let mut rows = vec![];
    for one in old {
        match if removes { remove(&state, &one) } else { Ok(()) } {
            Ok(()) => rows.push(one.row),
            Err(error) => {
                let why = error.to_string();
                warn(&[LeftOut { run: one.row.run.clone(), why: why.clone() }]);
                left_out.push(LeftOut { run: one.row.run, why });
            }
        }
    }
    if removes {
        let cleared = state.clear_removed().and_then(|_| state.clear_keys());
        cleared.map_err(|error| Failure::new(ExitCode::Internal, format!("cannot clear the state folder: {error}")))?;
    }
    if args.output == Format::Json {
        output::json(&Found { removed: removes, bytes, runs: rows, left_out });
    } else if removes {
        output::note(format!("removed: {}", count(rows.len(), "run")));
    }
    Ok(ExitCode::Succeeded)
}

fn remove(state: &StateFolder, one: &Old) -> Result<(), KeepError> {
    let removal = Removal {
        at: now(),
        by: me(),
        run: one.folder.id().clone(),
        runbook: one.row.runbook.clone(),
        ended_at: Timestamp(one.ended_ms),
        kept_for: one.row.kept_for.clone(),
        head: runbook_journal::sealed_head(one.folder.path()).map_err(std::io::Error::other)?,
    };
    state.remove_run(&one.folder, removal)
}

fn old_runs(state: &StateFolder, retention: &Retention) -> Result<(Vec<Old>, Vec<LeftOut>), Failure> {
    let now = now().0;
    let mut old = vec![];
    let mut unsealed = vec![];
    let mut left_out = each_run(state.runs()?, |folder, run, _| match old_run(folder, run, retention, now) {
        Some(_) if !runbook_journal::is_sealed(folder.path()) => {
            let why = "its record is not sealed; `runbook seal` does that".to_owned();
            unsealed.push(LeftOut { run: folder.id().to_string(), why });
        }
        found => old.extend(found),
    });
    left_out.extend(unsealed);
    Ok((old, left_out))
}

/// The run, if it is over and was kept for long enough.
fn old_run(folder: &RunFolder, run: &Run, retention: &Retention, now: u64) -> Option<Old> {
    let (created, end) = run.created().zip(run.end())?;
    let period = retention.of(&created.plan.about.tags, now)?;
    (end.at.0 < period.before(now)).then(|| Old {
        folder: folder.clone(),
        ended_ms: end.at.0,
        row: Row {
            run: folder.id().to_string(),
            runbook: created.plan.about.id.clone(),
            ended_at: rfc3339(end.at.0),
            kept_for: period.as_str().to_owned(),
            bytes: disk_bytes(folder.path()),
        },
    })
}

fn show(old: &[Old], bytes: u64) {
    if old.is_empty() {
        output::note("no run is older than it has to be kept");
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["RUN", "RUNBOOK", "ENDED", "KEPT FOR", "SIZE"]);
    for Old { row, ended_ms, .. } in old {
        table.add_row([&row.run, &row.runbook, &moment(*ended_ms), &row.kept_for, &size(row.bytes)]);
    }
    table.lines().for_each(|line| output::line(line.trim_end()));
    output::note(format!("{}, {}", count(old.len(), "run"), size(bytes)));
}

/// Asks at the terminal. Without one nobody is there to say yes.
fn asked(old: &[Old]) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::new(ExitCode::Precondition, "nothing is removed without a yes")
            .hint("`--yes` removes without asking, `--dry-run` only shows"));
    }
    output::note(format!("remove {} for good? type `yes`: ", count(old.len(), "run")));
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    let said_yes = read.is_ok() && line.ends_with('\n') && line.trim() == "yes";
    if !said_yes {
        output::note("nothing is removed");
    }
    Ok(said_yes)
}

/// `0.9 MiB`, `12.0 GiB`.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    let (unit, name) = if bytes < MIB << 10 { (MIB, "MiB") } else { (MIB << 10, "GiB") };
    let tenths = (bytes * 10).div_ceil(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}
