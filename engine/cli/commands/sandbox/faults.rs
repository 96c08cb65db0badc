//! `runbook sandbox fault`, `mend` and `faults`.

use runbook_runtime::exit_code::ExitCode;
use serde_json::Value;

use super::{Data, Shown, block_on};
use crate::context::Context;
use crate::failure::Failure;

/// Breaks the platform, or takes a fault away again, by its name
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox fault system_down --data /tmp/platform\n  \
    runbook sandbox mend system_down --data /tmp/platform\n  runbook sandbox faults --data /tmp/platform")]
pub(super) struct NamedArgs {
    /// The fault; `runbook sandbox faults` lists them
    name: String,
    #[command(flatten)]
    platform: Data,
}

/// Lists the faults and whether a platform has them; without a platform only the names
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox faults\n  \
    runbook sandbox faults --run last --output json")]
pub(super) struct ListArgs {
    /// The data folder of the platform
    #[arg(long, value_name = "DIR")]
    data: Option<std::path::PathBuf>,
    /// The run that started the platform: its id, the beginning of it, or `last`
    #[arg(long, value_name = "RUN", conflicts_with = "data")]
    run: Option<String>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Shown,
}

pub(super) fn inject(args: &NamedArgs, context: &Context) -> Result<ExitCode, Failure> {
    show(&block_on(runbook_sandbox::fault(&args.platform.folder(context)?, &args.name))?);
    Ok(ExitCode::Succeeded)
}

pub(super) fn mend(args: &NamedArgs, context: &Context) -> Result<ExitCode, Failure> {
    show(&block_on(runbook_sandbox::mend(&args.platform.folder(context)?, &args.name))?);
    Ok(ExitCode::Succeeded)
}

pub(super) fn list(args: &ListArgs, context: &Context) -> Result<ExitCode, Failure> {
    let faults = match (&args.data, &args.run) {
        (Some(_), _) | (_, Some(_)) => {
            let platform = Data { data: args.data.clone(), run: args.run.clone() };
            block_on(runbook_sandbox::faults(&platform.folder(context)?))?
        }
        (None, None) => {
            let one = |fault: &runbook_sandbox::Fault| serde_json::json!({"name": fault.name, "what": fault.what});
            runbook_sandbox::FAULTS.iter().map(one).collect()
        }
    };
    match args.output {
        Shown::Json => crate::output::json(&faults),
        Shown::Text => show(&faults),
    }
    Ok(ExitCode::Succeeded)
}

fn show(faults: &Value) {
    for fault in faults.as_array().into_iter().flatten() {
        let text = |name: &str| fault[name].as_str().unwrap_or_default();
        let present = match fault["present"].as_bool() {
            Some(true) => "PRESENT ",
            Some(false) => "-       ",
            None => "",
        };
        crate::output::line(format!("{present}{:18} {}", text("name"), text("what")));
    }
}
