//! `runbook mark-done`: a person did what a step should do.

use std::collections::BTreeMap;

use runbook_core::event::Verb;
use runbook_core::units::StepId;
use runbook_runtime::exit_code::ExitCode;
use serde_json::Value;

use crate::context::Context;
use crate::failure::Failure;
use crate::telling::{self, GoesOn, Why};

/// Says that a person did what a step should do: it counts as succeeded
///
/// Every output that the step declares must be given. A rollback undoes the step like any that succeeded. Of a run that is
/// stuck it says that the undo was done by hand. A step that runs cannot be marked: wait for it, or cancel the run.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook mark-done last restart --reason 'restarted on the console'\n  runbook mark-done 01KB3 create --output id=vm-17 --reason 'made in the web interface'"
)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step
    step: String,
    /// What the step hands on; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    output: Vec<String>,
    #[command(flatten)]
    why: Why,
    /// Leave a run that goes on after its end to an engine in the background
    #[arg(long)]
    detach: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let outputs = args.output.iter().map(|text| pair(text)).collect::<Result<BTreeMap<_, _>, _>>()?;
    if outputs.len() < args.output.len() {
        return Err(Failure::new(ExitCode::Usage, "an output is given twice"));
    }
    let verb = Verb::MarkDone { step: StepId::new(args.step), outputs };
    telling::tell(&args.run, verb, args.why, Some(GoesOn::new(args.detach)), context)
}

/// Text, as a script hands it back.
fn pair(text: &str) -> Result<(String, Value), Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), Value::String(value.to_owned()))),
        _ => Err(Failure::new(ExitCode::Usage, format!("`{text}` is not NAME=VALUE"))),
    }
}
