//! How a run goes from its steps over the rollback and `always` to its end.

use super::Applied;
use std::collections::BTreeSet;

use crate::event::{Event, Identity, Phase, Verb};
use crate::plan::OnTrip;
use crate::run::{Cancel, Doing, End, Rollback, Run, ServiceState, Stage, StepState, Told, UndoState};
use crate::units::{StepId, StepIx, Timestamp};

impl Run {
    pub(super) fn apply_undo(&mut self, event: &Event) -> Applied {
        match event {
            Event::RollbackStarted { order, irreversible } => {
                self.must(self.stage == Stage::Main && self.is_settled(), event)?;
                let order = order.iter().map(|step| self.at(step, event)).collect::<Result<Vec<_>, _>>()?;
                for at in &order {
                    self.steps[at.at()].undo.state = UndoState::Pending;
                }
                self.rollback = Some(Rollback { order, done: 0, irreversible: irreversible.clone(), failed: None });
                self.enter_stage(Stage::RollingBack);
                Ok(())
            }
            Event::UndoPrepared { step, action } => {
                let at = self.at(step, event)?;
                let pending = self.steps[at.at()].undo.state == UndoState::Pending;
                let again = pending || self.undoes_next_child(at);
                self.must(again && self.is_being_undone(at), event)?;
                self.steps[at.at()].undo.action = Some(action.clone());
                Ok(())
            }
            Event::StepUndone { step } => self.end_undo(step, UndoState::Undone, event),
            Event::UndoFailed { step, failure } => self.end_undo(step, UndoState::Failed(failure.clone()), event),
            _ => Err(self.illegal(event)),
        }
    }

    /// Whether the rollback has come to this step.
    pub(super) fn is_being_undone(&self, at: StepIx) -> bool {
        self.rollback.as_ref().is_some_and(|it| it.failed.is_none() && it.order.get(it.done) == Some(&at))
    }

    fn end_undo(&mut self, step: &StepId, state: UndoState, event: &Event) -> Applied {
        let at = self.at(step, event)?;
        let failed = matches!(state, UndoState::Failed(_));
        let fits = match self.steps[at.at()].undo.state {
            UndoState::Running => failed || !self.live.contains_key(&(at, Phase::Undo)),
            UndoState::Pending => failed,
            // A person did it.
            UndoState::Failed(_) if !failed => self.failed_undo(step, event).is_ok(),
            UndoState::None | UndoState::Undone | UndoState::Failed(_) => false,
        };
        let by_hand = matches!(self.steps[at.at()].undo.state, UndoState::Failed(_));
        if !fits || !(by_hand || self.is_being_undone(at)) {
            return Err(self.illegal_at(at, event));
        }
        self.locks.remove(&Some((at, Phase::Undo)));
        self.drop_live((at, Phase::Undo));
        self.drop_retry((at, Phase::Undo));
        if let Some(rollback) = &mut self.rollback {
            if failed {
                rollback.failed = Some(step.clone());
            } else {
                rollback.done += 1;
                rollback.failed = None;
            }
        }
        self.steps[at.at()].undo.state = state;
        Ok(())
    }

    pub(super) fn apply_stage(&mut self, event: &Event, at: Timestamp) -> Applied {
        match event {
            Event::CancelRequested { level, by, message, .. } => {
                // Of a run that asks what follows on its failure it says only that nothing more is to be tried.
                let in_main = self.stage == Stage::Main && self.failure_question().is_none();
                self.close_failure_question();
                self.paused = None;
                let first =
                    || Cancel { level: 0, at, by: by.clone(), in_main, grace_over: false, messages: BTreeSet::new() };
                let cancel = self.cancel.get_or_insert_with(first);
                cancel.level = cancel.level.max(*level);
                cancel.messages.extend(message.clone());
                if *level >= 2 {
                    self.cleaning.values_mut().for_each(|cut| *cut = true);
                }
            }
            Event::CancelGraceOver => match &mut self.cancel {
                Some(cancel) => cancel.grace_over = true,
                None => return Err(self.illegal(event)),
            },
            Event::AlwaysStarted => {
                let undone = self.rollback.as_ref().is_none_or(|it| it.failed.is_some() || it.done == it.order.len());
                let before = matches!(self.stage, Stage::Main | Stage::RollingBack);
                self.must(before && undone && self.is_settled(), event)?;
                self.enter_stage(Stage::Always);
                self.derive();
            }
            Event::ServicesStopping => {
                self.must(self.stage == Stage::Always && self.is_settled(), event)?;
                self.enter_stage(Stage::Stopping);
            }
            Event::RunEnded { state, cause, irreversible, outputs } => {
                let stopped = self.services.values().all(|state| *state == ServiceState::Stopped);
                let last = matches!(self.stage, Stage::Always | Stage::Stopping);
                self.must(last && stopped && self.is_settled(), event)?;
                self.stage = Stage::Ended;
                self.locks.clear();
                let (cause, irreversible) = (cause.clone(), irreversible.clone());
                self.end = Some(End { state: *state, cause, irreversible, outputs: outputs.clone(), at });
            }
            _ => return Err(self.illegal(event)),
        }
        Ok(())
    }

    /// A guard tripped. Either the run is paused as by a person, and the guard has looked and will look again. Or what runs may
    /// end by itself for a while, as when a person cancels the run; but the run has failed.
    pub(super) fn trip(&mut self, event: &Event, at: Timestamp) -> Applied {
        let Event::GuardTripped { step, then, found } = event else { return Err(self.illegal(event)) };
        let guard = self.at(step, event)?;
        let doing = self.live.get(&(guard, Phase::Do)).map(|live| live.doing);
        let pauses = *then == OnTrip::Pause;
        let has_looked = match doing {
            Some(Doing::Polling { .. }) => pauses && self.paused.is_none() && self.cancel.is_none(),
            None => !pauses && self.steps[guard.at()].state == StepState::Running,
            Some(_) => false,
        };
        let goes_on = self.stage == Stage::Main && !self.main_is_over();
        self.must(self.is_guard(guard) && has_looked && goes_on, event)?;
        let Some(created) = self.created() else { return Err(self.illegal(event)) };
        let by = Identity { uid: created.by.uid, name: format!("the guard `{step}`") };
        if pauses {
            self.paused = Some(by.clone());
            // Child runs are held by what this one was told.
            let (guard, reason) = (Some(step.clone()), found.clone());
            self.told.push(Told { verb: Verb::Pause, by, guard, reason, at, message: None, refused: None });
            return Ok(());
        }
        let first = Cancel { level: 1, at, by, in_main: false, grace_over: false, messages: BTreeSet::new() };
        self.cancel.get_or_insert(first);
        self.paused = None;
        self.close_failure_question();
        Ok(())
    }

    /// Whether all steps of the present stage have settled, and nothing goes on or is asked.
    fn is_settled(&self) -> bool {
        let main = self.unsettled_main.saturating_add(self.unsettled_beside);
        let left = if self.stage <= Stage::RollingBack { main } else { self.unsettled_always };
        left == 0 && self.live.is_empty() && self.retries.is_empty() && self.questions.is_empty()
    }

    /// In a new stage a request to cancel counts as made once: what ran before has ended.
    fn enter_stage(&mut self, stage: Stage) {
        self.stage = stage;
        if let Some(cancel) = &mut self.cancel {
            cancel.level = 1;
        }
    }
}
