//! `runbook locks`: who holds which lock of this machine.

use comfy_table::{ContentArrangement, Table, presets};
use runbook_core::event::LockHolder;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::locks;
use serde::Serialize;

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::view::text::{moment, rfc3339, visible_line};

/// Lists the locks that runs hold on this machine, and who holds them
///
/// Runs of all users are listed. A lock is free as soon as its run has ended, in whatever way, `kill -9` and a reboot
/// included; nothing has to be cleaned up.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook locks\n  runbook locks --output json")]
pub(crate) struct Args {
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

/// One lock in the list.
#[derive(Serialize)]
struct Row {
    lock: String,
    run: String,
    runbook: String,
    user: String,
    since: String,
    state: String,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.locks()?;
    let all = locks::all(&folder).map_err(|error| {
        Failure::new(ExitCode::Precondition, format!("cannot read the locks in {}: {error}", folder.display()))
    })?;
    let held: Vec<(String, LockHolder)> = all.into_iter().filter_map(|it| Some((it.name, it.holder?))).collect();
    match args.output {
        Format::Json => {
            let row = |(lock, holder): (String, LockHolder)| {
                let LockHolder { run, runbook, user, since, state } = holder;
                Row { lock, run, runbook, user, since: rfc3339(since.0), state }
            };
            output::json(&held.into_iter().map(row).collect::<Vec<_>>());
        }
        Format::Text if held.is_empty() => output::note(format!("no run holds a lock in {}", folder.display())),
        Format::Text => {
            let mut table = Table::new();
            table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
            table.set_header(["lock", "run", "runbook", "user", "since"]);
            for (lock, holder) in held {
                let since = moment(holder.since.0);
                let texts = [lock, holder.run, holder.runbook, holder.user, since];
                table.add_row(texts.iter().map(|text| visible_line(text)));
            }
            output::line(table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(ExitCode::Succeeded)
}
