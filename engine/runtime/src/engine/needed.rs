//! Which secrets a run still needs, and whether they can be had.

use std::collections::BTreeSet;
use std::path::Path;

use runbook_core::event::{Created, Verb};
use runbook_core::plan::{Action, OnFailure, OnTrip, Part, Plan, SecretSource, Step};
use runbook_core::run::{Run, Stage, StepState};
use runbook_core::units::{Digest, SecretName, StepIx};

use super::uses::{EnvOfRunbook, secrets_of};
use super::{Engine, EngineError};
use crate::folder::RunFolder;
use crate::inbox::{self, Message};
use crate::looped::{action_of, within};
use crate::secrets::Secrets;

impl Engine {
    /// Whether a request to cancel, or to roll back, waits in the inbox.
    pub(super) fn is_told_to_end(&self) -> Result<bool, EngineError> {
        let messages = inbox::read(&self.folder)?;
        let ends = |message: &Message| match message {
            Message::Cancel { .. } | Message::Verb { verb: Verb::Rollback { .. }, .. } => true,
            Message::Answer { .. } | Message::Verb { .. } => false,
        };
        Ok(messages.iter().any(|received| ends(&received.message)))
    }

    /// Checks that every secret that may still be needed can be had. Those that a service writes are looked for only
    /// once the services answer; of a run that is ending only those of undoing and of `always`.
    pub(super) async fn check_secrets(&self, is_ending: bool, services_answer: bool) -> Result<(), EngineError> {
        let Some(created) = self.run.created() else { return Ok(()) };
        let needed = needed(&self.run, &created.plan.env, is_ending);
        let plan = &created.plan;
        let mut missing = missing(plan, created, &self.folder, &self.secrets, needed, services_answer).await;
        let may_run = self.run.steps().filter(|(at, _, state)| may_run(&self.run, *at, &state.state, is_ending));
        let may_run = may_run.flat_map(|(_, step, state)| {
            std::iter::once(step).chain(unentered(step, &state.state)).collect::<Vec<_>>()
        });
        let rolls_back = may_roll_back(&created.plan) || self.run.is_rolled_back_by_hand();
        let run = may_run.filter_map(|step| Call::of(step, Need { runs: true, undoes: rolls_back }));
        let undone = self.run.steps().filter(|(at, _, state)| may_be_undone(&self.run, *at, &state.state, is_ending));
        let undone = undone.filter_map(|(_, step, _)| Call::of(step, Need { runs: false, undoes: true }));
        let calls = run.chain(undone).collect();
        missing.extend(missing_in_children(created, calls, &self.folder, services_answer).await);
        if missing.is_empty() { Ok(()) } else { Err(EngineError::Precondition(missing)) }
    }
}

/// Those of the secrets that cannot be had, each as a sentence.
async fn missing(
    plan: &Plan,
    created: &Created,
    folder: &RunFolder,
    secrets: &Secrets,
    needed: BTreeSet<SecretName>,
    services_answer: bool,
) -> Vec<String> {
    let by_service = |name: &SecretName| match plan.secrets.get(name) {
        Some(SecretSource::File(file)) => Path::new(file).starts_with(folder.services()),
        Some(SecretSource::Command(command)) => command.argv.iter().any(|word| names_service(word, created)),
        Some(SecretSource::Env(_)) | None => false,
    };
    let needed = needed.into_iter().filter(|name| services_answer || !by_service(name)).collect();
    secrets.missing(needed).await.iter().map(ToString::to_string).collect()
}

/// Whether an argument of a program leads to a service: its data, its URL or its port.
fn names_service(word: &str, created: &Created) -> bool {
    created.services.iter().any(|service| {
        let port = service.port.to_string();
        word.contains(&service.data) || word == port || word.contains(&format!("127.0.0.1:{port}"))
    })
}

/// For what the secrets of a plan are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    /// For what it runs.
    runs: bool,
    /// For what it undoes.
    undoes: bool,
}

/// A plan that is run as a child run, or rolled back, by a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call<'p> {
    plan: &'p Digest,
    need: Need,
}

impl<'p> Call<'p> {
    /// The child run of a step, in a plan of which so much is needed.
    fn of(step: &'p Step, need: Need) -> Option<Self> {
        let Some(Action::Runbook(call)) = action_of(step) else { return None };
        let is_undone = step.rollback.as_ref().is_some_and(|undo| undo.action == Action::UndoRunbook);
        Some(Self { plan: &call.plan, need: Need { undoes: need.undoes && is_undone, ..need } })
    }
}

