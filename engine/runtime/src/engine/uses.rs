//! What a step uses: secrets to be resolved, local names to be collected for its expressions.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::event::Phase;
use runbook_core::plan::{Action, EnvSource, Step, Template};
use runbook_core::units::SecretName;

/// The document's `env`, which every command gets.
pub(super) type EnvOfRunbook = BTreeMap<String, EnvSource>;

/// The secrets that an action names.
pub(super) fn secrets_of(action: &Action, of_runbook: &EnvOfRunbook) -> BTreeSet<SecretName> {
    let sources: Vec<&EnvSource> = match action {
        Action::Run(script) => script.env.values().chain(of_runbook.values()).collect(),
        Action::Argv(argv) => argv.env.values().chain(of_runbook.values()).collect(),
        Action::Http(http) => http.headers.values().collect(),
        Action::Plugin(call) => call.with.values().collect(),
        // A child run has secrets of its own.
        Action::Assert(_)
        | Action::Set(_)
        | Action::Wait(_)
        | Action::Manual(_)
        | Action::Ask(_)
        | Action::Runbook(_)
        | Action::UndoRunbook => vec![],
    };
    let secret = |source: &EnvSource| match source {
        EnvSource::Secret { name, .. } => Some(name.clone()),
        EnvSource::Template(_) => None,
    };
    sources.into_iter().filter_map(secret).collect()
}

/// The local names, such as `stdout`, that expressions about an attempt read: `until`, `outputs` and `retry.on.if` of a
/// step, `trip_if` of a guard, only the last of an undo, and none of a look whether it is done.
pub(super) fn locals(step: &Step, phase: Phase) -> BTreeSet<String> {
    let retry = match phase {
        Phase::Do => step.retry.as_ref(),
        Phase::Undo => step.rollback.as_ref().and_then(|undo| undo.retry.as_ref()),
        Phase::Probe => return BTreeSet::new(),
    };
    let condition = retry.and_then(|retry| retry.on.as_ref()?.condition.as_ref());
    let mut found: BTreeSet<String> = condition.iter().flat_map(|condition| condition.locals.clone()).collect();
    if phase == Phase::Undo {
        return found;
    }
    found.extend(step.guard().iter().flat_map(|guard| guard.trip_if.locals.clone()));
    found.extend(step.until.iter().flat_map(|until| until.condition.locals.clone()));
    let mut left: Vec<&Template> = step.outputs.values().collect();
    while let Some(template) = left.pop() {
        match template {
            Template::Literal(_) => {}
            Template::Value(expression) | Template::Text(expression) => found.extend(expression.locals.clone()),
            Template::List(items) => left.extend(items),
            Template::Object(entries) => left.extend(entries.values()),
        }
    }
    found
}
