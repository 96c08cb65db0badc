//! The child runs of a step.

use super::{Prepared, StepRun};
use crate::event::{AttemptId, Cause, ChildEnd, EndState};
use crate::rendered::Rendered;
use crate::units::{RunId, Timestamp};

/// A child run of a step. An attempt that was interrupted is followed by one that goes on with the same child run; so is one
/// that failed, where a person has the step start over, and one that succeeded, where it is undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Which.
    pub run: RunId,
    /// The attempt with which it was asked to run, or to go on after its end.
    pub asked: AttemptId,
    /// Whether it had ended before it was asked.
    pub went_on: bool,
    /// When the step is overdue.
    pub due: Option<Timestamp>,
    /// How many attempts were started for it since it was asked.
    pub starts: u32,
    /// Whether it has ended since it was asked, or is given up.
    pub is_over: bool,
    /// Whether its end since it was asked is known.
    pub(crate) has_end: bool,
    /// How it ended last, where that is known.
    pub end: Option<ChildEnd>,
    /// What it was started with.
    pub(crate) action: Option<Rendered>,
    /// How often a person had had the step start over when it was asked.
    pub(crate) resets: u32,
    /// How much operators had told the run when it was asked.
    pub(crate) told: usize,
    /// Whether it was asked to be rolled back.
    pub(crate) is_way_back: bool,
    /// Whether it was rolled back with this run.
    pub(crate) is_undone: bool,
}

impl Child {
    /// What it was started with.
    pub fn started_with(&self) -> Option<&Rendered> {
        self.action.as_ref()
    }

    /// Whether something that it did is to be undone with this run. One that undid itself has nothing left; of one that is
    /// stuck a person has to look at it first.
    pub(crate) fn is_to_be_undone(&self) -> bool {
        let is_done = |end: &ChildEnd| match end.state {
            EndState::Succeeded | EndState::Cancelled => true,
            EndState::Failed => !end.irreversible,
            EndState::RolledBack | EndState::Stuck => false,
        };
        !self.is_undone && (self.is_way_back || self.end.as_ref().is_some_and(is_done))
    }

    /// Whether something is left of it that cannot be undone.
    pub(crate) fn leaves_something(&self) -> bool {
        !self.is_undone && self.end.as_ref().is_some_and(ChildEnd::leaves_something)
    }

    /// Whether a retry by a person means what is left to do in it, rather than another child run: not where it has undone
    /// itself, all of its steps have succeeded, or it would get other values.
    pub(crate) fn is_gone_on_with(&self, step: &StepRun) -> bool {
        let is_same = self.action.as_ref() == step.prepared.as_ref().map(|prepared: &Prepared| &prepared.action);
        let is_left = |end: &ChildEnd| match (end.state, &end.cause) {
            (EndState::Succeeded | EndState::RolledBack, _) | (EndState::Failed, Cause::Outputs(_)) => false,
            (EndState::Failed | EndState::Stuck | EndState::Cancelled, _) => !end.irreversible,
        };
        step.resets > self.resets && is_same && self.end.as_ref().is_some_and(is_left)
    }
}

impl StepRun {
    /// Its last child run.
    pub fn child(&self) -> Option<&Child> {
        self.children.last()
    }

    /// The child run that is undone next: the latest that is to be.
    pub(crate) fn child_to_undo(&self) -> Option<&Child> {
        self.children.iter().rev().find(|child| child.is_to_be_undone())
    }

    pub(crate) fn child_mut(&mut self, run: &RunId) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.run == *run)
    }
}
