//! `runbook retry`: what failed starts over.

use runbook_core::event::Verb;
use runbook_core::units::StepId;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::telling::{self, GoesOn, Why};

/// Starts over what failed, also of a run that has ended
///
/// Without STEP: all that failed or was ended, and what did not start because of it. With STEP: only that one, and what
/// waited for it. Attempts are counted on, `max_attempts` counts anew, and an approval is asked for again. Steps that
/// looked at the failure (`failure()`, `always()`) look again.
///
/// Of a run that is stuck, the undo that failed is tried again. When no engine has the run, this command becomes its
/// engine until it ends, and leaves with the run's exit code.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook retry last --reason 'the disk has room again'\n  runbook retry 01KB3 migrate --reason 'lock released'\n  runbook retry 01KB3 migrate --downstream --reason 'the data was wrong'"
)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step that failed; without it, all that failed
    step: Option<String>,
    /// Run STEP again although it has succeeded, and all that builds on it; nothing of that is undone first
    #[arg(long, requires = "step")]
    downstream: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    goes_on: GoesOn,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let verb = Verb::Retry { step: args.step.map(StepId::new), downstream: args.downstream };
    telling::tell(&args.run, verb, args.why, Some(args.goes_on), context)
}
