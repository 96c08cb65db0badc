//! What a command gets besides its own `env`: params and the `env` of the runbook. An approval covers them, so a question
//! shows them.
//!
//! All of them on every question would hide what matters. A program that is started without a shell reads them unseen: all
//! that are set are shown. Of a script those are shown whose names its text holds, all where the text reaches variables
//! without naming them (`${!name}`, `eval`, `env` …); the others are named, since what the script starts can read them.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::event::Created;
use runbook_core::plan::{Action, Step};
use runbook_core::rendered::{Rendered, RenderedSource};
use runbook_core::units::StepId;
use runbook_language::exported_name;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::params::export;
use crate::looped::{action_of, within as within_loop};

/// Words by which a script reaches variables that it does not name.
const INDIRECT: [&str; 10] =
    ["eval", "env", "printenv", "envsubst", "declare", "typeset", "compgen", "environ", "getenv", "ENV"];

/// What a command gets besides its own `env`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// Variables to be shown with their values.
    pub shown: BTreeMap<String, RenderedSource>,
    /// The names of the others in its environment.
    pub others: BTreeSet<String>,
}

/// How a command reads its variables.
enum Reads<'a> {
    /// As the text of a script says.
    Script(&'a str),
    /// Nobody sees how.
    Unseen,
}

/// What an action with its values gets; for a block, what the steps within get.
pub(crate) fn to_rendered(action: &Rendered, created: &Created) -> Given {
    match action {
        Rendered::Run { text, env, .. } => given(Reads::Script(text), env, created),
        Rendered::Argv { env, .. } => given(Reads::Unseen, env, created),
        Rendered::Steps(steps) => to_steps(steps, created),
        _ => Given::default(),
    }
}

/// What an action of the plan gets.
pub(crate) fn to_planned(action: &Action, created: &Created) -> Given {
    match action {
        Action::Run(script) => given(Reads::Script(&script.text), &script.env, created),
        Action::Argv(argv) => given(Reads::Unseen, &argv.env, created),
        _ => Given::default(),
    }
}

/// What the steps of the body of a loop get.
pub(crate) fn to_body(body: &[&Step], created: &Created) -> Given {
    united(body.iter().filter_map(|step| action_of(step)), created)
}

fn to_steps(steps: &[StepId], created: &Created) -> Given {
    let within = created.plan.steps.iter().filter(|step| steps.contains(&step.id));
    let in_loops = within.clone().flat_map(within_loop);
    united(within.filter_map(action_of).chain(in_loops.filter_map(action_of)), created)
}

fn united<'a>(actions: impl Iterator<Item = &'a Action>, created: &Created) -> Given {
    let mut all = Given::default();
    for action in actions {
        let Given { shown, others } = to_planned(action, created);
        all.shown.extend(shown);
        all.others.extend(others);
    }
    all.others.retain(|name| !all.shown.contains_key(name));
    all
}

fn given<S>(reads: Reads<'_>, own: &BTreeMap<String, S>, created: &Created) -> Given {
    let params = &created.plan.params;
    let exported = export(params, &created.params).into_iter();
    let mut all: BTreeMap<String, RenderedSource> =
        exported.map(|(name, value)| (name, RenderedSource::Value(value))).collect();
    all.extend(created.env.clone());
    all.retain(|name, _| !own.contains_key(name));
    let (shown, others) = match reads {
        Reads::Script(text) if is_indirect(text) => (all, BTreeMap::new()),
        Reads::Script(text) => all.into_iter().partition(|(name, _)| has_word(text, name)),
        Reads::Unseen => {
            let is_unset = |name: &&String| created.params.get(name.as_str()).is_none_or(Value::is_null);
            for name in params.keys().filter(is_unset).map(|name| exported_name(name)) {
                all.remove(&name);
            }
            (all, BTreeMap::new())
        }
    };
    Given { shown, others: others.into_keys().collect() }
}

