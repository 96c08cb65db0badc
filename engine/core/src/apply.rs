//! The fold: how each event changes the state of a run. Makes no choices.
//!
//! ```text
//! Pending ─┬─► Asked ─► Cleared ─► Running ◄─► Retrying        a block: Pending ─► Entered
//!          │     │         │          │                                              │
//!          └─────┴─────────┴──────────┴──► Succeeded, Failed, Skipped, Blocked, Cancelled
//! ```

use std::sync::Arc;

use crate::event::{AttemptId, Event, Failure, Phase, QuestionKind};
use crate::input::{Answer, Exit};
use crate::plan::OnInterrupt;
use crate::rendered::Rendered;
use crate::run::{
    Cancel, Doing, End, Live, Made, Prepared, Rollback, Run, ServiceState, Stage, StepRun, StepState, UndoState,
};
use crate::units::{StepId, StepIx, Timestamp};

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
            Event::RunCreated(created) => {
                self.must(self.stage == Stage::New, event)?;
                self.create(Arc::new(Made::new((**created).clone())), at);
                return Ok(());
            }
            _ => self.must(!matches!(self.stage, Stage::New | Stage::Ended), event)?,
        }
        match event {
            Event::RunCreated(_) => {}
            Event::EngineStarted { .. }
            | Event::ServiceReady { .. }
            | Event::ServiceFailed { .. }
            | Event::ServiceStopped { .. } => self.apply_host(event)?,
            Event::BlockEntered { .. }
            | Event::StepSkipped { .. }
            | Event::StepBlocked { .. }
            | Event::StepPrepared { .. }
            | Event::StepSucceeded { .. }
            | Event::StepFailed { .. }
            | Event::StepCancelled { .. } => self.apply_step(event, at)?,
            Event::QuestionAsked { .. }
            | Event::QuestionAnswered { .. }
            | Event::AnswerRefused { .. }
            | Event::QuestionExpired { .. }
            | Event::QuestionWithdrawn { .. } => self.apply_question(event)?,
            Event::AttemptStarted { .. }
            | Event::PollMissed { .. }
            | Event::AttemptStopping { .. }
            | Event::AttemptEnded { .. }
            | Event::AttemptInterrupted { .. }
            | Event::RetryScheduled { .. } => self.apply_attempt(event, at)?,
            Event::RollbackStarted { .. }
            | Event::UndoPrepared { .. }
            | Event::StepUndone { .. }
            | Event::UndoFailed { .. } => self.apply_undo(event)?,
            Event::CancelRequested { .. }
            | Event::CancelGraceOver
            | Event::AlwaysStarted
            | Event::ServicesStopping
            | Event::RunEnded { .. } => self.apply_stage(event, at)?,
        }
        Ok(())
    }

    fn create(&mut self, made: Arc<Made>, at: Timestamp) {
        let plan = &made.created.plan;
        self.steps = plan.steps.iter().map(StepRun::new).collect();
        let count = |always| u32::try_from(plan.steps.iter().filter(|step| step.always == always).count());
        self.unsettled_main = count(false).unwrap_or(u32::MAX);
        self.unsettled_always = count(true).unwrap_or(u32::MAX);
        self.services = made.created.services.iter().map(|it| (it.name.clone(), ServiceState::Starting)).collect();
        self.stage = Stage::Main;
        self.started_at = at;
        let top = plan.iter().filter(|(_, step)| step.parent.is_none() && !step.always && step.needs.is_empty());
        self.ready = top.map(|(at, _)| at).collect();
        self.made = Some(made);
    }

    fn apply_host(&mut self, event: &Event) -> Applied {
        match event {
            Event::EngineStarted { host } => {
                self.host = Some(host.clone());
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
                self.must(self.stage == Stage::Stopping, event)?;
                self.services.insert(service.clone(), ServiceState::Stopped);
            }
            _ => return Err(self.illegal(event)),
        }
        Ok(())
    }

    fn service_is(
        &mut self,
        service: &crate::units::ServiceName,
        from: &[ServiceState],
        to: ServiceState,
        event: &Event,
    ) -> Applied {
        match self.services.get_mut(service) {
            Some(state) if from.contains(state) => {
                *state = to;
                Ok(())
            }
            _ => Err(self.illegal(event)),
        }
    }

    fn apply_step(&mut self, event: &Event, now: Timestamp) -> Applied {
        let (Event::BlockEntered { step, .. }
        | Event::StepSkipped { step, .. }
        | Event::StepBlocked { step, .. }
        | Event::StepPrepared { step, .. }
        | Event::StepSucceeded { step, .. }
        | Event::StepFailed { step, .. }
        | Event::StepCancelled { step }) = event
        else {
            return Err(self.illegal(event));
        };
        let at = self.at(step, event)?;
        use StepState::{Asked, Cleared, Entered, Pending, Retrying, Running};
        match (&self.steps[at.at()].state, event) {
            (Pending | Cleared, Event::BlockEntered { case, .. }) => self.enter(at, *case, now),
            (Pending, Event::StepPrepared { action, digest, .. }) => {
                let prepared = Prepared { action: action.clone(), digest: digest.clone() };
                self.steps[at.at()].prepared = Some(prepared);
                self.steps[at.at()].state = Cleared;
                self.ready.remove(&at);
                self.cleared.insert(at);
            }
            (Pending, Event::StepSkipped { reason, .. }) => self.settle(at, StepState::Skipped(reason.clone()), now),
            (Pending | Asked | Cleared | Entered, Event::StepBlocked { reason, .. }) => {
                self.settle(at, StepState::Blocked(reason.clone()), now);
            }
            (Running | Entered, Event::StepSucceeded { outputs, .. }) => {
                self.steps[at.at()].outputs.clone_from(outputs);
                self.settle(at, StepState::Succeeded, now);
            }
            (Pending | Asked | Cleared | Running | Entered, Event::StepFailed { failure, .. }) => {
                self.spread_failure(at, failure);
                self.settle(at, StepState::Failed(failure.clone()), now);
            }
            (Running | Retrying | Entered, Event::StepCancelled { .. }) => {
                self.settle(at, StepState::Cancelled, now);
            }
            _ => return Err(self.illegal_at(at, event)),
        }
        Ok(())
    }

    fn enter(&mut self, at: StepIx, case: Option<u32>, now: Timestamp) {
        let Some(made) = self.made.clone() else { return };
        let inherited = self.taint_of_needs(at);
        self.ready.remove(&at);
        self.cleared.remove(&at);
        let run = &mut self.steps[at.at()];
        run.state = StepState::Entered;
        run.started_at = Some(now);
        for child in made.created.plan.step(at).children() {
            self.steps[child.at()].inherited.clone_from(&inherited);
            let taken = made.created.plan.step(child).case == case;
            if taken && self.steps[child.at()].unmet == 0 && self.steps[child.at()].state == StepState::Pending {
                self.ready.insert(child);
            }
        }
        if self.steps[at.at()].open_children == 0 {
            self.closing.insert(at);
        }
    }

    /// Ends a step, and tells those that wait for it.
    fn settle(&mut self, at: StepIx, state: StepState, now: Timestamp) {
        let Some(made) = self.made.clone() else { return };
        let step = made.created.plan.step(at);
        let spoils = match &state {
            StepState::Failed(_) => !step.continue_on_failure,
            StepState::Blocked(_) | StepState::Cancelled => true,
            _ => false,
        };
        let taint = if spoils { Some(step.id.clone()) } else { self.taint_of_needs(at) };
        self.settled += 1;
        let run = &mut self.steps[at.at()];
        run.state = state;
        run.taint = taint;
        run.ended_at = Some(now);
        run.settled_as = self.settled;
        self.ready.remove(&at);
        self.cleared.remove(&at);
        self.closing.remove(&at);
        self.live.remove(&(at, Phase::Do));
        self.retries.remove(&(at, Phase::Do));
        if step.always {
            self.unsettled_always -= 1
        } else {
            self.unsettled_main -= 1
        }
        for next in &made.dependents[at.at()] {
            let unmet = &mut self.steps[next.at()].unmet;
            *unmet = unmet.saturating_sub(1);
            if *unmet == 0 && self.is_reachable(*next) {
                self.ready.insert(*next);
            }
        }
        if let Some(parent) = step.parent {
            let open = &mut self.steps[parent.at()].open_children;
            *open = open.saturating_sub(1);
            if *open == 0 && self.steps[parent.at()].state == StepState::Entered {
                self.closing.insert(parent);
            }
        }
    }

    /// Whether a pending step lies where the run now is.
    fn is_reachable(&self, at: StepIx) -> bool {
        let Some(plan) = self.plan() else { return false };
        let step = plan.step(at);
        let in_stage = !step.always || self.stage == Stage::Always;
        let in_parent = step.parent.is_none_or(|parent| self.steps[parent.at()].state == StepState::Entered);
        self.steps[at.at()].state == StepState::Pending && in_stage && in_parent
    }

    /// Marks where a failure holds back what has not started: the nearest block that contains it, or the run.
    fn spread_failure(&mut self, at: StepIx, failure: &Failure) {
        let Some(made) = self.made.clone() else { return };
        let plan = &made.created.plan;
        let mut scope = at;
        loop {
            let step = plan.step(scope);
            let contained = step.continue_on_failure || (step.always && step.parent.is_none());
            if contained {
                if step.always && step.parent.is_none() && !step.continue_on_failure {
                    self.always_failed.get_or_insert_with(|| plan.step(at).id.clone());
                }
                if scope != at {
                    self.failing.entry(Some(scope)).or_insert_with(|| plan.step(at).id.clone());
                }
                return;
            }
            match step.parent {
                Some(parent) => scope = parent,
                None => break,
            }
        }
        self.failing.entry(None).or_insert_with(|| plan.step(at).id.clone());
        if matches!(failure, Failure::Rejected { .. } | Failure::Expired) {
            self.rejected.get_or_insert_with(|| plan.step(at).id.clone());
        }
    }

    /// The step, among all that this one builds on, that spoils it.
    pub(crate) fn taint_of_needs(&self, at: StepIx) -> Option<StepId> {
        let step = self.plan()?.step(at);
        if step.always && step.parent.is_none() {
            return None;
        }
        let own = step.needs.iter().find_map(|need| self.steps[need.at()].taint.clone());
        own.or_else(|| self.steps[at.at()].inherited.clone())
    }

    fn apply_question(&mut self, event: &Event) -> Applied {
        let id = match event {
            Event::QuestionAsked { question } => {
                self.must(!self.questions.contains_key(&question.id), event)?;
                let at = self.at(&question.step, event)?;
                match &question.kind {
                    QuestionKind::Approval { .. } => {
                        self.must(self.steps[at.at()].state == StepState::Cleared, event)?;
                        self.cleared.remove(&at);
                        self.steps[at.at()].state = StepState::Asked;
                    }
                    QuestionKind::Manual { attempt } | QuestionKind::Interrupted { attempt } => {
                        self.must(self.live.contains_key(&(at, attempt.phase)), event)?;
                    }
                }
                self.questions.insert(question.id.clone(), question.clone());
                return Ok(());
            }
            Event::AnswerRefused { .. } => return Ok(()),
            Event::QuestionAnswered { question, .. }
            | Event::QuestionExpired { question }
            | Event::QuestionWithdrawn { question, .. } => question,
            _ => return Err(self.illegal(event)),
        };
        let Some(question) = self.questions.remove(id) else { return Err(self.illegal(event)) };
        let approved = matches!(event, Event::QuestionAnswered { answer: Answer::Approve { .. }, .. });
        if approved && matches!(question.kind, QuestionKind::Approval { .. }) {
            let at = self.at(&question.step, event)?;
            self.steps[at.at()].state = StepState::Cleared;
            self.cleared.insert(at);
        }
        Ok(())
    }

    fn apply_attempt(&mut self, event: &Event, now: Timestamp) -> Applied {
        match event {
            Event::AttemptStarted { attempt, due, .. } => self.start_attempt(attempt, *due, now, event),
            Event::PollMissed { attempt, next, .. } => {
                self.live_of(attempt, event)?.doing = Doing::Polling { next: *next };
                Ok(())
            }
            Event::AttemptStopping { attempt, force, why, kill_at } => {
                let live = self.live_of(attempt, event)?;
                let why = match live.doing {
                    Doing::Stopping { why, .. } => why,
                    _ => *why,
                };
                live.doing = Doing::Stopping { force: *force, why, kill_at: *kill_at };
                Ok(())
            }
            Event::AttemptEnded { attempt, exit, failure } => self.end_attempt(attempt, exit, failure.as_ref(), event),
            Event::AttemptInterrupted { attempt, then } => {
                let at = self.at(&attempt.step, event)?;
                let live = self.live_of(attempt, event)?;
                match then {
                    OnInterrupt::Ask => live.doing = Doing::Interrupted,
                    OnInterrupt::Rerun | OnInterrupt::Fail => {
                        self.live.remove(&(at, attempt.phase));
                    }
                }
                if *then == OnInterrupt::Fail {
                    *self.failures(at, attempt.phase) += 1;
                }
                Ok(())
            }
            Event::RetryScheduled { step, phase, due } => {
                let at = self.at(step, event)?;
                self.must(!self.live.contains_key(&(at, *phase)), event)?;
                self.retries.insert((at, *phase), *due);
                if *phase == Phase::Do {
                    self.steps[at.at()].state = StepState::Retrying;
                }
                Ok(())
            }
            _ => Err(self.illegal(event)),
        }
    }

    fn start_attempt(&mut self, attempt: &AttemptId, due: Option<Timestamp>, now: Timestamp, event: &Event) -> Applied {
        let at = self.at(&attempt.step, event)?;
        let key = (at, attempt.phase);
        let action = self.action_of(attempt).cloned();
        let doing = match action {
            Some(Rendered::WaitFor(_) | Rendered::WaitUntil(_)) => Doing::Waiting,
            Some(Rendered::Manual(_)) => Doing::Asking,
            Some(_) => Doing::Executing,
            None => return Err(self.illegal_at(at, event)),
        };
        if let Some(live) = self.live.get_mut(&key) {
            let expected = live.attempt.next_poll();
            let polls = matches!(live.doing, Doing::Polling { .. }) && *attempt == expected;
            let again = live.doing == Doing::Interrupted && attempt.number == live.attempt.number + 1;
            if !polls && !again {
                return Err(self.illegal_at(at, event));
            }
            let started_at = if polls { live.started_at } else { now };
            *live = Live { attempt: attempt.clone(), due, started_at, doing };
        } else {
            self.live.insert(key, Live { attempt: attempt.clone(), due, started_at: now, doing });
        }
        self.retries.remove(&key);
        self.cleared.remove(&at);
        let run = &mut self.steps[at.at()];
        let last = match attempt.phase {
            Phase::Do => {
                run.state = StepState::Running;
                run.started_at.get_or_insert(now);
                &mut run.attempts
            }
            Phase::Undo => {
                run.undo.state = UndoState::Running;
                &mut run.undo.attempts
            }
        };
        *last = attempt.number;
        Ok(())
    }

    fn end_attempt(&mut self, attempt: &AttemptId, exit: &Exit, failure: Option<&Failure>, event: &Event) -> Applied {
        let at = self.at(&attempt.step, event)?;
        self.live_of(attempt, event)?;
        self.live.remove(&(at, attempt.phase));
        if let (Exit::Code(code), Phase::Do) = (exit, attempt.phase) {
            self.steps[at.at()].exit_code = Some(*code);
        }
        if failure.is_some() {
            *self.failures(at, attempt.phase) += 1;
        }
        Ok(())
    }

    fn failures(&mut self, at: StepIx, phase: Phase) -> &mut u32 {
        let run = &mut self.steps[at.at()];
        match phase {
            Phase::Do => &mut run.failures,
            Phase::Undo => &mut run.undo.failures,
        }
    }

    fn apply_undo(&mut self, event: &Event) -> Applied {
        match event {
            Event::RollbackStarted { order, irreversible } => {
                self.must(self.stage == Stage::Main && self.unsettled_main == 0, event)?;
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
                self.must(self.steps[at.at()].undo.state == UndoState::Pending, event)?;
                self.steps[at.at()].undo.action = Some(action.clone());
                Ok(())
            }
            Event::StepUndone { step } => self.end_undo(step, UndoState::Undone, event),
            Event::UndoFailed { step, failure } => self.end_undo(step, UndoState::Failed(failure.clone()), event),
            _ => Err(self.illegal(event)),
        }
    }

    fn end_undo(&mut self, step: &StepId, state: UndoState, event: &Event) -> Applied {
        let at = self.at(step, event)?;
        let fits = matches!(self.steps[at.at()].undo.state, UndoState::Running)
            || (matches!(state, UndoState::Failed(_)) && self.steps[at.at()].undo.state == UndoState::Pending);
        self.must(fits, event)?;
        self.live.remove(&(at, Phase::Undo));
        self.retries.remove(&(at, Phase::Undo));
        if let Some(rollback) = &mut self.rollback {
            match state {
                UndoState::Failed(_) => rollback.failed = Some(step.clone()),
                _ => rollback.done += 1,
            }
        }
        self.steps[at.at()].undo.state = state;
        Ok(())
    }

    fn apply_stage(&mut self, event: &Event, at: Timestamp) -> Applied {
        match event {
            Event::CancelRequested { level, by, .. } => match &mut self.cancel {
                Some(cancel) => cancel.level = cancel.level.max(*level),
                None => {
                    let in_main = self.stage == Stage::Main;
                    self.cancel = Some(Cancel { level: *level, at, by: by.clone(), in_main, grace_over: false });
                }
            },
            Event::CancelGraceOver => match &mut self.cancel {
                Some(cancel) => cancel.grace_over = true,
                None => return Err(self.illegal(event)),
            },
            Event::AlwaysStarted => {
                self.must(matches!(self.stage, Stage::Main | Stage::RollingBack) && self.live.is_empty(), event)?;
                self.enter_stage(Stage::Always);
                let Some(made) = self.made.clone() else { return Ok(()) };
                let plan = &made.created.plan;
                let top = plan.iter().filter(|(_, step)| step.always && step.parent.is_none());
                let free = top.filter(|(at, _)| self.steps[at.at()].unmet == 0).map(|(at, _)| at).collect();
                self.ready = free;
            }
            Event::ServicesStopping => {
                self.must(self.live.is_empty(), event)?;
                self.enter_stage(Stage::Stopping);
            }
            Event::RunEnded { state, cause, irreversible } => {
                self.must(self.live.is_empty() && self.questions.is_empty(), event)?;
                self.stage = Stage::Ended;
                let (cause, irreversible) = (cause.clone(), irreversible.clone());
                self.end = Some(End { state: *state, cause, irreversible, at });
            }
            _ => return Err(self.illegal(event)),
        }
        Ok(())
    }

    /// In a new stage a request to cancel counts as made once: what ran before has ended.
    fn enter_stage(&mut self, stage: Stage) {
        self.stage = stage;
        if let Some(cancel) = &mut self.cancel {
            cancel.level = 1;
        }
    }

    fn live_of(&mut self, attempt: &AttemptId, event: &Event) -> Result<&mut Live, IllegalEvent> {
        let at = self.at(&attempt.step, event)?;
        if self.live.get(&(at, attempt.phase)).is_none_or(|live| live.attempt != *attempt) {
            return Err(self.illegal_at(at, event));
        }
        self.live
            .get_mut(&(at, attempt.phase))
            .ok_or_else(|| IllegalEvent { event: String::new(), state: String::new() })
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
