//! `runbook plugin check`: whether a folder is a plugin that can be used.

use std::path::PathBuf;

use runbook_language::{Diagnostics, Look, load_plugin};
use runbook_runtime::exit_code::ExitCode;

use super::validate::Format;
use crate::context::{Context, invalid, shown};
use crate::failure::Failure;
use crate::library::Shelves;
use crate::output;
use crate::plugins::read_plugin;

/// Works on plugins
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Check(CheckArgs),
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
    let Command::Check(args) = args.command;
    if !args.folder.is_dir() {
        return Err(Failure::new(ExitCode::Usage, format!("there is no folder {}", args.folder.display())));
    }
    let plugin = read_plugin(&args.folder).map_err(|error| {
        Failure::new(ExitCode::Invalid, format!("{} is no plugin: {error}", shown(&args.folder)))
            .hint("a plugin is a folder with a `plugin.yaml`; `runbook schema plugin --format md` shows its keys")
    })?;
    match (load_plugin(&plugin.found, &Shelves(context)), args.output) {
        (Ok((_, warnings)), Format::Json) => output::json(&warnings.to_json()),
        (Ok((about, warnings)), Format::Text) => {
            say(&warnings);
            output::line(format!("{}: the plugin `{}` can be used", shown(&plugin.folder), about.id));
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
