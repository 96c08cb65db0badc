//! The reasons of the core as phrases: the same words in the status, the live view, messages and reports.

use runbook_core::event::{BlockReason, Cause, LockScope, Phase, SkipReason, StopReason, Verb};
use runbook_core::plan::{Guard, Section, Step};
use runbook_core::run::{ByHand, Doing, Live, LockState, Run, StepRun, StepState, Told, UndoState};
use runbook_core::units::{StepId, format_duration};

/// Why a step was blocked.
pub fn blocked(reason: &BlockReason) -> String {
    match reason {
        BlockReason::Ancestor(step) => format!("`{step}` before it did not succeed"),
        BlockReason::Failure(step) => format!("not started after `{step}` failed"),
        BlockReason::Cancelled => "not started: the run was cancelled".to_owned(),
        BlockReason::Parent(step) => format!("`{step}` around it did not start"),
        BlockReason::Service(service) => format!("service `{service}` did not come up"),
        BlockReason::Lock(name) => format!("the lock `{name}` is held"),
        BlockReason::Rollback => "the run is rolled back".to_owned(),
        BlockReason::Guard(guard) => format!("not started: the guard `{guard}` tripped"),
        BlockReason::Over => "not started: the steps are over".to_owned(),
        BlockReason::Verb => "a person said something else about it".to_owned(),
    }
}

/// Why a step was skipped.
pub fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Condition => "its condition does not hold".to_owned(),
        SkipReason::LeftOut => "left out: the run is of a part of the steps".to_owned(),
        SkipReason::Branch => "another branch was taken".to_owned(),
        SkipReason::Parent(step) => format!("`{step}` around it was skipped"),
        SkipReason::Rescue(block) => format!("nothing in `{block}` failed"),
        SkipReason::Unless => "its `unless` held when its time came".to_owned(),
        SkipReason::InTime => "the steps were over before its time".to_owned(),
        SkipReason::List => "the loop started over with another list".to_owned(),
        SkipReason::Person => "a person skipped it".to_owned(),
    }
}

/// What a block does or did that its state does not say: that its `rescue` or `always` runs, or that it was rescued.
pub fn section(run: &Run, step: &Step, state: &StepRun) -> Option<String> {
    let failed = run.rescued(step);
    let failed = names(&failed);
    match (&state.state, state.section()) {
        (StepState::Entered, Section::Rescue) => Some(format!("`rescue` runs: {failed} failed")),
        (StepState::Entered, Section::Always) => Some("`always` runs".to_owned()),
        (StepState::Succeeded, _) if !failed.is_empty() => Some(format!("rescued: {failed} failed")),
        _ => None,
    }
}

fn names(steps: &[&StepId]) -> String {
    steps.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ")
}

/// What a step does whose `done_when` is asked.
pub const LOOKS: &str = "looks whether it is done";

/// How a step succeeded that was done already.
pub const ALREADY_DONE: &str = "already done";

/// What a running attempt does, where that says more than "running".
pub fn doing(live: &Live) -> Option<String> {
    Some(match live.doing {
        Doing::Executing if live.attempt.phase == Phase::Probe => LOOKS.to_owned(),
        Doing::Executing if live.attempt.poll > 1 => format!("poll {}", live.attempt.poll),
        Doing::Executing => return None,
        Doing::Waiting => "waits".to_owned(),
        Doing::Asking => "waits for a person to do it".to_owned(),
        Doing::Polling { .. } => format!("not yet, after {} polls", live.attempt.poll),
        Doing::Stopping { force: true, .. } => "being killed".to_owned(),
        Doing::Stopping { why: StopReason::Timeout, .. } => "overdue, being ended".to_owned(),
        Doing::Stopping { why: StopReason::Cancel, .. } => "being ended".to_owned(),
        Doing::Stopping { why: StopReason::Interrupted(_), .. } => "what it left running is being ended".to_owned(),
        Doing::Interrupted => "interrupted: a person must say what became of it".to_owned(),
    })
}

