//! `runbook take`: a person takes a run over.

use runbook_core::event::Verb;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::telling::{self, Why};

/// Takes a run over: from now on you answer for it
///
/// A hand-over for the record, shown by `status`. Who may approve what is not changed by it, nor is who started the run.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook take last --reason 'shift change'")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    #[command(flatten)]
    why: Why,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    telling::tell(&args.run, Verb::Take, args.why, None, context)
}
