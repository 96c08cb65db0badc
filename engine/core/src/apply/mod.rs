//! The fold: how each event changes the state of a run. Makes no choices.
//!
//! ```text
//! Pending ─┬─► Asked ─► Cleared ─► Running ◄─► Retrying        a block: Pending ─► Entered
//!          │     │         │          │                                              │
//!          └─────┴─────────┴──────────┴──► Succeeded, Failed, Skipped, Blocked, Cancelled
//! ```

mod attempts;
mod derive;
mod failures;
mod locks;
mod loops;
mod questions;
mod stages;
mod steps;
mod verbs;

use std::sync::Arc;

use crate::event::{Created, Event};
use crate::run::{Locks, Made, Run, ServiceState, Stage, StepRun};
use crate::units::{ServiceName, StepId, StepIx, Timestamp};

/// An event that the state does not accept: the journal was changed, or the engine has a bug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` does not fit: {state}")]
pub struct IllegalEvent {
    /// The event.
    pub event: String,
    /// The state that it met.
    pub state: String,
}

type Applied = Result<(), IllegalEvent>;

impl Run {
    /// Changes the state by one event, decided at the given moment.
    ///
    /// # Errors
    /// When the state does not accept the event; the run must then not be used any more.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Applied {
        match event {
            Event::RunCreated(created) => return self.create(created, at),
            Event::VerbTaken { .. } | Event::RunReopened { .. } => self.must(self.stage != Stage::New, event)?,
            _ => self.must(!matches!(self.stage, Stage::New | Stage::Ended), event)?,
        }
        match event {
            Event::RunCreated(_) => Ok(()),
            Event::EngineStarted { .. }
            | Event::ServiceReady { .. }
            | Event::ServiceFailed { .. }
            | Event::ServiceStopped { .. } => self.apply_host(event),
            Event::LocksAsked { .. }
            | Event::LocksTaken { .. }
            | Event::LockAwaited { .. }
            | Event::LockRefused { .. } => self.apply_lock(event),
            Event::DeadlinePassed { step, .. } => {
                let passes = self.deadlines().any(|(deadline, _)| deadline.id == *step);
                self.must(passes, event)
            }
            Event::GuardTripped { .. } => self.trip(event, at),
            Event::BlockEntered { .. }
            | Event::LoopEntered { .. }
            | Event::SectionEntered { .. }
            | Event::StepSkipped { .. }
            | Event::StepBlocked { .. }
            | Event::StepPrepared { .. }
            | Event::StepSucceeded { .. }
            | Event::StepFailed { .. }
            | Event::StepCancelled { .. } => self.apply_step(event, at),
            Event::QuestionAsked { .. }
            | Event::QuestionAnswered { .. }
            | Event::ApprovalGiven { .. }
            | Event::AnswerRefused { .. }
            | Event::QuestionEscalated { .. }
            | Event::QuestionExpired { .. }
            | Event::QuestionWithdrawn { .. } => self.apply_question(event),
            Event::AttemptStarted { .. }
            | Event::PollMissed { .. }
            | Event::AttemptStopping { .. }
            | Event::ChildEnded(_)
            | Event::AttemptEnded { .. }
            | Event::AttemptInterrupted { .. }
            | Event::RetryScheduled { .. } => self.apply_attempt(event, at),
            Event::RollbackStarted { .. }
            | Event::UndoPrepared { .. }
            | Event::StepUndone { .. }
            | Event::UndoFailed { .. } => self.apply_undo(event),
            Event::VerbTaken { .. }
            | Event::VerbRefused(_)
            | Event::RunReopened { .. }
            | Event::StepsReset { .. }
            | Event::UndoReset { .. } => self.apply_verb(event, at),
            Event::CancelRequested { .. }
            | Event::CancelGraceOver
            | Event::AlwaysStarted
            | Event::ServicesStopping
            | Event::RunEnded { .. } => self.apply_stage(event, at),
        }
    }

    fn create(&mut self, created: &Created, at: Timestamp) -> Applied {
        // Not with the event in it: the whole plan would be no help to anybody.
        let refused = |state| IllegalEvent { event: "RunCreated".to_owned(), state };
        if self.stage != Stage::New {
            return Err(refused(format!("the run is in {:?}", self.stage)));
        }
        created.plan.check().map_err(|broken| refused(broken.to_string()))?;
        let made = Arc::new(Made::new(created.clone()));
        let plan = &made.created.plan;
        self.steps = plan.steps.iter().map(StepRun::new).collect();
        self.services = made.created.services.iter().map(|it| (it.name.clone(), ServiceState::Starting)).collect();
        if !made.created.locks.is_empty() {
            self.locks.insert(None, Locks::new(made.created.locks.clone()));
        }
        self.stage = Stage::Main;
        self.started_at = at;
        self.made = Some(made);
        self.derive();
        Ok(())
    }

    fn apply_host(&mut self, event: &Event) -> Applied {
        match event {
            Event::EngineStarted { host } => {
                self.host = Some(host.clone());
                self.ask_locks_again();
                for state in self.services.values_mut() {
                    if matches!(state, ServiceState::Ready { .. }) {
                        *state = ServiceState::Starting;
                    }
                }
            }
            Event::ServiceReady { service, pid } => {
                self.service_is(service, &[ServiceState::Starting], ServiceState::Ready { pid: *pid }, event)?;
            }
            Event::ServiceFailed { service, .. } => {
                self.service_is(service, &[ServiceState::Starting], ServiceState::Failed, event)?;
                self.service_failed.get_or_insert_with(|| service.clone());
            }
            Event::ServiceStopped { service } => {
                let state = self.services.get(service);
                let unwanted = self.stage == Stage::Stopping || state == Some(&ServiceState::Failed);
                self.must(unwanted && state.is_some_and(|state| *state != ServiceState::Stopped), event)?;
                self.services.insert(service.clone(), ServiceState::Stopped);
            }
            _ => return Err(self.illegal(event)),
        }
        Ok(())
    }

    fn service_is(&mut self, service: &ServiceName, from: &[ServiceState], to: ServiceState, event: &Event) -> Applied {
        match self.services.get_mut(service) {
            Some(state) if from.contains(state) => {
                *state = to;
                Ok(())
            }
            _ => Err(self.illegal(event)),
        }
    }

    fn at(&self, step: &StepId, event: &Event) -> Result<StepIx, IllegalEvent> {
        let found = self.made.as_ref().and_then(|made| made.index.get(step).copied());
        found.ok_or_else(|| self.illegal(event))
    }

    fn must(&self, holds: bool, event: &Event) -> Applied {
        if holds { Ok(()) } else { Err(self.illegal(event)) }
    }

    fn illegal(&self, event: &Event) -> IllegalEvent {
        IllegalEvent { event: format!("{event:?}"), state: format!("the run is in {:?}", self.stage) }
    }

    fn illegal_at(&self, at: StepIx, event: &Event) -> IllegalEvent {
        let id = self.plan().map_or("", |plan| plan.step(at).id.as_str());
        let run = &self.steps[at.at()];
        let live: Vec<_> = self.live.values().filter(|live| live.attempt.step.as_str() == id).collect();
        IllegalEvent {
            event: format!("{event:?}"),
            state: format!("step `{id}` is {:?}, its undo {:?}, running {live:?}", run.state, run.undo.state),
        }
    }
}