/// What a step waits for that may start.
pub fn cleared(run: &Run, step: &Step) -> String {
    if let Some((name, other)) = run.lock_ahead(&step.id) {
        return format!("waits for the lock `{name}`, for which it is the turn of `{other}`");
    }
    let own = run.locks().find(|(scope, _)| *scope == LockScope::Step(step.id.clone(), Phase::Do));
    match own.map(|(_, locks)| &locks.state) {
        Some(LockState::Awaited { name, holder: Some(holder), .. }) => {
            format!("waits for the lock `{name}`, held by {holder}")
        }
        Some(LockState::Awaited { name, holder: None, .. }) => format!("waits for the lock `{name}`"),
        Some(LockState::Asked) => "waits for its locks".to_owned(),
        Some(LockState::Held) | None => "waits for a place".to_owned(),
    }
}

/// How a guard looks, and what it found of late.
pub fn guard(guard: &Guard, live: &Live) -> String {
    let every = format_duration(guard.every_ms);
    match live.trips {
        0 => format!("looks every {every}"),
        trips => format!("looks every {every}: {trips} of {} looks in a row found what trips it", guard.trip_after),
    }
}

/// Why a run ended as it did; nothing for one that succeeded.
pub fn cause(run: &Run, cause: &Cause) -> Option<String> {
    let failure = |id| match run.step(id).map(|step| &step.state) {
        Some(StepState::Failed(failure)) => failure.to_string(),
        Some(other) => other.word().to_owned(),
        None => String::new(),
    };
    Some(match cause {
        Cause::None => return None,
        Cause::Step(step) if run.step_plan(step).is_some_and(|step| step.guard().is_some()) => {
            format!("the guard `{step}` {}", failure(step))
        }
        Cause::Step(step) => format!("step `{step}` failed: {}", failure(step)),
        Cause::Rejected(step) => format!("step `{step}` was not approved: {}", failure(step)),
        Cause::Cancelled => match run.cancel() {
            Some(cancel) => format!("cancelled by {}", cancel.by.name),
            None => "cancelled".to_owned(),
        },
        Cause::Rollback => {
            let rolled_back = |told: &&Told| matches!(told.verb, Verb::Rollback { .. }) && told.refused.is_none();
            match run.told().iter().rev().find(rolled_back) {
                Some(told) => format!("rolled back by {}", told.by.name),
                None => "rolled back by a person".to_owned(),
            }
        }
        Cause::Always(step) => format!("step `{step}` of `always` failed: {}", failure(step)),
        Cause::Undo(step) => {
            let why = match run.step(step).map(|step| &step.undo.state) {
                Some(UndoState::Failed(failure)) => failure.to_string(),
                _ => String::new(),
            };
            format!("the rollback of step `{step}` failed: {why}")
        }
        Cause::Service(service) => format!("service `{service}` did not come up"),
        Cause::Outputs(reason) => reason.clone(),
        Cause::Lock(name) => format!("the lock `{name}` was held by another run: this one did not begin"),
    })
}

/// What a verb is about, as a phrase: `retry check --downstream`.
pub fn verb(verb: &Verb) -> String {
    let mut text = verb.word().to_owned();
    if let (Verb::Rollback { .. }, Some(step)) = (verb, verb.step()) {
        return format!("{text} --to {step}");
    }
    if let Some(step) = verb.step() {
        text.push_str(&format!(" {step}"));
    }
    if let Verb::Retry { downstream: true, .. } = verb {
        text.push_str(" --downstream");
    }
    if let Verb::MarkDone { outputs, .. } = verb {
        for (name, value) in outputs {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!(" --output {name}={value}"));
        }
    }
    text
}

/// What a person said a step comes to.
pub fn by_hand(by_hand: &ByHand) -> &'static str {
    match by_hand {
        ByHand::Skip => "will be skipped, as a person said",
        ByHand::Done(_) => "will count as done, as a person said",
    }
}
