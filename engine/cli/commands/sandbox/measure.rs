//! `runbook sandbox measure`.

use runbook_runtime::exit_code::ExitCode;

use super::{Data, Shown, block_on};
use crate::context::Context;
use crate::failure::Failure;

/// Sends requests through the gateway of a platform that is served, and says how long they took
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox measure --run last\n  \
    runbook sandbox measure --data /tmp/platform --requests 50 --output json")]
pub(super) struct Args {
    #[command(flatten)]
    platform: Data,
    /// How many, one after the other
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    requests: u16,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Shown,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let found = block_on(runbook_sandbox::measure(&args.platform.folder(context)?, args.requests))?;
    match args.output {
        Shown::Json => crate::output::json(&found),
        Shown::Text => crate::output::line(format!(
            "{} requests, {} lost, half within {} ms, 95 % within {} ms",
            found["requests"], found["lost"], found["p50_ms"], found["p95_ms"]
        )),
    }
    Ok(ExitCode::Succeeded)
}
