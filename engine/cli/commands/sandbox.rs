//! `runbook sandbox`: the platform to rehearse on, and what an operator does to it and to its database.

mod database;
mod faults;
mod measure;
mod serve;
mod show;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use runbook_runtime::exit_code::ExitCode;
use runbook_sandbox::Error;

use crate::context::Context;
use crate::failure::Failure;

/// A small trading platform to rehearse on, with faults that really break it
///
/// The environment `sandbox` starts one for each run. By hand: `serve` in one terminal, the other commands in another.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox serve --data /tmp/platform --port 8000\n  \
    runbook sandbox fault system_down --data /tmp/platform\n  \
    runbook sandbox show --run last")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Args),
    Show(show::Args),
    Measure(measure::Args),
    Fault(faults::NamedArgs),
    Mend(faults::NamedArgs),
    Faults(faults::ListArgs),
    Routes(serve::RoutesArgs),
    Db(database::Args),
}

/// Which platform.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Data {
    /// The data folder of the platform
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The run that started the platform: its id, the beginning of it, or `last`
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

impl Data {
    /// The data folder, which a run keeps among those of its services.
    fn folder(&self, context: &Context) -> Result<PathBuf, Failure> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        let run = context.find_run(self.run.as_deref().unwrap_or("last"))?;
        let services = std::fs::read_dir(run.services()).into_iter().flatten().flatten();
        let found = services.map(|entry| entry.path()).find(|path| runbook_sandbox::is_platform(path));
        found.ok_or_else(|| {
            Failure::new(ExitCode::Precondition, format!("run {} started no platform to rehearse on", run.id()))
        })
    }
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shown {
    /// For people
    Text,
    /// For programs
    Json,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Serve(args) => serve::run(args),
        Command::Show(args) => show::run(&args, context),
        Command::Measure(args) => measure::run(&args, context),
        Command::Fault(args) => faults::inject(&args, context),
        Command::Mend(args) => faults::mend(&args, context),
        Command::Faults(args) => faults::list(&args, context),
        Command::Routes(args) => serve::routes(&args),
        Command::Db(args) => database::run(args, context),
    }
}

/// Waits for something that the platform does.
fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(ExitCode::Internal, error))?;
    Ok(runtime.block_on(work)?)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::UnknownFault { .. } | Error::UnknownRehearsal { .. } | Error::NotLoopback(_) => ExitCode::Usage,
            Error::NotServed(_) | Error::NotAPlatform(_) => ExitCode::Precondition,
            Error::InUse(_) => ExitCode::InUse,
            Error::Task(_) | Error::Random(_) => ExitCode::Internal,
            Error::Unreachable { .. }
            | Error::Refused { .. }
            | Error::BadBackup { .. }
            | Error::NoBackup(_)
            | Error::ServicesRunning(_)
            | Error::Damaged(_)
            | Error::Io { .. }
            | Error::Database(_)
            | Error::Rejected(_) => ExitCode::Failed,
        };
        let hint = match &error {
            Error::NotLoopback(_) => Some("it is made to be broken: keep it off networks, or say `--allow-remote`"),
            Error::NotServed(_) => Some("start it: runbook sandbox serve --data DIR"),
            Error::ServicesRunning(_) => Some("stop the services first: POST /api/services/all/stop"),
            _ => None,
        };
        let failure = Self::new(code, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
