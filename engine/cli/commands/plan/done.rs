//! `done_when` in a plan, and what it says with `--probe`.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::plan::{Body, DoneWhen, Plan, Step};
use runbook_language::Environment;
use runbook_language::expression::Evaluator;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::identity::me;
use runbook_runtime::probe::{Looking, Probed, probe};
use serde::Serialize;
use serde_json::{Value, json};

use super::model::{PlanView, StepView};
use super::words;
use crate::context::present_folder;
use crate::failure::Failure;
use crate::view::text::count;

/// What says that nothing is left to do.
#[derive(Debug, Serialize)]
pub(super) struct DoneView {
    /// The expression; none where a script says it.
    pub(super) expression: Option<String>,
    /// The text of the script, as written.
    pub(super) script: Option<String>,
    /// What it says, with `--probe`.
    pub(super) probed: Option<Probed>,
}

impl DoneView {
    pub(super) fn of(done_when: &DoneWhen) -> Self {
        let (expression, script) = match done_when {
            DoneWhen::Holds(expression) => (Some(expression.source.clone()), None),
            DoneWhen::Probe(probe) => (None, words::script(&probe.action)),
        };
        Self { expression, script, probed: None }
    }

    /// In one line, such as `when test -e ready: it is not`.
    pub(super) fn words(&self) -> String {
        let mut text = match (&self.expression, &self.script) {
            (Some(expression), _) => expression.trim().to_owned(),
            (None, script) => {
                let script = script.as_deref().unwrap_or_default().trim();
                let (first, more) = script.split_once('\n').unwrap_or((script, ""));
                let more = more.lines().filter(|line| !line.trim().is_empty()).count();
                let more = if more > 0 { format!(" (and {} more)", count(more, "line")) } else { String::new() };
                format!("`{}` says so{more}", first.trim())
            }
        };
        match &self.probed {
            None => {}
            Some(Probed::Done) => text.push_str(": it is"),
            Some(Probed::NotDone) => text.push_str(": it is not"),
            Some(Probed::Unknown(why)) => text.push_str(&format!(": not known, {why}")),
        }
        text
    }
}

/// Asks what is done already, of the steps of the runbook itself that may run.
pub(super) fn ask(
    view: &mut PlanView,
    plan: &Plan,
    values: &BTreeMap<String, Value>,
    environment: Option<&Environment>,
) -> Result<(), Failure> {
    let missing: Vec<&str> =
        plan.params.keys().filter(|name| !values.contains_key(*name)).map(String::as_str).collect();
    if let Some(first) = missing.first() {
        let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
        let text = format!("what is done already depends on params that are missing: {}", names.join(", "));
        return Err(Failure::new(ExitCode::Precondition, text).hint(format!("give it with `-p {first}=VALUE`")));
    }
    let services: Vec<&str> = environment.into_iter().flat_map(Environment::services).collect();
    if let Some(environment) = environment.filter(|_| !services.is_empty()) {
        let text = format!(
            "the environment `{}` starts {} for each run, and nothing can be looked at before",
            environment.id(),
            services.join(", ")
        );
        return Err(Failure::new(ExitCode::Precondition, text).hint("choose another one with `--env NAME`"));
    }
    let out = out_of_the_way(&view.steps);
    let in_loops: BTreeSet<&str> = plan.steps.iter().flat_map(within).map(|step| step.id.as_str()).collect();
    let looked_at: Vec<&Step> = plan.steps.iter().filter(|step| !out.contains(step.id.as_str())).collect();
    let params = json!(values);
    let internal = |error| Failure::new(ExitCode::Internal, error);
    let (dir, exe, by) = (present_folder()?, std::env::current_exe().map_err(internal)?, me());
    let looking = Looking { plan, params: &params, environment, dir: &dir, exe: &exe, by: &by };
    let evaluator = Evaluator::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(internal)?;
    let found = runtime.block_on(probe(&looking, &looked_at, &evaluator));
    let found = found.map_err(|reason| Failure::new(ExitCode::Precondition, reason))?;
    for step in &mut view.steps {
        let Some(done_when) = &mut step.done_when else { continue };
        done_when.probed = found.iter().find(|(id, _)| id.as_str() == step.id).map(|(_, probed)| probed.clone());
        if in_loops.contains(step.id.as_str()) {
            done_when.probed = Some(Probed::Unknown("it is asked for each item".to_owned()));
        }
    }
    Ok(())
}

/// The steps that are known not to run, and all within them.
fn out_of_the_way(steps: &[StepView]) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for step in steps {
        // Parents come before their children.
        let around = step.parent.as_ref().is_some_and(|parent| out.contains(parent));
        if around || step.holds == Some(false) || step.taken == Some(false) {
            out.insert(step.id.clone());
        }
    }
    out
}

/// The steps of one item of a loop, which the plan of a run has once for each.
fn within(step: &Step) -> Vec<&Step> {
    let Body::ForEach(each) = &step.body else { return vec![] };
    each.body.iter().flat_map(|inner| std::iter::once(inner).chain(within(inner))).collect()
}
