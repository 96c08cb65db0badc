//! `runbook runs`: all runs, the newest first.

use comfy_table::{ContentArrangement, Table, presets};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::load;
use runbook_runtime::status::Status;
use serde::Serialize;

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::view::paint::{self, Paint};
use crate::view::text::{duration, moment, rfc3339, visible_line};

/// Lists runs, the newest first
///
/// A run that has not ended and that no engine has is listed as `no engine`; one whose folder cannot be read, as
/// `damaged`. In a state folder that a group shares, the runs of all its members are listed.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook runs\n  runbook runs --only waiting\n  runbook runs --limit 3 --output json"
)]
pub(crate) struct Args {
    /// Only those in this state, such as `waiting`, `failed` or `no-engine`; may be given more than once
    #[arg(long, value_name = "STATE")]
    only: Vec<String>,
    /// At most so many; 0 for all
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    limit: usize,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

/// The states that a run can be listed in.
const STATES: [&str; 13] = [
    "starting",
    "pending",
    "running",
    "waiting",
    "paused",
    "rolling_back",
    "succeeded",
    "failed",
    "rolled_back",
    "stuck",
    "cancelled",
    "no_engine",
    "damaged",
];

/// One run in the list.
#[derive(Debug, PartialEq, Serialize)]
struct Row {
    run: String,
    state: String,
    runbook: Option<String>,
    #[serde(serialize_with = "moment_or_none")]
    started_at: Option<u64>,
    #[serde(serialize_with = "moment_or_none")]
    ended_at: Option<u64>,
    #[serde(skip)]
    took: Option<u64>,
    started_by: Option<String>,
    /// What is wrong with a damaged one.
    error: Option<String>,
}

fn moment_or_none<S: serde::Serializer>(ms: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    ms.map(rfc3339).serialize(to)
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let wanted: Vec<String> = args.only.iter().map(|state| state.replace(['-', ' '], "_")).collect();
    if let Some(unknown) = wanted.iter().find(|state| !STATES.contains(&state.as_str())) {
        return Err(Failure::new(ExitCode::Usage, format!("there is no state `{unknown}`"))
            .hint(format!("the states are {}", STATES.join(", "))));
    }
    let state = context.state()?;
    let most = if args.limit == 0 { usize::MAX } else { args.limit };
    let fits = |row: &Row| wanted.is_empty() || wanted.contains(&row.state);
    let rows: Vec<Row> = state.runs()?.iter().rev().map(row).filter(fits).take(most).collect();
    match args.output {
        Format::Json => output::json(&rows),
        Format::Text if rows.is_empty() => {
            output::note(format!("no such run in {}", state.path().display()));
        }
        Format::Text => {
            output::line(table(&rows, Paint::stdout()));
            for row in rows.iter().filter(|row| row.error.is_some()) {
                let error = row.error.as_deref().unwrap_or_default();
                output::note(format!("warning: run {} is damaged: {}", row.run, visible_line(error)));
            }
        }
    }
    Ok(ExitCode::Succeeded)
}

/// One run, from its snapshot: opening each journal would take long, and the snapshot says the end.
fn row(folder: &RunFolder) -> Row {
    let has_engine = folder.has_engine();
    match Status::read(folder) {
        Ok(status) => of_status(status.with_children(&folder.state()), has_engine),
        Err(error) => without_status(folder, has_engine, &error),
    }
}

fn of_status(status: Status, has_engine: bool) -> Row {
    let is_over = status.ended_at.is_some();
    let until =
        status.ended_at.unwrap_or_else(|| if has_engine { runbook_runtime::now().0 } else { status.updated_at });
    Row {
        run: status.run,
        state: if is_over || has_engine { status.state } else { "no_engine".to_owned() },
        runbook: Some(status.runbook),
        started_at: Some(status.started_at),
        ended_at: status.ended_at,
        took: Some(until.saturating_sub(status.started_at)),
        started_by: Some(status.started_by),
        error: None,
    }
}

/// A run that was never published, or whose snapshot is damaged: its journal may do.
fn without_status(folder: &RunFolder, has_engine: bool, why: &std::io::Error) -> Row {
    let bare = |state: &str, error: Option<String>| Row {
        run: folder.id().to_string(),
        state: state.to_owned(),
        runbook: None,
        started_at: None,
        ended_at: None,
        took: None,
        started_by: None,
        error,
    };
    if has_engine {
        return bare("starting", None);
    }
    if let Some(owner) = folder.other_owner() {
        let row = bare("damaged", Some(format!("it publishes nothing that can be read: {why}")));
        return Row { started_by: Some(owner), ..row };
    }
    match load(folder) {
        Ok((run, _)) => match Status::of(&run, runbook_runtime::now(), None) {
            Some(status) => of_status(status, false),
            None => bare("damaged", Some(format!("its journal is empty, and its snapshot cannot be read: {why}"))),
        },
        Err(error) => bare("damaged", Some(error.to_string())),
    }
}

fn table(rows: &[Row], paint: Paint) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["RUN", "STATE", "RUNBOOK", "STARTED", "TOOK", "BY"]);
    for row in rows {
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), visible_line);
        let state = paint::state(Paint::PLAIN, if row.state == "no_engine" { "no engine" } else { &row.state }, 0);
        table.add_row([
            row.run.clone(),
            state,
            text(&row.runbook),
            row.started_at.map_or_else(|| "-".to_owned(), moment),
            row.took.map_or_else(|| "-".to_owned(), duration),
            text(&row.started_by),
        ]);
    }
    let plain: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let (header, body) = plain.split_first().map_or(("", &plain[..]), |(header, body)| (header.as_str(), body));
    // Coloured only now: the table counts columns of plain text.
    let coloured = body.iter().zip(rows).map(|(line, row)| {
        let (tone, _) = paint::look(if row.state == "no_engine" { "no engine" } else { &row.state });
        match tone {
            paint::Tone::Quiet | paint::Tone::Good => line.clone(),
            tone => paint.tone(tone, line),
        }
    });
    std::iter::once(paint.bold(header)).chain(coloured).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::units::RunId;
    use runbook_runtime::folder::StateFolder;

    #[test]
    fn a_damaged_run_is_listed_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let run = StateFolder::new(folder.path()).create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        std::fs::write(run.status(), "half").unwrap();
        let found = row(&run);
        assert_eq!((found.state.as_str(), found.error.is_some()), ("damaged", true), "{found:?}");
        let text = table(&[found], Paint::PLAIN);
        assert!(text.contains("01ARZ3NDEKTSV4RRFFQ69G5FAV") && text.contains("damaged"), "{text}");
        let lock = run.lock().unwrap();
        assert_eq!(row(&run).state, "starting");
        drop(lock);
    }
}
