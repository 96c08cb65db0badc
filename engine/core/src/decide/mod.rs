//! Every choice of the engine. `decide` takes a state and an input, and says what follows as events.
//!
//! It is a loop around one rule: handle the input, then go on (`advance`) until nothing more can be decided now.
//! Each event is applied as it is decided, so later choices of one decision see the earlier ones. The caller
//! makes all events durable as one batch before it acts on the returned state.

mod attempts;
mod beside;
mod cancel;
mod child;
mod close;
mod done;
mod finish;
mod guards;
mod locks;
mod loops;
mod lost;
mod plugin;
mod prepare;
mod questions;
mod ready;
mod results;
mod retry;
mod scope;
mod timers;
mod verbs;

use std::sync::Arc;

use crate::apply::IllegalEvent;
use crate::evaluate::Evaluate;
use crate::event::{Event, Failure, Timer};
use crate::input::{Exit, Input};
use crate::plan::Plan;
use crate::run::{Made, Run, ServiceState, Stage};
use crate::units::Timestamp;

/// What was decided.
#[derive(Debug)]
#[must_use = "the events are to be made durable before the state counts"]
pub struct Decision {
    /// The state after all events.
    pub run: Run,
    /// The events, in order; empty when the input changes nothing.
    pub events: Vec<Event>,
}

/// Decides what follows from an input.
///
/// The state is taken and given back changed: a state that is ahead of the journal is never seen by a caller that
/// could not write the events, because it has no other.
///
/// # Errors
/// Only for a bug of the engine: it decided an event that its own state does not accept, or was launched with a plan
/// that does not hold together.
pub fn decide(run: Run, input: Input, now: Timestamp, evaluate: &dyn Evaluate) -> Result<Decision, IllegalEvent> {
    let mut run = run;
    let mut events = Vec::new();
    if let Input::Launched(created) = input {
        if run.stage == Stage::New {
            let event = Event::RunCreated(created);
            run.apply(&event, now)?;
            events.push(event);
        }
        return Ok(Decision { run, events });
    }
    let Some(made) = run.made.clone() else { return Ok(Decision { run, events }) };
    if run.stage == Stage::Ended && !matches!(input, Input::Verb(_)) {
        return Ok(Decision { run, events });
    }
    let mut deciding = Deciding { run, made, now, evaluate, events, recheck: false };
    deciding.handle(input)?;
    deciding.advance()?;
    Ok(Decision { run: deciding.run, events: deciding.events })
}

type Decided = Result<(), IllegalEvent>;

/// One decision being made.
struct Deciding<'e> {
    run: Run,
    made: Arc<Made>,
    now: Timestamp,
    evaluate: &'e dyn Evaluate,
    events: Vec<Event>,
    /// Whether something was decided that may hold back steps which were already asked about or cleared.
    recheck: bool,
}

impl Deciding<'_> {
    fn emit(&mut self, event: Event) -> Decided {
        if matches!(event, Event::LoopEntered { .. }) {
            // The plan grows, in place where nobody else holds it.
            self.made = Arc::default();
        }
        self.run.apply(&event, self.now)?;
        if let (Event::LoopEntered { .. }, Some(made)) = (&event, &self.run.made) {
            self.made = made.clone();
        }
        self.recheck |= matches!(
            event,
            Event::StepFailed { .. }
                | Event::VerbTaken { .. }
                | Event::CancelRequested { .. }
                | Event::ServiceFailed { .. }
                | Event::LockRefused { .. }
                | Event::EngineStarted { .. }
        );
        self.events.push(event);
        Ok(())
    }

    fn plan(&self) -> &Plan {
        &self.made.created.plan
    }

    fn handle(&mut self, input: Input) -> Decided {
        match input {
            Input::Launched(_) => Ok(()),
            Input::EngineStarted(host) => self.emit(Event::EngineStarted { host }),
            Input::ServiceReady { service, pid } => match self.run.services.get(&service) {
                Some(ServiceState::Starting) => self.emit(Event::ServiceReady { service, pid }),
                _ => Ok(()),
            },
            Input::ServiceFailed { service, reason } => match self.run.services.get(&service) {
                Some(ServiceState::Starting) => {
                    self.emit(Event::ServiceFailed { service, reason })?;
                    self.give_up_repeats()
                }
                _ => Ok(()),
            },
            Input::ServiceStopped(service) => {
                let unwanted = match self.run.services.get(&service) {
                    None | Some(ServiceState::Stopped) => false,
                    Some(ServiceState::Failed) => true,
                    Some(ServiceState::Starting | ServiceState::Ready { .. }) => self.run.stage == Stage::Stopping,
                };
                if unwanted { self.emit(Event::ServiceStopped { service }) } else { Ok(()) }
            }
            Input::LocksTaken(scope) => self.locks_taken(scope),
            Input::LockHeld { scope, name, holder } => self.lock_held(scope, name, holder),
            Input::Ended { attempt, result } => self.ended(&attempt, *result),
            Input::Lost(lost) => self.lost(*lost),
            Input::Answered(answered) => self.answered(*answered),
            Input::Due(timer) => self.due(&timer),
            Input::NotStarted(attempt) => self.not_started(&attempt),
            Input::CancelAsked { level, by, reason, message } => self.cancel_asked(level, by, reason, message),
            Input::Verb(asked) => self.verb_asked(*asked),
        }
    }

    fn due(&mut self, timer: &Timer) -> Decided {
        match timer {
            Timer::Question(question) => self.question_due(question),
            Timer::Overdue(attempt) => self.overdue(attempt),
            Timer::Kill(attempt) => self.kill_due(attempt),
            Timer::Retry(step, phase) => self.retry_due(step, *phase),
            Timer::Poll(attempt) => self.poll_due(attempt),
            Timer::Wait(attempt) => self.wait_due(attempt),
            Timer::CancelGrace => self.cancel_grace_due(),
            Timer::Lock(scope) => self.lock_due(scope),
            Timer::Deadline(step) => self.deadline_due(step),
        }
    }

    /// Goes on until nothing more can be decided without a new input.
    fn advance(&mut self) -> Decided {
        loop {
            let before = self.events.len();
            match self.run.stage {
                Stage::New | Stage::Ended => return Ok(()),
                // A run that goes on after its end waits for an engine with all of it.
                _ if self.run.host.is_none() => return Ok(()),
                Stage::Main | Stage::Always => self.advance_steps()?,
                Stage::RollingBack => self.advance_undo()?,
                Stage::Stopping => self.advance_stop()?,
            }
            if self.events.len() == before {
                return Ok(());
            }
        }
    }

    /// Whether commands may start: an engine has the run, its locks are held, the services answer, and nobody paused it.
    fn may_start(&self) -> bool {
        self.run.host.is_some() && !self.is_paused() && self.run.is_equipped()
    }

    /// Why nothing more may start when a service did not come up.
    fn no_service(&self) -> Option<Failure> {
        let service = self.run.service_failed.as_ref()?;
        Some(Failure::Exit(Exit::Error(format!("the service `{service}` did not come up"))))
    }
}
