//! `runbook runs`: all runs, the newest first.

use runbook_runtime::exit_code::ExitCode;
use serde_json::json;

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;

/// Lists runs, the newest first
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook runs\n  runbook runs --limit 3 --output json")]
pub(crate) struct Args {
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let mut rows = vec![];
    for folder in context.state()?.runs()?.iter().rev().take(args.limit) {
        let id = folder.id();
        // One damaged run must not hide the others.
        rows.push(match super::status::read(folder) {
            Ok(status) => {
                let lives = status.ended_at.is_some() || folder.has_engine();
                let state = if lives { status.state } else { "no engine".to_owned() };
                json!({"run": id, "runbook": status.runbook, "state": state, "started_by": status.started_by})
            }
            Err(_) => json!({"run": id, "runbook": null, "state": "unreadable", "started_by": null}),
        });
    }
    match args.output {
        Format::Json => crate::output::json(&rows),
        Format::Text => {
            for row in &rows {
                let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
                let (run, state, runbook, by) = (text("run"), text("state"), text("runbook"), text("started_by"));
                crate::output::line(format!("{run}  {state:<12} {runbook:<24} {by}"));
            }
        }
    }
    Ok(ExitCode::Succeeded)
}