fn is_indirect(text: &str) -> bool {
    text.contains("${!") || INDIRECT.into_iter().any(|word| has_word(text, word))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(is_part)
            && !text[at + word.len()..].chars().next().is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use runbook_core::units::RunId;
    use runbook_language::expression::Evaluator;
    use runbook_language::{SourceFile, load_runbook};
    use serde_json::json;

    use super::*;
    use crate::folder::StateFolder;
    use crate::identity::{Roles, me};
    use crate::launch::{Launch, prepare};

    const HEAD: &str = "schema: runbook/v1
id: r
title: R
params:
  target: {type: string}
  pause: {type: duration, default: 2m}
  nothing: {type: string}
secrets: {key: {env: KEY}}
env: {MODE: destroy, TOKEN: {secret: key}}
steps:
";

    fn created(steps: &str) -> Created {
        let loaded = load_runbook(&SourceFile::new("r.yaml", format!("{HEAD}{steps}")), None);
        let launch = Launch {
            plan: loaded.unwrap_or_else(|found| panic!("{found:?}")).plan,
            file: Path::new("/r.yaml"),
            params: json!({"target": "/production/db", "pause": "2m", "nothing": null}),
            environment: None,
            environment_file: None,
            project_file: None,
            project_roles: Roles::new(),
            dir: Path::new("/"),
            exe: Path::new("/runbook"),
            locks_dir: Path::new("/locks"),
            by: me(),
            id: RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            key: None,
            part: None,
        };
        prepare(&StateFolder::new("/nonexistent"), launch, &Evaluator::new()).unwrap()
    }

    /// What the one step of a runbook gets: `NAME=value` of what is shown, and the names of the others.
    fn of_step(step: &str) -> (Vec<String>, Vec<String>) {
        let created = created(step);
        let steps: Vec<StepId> = created.plan.steps.iter().map(|step| step.id.clone()).collect();
        let Given { shown, others } = to_rendered(&Rendered::Steps(steps), &created);
        let line = |(name, source): (&String, &RenderedSource)| match source {
            RenderedSource::Value(value) => format!("{name}={value}"),
            RenderedSource::Secret { name: secret, .. } => format!("{name}=({secret})"),
        };
        (shown.iter().map(line).collect(), others.into_iter().collect())
    }

    #[test]
    fn a_script_shows_what_it_names_and_says_what_else_it_could_read() {
        let (shown, others) = of_step("  - {id: a, run: 'rm -rf \"$TARGET\" ${NOTHING} $MODES xPAUSE'}\n");
        assert_eq!(shown, ["NOTHING=", "TARGET=/production/db"]);
        assert_eq!(others, ["MODE", "PAUSE", "TOKEN"]);
    }

    #[test]
    fn what_is_reached_without_its_name_is_shown_in_full() {
        let all = ["MODE=destroy", "NOTHING=", "PAUSE=120", "TARGET=/production/db", "TOKEN=(key)"];
        for text in ["rm ${!name}", "eval \"$x\"", "env | tee x", "python3 -c \"import os; print(os.environ)\""] {
            let (shown, others) = of_step(&format!("  - id: a\n    run: |\n      {text}\n"));
            assert_eq!((shown, others), (all.map(str::to_owned).to_vec(), vec![]), "{text}");
        }
    }

    #[test]
    fn a_program_gets_all_that_is_set_and_its_own_come_from_itself() {
        let (shown, others) = of_step("  - {id: a, argv: [./wipe], env: {MODE: spare}}\n");
        assert_eq!(shown, ["PAUSE=120", "TARGET=/production/db", "TOKEN=(key)"]);
        assert_eq!(others, [""; 0]);
    }

    #[test]
    fn what_is_no_command_gets_nothing() {
        let steps = "  - {id: a, http: {url: 'http://h/'}}\n  - {id: b, set: {x: 1}}\n  - {id: c, assert: ['true']}\n";
        assert_eq!(of_step(steps), (vec![], vec![]));
    }

    #[test]
    fn a_block_gets_what_the_steps_within_get() {
        let (shown, others) =
            of_step("  - id: a\n    steps:\n      - {id: b, run: echo $MODE}\n      - {id: c, run: echo $TARGET}\n");
        assert_eq!(shown, ["MODE=destroy", "TARGET=/production/db"]);
        assert_eq!(others, ["NOTHING", "PAUSE", "TOKEN"]);
    }
}
