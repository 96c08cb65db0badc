//! `runbook cancel`: ends a run, also one that no engine has.

use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::inbox::{self, Message};

use crate::context::Context;
use crate::failure::Failure;
use crate::view::Output;

/// Ends a run: nothing more starts, and what runs is ended after a grace
///
/// What follows is what the runbook's `on_failure` says: stop, or roll back. When no engine has the run, this command
/// becomes its engine until the run has ended.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook cancel last --reason 'wrong platform'\n  runbook cancel 01KB3 --now")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// End what runs at once
    #[arg(long, conflicts_with = "kill")]
    now: bool,
    /// Kill what runs
    #[arg(long)]
    kill: bool,
    /// Why; kept in the record
    #[arg(long)]
    reason: Option<String>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let status = super::status::read(&folder)?;
    if status.ended_at.is_some() {
        return Err(Failure::new(ExitCode::Precondition, format!("run {} has ended: {}", status.run, status.state)));
    }
    let level = match (args.kill, args.now) {
        (true, _) => 3,
        (_, true) => 2,
        _ => 1,
    };
    inbox::put(&folder, &Message::Cancel { level, reason: args.reason })
        .map_err(|error| Failure::new(ExitCode::Internal, error))?;
    if folder.has_engine() {
        crate::output::note(format!("asked the engine of run {} to end it", folder.id()));
        return Ok(ExitCode::Succeeded);
    }
    super::resume::drive(folder, Output::Plain, context)
}
