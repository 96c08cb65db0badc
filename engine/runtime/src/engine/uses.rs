//! What a step uses: secrets to be resolved, local names to be collected for its expressions.

use std::collections::{BTreeMap, BTreeSet};

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
        Action::Assert(_) | Action::Set(_) | Action::Wait(_) | Action::Manual(_) => vec![],
    };
    let secret = |source: &EnvSource| match source {
        EnvSource::Secret { name, .. } => Some(name.clone()),
        EnvSource::Template(_) => None,
    };
    sources.into_iter().filter_map(secret).collect()
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
