//! `runbook answer`: what became of an interrupted command, or of a manual step.

use runbook_core::input::Answer;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::view::answering;
use crate::view::question::Kind;

/// Says what became of an interrupted command, or of a manual step
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook answer last --done\n  runbook answer 01KB3 restart --took-effect")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step; may be left out when only one such question is open
    step: Option<String>,
    #[command(flatten)]
    what: What,
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The interrupted command took effect: it counts as done
    #[arg(long)]
    took_effect: bool,
    /// It did not: it counts as failed
    #[arg(long)]
    did_not: bool,
    /// Start it again
    #[arg(long)]
    run_again: bool,
    /// The manual step is done
    #[arg(long)]
    done: bool,
    /// The manual step is not done: it fails
    #[arg(long)]
    not_done: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let reason = args.reason;
    let (kind, answer) = match args.what {
        What { took_effect: true, .. } => (Kind::Interrupted, Answer::TookEffect { reason }),
        What { did_not: true, .. } => (Kind::Interrupted, Answer::DidNot { reason }),
        What { run_again: true, .. } => (Kind::Interrupted, Answer::RunAgain { reason }),
        What { done: true, .. } => (Kind::Manual, Answer::Confirm { reason }),
        // clap lets nothing through that sets none of them.
        What { .. } => (Kind::Manual, Answer::Reject { reason }),
    };
    answering::answer(&context.find_run(&args.run)?, args.step.as_deref(), &[kind], answer)
}
