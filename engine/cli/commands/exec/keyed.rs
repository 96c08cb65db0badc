//! `exec --key`: the first one starts the run, all others see it.

use runbook_core::digest_of;
use runbook_language::expression::Evaluator;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::keys::{self, StartKey};
use runbook_runtime::status::Status;
use runbook_runtime::{Engine, now};

use super::{Args, Asked};
use crate::commands::attach::code_of;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, note};
use crate::view::hint::Hints;
use crate::view::paint::Paint;
use crate::view::seen::Seen;
use crate::view::text::visible_line;
use crate::view::{Output, overview};

/// What became of a start under a key.
pub(super) enum Keyed {
    /// This one is the first.
    Begun(Box<Engine>),
    /// There is a run.
    There(RunFolder),
}

/// Starts the run of a key, unless there is one.
pub(super) fn start(key: &StartKey, asked: Asked, args: &Args, context: &Context) -> Result<Keyed, Failure> {
    let unusable = |error: std::io::Error| Failure::new(ExitCode::Internal, error);
    let facts = keys::Asked {
        runbook: asked.loaded.plan.about.id.clone(),
        environment: asked.environment.as_ref().map(|(_, environment)| environment.id().to_owned()),
        params: digest_of(&asked.params),
    };
    let state = context.state()?;
    let waits =
        || note(format!("another start with the key `{}` is at work: waiting for it", visible_line(key.as_str())));
    let mut held = state.hold_key(key, waits).map_err(unusable)?;
    if let Some((folder, before)) = held.run()? {
        return if *before == facts { Ok(Keyed::There(folder)) } else { Err(taken(key, &folder, before, &facts)) };
    }
    let created = asked.launch(args, context)?;
    held.reserve(&created.run, &facts).map_err(unusable)?;
    let engine = Engine::create(&state, created, &context.kept_plugins(), Box::new(Evaluator::new()))?;
    // Whoever waits for the key looks at the run at once, and finds it.
    if let Some(status) = Status::of(engine.run(), now(), None) {
        status.publish(engine.folder()).map_err(unusable)?;
    }
    held.begun().map_err(unusable)?;
    Ok(Keyed::Begun(Box::new(engine)))
}

/// The key is that of something else.
fn taken(key: &StartKey, folder: &RunFolder, before: &keys::Asked, asked: &keys::Asked) -> Failure {
    let environment = |asked: &keys::Asked| match &asked.environment {
        None => "no environment".to_owned(),
        Some(name) => format!("the environment `{}`", visible_line(name)),
    };
    let otherwise = if before.runbook != asked.runbook {
        format!("of the runbook `{}`, not `{}`", visible_line(&before.runbook), visible_line(&asked.runbook))
    } else if before.environment != asked.environment {
        format!("with {}, not {}", environment(before), environment(asked))
    } else {
        "with other params".to_owned()
    };
    let message = format!("the key `{}` is that of a run {otherwise}: {}", visible_line(key.as_str()), folder.id());
    Failure::new(ExitCode::InUse, message)
        .hint(Hints::of(folder).command("show", ""))
        .also("something else has another key; nothing was started")
}

/// Shows the run that a key has already.
pub(super) fn show(folder: &RunFolder, args: &Args) -> Result<ExitCode, Failure> {
    if args.detach {
        output::line(folder.id().as_str());
        return Ok(ExitCode::Succeeded);
    }
    let (seen, hints) = (Seen::look(folder)?, Hints::of(folder));
    seen.warn();
    if args.output == Output::Json {
        output::json(&overview::to_json(&seen, &hints));
    } else {
        note("there is a run with this key; nothing was started");
        note(overview::short(&seen, &hints, now().0, Paint::stderr()).join("\n"));
        if seen.has_engine {
            note(format!("hint: {}", hints.command("attach", "")));
        }
    }
    Ok(seen.status.exit_code.map_or(ExitCode::Waiting, code_of))
}
