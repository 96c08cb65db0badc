//! `runbook plugin check`: whether a folder is a plugin that can be used.

use std::path::PathBuf;

use runbook_language::{Diagnostics, Look, load_plugin};
use runbook_runtime::exit_code::ExitCode;

use super::validate::Format;
use crate::context::{Context, invalid, shown};
use crate::failure::Failure;
use crate::library::Shelves;
use crate::output;
use crate::plugins::{Place, read_plugin};

/// Works on plugins
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook plugin check plugins/slack\n\n`runbook plugins` lists those there are.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Check(CheckArgs),
    #[command(hide = true)]
    Serve(ServeArgs),
}

/// Answers one call of a shipped plugin on standard input and output, as the protocol of plugins says
#[derive(clap::Args)]
struct ServeArgs {
    /// The plugin
    id: String,
}

/// Checks that a folder is a plugin that runbooks can use: its plugin.yaml, its schemas, its program or steps
///
/// Nothing of it is run. The exit code is 3 when something is wrong.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook plugin check plugins/slack\n  \
    runbook plugin check plugins/slack --output json | jq '.[].message'")]
struct CheckArgs {
    /// The folder
    folder: PathBuf,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Check(args) => check(args, context),
        Command::Serve(args) => serve(&args),
    }
}

fn serve(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let run = runbook_plugins::find(&args.id).and_then(|shipped| shipped.run).ok_or_else(|| {
        Failure::new(ExitCode::Usage, format!("the program `{}` is not shipped", args.id))
            .hint("`runbook plugins` shows the plugins")
    })?;
    runbook_plugins::serve(run, &mut std::io::stdin().lock(), &mut std::io::stdout())
        .map_err(|error| Failure::new(ExitCode::Internal, format!("cannot speak with the engine: {error}")))?;
    Ok(ExitCode::Succeeded)
}

fn check(args: CheckArgs, context: &Context) -> Result<ExitCode, Failure> {
    if !args.folder.is_dir() {
        return Err(Failure::new(ExitCode::Usage, format!("there is no folder {}", args.folder.display())));
    }
    let plugin = read_plugin(&Place::Folder(args.folder.clone())).map_err(|error| {
        Failure::new(ExitCode::Invalid, format!("{} is no plugin: {error}", shown(&args.folder)))
            .hint("a plugin is a folder with a `plugin.yaml`; `runbook schema plugin --format md` shows its keys")
    })?;
    match (load_plugin(&plugin.found, &Shelves(context)), args.output) {
        (Ok((_, warnings)), Format::Json) => output::json(&warnings.to_json()),
        (Ok((about, warnings)), Format::Text) => {
            say(&warnings);
            output::line(format!("{}: the plugin `{}` can be used", shown(&args.folder), about.id));
        }
        (Err(found), Format::Json) => {
            output::json(&found.to_json());
            return Ok(ExitCode::Invalid);
        }
        (Err(found), Format::Text) => return Err(invalid(&found)),
    }
    Ok(ExitCode::Succeeded)
}

fn say(warnings: &Diagnostics) {
    if !warnings.is_empty() {
        let look = Look { colour: console::colors_enabled_stderr(), ..Look::default() };
        output::note(warnings.to_text(look).trim_end());
    }
}
