//! Commands that the program starts itself: the supervisor of a run, the engine of a detached one, and that of a child run.

use std::path::PathBuf;
use std::time::Duration;

use runbook_core::event::Created;
use runbook_core::run::Run;
use runbook_language::expression::Evaluator;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::{Asked, Engine, EngineError, leave_end, load};

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

/// Is the engine of one child run, as a command of the step that started it
#[derive(clap::Args)]
pub(crate) struct ChildArgs {
    /// The run
    run: String,
}

/// Makes one call of a plugin, as a command of the step that uses it
#[derive(clap::Args)]
pub(crate) struct HostArgs {
    /// What to call
    call: PathBuf,
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

/// Its exit code is that of the step, and none of this program's own.
pub(crate) fn host(args: &HostArgs) -> Result<ExitCode, Failure> {
    match runbook_runtime::plugin::host(&args.call) {
        Ok(code) => {
            use std::io::Write as _;
            let _ = std::io::stdout().flush();
            #[expect(clippy::exit, reason = "the code is the plugin's word, not one of the documented ones")]
            std::process::exit(i32::from(code))
        }
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

/// How often the engine of a child run looks whether another one has ended it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A child run is launched once, whoever of its engines comes first, and gone on with until it has ended.
pub(crate) fn child(args: &ChildArgs, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let damaged =
        |error: String| Failure::new(ExitCode::Internal, format!("the child run cannot be launched: {error}"));
    let launch = std::fs::read(folder.launch()).map_err(|error| damaged(error.to_string()))?;
    let created: Created = serde_json::from_slice(&launch).map_err(|error| damaged(error.to_string()))?;
    let asked = Asked::of(&folder).map_err(|error| damaged(error.to_string()))?;
    loop {
        let mut engine = match Engine::open_child(folder.clone(), created.clone(), Box::new(Evaluator::new())) {
            // An engine of it lives on, or a person has resumed it: it ends there.
            Err(EngineError::InUse) => {
                std::thread::sleep(LOOK_AGAIN);
                continue;
            }
            engine => engine?,
        };
        let said = asked.as_ref().map_or(Ok(false), |asked| engine.hear_parent(asked))?;
        let leave = |run: &Run| {
            leave_end(&folder, run, asked.as_ref()).map_err(|error| Failure::new(ExitCode::Internal, error))
        };
        if let Some(end) = engine.run().end().filter(|_| !said) {
            leave(engine.run())?;
            return Ok(ExitCode::of(end.state, &end.cause));
        }
        let code = super::resume::drive_engine(engine, Output::Plain, false)?;
        if asked.is_some() {
            // What was wanted of it may make sense only now.
            continue;
        }
        let (run, _) = match load(&folder) {
            // Somebody looks at it just now.
            Err(EngineError::InUse) => continue,
            loaded => loaded?,
        };
        leave(&run)?;
        return Ok(code);
    }
}
