//! `runbook cancel`: ends a run, also one that no engine has.

use std::time::{Duration, Instant};

use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::inbox::{self, Message};
use runbook_runtime::status::Status;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::note;
use crate::view::Output;
use crate::view::hint::Hints;
use crate::view::seen::Seen;

/// How long a living engine may take before this command stops watching.
const WATCH: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Ends a run: nothing more starts, and what runs is ended after a grace
///
/// Then the runbook's `on_failure` says what follows: stop, or roll back. When no engine has the run, this command
/// becomes its engine until the run has ended, and leaves with the run's exit code.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook cancel last --reason 'wrong platform'\n  runbook cancel 01KB3 --now")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Tell what runs to end at once, also an undo, which leaves the run stuck
    #[arg(long, conflicts_with = "kill")]
    now: bool,
    /// Kill what runs
    #[arg(long)]
    kill: bool,
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How the run is shown when this command becomes its engine
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let seen = Seen::look(&folder)?;
    let hints = Hints::of(&folder);
    if seen.has_ended() {
        let text = format!("run {} has ended: {}", hints.run(), seen.status.state.replace('_', " "));
        return Err(Failure::new(ExitCode::Precondition, text).hint(hints.command("show", "")));
    }
    let level = match (args.kill, args.now) {
        (true, _) => 3,
        (_, true) => 2,
        _ => 1,
    };
    inbox::put(&folder, &Message::Cancel { level, reason: args.reason })
        .map_err(|error| Failure::new(ExitCode::Internal, format!("cannot store the request: {error}")))?;
    if !folder.has_engine() {
        note(format!("no engine has run {}: this command goes on with it until it has ended", hints.run()));
        return super::resume::drive(folder, args.output, context);
    }
    watch(&folder, level, &hints);
    Ok(ExitCode::Succeeded)
}

/// Waits for a moment until the engine has taken the request, and says what follows.
fn watch(folder: &RunFolder, level: u8, hints: &Hints) {
    let until = Instant::now() + WATCH;
    while Instant::now() < until {
        std::thread::sleep(LOOK_AGAIN);
        let Ok(status) = Status::read(folder) else { continue };
        if status.ended_at.is_some() {
            return note(format!("run {} has ended: {}", hints.run(), status.state.replace('_', " ")));
        }
        if status.cancel.is_some_and(|cancel| cancel.level >= level) {
            let what = match level {
                1 => "nothing more starts; what runs may end by itself for a while, and is then told to",
                2 => "what runs is told to end",
                _ => "what runs is killed",
            };
            note(format!("run {} is being cancelled: {what}", hints.run()));
            return note(format!("hint: {}", hints.command("attach", "")));
        }
    }
    note(format!("stored; the engine has not taken it yet: {}", hints.command("status", "")));
}
