//! Verbs given by a command: the reason, whether the verb makes sense, where it goes, and what became of it.

use std::path::Path;
use std::time::{Duration, Instant};

use runbook_core::event::Verb;
use runbook_core::plan::{Param, ParamKind};
use runbook_language::expression::Evaluator;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::inbox::{self, Message};
use runbook_runtime::status::Status;
use runbook_runtime::{Engine, EngineError, load};

use crate::commands::{exec, resume};
use crate::context::Context;
use crate::failure::Failure;
use crate::menu::Menu;
use crate::output::note;
use crate::view::Output;
use crate::view::answering::unstored;
use crate::view::hint::Hints;

/// How long a living engine may take before the command stops watching.
const WATCH: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The reason, which every verb needs.
#[derive(clap::Args)]
pub(crate) struct Why {
    /// Why; kept in the record, and asked for in a terminal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// What happens when the run goes on because of the verb and no engine has it.
#[derive(clap::Args)]
pub(crate) struct GoesOn {
    /// Leave the run to an engine in the background
    #[arg(long)]
    detach: bool,
    /// How the run is shown when this command becomes its engine
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

impl GoesOn {
    /// Shown as usual.
    pub(crate) fn new(detach: bool) -> Self {
        Self { detach, output: Output::Human }
    }
}

/// Where a verb went.
enum Went {
    /// An engine read it.
    Taken(ExitCode),
    /// No engine has the run, which has not ended: the verb lies in its inbox.
    Stored,
    /// The run has ended before an engine read it.
    TooLate,
}

/// Tells a run something, and says what follows.
pub(crate) fn tell(
    run: &str,
    verb: Verb,
    why: Why,
    goes_on: Option<GoesOn>,
    context: &Context,
) -> Result<ExitCode, Failure> {
    let folder = match &verb {
        Verb::Pause | Verb::Continue | Verb::Take => context.find_any_run(run)?,
        Verb::Retry { .. } | Verb::Skip { .. } | Verb::MarkDone { .. } | Verb::Rollback { .. } => {
            context.find_run(run)?
        }
    };
    let reason = reason(why)?;
    let hints = Hints::of(&folder);
    loop {
        if !folder.has_engine() && folder.other_owner().is_none() {
            match state_without_engine(&folder)? {
                None => continue,
                Some(run) if run.end().is_some() => {
                    refused(run.verb_refusal(&verb), &hints)?;
                    return reopen(folder, verb, reason, goes_on, &hints, context);
                }
                Some(run) => {
                    refused(run.verb_refusal(&verb), &hints).map_err(|failure| failure.also(no_engine(&hints)))?
                }
            }
        }
        let message = Message::Verb { verb: verb.clone(), reason: reason.clone() };
        let stored = inbox::put(&folder, &message).map_err(|error| unstored("verb", &error))?;
        match watch(&folder, &stored, &hints)? {
            Went::Taken(code) => return Ok(code),
            Went::Stored => return without_engine(folder, &verb, goes_on, &hints, context),
            Went::TooLate => {}
        }
    }
}

/// The reason as given, or as typed in the terminal.
fn reason(why: Why) -> Result<String, Failure> {
    let given = why.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if let Some(reason) = given {
        return Ok(reason);
    }
    let missing = || {
        Failure::new(ExitCode::Usage, "a reason is needed: it is kept in the record")
            .hint("give it with `--reason TEXT`")
    };
    let mut menu = Menu::open("nothing was done").ok_or_else(missing)?;
    let text = Param { kind: ParamKind::String, choices: vec![], required: true, default: None, description: None };
    let typed = menu.ask("text", "reason", &text, None)?;
    typed.as_str().map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned).ok_or_else(missing)
}

fn refused(why: Option<String>, hints: &Hints) -> Result<(), Failure> {
    match why {
        None => Ok(()),
        Some(why) => Err(Failure::new(ExitCode::Precondition, why).hint(hints.command("status", ""))),
    }
}

/// `wait for it` is no way out while nobody goes on with the run.
fn no_engine(hints: &Hints) -> String {
    format!("no engine has this run: {}", hints.command("resume", ""))
}

/// The state by the journal; none when an engine took the run just now.
fn state_without_engine(folder: &RunFolder) -> Result<Option<runbook_core::run::Run>, Failure> {
    match load(folder) {
        Ok((run, _)) => Ok(Some(run)),
        Err(EngineError::InUse) => {
            std::thread::sleep(LOOK_AGAIN);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Goes on with a run that has ended.
fn reopen(
    folder: RunFolder,
    verb: Verb,
    reason: String,
    goes_on: Option<GoesOn>,
    hints: &Hints,
    context: &Context,
) -> Result<ExitCode, Failure> {
    let mut engine = Engine::reopen(folder.clone(), Box::new(Evaluator::new()))?;
    refused(engine.tell(verb, reason)?, hints)?;
    let goes_on = goes_on.unwrap_or_else(|| GoesOn::new(false));
    if goes_on.detach {
        drop(engine);
        return detach(&folder, hints, context);
    }
    resume::drive_engine(engine, goes_on.output, false)
}

/// No engine has a run that goes on: some verbs make this command its engine, others wait for `resume`.
fn without_engine(
    folder: RunFolder,
    verb: &Verb,
    goes_on: Option<GoesOn>,
    hints: &Hints,
    context: &Context,
) -> Result<ExitCode, Failure> {
    match goes_on {
        Some(GoesOn { detach: true, .. }) => detach(&folder, hints, context),
        Some(GoesOn { output, .. }) if matches!(verb, Verb::Retry { .. } | Verb::Rollback { .. }) => {
            note(format!("no engine has run {}: this command goes on with it until it has ended", hints.run()));
            resume::drive(folder, output)
        }
        _ => {
            note(format!("stored; no engine has this run: {}", hints.command("resume", "")));
            Ok(ExitCode::Succeeded)
        }
    }
}

fn detach(folder: &RunFolder, hints: &Hints, context: &Context) -> Result<ExitCode, Failure> {
    exec::in_background(folder, context)?;
    note(format!("the run goes on in the background: {}", hints.command("attach", "")));
    Ok(ExitCode::Succeeded)
}

/// Watches for a moment what the engine makes of it.
fn watch(folder: &RunFolder, stored: &Path, hints: &Hints) -> Result<Went, Failure> {
    let name = inbox::name_of(stored);
    let until = Instant::now() + WATCH;
    loop {
        // Asked before the file is looked for: an engine that took it and left has published what came of it.
        let has_engine = folder.has_engine();
        if !stored.exists() {
            let status = Status::read(folder).ok();
            let told = status.as_ref().and_then(|status| status.told.iter().rev().find(|told| told.message == name));
            if let Some(why) = told.and_then(|told| told.refused.clone()) {
                refused(Some(why), hints)?;
            }
            let state = status.map(|status| status.state.replace('_', " ")).unwrap_or_default();
            note(format!("taken; run {} is {state}", hints.run()));
            return Ok(Went::Taken(ExitCode::Succeeded));
        }
        if let Some(owner) = folder.other_owner().filter(|_| !has_engine) {
            note(format!("stored; no engine has this run, and only `{owner}` can go on with it"));
            return Ok(Went::Taken(ExitCode::Succeeded));
        }
        if !has_engine {
            let has_ended = state_without_engine(folder)?.map(|run| run.end().is_some());
            match has_ended {
                // An engine took the run meanwhile: it reads the message.
                None => continue,
                Some(false) => return Ok(Went::Stored),
                // Nobody reads it any more, so that it is ours to take back.
                Some(true) if std::fs::remove_file(stored).is_ok() => return Ok(Went::TooLate),
                Some(true) => continue,
            }
        }
        if Instant::now() > until {
            note(format!("stored; the engine has not taken it yet: {}", hints.command("status", "")));
            return Ok(Went::Taken(ExitCode::Succeeded));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}
