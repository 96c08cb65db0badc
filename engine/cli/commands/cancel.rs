//! `runbook cancel`: ends a run, also one that no engine has.

use std::time::{Duration, Instant};

use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::inbox::{self, Message};
use runbook_runtime::status::Status;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::note;
use crate::view::Output;
use crate::view::answering::unstored;
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
    let folder = context.find_any_run(&args.run)?;
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
    let was_undoing = seen.status.cancel.is_some() && seen.status.stage == "rollback";
    let request = inbox::put(&folder, &Message::Cancel { level, reason: args.reason })
        .map_err(|error| unstored("request", &error))?;
    let until = Instant::now() + WATCH;
    loop {
        // The file goes after the snapshot that knows of it is there.
        let is_taken = !request.exists();
        let status = Status::read(&folder).ok();
        if let Some(status) = status.filter(|status| is_taken || status.ended_at.is_some()) {
            say_taken(&status, level, was_undoing, &hints);
            return Ok(ExitCode::Succeeded);
        }
        // Also when an engine died a moment ago: its lock is not free at once.
        if let Some(owner) = folder.other_owner().filter(|_| !folder.has_engine() && request.exists()) {
            note(format!("stored; no engine has this run, and only `{owner}` can go on with it"));
            note(format!("hint: {}", hints.command("resume", "")));
            return Ok(ExitCode::Succeeded);
        }
        if !folder.has_engine() && request.exists() {
            note(format!("no engine has run {}: this command goes on with it until it has ended", hints.run()));
            return super::resume::drive(folder, args.output);
        }
        if Instant::now() > until {
            note(format!("stored; the engine has not taken it yet: {}", hints.command("status", "")));
            return Ok(ExitCode::Succeeded);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Says what follows from a request that the engine has taken.
fn say_taken(status: &Status, level: u8, was_undoing: bool, hints: &Hints) {
    if status.ended_at.is_some() {
        return note(format!("run {} has ended: {}", hints.run(), status.state.replace('_', " ")));
    }
    let what = match (level, status.stage.as_str()) {
        (1, "rollback") => "what was done is being undone",
        (1, "always") => "the last steps run",
        (1, _) => "nothing more starts; what runs may end by itself for a while, and is then told to",
        (2, "rollback") if !was_undoing => "what ran was told to end, and what was done is being undone",
        (2, _) => "what runs is told to end",
        _ => "what runs is killed",
    };
    note(format!("run {} is being cancelled: {what}", hints.run()));
    if level >= 2 && status.stage == "rollback" {
        note("hint: asked once more, it would cut the rollback short and leave the run stuck");
    }
    note(format!("hint: {}", hints.command("attach", "")));
}
