//! `runbook sandbox fault`, `mend` and `faults`.

use runbook_runtime::exit_code::ExitCode;
use serde_json::Value;

use super::{Data, Shown, block_on};
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

/// Lists the faults and whether the platform has them
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox faults\n  \
    runbook sandbox faults --data /tmp/platform --output json")]
pub(super) struct ListArgs {
    /// The data folder of the platform; without one only the names are listed
    #[arg(long, value_name = "DIR")]
    data: Option<std::path::PathBuf>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Shown,
}

pub(super) fn inject(args: &NamedArgs) -> Result<ExitCode, Failure> {
    show(&block_on(runbook_sandbox::fault(&args.platform.data, &args.name))?);
    Ok(ExitCode::Succeeded)
}

pub(super) fn mend(args: &NamedArgs) -> Result<ExitCode, Failure> {
    show(&block_on(runbook_sandbox::mend(&args.platform.data, &args.name))?);
    Ok(ExitCode::Succeeded)
}

pub(super) fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let faults = match &args.data {
        Some(data) => block_on(runbook_sandbox::faults(data))?,
        None => {
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
