//! `runbook approve`: a person lets a step run.

use runbook_core::input::Answer;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::view::answering;
use crate::view::question::Kind;

/// Lets a step run that waits for approval
///
/// Shows exactly what will run, and stores the approval of just that: should it change, the approval is void. It works
/// while the engine runs and while it is down. Who approves is the user of the operating system, and the engine decides
/// whether that user may.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook approve last\n  runbook approve 01KB3 restart --reason 'seen in the graphs'\n  runbook approve last \
                  failover --break-glass --reason 'nobody else can be reached'"
)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step; may be left out when only one approval is asked for
    step: Option<String>,
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Approve alone in an emergency, whoever else would have to agree: only where the environment allows it to you, with a
    /// reason, and told wherever the run is shown
    #[arg(long, requires = "reason")]
    break_glass: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let answer = match args.reason {
        Some(reason) if args.break_glass => Answer::BreakGlass { reason },
        reason => Answer::Approve { reason },
    };
    answering::answer(&context.find_any_run(&args.run)?, args.step.as_deref(), &[Kind::Approval], answer)
}
