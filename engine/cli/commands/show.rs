//! `runbook show`: everything that is known of a run.

use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::view::hint::Hints;
use crate::view::overview;
use crate::view::paint::Paint;
use crate::view::seen::Seen;

/// Shows everything of a run: its params, each step with its outputs and its undo, who answered what
///
/// Works while the engine runs, and without one from the journal, which is verified.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook show last\n  runbook show 01KB3 --output json")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    print(&context.find_run(&args.run)?, args.output, overview::full)
}

/// Prints a run as lines of the given kind, or as JSON.
pub(super) fn print(
    folder: &RunFolder,
    format: Format,
    lines: fn(&Seen, &Hints, u64, Paint) -> Vec<String>,
) -> Result<ExitCode, Failure> {
    let (seen, hints) = (Seen::look(folder)?, Hints::of(folder));
    seen.warn();
    match format {
        Format::Json => output::json(&overview::to_json(&seen, &hints)),
        Format::Text => output::line(lines(&seen, &hints, runbook_runtime::now().0, Paint::stdout()).join("\n")),
    }
    Ok(ExitCode::Succeeded)
}
