//! `runbook attach`: watches a run that another process hosts, and answers what it asks.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::note;
use crate::view::hint::Hints;
use crate::view::seen::Seen;
use crate::view::{self, Output, View};

/// How often the snapshot is read: the engine publishes ten a second at the most.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Shows a run that goes on elsewhere, until it ends, and asks what it asks
///
/// Ends with the exit code of the run. Ctrl-C leaves only this view and the run goes on; then, and when no engine has the
/// run, the exit code is 6: it has not ended.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook attach last\n  runbook attach 01KB3 --output plain")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// How the run is shown
    #[arg(long, value_enum, default_value = "human")]
    output: Shown,
}

/// How a run is shown that goes on elsewhere. Its journal is the engine's alone, so there is no event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Shown {
    /// A live view on a terminal, plain lines elsewhere; on standard error
    Human,
    /// One line for each thing that matters, with its time; on standard error
    Plain,
}

/// Why watching ended.
enum Left {
    Ended(u8),
    Interrupted,
    NoEngine,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_any_run(&args.run)?;
    let hints = Hints::of(&folder);
    let interrupted = interrupts()?;
    let output = if args.output == Shown::Human { Output::Human } else { Output::Plain };
    let seen = Seen::look(&folder)?;
    seen.warn();
    let view = view::attach(output, &folder);
    view.snapshot(seen.status.clone());
    let left = watch(&folder, &view, &interrupted);
    // Without an engine the journal says more than the last snapshot that was published.
    let last = match left {
        Left::Interrupted => None,
        Left::Ended(_) | Left::NoEngine => Some(Seen::look(&folder)?.status),
    };
    view.finish(last.as_ref());
    match (left, last.and_then(|status| status.exit_code)) {
        (Left::Ended(code), _) | (_, Some(code)) => Ok(code_of(code)),
        (Left::Interrupted, None) => {
            note(format!("left run {}, which goes on", hints.run()));
            note(format!("hint: {}, or {}", hints.command("attach", ""), hints.command("cancel", "")));
            Ok(ExitCode::Waiting)
        }
        (Left::NoEngine, None) => {
            let text = format!("no engine: {} or {}", hints.command("resume", ""), hints.command("cancel", ""));
            note(text);
            Ok(ExitCode::Waiting)
        }
    }
}

/// Shows each new snapshot until there is a reason to stop.
fn watch(folder: &RunFolder, view: &View, interrupted: &Receiver<()>) -> Left {
    let mut shown = 0;
    let had_terminal = has_terminal();
    loop {
        // Asked before the snapshot is read: an engine that leaves publishes first.
        let has_engine = folder.has_engine();
        if let Ok(status) = Status::read(folder) {
            if let Some(code) = status.exit_code {
                return Left::Ended(code);
            }
            if status.updated_at != shown {
                shown = status.updated_at;
                view.snapshot(status);
            }
        }
        if !has_engine {
            return Left::NoEngine;
        }
        // Where hang-ups are ignored, as under `nohup`, nothing else says that nobody sees this any more.
        if had_terminal && !has_terminal() {
            return Left::Interrupted;
        }
        match interrupted.recv_timeout(LOOK_AGAIN) {
            Ok(()) => return Left::Interrupted,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

/// Whether a person could see this: a terminal that was closed is none any more.
fn has_terminal() -> bool {
    rustix::termios::isatty(std::io::stderr())
}

/// Says when Ctrl-C is pressed, which would end this process otherwise.
fn interrupts() -> Result<Receiver<()>, Failure> {
    let internal = |error: std::io::Error| Failure::new(ExitCode::Internal, error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(internal)?;
    let (tell, told) = mpsc::channel();
    let signal = {
        let _inside = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
    };
    let mut signal = signal.map_err(internal)?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            while signal.recv().await.is_some() {
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
    });
    Ok(told)
}

pub(super) fn code_of(code: u8) -> ExitCode {
    let known = ExitCode::ALL.iter().find(|(known, _)| *known as u8 == code);
    known.map_or(ExitCode::Internal, |(known, _)| *known)
}
