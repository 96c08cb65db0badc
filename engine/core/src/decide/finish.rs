//! From the last step to the end: the rollback, the `always` steps, the services, the verdict.

use std::collections::BTreeMap;

use super::{Decided, Deciding};
use crate::event::{BlockReason, Cause, EndState, Event, Failure, Phase};
use crate::run::{Run, ServiceState, Stage, StepState, UndoState};
use crate::units::{StepId, StepIx};

impl Deciding<'_> {
    /// All steps of the stage have settled.
    pub(super) fn leave_steps(&mut self) -> Decided {
        if self.run.stage == Stage::Always {
            return self.stop_services();
        }
        if self.run.asks_after_failure() {
            return self.ask_after_failure();
        }
        if self.run.unsettled_beside > 0 {
            return self.end_beside();
        }
        if self.run.rolls_back() {
            return self.start_rollback();
        }
        self.emit(Event::AlwaysStarted)
    }

    /// Undoing runs against the order in which steps settled: a dependent settles after what it needs.
    fn start_rollback(&mut self) -> Decided {
        let mut found: Vec<(u64, StepIx)> = vec![];
        let mut irreversible = vec![];
        for (at, step, run) in self.run.undoable(self.run.way_back.flatten()) {
            if run.is_to_be_undone(step) {
                found.push((run.settled_as, at));
            }
            if run.is_irreversible(step) {
                irreversible.push(step.id.clone());
            }
        }
        let never_began = self.run.service_failed.is_some() || self.run.lock_refused.is_some();
        if found.is_empty() && irreversible.is_empty() && never_began {
            return self.emit(Event::AlwaysStarted);
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        let order = found.into_iter().map(|(_, at)| self.plan().step(at).id.clone()).collect();
        self.emit(Event::RollbackStarted { order, irreversible })
    }

    pub(super) fn advance_undo(&mut self) -> Decided {
        let Some(rollback) = self.run.rollback.as_ref().filter(|_| !self.is_paused()) else { return Ok(()) };
        if rollback.failed.is_some() || rollback.done == rollback.order.len() {
            return self.emit(Event::AlwaysStarted);
        }
        let at = rollback.order[rollback.done];
        if self.run.steps[at.at()].undo.state != UndoState::Pending && !self.run.undoes_next_child(at) {
            return Ok(());
        }
        let step = self.plan().step(at).id.clone();
        let cut = self.cancel_stops(at, Phase::Undo).then_some(Failure::Cancelled);
        if let Some(failure) = cut.or_else(|| self.no_service()) {
            return self.emit(Event::UndoFailed { step, failure });
        }
        if !self.may_start() {
            return Ok(());
        }
        match self.undo_has_locks(at)? {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                let failure = Failure::Evaluate(format!("`locks`: {error}"));
                return self.emit(Event::UndoFailed { step, failure });
            }
        }
        let Some(undo) = self.plan().step(at).rollback.clone() else { return Ok(()) };
        match self.prepare(at, &undo.action, &self.undo_locals(at, Phase::Undo)) {
            Ok(action) => {
                self.emit(Event::UndoPrepared { step, action })?;
                self.start_attempt(at, Phase::Undo)
            }
            Err(error) => self.emit(Event::UndoFailed { step, failure: Failure::Evaluate(error.to_string()) }),
        }
    }

    fn stop_services(&mut self) -> Decided {
        if self.run.services.is_empty() { self.end() } else { self.emit(Event::ServicesStopping) }
    }

    pub(super) fn advance_stop(&mut self) -> Decided {
        let gone = |state: &ServiceState| matches!(state, ServiceState::Stopped);
        if self.run.services.values().all(gone) { self.end() } else { Ok(()) }
    }

    fn end(&mut self) -> Decided {
        let (mut state, mut cause) = verdict(&self.run);
        let mut outputs = BTreeMap::new();
        if state == EndState::Succeeded {
            match self.run_outputs() {
                Ok(values) => outputs = values,
                Err(reason) => (state, cause) = (EndState::Failed, Cause::Outputs(reason)),
            }
        }
        let irreversible = self.run.rollback.as_ref().map(|rollback| rollback.irreversible.clone());
        self.emit(Event::RunEnded { state, cause, irreversible: irreversible.unwrap_or_default(), outputs })
    }

    /// A run that will be rolled back does not wait for people: what they would confirm is undone anyway. Those are still
    /// asked whom a step calls because of the failure.
    pub(super) fn leave_questions(&mut self) -> Decided {
        if self.run.rolls_back() && self.run.stage == Stage::Main {
            self.withdraw_manual(&BlockReason::Rollback)?;
        }
        Ok(())
    }
}

/// How a run ends, and why: a failed undo before a refusal, before a request to cancel, before a failed step.
fn verdict(run: &Run) -> (EndState, Cause) {
    if let Some(step) = run.rollback.as_ref().and_then(|rollback| rollback.failed.clone()) {
        return (EndState::Stuck, Cause::Undo(step));
    }
    if let Some(service) = run.service_failed.clone() {
        return (EndState::Failed, Cause::Service(service));
    }
    if let Some(name) = run.lock_refused.clone() {
        return (EndState::Failed, Cause::Lock(name));
    }
    let cancelled = run.cancel.as_ref().is_some_and(|cancel| cancel.in_main);
    let failed = run.failing.get(&None).cloned();
    let cause = match (&run.rejected, cancelled, failed) {
        (Some(step), _, _) => Cause::Rejected(step.clone()),
        (None, true, _) => Cause::Cancelled,
        (None, false, Some(step)) => Cause::Step(step),
        (None, false, None) if run.way_back.is_some() => Cause::Rollback,
        (None, false, None) => match always_failed(run) {
            Some(step) => Cause::Always(step),
            None => Cause::None,
        },
    };
    let state = match (&cause, &run.rollback) {
        (Cause::None, _) => EndState::Succeeded,
        (_, Some(rollback)) if rollback.irreversible.is_empty() => EndState::RolledBack,
        (_, Some(_)) => EndState::Failed,
        (Cause::Cancelled, None) => EndState::Cancelled,
        (_, None) => EndState::Failed,
    };
    (state, cause)
}

/// The first `always` step that did not end well.
fn always_failed(run: &Run) -> Option<StepId> {
    let cut = run.steps().find(|(_, step, run)| {
        let ended_badly = matches!(run.state, StepState::Cancelled | StepState::Blocked(_));
        step.always && step.parent.is_none() && ended_badly && !step.continue_on_failure
    });
    run.always_failed.clone().or_else(|| cut.map(|(_, step, _)| step.id.clone()))
}
