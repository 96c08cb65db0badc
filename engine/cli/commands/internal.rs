//! Commands that the program starts itself: the supervisor of a run, and the engine of a detached one.

use std::path::PathBuf;

use runbook_runtime::exit_code::ExitCode;

use crate::context::Context;
use crate::failure::Failure;
use crate::view::Output;

/// The name of the hidden command that is the engine of a detached run.
pub(crate) const ENGINE: &str = "__engine";

/// Starts and watches the commands of one run
#[derive(clap::Args)]
pub(crate) struct SuperviseArgs {
    /// The folder of the run
    folder: PathBuf,
}

/// Goes on with one run, without a terminal
#[derive(clap::Args)]
pub(crate) struct EngineArgs {
    /// The run
    run: String,
}

pub(crate) fn supervise(args: &SuperviseArgs) -> Result<ExitCode, Failure> {
    match runbook_runtime::supervisor::serve(&args.folder) {
        Ok(()) => Ok(ExitCode::Succeeded),
        Err(error) => Err(Failure::new(ExitCode::Internal, error)),
    }
}

pub(crate) fn engine(args: EngineArgs, context: &Context) -> Result<ExitCode, Failure> {
    // Not of the terminal that it was started from: a session of its own hears no hang-up and no Ctrl-C.
    if let Err(error) = rustix::process::setsid() {
        return Err(Failure::new(ExitCode::Internal, format!("cannot leave the terminal: {error}")));
    }
    super::resume::drive(context.find_run(&args.run)?, Output::Plain)
}
