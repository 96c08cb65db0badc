//! `runbook skip`: a step need not run.

use runbook_core::event::Verb;
use runbook_core::units::StepId;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::telling::{self, GoesOn, Why};

/// Skips a step that has not started, waits, or failed: it counts as done
///
/// A step whose turn has not come is skipped when it comes. What did not start because the step failed starts now. What
/// reads outputs of the step finds none. A step that runs cannot be skipped: wait for it, or cancel the run.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook skip last notify --reason 'the pager is down, told by phone'")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step
    step: String,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    goes_on: GoesOn,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let verb = Verb::Skip { step: StepId::new(args.step) };
    telling::tell(&args.run, verb, args.why, Some(args.goes_on), context)
}
