//! `runbook status` and what other commands need of it: the state of one run as it is now.

use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;
use runbook_runtime::{EngineError, load, now};

use super::validate::Format;
use crate::context::Context;
use crate::failure::Failure;

/// Says how a run stands: its state, what runs, what it waits for
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook status last\n  runbook status 01KB3 --output json")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let status = read(&folder)?;
    match args.output {
        Format::Json => crate::output::json(&status),
        Format::Text => text(&status, &folder).iter().for_each(crate::output::line),
    }
    Ok(ExitCode::Succeeded)
}

/// The state as the journal has it, or as the engine last published it where one has the run.
pub(crate) fn read(folder: &RunFolder) -> Result<Status, Failure> {
    match load(folder) {
        Ok((run, _)) => Status::of(&run, now(), None)
            .ok_or_else(|| Failure::new(ExitCode::Internal, "the journal of this run is empty")),
        Err(EngineError::InUse) => Status::read(folder).map_err(|error| {
            Failure::new(ExitCode::Internal, format!("the engine has not published a status yet: {error}"))
        }),
        Err(error) => Err(error.into()),
    }
}

fn text(status: &Status, folder: &RunFolder) -> Vec<String> {
    let id = &status.run;
    let is_over = status.ended_at.is_some();
    let state = if is_over || folder.has_engine() {
        status.state.replace('_', " ")
    } else {
        format!("no engine: runbook resume {id}, or runbook cancel {id}")
    };
    let mut lines = vec![format!("run {id} of `{}`: {state}", status.runbook)];
    lines.extend(status.cause.clone());
    for question in &status.questions {
        let (step, kind) = (&question.step, &question.kind);
        let answer = match kind.as_str() {
            "approval" => format!("runbook approve {id} {step}, or runbook reject {id} {step}"),
            "manual" => format!("runbook answer {id} {step} --done, or --not-done"),
            _ => format!("runbook answer {id} {step} --took-effect, --did-not or --run-again"),
        };
        lines.push(format!("question about `{step}` ({kind}): {answer}"));
        lines.extend(question.message.iter().flat_map(|text| text.trim_end().lines()).map(|line| format!("  {line}")));
    }
    for step in &status.steps {
        let detail = step.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        let undo = step.undo.as_ref().map(|undo| format!(" [undo {undo}]")).unwrap_or_default();
        lines.push(format!("  {:<10} {}{detail}{undo}", step.state, step.id));
    }
    lines
}
