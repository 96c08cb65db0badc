//! What is undone when a run is rolled back, and what cannot be.

use super::{Run, StepRun, StepState, UndoState};
use crate::event::{Failure, Phase};
use crate::plan::{Action, Step};
use crate::units::{StepId, StepIx};

impl StepRun {
    /// Whether this run made it succeed: what was done before the run began is not its to undo.
    pub(crate) fn took_effect(&self) -> bool {
        let was_there = self.already_done && self.attempts == 0;
        (self.state == StepState::Succeeded && !was_there) || self.had_succeeded
    }

    /// Whether it has an undo, and did what that is for.
    pub(crate) fn is_to_be_undone(&self, step: &Step) -> bool {
        let Some(undo) = &step.rollback else { return false };
        if undo.action == Action::UndoRunbook {
            // What succeeded in a child run counts, whatever became of the child run.
            return self.child_to_undo().is_some();
        }
        // A block that was entered has no attempts of its own, and is blocked when one of its steps was.
        let bad = matches!(self.state, StepState::Failed(_) | StepState::Cancelled | StepState::Blocked(_));
        self.took_effect() || (undo.also_failed && bad && self.started_at.is_some())
    }

    /// Whether something of it stays when its run is rolled back.
    pub(crate) fn is_irreversible(&self, step: &Step) -> bool {
        let is_stuck = matches!(&self.state, StepState::Failed(Failure::Child(end)) if end.leaves_something());
        let has_child = self.children.iter().any(super::Child::leaves_something);
        (self.took_effect() && step.irreversible) || is_stuck || has_child
    }
}

impl Run {
    /// The steps that a rollback looks at: those that settled after the given one and are not undone.
    pub(crate) fn undoable(&self, to: Option<StepIx>) -> impl Iterator<Item = (StepIx, &Step, &StepRun)> {
        let stays = to.map_or(0, |to| self.steps[to.at()].settled_as);
        self.steps().filter(move |(at, step, run)| {
            let is_of_main = !step.always && self.is_cut(*at).is_none();
            is_of_main && run.settled_as > stays && run.undo.state != UndoState::Undone
        })
    }

    /// Whether a rollback would find something to undo, among what settled after the given step.
    pub fn has_something_to_undo(&self, to: Option<&StepId>) -> bool {
        let to = to.and_then(|step| self.at_of(step));
        self.undoable(to).any(|(_, step, run)| run.is_to_be_undone(step))
    }

    /// Whether something of it would stay if it were rolled back now, or has stayed.
    pub fn holds_irreversible(&self) -> bool {
        let stayed = self.rollback.as_ref().is_some_and(|rollback| !rollback.irreversible.is_empty());
        stayed || self.undoable(None).any(|(_, step, run)| run.is_irreversible(step))
    }

    /// Whether one child run of a step was rolled back and another one is to be.
    pub(crate) fn undoes_next_child(&self, at: StepIx) -> bool {
        let run = &self.steps[at.at()];
        let key = (at, Phase::Undo);
        let rests = !self.live.contains_key(&key) && !self.retries.contains_key(&key);
        let undoes_children = self.plan().and_then(|plan| plan.step(at).rollback.as_ref());
        let undoes_children = undoes_children.is_some_and(|undo| undo.action == Action::UndoRunbook);
        undoes_children && rests && run.undo.state == UndoState::Running && run.child_to_undo().is_some()
    }
}
