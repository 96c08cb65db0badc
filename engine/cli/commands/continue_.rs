//! `runbook continue`: goes on after a pause.

use runbook_core::event::Verb;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::telling::{self, Why};

/// Goes on with a run that was paused
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook continue last --reason 'the market is closed'")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    #[command(flatten)]
    why: Why,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    telling::tell(&args.run, Verb::Continue, args.why, None, context)
}
