//! Child runs: another runbook as a step. Its engine is a command of the step, and its own record says what became of it.
//!
//! So nobody is asked about a child run that was interrupted: the next attempt goes on with the same one. And it is never
//! killed with its engine: its own engine is told to end it, as a person would tell it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::digest::digest_of;
use crate::evaluate::EvaluateError;
use crate::event::{AttemptId, Cause, ChildEnd, EndState, Event, Failure, Phase};
use crate::input::{AttemptResult, Exit};
use crate::plan::{OnInterrupt, RunbookCall, Template};
use crate::rendered::Rendered;
use crate::units::{RunId, StepIx, Timestamp};

/// Engines of one child run that may be lost before it counts as failed: more than people kill, fewer than would fill a disk
/// with one that cannot live.
const STARTS_MAX: u32 = 20;

impl Deciding<'_> {
    /// What a `runbook` step will do: the values are held against the params of the child before it starts.
    pub(super) fn prepare_child(
        &self,
        at: StepIx,
        call: &RunbookCall,
        locals: &Locals,
    ) -> Result<Rendered, EvaluateError> {
        let Some(plan) = self.plan().runbooks.get(&call.plan) else {
            return Err(EvaluateError(format!("the plan of `{}` is missing", call.name)));
        };
        let value = |(name, template): (&String, &Template)| match self.render(at, template, locals) {
            Ok(value) => Ok((name.clone(), value)),
            Err(error) => Err(EvaluateError(format!("`with.{name}`: {error}"))),
        };
        let given = call.with.iter().map(value).collect::<Result<Map<String, Value>, _>>()?;
        let params = self.evaluate.params(plan, given)?;
        Ok(Rendered::Runbook { name: call.name.clone(), plan: call.plan.clone(), params })
    }

    /// Which child run a rollback comes to next.
    pub(super) fn prepare_way_back(&self, at: StepIx) -> Result<Rendered, EvaluateError> {
        let child = self.run.steps[at.at()].child_to_undo();
        let child = child.ok_or_else(|| EvaluateError("there is no child run to undo".to_owned()))?;
        Ok(Rendered::UndoRunbook { run: child.run.clone() })
    }

    /// The child run that an attempt starts, or goes on with, and when the step is overdue.
    pub(super) fn child_for(
        &self,
        at: StepIx,
        attempt: &AttemptId,
        due: Option<Timestamp>,
    ) -> (RunId, Option<Timestamp>) {
        let step = &self.run.steps[at.at()];
        let child = match self.run.action_of(attempt) {
            Some(Rendered::UndoRunbook { run }) => step.children.iter().find(|child| child.run == *run),
            _ => step.child(),
        };
        let is_cleanup = self.run.is_cleanup(at);
        match child {
            Some(child) if !child.is_over => (child.run.clone(), child.due),
            Some(child) if attempt.phase == Phase::Undo => (child.run.clone(), due),
            // A person has the step start over: what failed in the child run starts over, and what succeeded stays.
            Some(child) if child.is_gone_on_with(step) && !is_cleanup => (child.run.clone(), due),
            _ => (child_id(&self.made.created.run, attempt, self.now), due),
        }
    }

    /// Whether an attempt goes on with a child run that an earlier one has started.
    pub(super) fn goes_on(&self, attempt: &AttemptId) -> bool {
        self.run.child_of(attempt).is_some_and(|child| child.starts > 1)
    }

    /// The engine of a child run was lost: another one goes on with it, also where this run is being cancelled, since only
    /// that one can end it.
    pub(super) fn child_lost(&mut self, at: StepIx, attempt: &AttemptId, starts: u32) -> Decided {
        let gives_up = starts >= STARTS_MAX;
        let then = if gives_up { OnInterrupt::Fail } else { OnInterrupt::Rerun };
        let (interrupted, survivors, outputs) = (attempt.clone(), vec![], None);
        if !gives_up {
            let probed = false;
            self.emit(Event::AttemptInterrupted { attempt: interrupted, then, survivors, outputs, probed })?;
            return self.start_attempt(at, attempt.phase);
        }
        let why = format!("its engine was lost {STARTS_MAX} times");
        self.finish(at, attempt, Exit::Error(why.clone()), Some(Failure::Exit(Exit::Error(why))), |_| {
            Ok(BTreeMap::new())
        })
    }

    /// Why the result of an attempt counts as failed.
    pub(super) fn failure_in(&self, attempt: &AttemptId, result: &AttemptResult) -> Option<Failure> {
        match &result.child {
            // What is undone then, and what cannot be, is known by its end.
            Some(end) if attempt.phase == Phase::Undo => {
                (end.state == EndState::Stuck).then(|| Failure::Child(end.clone()))
            }
            Some(end) => end.failure(),
            None if self.run.child_of(attempt).is_some() && result.exit == Exit::Code(0) => {
                Some(Failure::Exit(Exit::Error("nobody knows how the child run ended".to_owned())))
            }
            None => match (&result.said, self.failure_of(attempt, &result.exit)) {
                (Some(said), Some(_)) => Some(Failure::Plugin(said.clone())),
                (_, failure) => failure,
            },
        }
    }

    /// Whether a child run ended because this run is cancelled.
    pub(super) fn was_cancelled_with(&self, at: StepIx, attempt: &AttemptId, failure: Option<&Failure>) -> bool {
        let Some(Failure::Child(end)) = failure else { return false };
        self.cancel_stops(at, attempt.phase) && end.cause == Cause::Cancelled && !end.leaves_something()
    }

    /// A child run is told to end with its run, and when it is overdue; it is never killed with its engine.
    pub(super) fn is_child(&self, attempt: &AttemptId) -> bool {
        self.run.child_of(attempt).is_some()
    }
}

impl ChildEnd {
    fn failure(&self) -> Option<Failure> {
        (self.state != EndState::Succeeded).then(|| Failure::Child(self.clone()))
    }
}

impl Failure {
    /// Whether another attempt would make no sense: a person said no, or something is left that a person has to look at.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Rejected { .. } | Self::Cancelled => true,
            Self::Child(end) => matches!(end.cause, Cause::Rejected(_) | Cause::Cancelled) || end.leaves_something(),
            _ => false,
        }
    }
}

/// An id like any other, so that runs sort by time; it is decided here, and so a child run that was started and lost is
/// found again.
fn child_id(parent: &RunId, attempt: &AttemptId, now: Timestamp) -> RunId {
    let digest = digest_of(&(parent, attempt, now));
    let random = u128::from_str_radix(&digest.as_str()[..20], 16).unwrap_or_default();
    RunId::new(ulid::Ulid::from_parts(now.0, random).to_string())
}
