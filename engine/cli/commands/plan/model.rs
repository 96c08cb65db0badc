//! A plan with what is known before a run: for programs as JSON, and what the text is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use runbook_core::digest_of;
use runbook_core::plan::{Action, Body, EnvSource, OnFailure, OnInterrupt, Param, ParamKind, Part, Plan, Step};
use runbook_core::plan::{Retry, SecretSource, Section, Undo};
use runbook_core::units::Digest;
use runbook_language::yaml::{Kind, Node};
use runbook_language::{Environment, Loaded};
use runbook_runtime::identity::Roles;
use runbook_runtime::launch;
use serde::Serialize;
use serde_json::{Value, json};

use super::approval::{ApprovalView, approval};
use super::beside::{DeadlineView, GuardView};
use super::done::DoneView;
use super::known::Known;
use super::loops::{self, ForEachView};
use super::{order, words};
use crate::context::shown;
use crate::view::action::planned;

/// What is known besides the runbook.
pub(super) struct Facts<'a> {
    pub(super) file: &'a Path,
    pub(super) environment: Option<(&'a Path, &'a Environment)>,
    pub(super) project_roles: &'a Roles,
    /// The params that were given.
    pub(super) given: BTreeSet<String>,
    /// The values of the params, but for those that are missing.
    pub(super) values: BTreeMap<String, Value>,
    /// The values of the environment that are known; `plan` knows none.
    pub(super) settled: Value,
    /// The part of the steps that would run.
    pub(super) part: Option<&'a Part>,
}

/// A plan as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct PlanView {
    pub(super) runbook: String,
    pub(super) title: String,
    pub(super) description: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) file: String,
    pub(super) digest: String,
    pub(super) environment: Option<EnvironmentView>,
    pub(super) on_failure: OnFailure,
    pub(super) max_parallel: u32,
    pub(super) locks: Vec<String>,
    pub(super) params: Vec<ParamView>,
    pub(super) secrets: Vec<SecretView>,
    pub(super) steps: Vec<StepView>,
    /// What a run hands on when it succeeds.
    pub(super) outputs: Vec<String>,
    /// The runbooks that are run as child runs, by their digest.
    pub(super) runbooks: BTreeMap<Digest, RunbookView>,
}

/// A runbook that is run as a child run.
#[derive(Debug, Serialize)]
pub(super) struct RunbookView {
    pub(super) runbook: String,
    pub(super) title: String,
    pub(super) on_failure: OnFailure,
    pub(super) steps: Vec<StepView>,
}