/// Those that child runs need and that cannot be had.
async fn missing_in_children(
    created: &Created,
    calls: Vec<Call<'_>>,
    folder: &RunFolder,
    services_answer: bool,
) -> Vec<String> {
    let plans = &created.plan.runbooks;
    let mut reasons = BTreeSet::new();
    let mut open = calls;
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        let Some(child) = plans.get(next.plan).filter(|_| seen.insert(next)) else { continue };
        // It may roll itself back, and be rolled back with the run that started it.
        let undoes = next.need.undoes || (next.need.runs && may_roll_back(child));
        let need = Need { undoes, ..next.need };
        let secrets = Secrets::new(child.secrets.clone(), Path::new(&created.dir));
        reasons.extend(missing(child, created, folder, &secrets, at_start(child, None, need), services_answer).await);
        open.extend(child.written_of(None).into_iter().filter_map(|step| Call::of(step, need)));
    }
    reasons.into_iter().collect()
}

/// Whether a run of this plan may undo what it did, without a person who says so.
fn may_roll_back(plan: &Plan) -> bool {
    let by_guard = |step: &Step| step.guard().is_some_and(|guard| guard.on_trip == OnTrip::Rollback);
    plan.on_failure != OnFailure::Stop || plan.steps.iter().any(by_guard)
}

/// Those that a run needs that has not begun, or one of its child runs, and that cannot be had.
pub(super) async fn missing_at_start(created: &Created, folder: &RunFolder, secrets: &Secrets) -> Vec<String> {
    let plan = &created.plan;
    let part = created.part.as_ref();
    let need = Need { runs: true, undoes: may_roll_back(plan) };
    let mut reasons = missing(plan, created, folder, secrets, at_start(plan, part, need), false).await;
    let calls = plan.written_of(part).into_iter().filter_map(|step| Call::of(step, need)).collect();
    reasons.extend(missing_in_children(created, calls, folder, false).await);
    reasons
}

/// What a step does, and what looks whether it is done.
fn actions_of(step: &Step) -> impl Iterator<Item = &Action> {
    let probe = step.probe().map(|probe| &probe.action);
    action_of(step).into_iter().chain(probe)
}

/// What a run may need that has not begun, or has to be undone.
fn at_start(plan: &Plan, part: Option<&Part>, need: Need) -> BTreeSet<SecretName> {
    let actions = plan.written_of(part).into_iter().flat_map(|step| {
        let undo = step.rollback.as_ref().filter(|_| need.undoes).map(|undo| &undo.action);
        actions_of(step).filter(|_| need.runs).chain(undo)
    });
    actions.flat_map(|action| secrets_of(action, &plan.env)).collect()
}

fn needed(run: &Run, of_runbook: &EnvOfRunbook, is_ending: bool) -> BTreeSet<SecretName> {
    let mut needed = BTreeSet::new();
    for (at, step, state) in run.steps() {
        if may_run(run, at, &state.state, is_ending) {
            let own = std::iter::once(step).chain(unentered(step, &state.state));
            needed.extend(own.flat_map(actions_of).flat_map(|action| secrets_of(action, of_runbook)));
        }
        if may_be_undone(run, at, &state.state, is_ending) {
            let own = std::iter::once(step).chain(unentered(step, &state.state));
            let undos = own.filter_map(|step| step.rollback.as_ref());
            needed.extend(undos.flat_map(|undo| secrets_of(&undo.action, of_runbook)));
        }
    }
    needed
}

/// The steps of the items of a loop that was not entered yet.
fn unentered<'s>(step: &'s Step, state: &StepState) -> Vec<&'s Step> {
    let waits = matches!(state, StepState::Pending | StepState::Asked | StepState::Cleared);
    if waits { within(step) } else { vec![] }
}

fn may_run(run: &Run, at: StepIx, state: &StepState, is_ending: bool) -> bool {
    !is_left_out(run, at) && !state.is_settled() && (run.is_cleanup(at) || !is_ending)
}

/// Skipped when its turn comes.
fn is_left_out(run: &Run, at: StepIx) -> bool {
    let created = run.created();
    let part = created.and_then(|created| Some((created, created.part.as_ref()?)));
    part.is_some_and(|(created, part)| part.left_out.contains(&created.plan.step(at).id))
}

fn may_be_undone(run: &Run, at: StepIx, state: &StepState, is_ending: bool) -> bool {
    let by_rule = run.created().is_some_and(|created| may_roll_back(&created.plan));
    let rolls_back = by_rule || run.is_rolled_back_by_hand();
    let has_begun = match state {
        StepState::Pending | StepState::Asked | StepState::Cleared => !is_ending,
        StepState::Skipped(_) | StepState::Blocked(_) => false,
        StepState::Running
        | StepState::Retrying
        | StepState::Entered
        | StepState::Succeeded
        | StepState::Failed(_)
        | StepState::Cancelled => true,
    };
    rolls_back && !is_left_out(run, at) && has_begun && run.stage() <= Stage::RollingBack
}
