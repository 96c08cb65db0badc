//! `runbook pause`: nothing more starts.

use runbook_core::event::Verb;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::telling::{self, Why};

/// Holds a run: nothing more starts until `runbook continue`
///
/// What runs goes on to its end, and so does a `wait`. Questions stay open and may be answered. No attempt, retry, poll or
/// undo starts. Time is not held: timeouts go on. A paused run stays paused through a crash, and can be cancelled.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook pause last --reason 'the market opens, go on at noon'")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    #[command(flatten)]
    why: Why,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    telling::tell(&args.run, Verb::Pause, args.why, None, context)
}
