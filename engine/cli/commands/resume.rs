//! `runbook resume`: goes on with a run whose engine is gone.

use runbook_language::expression::Evaluator;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;
use runbook_runtime::{Engine, EngineError, Options, Outcome};

use crate::context::Context;
use crate::failure::Failure;
use crate::view::{self, Output};

/// Goes on with a run after a crash, a reboot, or `--exit-when-waiting`
///
/// Commands that are still running are found again, those that ended in the meantime count as they ended, and what was
/// never started is started. Of a command that was lost on the way the runbook's `on_interrupt` says what follows; by
/// default a person is asked.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook resume last\n  runbook resume 01KB3 --output json")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// What is shown
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Leave with exit code 6 when only questions remain
    #[arg(long)]
    exit_when_waiting: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let mut engine = open(folder)?;
    if let Some(end) = engine.run().end() {
        let code = ExitCode::of(end.state, &end.cause);
        // Its engine may have died just before.
        let sign = super::seal::key_source(&engine);
        engine.seal(&*sign)?;
        let id = engine.folder().id();
        crate::output::note(format!("run {id} has ended: nothing to resume (`runbook show {id}`)"));
        return Ok(code);
    }
    drive_engine(engine, args.output, args.exit_when_waiting)
}

/// Becomes the engine of a run, until it ends.
pub(crate) fn drive(folder: RunFolder, output: Output) -> Result<ExitCode, Failure> {
    drive_engine(open(folder)?, output, false)
}

pub(super) fn open(folder: RunFolder) -> Result<Engine, Failure> {
    let id = folder.id().clone();
    Engine::open(folder, Box::new(Evaluator::new())).map_err(|error| match error {
        EngineError::InUse => Failure::from(error).hint(format!("`runbook attach {id}` shows it")),
        other => Failure::from(other),
    })
}

/// Hosts a run in this process, and shows it.
pub(crate) fn drive_engine(engine: Engine, output: Output, exit_when_waiting: bool) -> Result<ExitCode, Failure> {
    let folder = engine.folder().clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(ExitCode::Internal, error))?;
    let exe = std::env::current_exe().map_err(|error| Failure::new(ExitCode::Internal, error))?;
    let view = view::start(output, &folder);
    let (roles, sign) = (super::exec::roles_source(&engine), super::seal::key_source(&engine));
    let options = Options { exe, exit_when_waiting, roles, sign, reporters: vec![view.reporter()] };
    let outcome = runtime.block_on(engine.drive(options));
    let status = Status::read(&folder).ok();
    view.finish(status.as_ref());
    match outcome {
        Ok(Outcome::Ended(end)) => Ok(ExitCode::of(end.state, &end.cause)),
        Ok(Outcome::Waiting) => {
            let id = folder.id();
            crate::output::note(format!(
                "run {id} waits for a person (runbook status {id}); then: runbook resume {id}"
            ));
            Ok(ExitCode::Waiting)
        }
        Err(error) => {
            let id = folder.id();
            let next = match &error {
                EngineError::Locked { .. } => format!("when that has ended: runbook resume {id}"),
                EngineError::Precondition(_) => format!("put it right, then: runbook resume {id}"),
                _ => format!("the run is as it was: runbook resume {id}, or runbook show {id}"),
            };
            Err(Failure::from(error).also(next))
        }
    }
}
