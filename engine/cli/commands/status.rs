//! `runbook status`: how a run stands, in short.

use runbook_runtime::exit_code::ExitCode;

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::view::overview;

/// Says how a run stands: its state, what runs, and what it asks
///
/// A run without an engine is never called running. Questions come with the commands that answer them.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook status last\n  runbook status 01KB3 --output json")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    super::show::print(&context.find_any_run(&args.run)?, args.output, overview::short)
}
