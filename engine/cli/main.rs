//! `runbook`: operations procedures as code, run by a durable engine.
//!
//! One file for each command, under `commands/`. What a command decides about runs is decided in `engine/runtime`.

mod commands;
mod context;
mod failure;
mod library;
mod many;
mod menu;
mod output;
mod params;
mod plugins;
mod telling;
mod view;

use clap::{Parser, Subcommand};
use runbook_runtime::exit_code::ExitCode;

use context::Context;
use failure::Failure;

/// Runs operations procedures, and remembers every decision.
#[derive(Parser)]
#[command(name = "runbook", version, about, max_term_width = 110, disable_help_subcommand = true)]
#[command(after_help = after_help())]
struct Cli {
    #[command(flatten)]
    global: context::Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(visible_alias = "run")]
    Exec(Box<commands::exec::Args>),
    Plan(commands::plan::Args),
    Validate(commands::validate::Args),
    List(commands::list::Args),
    Plugins(commands::plugins::Args),
    Plugin(commands::plugin::Args),
    Runs(commands::runs::Args),
    Show(commands::show::Args),
    Status(commands::status::Args),
    Logs(commands::logs::Args),
    Attach(commands::attach::Args),
    Approve(commands::approve::Args),
    Reject(commands::reject::Args),
    Answer(commands::answer::Args),
    Cancel(commands::cancel::Args),
    Locks(commands::locks::Args),
    Resume(commands::resume::Args),
    Report(commands::report::Args),
    Verify(commands::verify::Args),
    Seal(commands::seal::Args),
    Bundle(commands::bundle::Args),
    Stats(commands::stats::Args),
    Audit(commands::audit::Args),
    Prune(commands::prune::Args),
    State(commands::state::Args),
    Pause(commands::pause::Args),
    Continue(commands::continue_::Args),
    Retry(commands::retry::Args),
    Skip(commands::skip::Args),
    MarkDone(commands::mark_done::Args),
    Rollback(commands::rollback::Args),
    Take(commands::take::Args),
    Schema(commands::schema::Args),
    Explain(commands::explain::Args),
    Sandbox(commands::sandbox::Args),
    #[command(name = runbook_runtime::supervisor::SUBCOMMAND, hide = true)]
    Supervise(commands::internal::SuperviseArgs),
    #[command(name = commands::internal::ENGINE, hide = true)]
    Engine(commands::internal::EngineArgs),
    #[command(name = runbook_runtime::plugin::PLUGIN_SUBCOMMAND, hide = true)]
    Host(commands::internal::HostArgs),
    #[command(name = runbook_runtime::CHILD_SUBCOMMAND, hide = true)]
    Child(commands::internal::ChildArgs),
}

fn after_help() -> String {
    let mut text = String::from(
        "Examples:\n  runbook exec deploy.yaml -p version=1.4  run a runbook\n  \
         runbook validate runbooks/               check every runbook of a folder\n  \
         runbook list                             the runbooks there are\n  \
         runbook plan deploy -p version=1.4       what a run would do\n  \
         runbook approve last                     answer from another terminal\n  \
         runbook resume last                      go on after a crash\n  \
         runbook retry last --reason 'fixed'      start over what failed\n\nExit codes:\n",
    );
    for (code, meaning) in ExitCode::ALL {
        text.push_str(&format!("  {:>3}  {meaning}\n", code as u8));
    }
    text
}

fn main() -> std::process::ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are what was asked for; anything else makes no sense.
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Succeeded };
            let _ = error.print();
            return std::process::ExitCode::from(code as u8);
        }
    };
    start_log();
    let context = Context::new(cli.global);
    let code = match dispatch(cli.command, &context) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    };
    std::process::ExitCode::from(code as u8)
}

fn dispatch(command: Command, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Command::Exec(args) => commands::exec::run(*args, context),
        Command::Plan(args) => commands::plan::run(args, context),
        Command::Validate(args) => commands::validate::run(args, context),
        Command::List(args) => commands::list::run(args, context),
        Command::Plugins(args) => commands::plugins::run(args, context),
        Command::Plugin(args) => commands::plugin::run(args, context),
        Command::Host(args) => commands::internal::host(&args),
        Command::Runs(args) => commands::runs::run(args, context),
        Command::Show(args) => commands::show::run(args, context),
        Command::Status(args) => commands::status::run(args, context),
        Command::Logs(args) => commands::logs::run(args, context),
        Command::Attach(args) => commands::attach::run(args, context),
        Command::Approve(args) => commands::approve::run(args, context),
        Command::Reject(args) => commands::reject::run(args, context),
        Command::Answer(args) => commands::answer::run(args, context),
        Command::Cancel(args) => commands::cancel::run(args, context),
        Command::Locks(args) => commands::locks::run(&args, context),
        Command::Resume(args) => commands::resume::run(args, context),
        Command::Report(args) => commands::report::run(args, context),
        Command::Verify(args) => commands::verify::run(args, context),
        Command::Bundle(args) => commands::bundle::run(args, context),
        Command::Seal(args) => commands::seal::run(args, context),
        Command::Stats(args) => commands::stats::run(args, context),
        Command::Audit(args) => commands::audit::run(args, context),
        Command::Prune(args) => commands::prune::run(args, context),
        Command::State(args) => commands::state::run(args, context),
        Command::Pause(args) => commands::pause::run(args, context),
        Command::Continue(args) => commands::continue_::run(args, context),
        Command::Retry(args) => commands::retry::run(args, context),
        Command::Skip(args) => commands::skip::run(args, context),
        Command::MarkDone(args) => commands::mark_done::run(args, context),
        Command::Rollback(args) => commands::rollback::run(args, context),
        Command::Take(args) => commands::take::run(args, context),
        Command::Schema(args) => commands::schema::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Sandbox(args) => commands::sandbox::run(args, context),
        Command::Supervise(args) => commands::internal::supervise(&args),
        Command::Engine(args) => commands::internal::engine(args, context),
        Command::Child(args) => commands::internal::child(&args, context),
    }
}

/// What the program says about itself goes to standard error: warnings, or what `RUNBOOK_LOG` asks for.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("RUNBOOK_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // That it could not be said would be said to the same standard error, and panic: a closed terminal would end the run.
    let log = tracing_subscriber::fmt().with_env_filter(filter).without_time().log_internal_errors(false);
    log.with_writer(std::io::stderr).init();
}
