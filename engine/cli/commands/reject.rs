//! `runbook reject`: a person says no.

use runbook_core::input::Answer;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::view::answering;
use crate::view::question::Kind;

/// Refuses a step that waits for approval, or a manual step
///
/// The step fails, and the runbook's `on_failure` says what follows.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook reject last\n  runbook reject 01KB3 restart --reason 'not in trading hours'"
)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step; may be left out when only one such question is open
    step: Option<String>,
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let answer = Answer::Reject { reason: args.reason };
    answering::answer(
        &context.find_any_run(&args.run)?,
        args.step.as_deref(),
        &[Kind::Approval, Kind::Manual, Kind::Values],
        answer,
    )
}