#[derive(Debug, Serialize)]
pub(super) struct EnvironmentView {
    pub(super) name: String,
    pub(super) file: String,
    /// What is started before the first step.
    pub(super) services: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ParamView {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: ParamKind,
    pub(super) choices: Vec<Value>,
    pub(super) required: bool,
    pub(super) description: Option<String>,
    /// `given`, `default`, `none` or `missing`.
    pub(super) state: &'static str,
    pub(super) value: Option<Value>,
}

#[derive(Debug, Serialize)]
pub(super) struct SecretView {
    pub(super) name: String,
    /// `env`, `file` or `command`.
    pub(super) source: &'static str,
    /// The name of the variable, the path, or the program with its arguments.
    pub(super) place: String,
}

#[derive(Debug, Serialize)]
pub(super) struct StepView {
    pub(super) id: String,
    pub(super) title: String,
    /// Whether it belongs to `always`.
    pub(super) always: bool,
    /// Whether it runs beside the steps: it is a deadline or guard, or lies in one.
    pub(super) beside: bool,
    /// When it passes, if it is a deadline.
    pub(super) deadline: Option<DeadlineView>,
    /// When it trips, if it is a guard.
    pub(super) guard: Option<GuardView>,
    pub(super) parent: Option<String>,
    /// Of which case of its parent; none for the default.
    pub(super) case: Option<String>,
    /// Which list of its parent, when that is a block.
    pub(super) section: Section,
    pub(super) wave: u32,
    pub(super) needs: Vec<String>,
    /// How many of these suffice; none where all must be done.
    pub(super) needs_any: Option<u32>,
    #[serde(rename = "if")]
    pub(super) condition: Option<String>,
    /// Whether the condition holds, where the params alone say.
    pub(super) holds: Option<bool>,
    /// Whether it would be skipped because a part of the steps is asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) left_out: bool,
    /// Whether its case is taken, where the params alone say.
    pub(super) taken: Option<bool>,
    /// `run`, `argv`, `http`, `assert`, `set`, `wait`, `manual`, `ask`, `runbook`, `steps` or `switch`.
    pub(super) kind: &'static str,
    /// What it is repeated for.
    pub(super) for_each: Option<ForEachView>,
    /// What is switched on.
    pub(super) on: Option<String>,
    /// The text of `run`, as written.
    pub(super) script: Option<String>,
    /// What it does, in full, for people.
    pub(super) does: Vec<String>,
    /// The runbook that it runs, in `runbooks`.
    pub(super) child: Option<Digest>,
    pub(super) secrets: Vec<String>,
    pub(super) approval: Option<ApprovalView>,
    pub(super) done_when: Option<DoneView>,
    pub(super) locks: Vec<String>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) retry: Option<Retry>,
    pub(super) until: Option<UntilView>,
    pub(super) on_interrupt: OnInterrupt,
    pub(super) continue_on_failure: bool,
    pub(super) ask_on_failure: bool,
    pub(super) rollback: Option<UndoView>,
    pub(super) irreversible: bool,
    pub(super) outputs: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct UntilView {
    pub(super) condition: String,
    pub(super) every_ms: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct UndoView {
    pub(super) kind: &'static str,
    pub(super) script: Option<String>,
    pub(super) does: Vec<String>,
    pub(super) secrets: Vec<String>,
    pub(super) also_failed: bool,
    pub(super) timeout_ms: Option<u64>,
    pub(super) retry: Option<Retry>,
    pub(super) on_interrupt: OnInterrupt,
}

impl PlanView {
    pub(super) fn of(loaded: &Loaded, facts: &Facts<'_>) -> Self {
        let (plan, about) = (&loaded.plan, &loaded.plan.about);
        Self {
            runbook: about.id.clone(),
            title: about.title.clone(),
            description: about.description.clone(),
            severity: about.severity.clone(),
            owner: about.owner.clone(),
            tags: about.tags.clone(),
            file: shown(facts.file),
            digest: digest_of(plan).to_string(),
            environment: facts.environment.map(|(file, environment)| EnvironmentView {
                name: environment.id().to_owned(),
                file: shown(file),
                services: environment.services().map(str::to_owned).collect(),
            }),
            on_failure: plan.on_failure,
            max_parallel: plan.max_parallel,
            locks: plan.locks.iter().map(words::lock).collect(),
            params: params(loaded, facts),
            secrets: secrets(plan, facts.environment.map(|(_, environment)| environment)),
            steps: steps(plan, facts, Known::of(plan, &facts.values, facts.settled.clone()), facts.part),
            outputs: plan.outputs.keys().cloned().collect(),
            runbooks: plan.runbooks.iter().map(|(digest, child)| (digest.clone(), runbook(child, facts))).collect(),
        }
    }
}

/// The params, in the order written.
fn params(loaded: &Loaded, facts: &Facts<'_>) -> Vec<ParamView> {
    let written = loaded.document.params.iter().flat_map(|params| &params.items).map(|entry| &entry.key.value);
    let view = |(name, param): (&String, &Param)| {
        let value = facts.values.get(name).cloned();
        let state = match &value {
            None => "missing",
            Some(_) if facts.given.contains(name) => "given",
            Some(Value::Null) => "none",
            Some(_) => "default",
        };
        ParamView {
            name: name.clone(),
            kind: param.kind,
            choices: param.choices.clone(),
            required: param.required,
            description: param.description.clone(),
            state,
            value,
        }
    };
    written.filter_map(|name| loaded.plan.params.get_key_value(name)).map(view).collect()
}

/// Where secrets are found; the environment says it better than the runbook.
fn secrets(plan: &Plan, environment: Option<&Environment>) -> Vec<SecretView> {
    let mut found: BTreeMap<String, (&'static str, String)> = BTreeMap::new();
    for (name, source) in &plan.secrets {
        let place = match source {
            SecretSource::Env(name) => ("env", name.clone()),
            SecretSource::File(path) => ("file", path.clone()),
            SecretSource::Command(command) => ("command", command.argv.join(" ")),
        };
        found.insert(name.to_string(), place);
    }
    let of_environment = environment.and_then(|environment| environment.document.secrets.as_ref());
    for (name, secret) in of_environment.iter().flat_map(|secrets| secrets.iter()) {
        let written = |node: &Node| match &node.kind {
            Kind::Text(text) => text.clone(),
            _ => environment.map_or_else(String::new, |it| it.file.slice(node.span).to_owned()),
        };
        let place = match (&secret.env, &secret.file, &secret.command) {
            (Some(env), ..) => ("env", env.value.clone()),
            (None, Some(file), _) => ("file", written(&file.0)),
            (None, None, Some(command)) => {
                let words: Vec<String> = command.items.iter().map(|word| written(&word.0)).collect();
                ("command", words.join(" "))
            }
            (None, None, None) => continue,
        };
        found.insert(name.value.clone(), place);
    }
    found.into_iter().map(|(name, (source, place))| SecretView { name, source, place }).collect()
}

/// The values of its params are known only when it starts.
fn runbook(plan: &Plan, facts: &Facts<'_>) -> RunbookView {
    RunbookView {
        runbook: plan.about.id.clone(),
        title: plan.about.title.clone(),
        on_failure: plan.on_failure,
        steps: steps(plan, facts, Known::of(plan, &BTreeMap::new(), json!({})), None),
    }
}

/// The steps, those of loops once.
fn steps(written: &Plan, facts: &Facts<'_>, known: Known, part: Option<&Part>) -> Vec<StepView> {
    let mut loops = loops::of(written);
    let plan = &written.once();
    let waves = order::waves(plan);
    let roles =
        launch::merge(facts.project_roles.clone(), facts.environment.map_or_else(Roles::new, |it| it.1.roles()));
    let break_glass = facts.environment.map(|it| it.1.break_glass()).unwrap_or_default();
    let mut one = |step: &Step, wave: u32| {
        let (parent, case) = place(plan, step);
        let action = action(step);
        StepView {
            id: step.id.to_string(),
            title: step.title.clone(),
            always: step.always,
            beside: step.beside.is_some(),
            deadline: DeadlineView::of(step),
            guard: GuardView::of(step),
            parent,
            case,
            section: step.section,
            wave,
            needs_any: step.needs_any,
            needs: step.needs.iter().map(|need| plan.step(*need).id.to_string()).collect(),
            condition: step.condition.as_ref().map(|condition| condition.expression.source.clone()),
            holds: known.holds(step),
            left_out: part.is_some_and(|part| part.left_out.contains(&step.id)),
            taken: known.taken(plan, step),
            kind: words::kind(&step.body),
            for_each: loops.remove(step.id.as_str()),
            on: switched_on(&step.body),
            script: action.and_then(words::script),
            does: action.map(planned).unwrap_or_default(),
            child: match action {
                Some(Action::Runbook(call)) => Some(call.plan.clone()),
                _ => None,
            },
            secrets: action.map(|action| secrets_of(action, plan)).unwrap_or_default(),
            approval: approval(step, &roles, &break_glass),
            done_when: step.done_when.as_ref().map(DoneView::of),
            locks: step.locks.iter().map(words::lock).collect(),
            timeout_ms: step.timeout_ms,
            retry: step.retry.clone(),
            until: step
                .until
                .as_ref()
                .map(|until| UntilView { condition: until.condition.source.clone(), every_ms: until.every_ms }),
            on_interrupt: step.on_interrupt,
            continue_on_failure: step.continue_on_failure,
            ask_on_failure: step.ask_on_failure,
            rollback: step.rollback.as_ref().map(|undo| rollback(undo, plan)),
            irreversible: step.irreversible,
            outputs: outputs(step),
        }
    };
    plan.steps.iter().zip(waves).map(|(step, wave)| one(step, wave)).collect()
}

/// The declared outputs, and the fields of an `ask`.
fn outputs(step: &Step) -> Vec<String> {
    let asked = match &step.body {
        Body::Action(Action::Ask(ask)) => ask.fields.iter().map(|field| field.name.clone()).collect(),
        _ => vec![],
    };
    step.outputs.keys().cloned().chain(asked).collect()
}

fn switched_on(body: &Body) -> Option<String> {
    match body {
        Body::Switch { on, .. } => Some(on.source.clone()),
        Body::Action(_) | Body::Block { .. } | Body::ForEach(_) => None,
    }
}

fn action(step: &Step) -> Option<&Action> {
    match &step.body {
        Body::Action(action) => Some(action),
        Body::Block { .. } | Body::Switch { .. } | Body::ForEach(_) => None,
    }
}

/// The block or switch that a step lies in, and the value of its case.
fn place(plan: &Plan, step: &Step) -> (Option<String>, Option<String>) {
    let Some(parent) = step.parent.map(|at| plan.step(at)) else { return (None, None) };
    let case = match (&parent.body, step.case) {
        (Body::Switch { cases, .. }, Some(case)) => cases.get(case as usize).map(|case| case.value.clone()),
        _ => None,
    };
    (Some(parent.id.to_string()), case)
}

fn rollback(undo: &Undo, plan: &Plan) -> UndoView {
    UndoView {
        kind: words::action_kind(&undo.action),
        script: words::script(&undo.action),
        does: planned(&undo.action),
        secrets: secrets_of(&undo.action, plan),
        also_failed: undo.also_failed,
        timeout_ms: undo.timeout_ms,
        retry: undo.retry.clone(),
        on_interrupt: undo.on_interrupt,
    }
}

/// The secrets that an action gets, by name.
fn secrets_of(action: &Action, plan: &Plan) -> Vec<String> {
    let sources: Vec<&EnvSource> = match action {
        Action::Run(script) => script.env.values().chain(plan.env.values()).collect(),
        Action::Argv(argv) => argv.env.values().chain(plan.env.values()).collect(),
        Action::Http(http) => http.headers.values().collect(),
        Action::Plugin(call) => call.with.values().collect(),
        Action::Assert(_)
        | Action::Set(_)
        | Action::Wait(_)
        | Action::Manual(_)
        | Action::Ask(_)
        | Action::Runbook(_)
        | Action::UndoRunbook => vec![],
    };
    let names: BTreeSet<String> = sources
        .into_iter()
        .filter_map(|source| match source {
            EnvSource::Secret { name, .. } => Some(name.to_string()),
            EnvSource::Template(_) => None,
        })
        .collect();
    names.into_iter().collect()
}
