//! `runbook approve`, `reject` and `answer`: store an answer in the inbox of a run. The engine decides whether it counts.

use runbook_core::event::QuestionId;
use runbook_core::input::Answer;
use runbook_core::units::Digest;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::inbox::{self, Message};
use runbook_runtime::status::QuestionStatus;

use crate::context::Context;
use crate::failure::Failure;

/// Approves a step that waits for it
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook approve last\n  runbook approve 01KB3 restart --reason 'seen in the graphs'"
)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    about: About,
}

/// Rejects a step that waits for approval
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook reject last --reason 'not during trading hours'")]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    about: About,
}

/// Answers a question about a manual step, or about a command that was interrupted
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook answer last --done\n  runbook answer 01KB3 restart --took-effect")]
pub(crate) struct Args {
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    what: What,
}

#[derive(clap::Args)]
struct About {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step; may be left out when only one question of the kind is open
    step: Option<String>,
    /// Why; kept in the record
    #[arg(long)]
    reason: Option<String>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The interrupted command took effect
    #[arg(long)]
    took_effect: bool,
    /// It did not; it counts as failed
    #[arg(long)]
    did_not: bool,
    /// Run it again
    #[arg(long)]
    run_again: bool,
    /// The manual step is done
    #[arg(long)]
    done: bool,
    /// The manual step cannot be done; it fails
    #[arg(long)]
    not_done: bool,
}

pub(crate) fn approve(args: ApproveArgs, context: &Context) -> Result<ExitCode, Failure> {
    let reason = args.about.reason.clone();
    store(&args.about, "approval", Answer::Approve { reason }, context)
}

pub(crate) fn reject(args: RejectArgs, context: &Context) -> Result<ExitCode, Failure> {
    let reason = args.about.reason.clone();
    store(&args.about, "approval", Answer::Reject { reason }, context)
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let reason = args.about.reason.clone();
    let (kind, answer) = match args.what {
        What { took_effect: true, .. } => ("interrupted", Answer::TookEffect { reason }),
        What { did_not: true, .. } => ("interrupted", Answer::DidNot { reason }),
        What { run_again: true, .. } => ("interrupted", Answer::RunAgain { reason }),
        What { done: true, .. } => ("manual", Answer::Confirm { reason }),
        What { .. } => ("manual", Answer::Reject { reason }),
    };
    store(&args.about, kind, answer, context)
}

fn store(about: &About, kind: &str, answer: Answer, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&about.run)?;
    let status = super::status::read(&folder)?;
    let question = the_question(&status.questions, about, kind)?;
    let message = Message::Answer {
        question: QuestionId(question.id.clone()),
        answer,
        digest: question.digest.clone().map(Digest::new),
    };
    inbox::put(&folder, &message).map_err(|error| Failure::new(ExitCode::Internal, error))?;
    let id = folder.id();
    crate::output::note(format!("answer to `{}` of run {id} stored", question.id));
    if !folder.has_engine() {
        crate::output::note(format!("hint: no engine has this run; it goes on with: runbook resume {id}"));
    }
    Ok(ExitCode::Succeeded)
}

/// The one open question that is meant.
fn the_question<'q>(open: &'q [QuestionStatus], about: &About, kind: &str) -> Result<&'q QuestionStatus, Failure> {
    let fits = |question: &&QuestionStatus| {
        question.kind == kind && about.step.as_ref().is_none_or(|step| *step == question.step)
    };
    let found: Vec<&QuestionStatus> = open.iter().filter(fits).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let others: Vec<String> = open.iter().map(|it| format!("`{}` ({})", it.step, it.kind)).collect();
            let others = if others.is_empty() { "none at all".to_owned() } else { others.join(", ") };
            Err(Failure::new(ExitCode::Precondition, format!("no such question is open; open are: {others}")))
        }
        several => {
            let steps: Vec<&str> = several.iter().map(|question| question.step.as_str()).collect();
            Err(Failure::new(
                ExitCode::Usage,
                format!("several questions are open; name the step: {}", steps.join(", ")),
            ))
        }
    }
}
