//! What a step uses: secrets to be resolved, local names to be collected for its expressions.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::plan::{Action, Body, EnvSource, Step, Template};
use runbook_core::units::SecretName;

/// The secrets that a step and its undo name; `of_runbook` is the document's `env`, which every command gets.
pub(super) fn secrets(step: &Step, of_runbook: &BTreeMap<String, EnvSource>) -> BTreeSet<SecretName> {
    let own = match &step.body {
        Body::Action(action) => Some(action),
        Body::Block { .. } | Body::Switch { .. } => None,
    };
    let undo = step.rollback.as_ref().map(|undo| &undo.action);
    let mut found = BTreeSet::new();
    for action in own.into_iter().chain(undo) {
        let sources: Vec<&EnvSource> = match action {
            Action::Run(script) => script.env.values().chain(of_runbook.values()).collect(),
            Action::Argv(argv) => argv.env.values().chain(of_runbook.values()).collect(),
            Action::Http(http) => http.headers.values().collect(),
            Action::Assert(_) | Action::Set(_) | Action::Wait(_) | Action::Manual(_) => vec![],
        };
        found.extend(sources.into_iter().filter_map(|source| match source {
            EnvSource::Secret { name, .. } => Some(name.clone()),
            EnvSource::Template(_) => None,
        }));
    }
    found
}

/// The local names, such as `stdout`, that the `until` and `outputs` of a step read.
pub(super) fn locals(step: &Step) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = step.until.iter().flat_map(|until| until.condition.locals.clone()).collect();
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
