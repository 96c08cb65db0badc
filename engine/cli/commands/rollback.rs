//! `runbook rollback`: a person has a run undone.

use runbook_core::event::Verb;
use runbook_core::units::StepId;
use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::telling::{self, GoesOn, Why};

/// Undoes what a run did, whatever its `on_failure` says, also after its end
///
/// Of a run that goes on, nothing more starts; what runs may end by itself for a while, and is then told to. Then what
/// succeeded is undone, the latest first. When no engine has the run, this command becomes its engine until the run has
/// ended, and leaves with the run's exit code: 2 when all that was to be undone is.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook rollback last --reason 'customers see errors'\n  runbook rollback 01KB3 --to backup --reason 'the new schema is wrong'"
)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Undo only what ended after this step, which stays as it is
    #[arg(long, value_name = "STEP")]
    to: Option<String>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    goes_on: GoesOn,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let verb = Verb::Rollback { to: args.to.map(StepId::new) };
    telling::tell(&args.run, verb, args.why, Some(args.goes_on), context)
}
