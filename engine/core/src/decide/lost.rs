//! Attempts whose fate nobody knows: repeated, counted as failed, or asked about.

use std::collections::BTreeMap;

use super::{Decided, Deciding};
use crate::event::{AttemptId, Event, Failure, Phase};
use crate::input::{AttemptResult, Exit};
use crate::plan::OnInterrupt;
use crate::run::Doing;
use crate::units::StepIx;

impl Deciding<'_> {
    /// Nobody knows how an attempt ended.
    pub(super) fn lost(&mut self, attempt: &AttemptId) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        match live.doing {
            Doing::Executing => {}
            // It was being ended; now it has.
            Doing::Stopping { .. } => return self.ended(attempt, without_end("nobody saw how it ended")),
            _ => return Ok(()),
        }
        let then = self.rules(at, attempt.phase).on_interrupt;
        self.emit(Event::AttemptInterrupted { attempt: attempt.clone(), then })?;
        match then {
            OnInterrupt::Ask if self.cancel_stops(attempt.phase) && !self.must_know_fate(attempt) => {
                self.give_up(at, attempt.phase, Failure::Cancelled)
            }
            OnInterrupt::Ask => self.ask_interrupted(attempt.clone()),
            OnInterrupt::Fail => self.retry_or_fail(at, attempt.phase, Failure::Interrupted),
            OnInterrupt::Rerun => self.run_again(at, attempt.phase),
        }
    }

    /// The journal says that an attempt was started, and it was not: one that is to end need not begin.
    pub(super) fn not_started(&mut self, attempt: &AttemptId) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        match live.doing {
            Doing::Stopping { .. } => self.ended(attempt, without_end("it was never started")),
            Doing::Executing if self.cancel_stops(attempt.phase) => self.cancelled(at, attempt, Exit::Done),
            _ => Ok(()),
        }
    }

    /// Starts an interrupted attempt anew, as soon as it may, unless the run is being cancelled.
    pub(super) fn run_again(&mut self, at: StepIx, phase: Phase) -> Decided {
        if self.cancel_stops(phase) {
            return self.give_up(at, phase, Failure::Cancelled);
        }
        if let Some(failure) = self.no_service() {
            return self.give_up(at, phase, failure);
        }
        if self.may_start() && self.run.may_repeat((at, phase)) {
            return self.start_attempt(at, phase);
        }
        let step = self.plan().step(at).id.clone();
        self.emit(Event::RetryScheduled { step, phase, due: self.now })
    }

    /// Ends an interrupted attempt that is neither known to have ended nor repeated.
    fn give_up(&mut self, at: StepIx, phase: Phase, failure: Failure) -> Decided {
        if let Some(live) = self.run.live.get(&(at, phase)) {
            let (attempt, failure) = (live.attempt.clone(), Some(failure.clone()));
            self.emit(Event::AttemptEnded { attempt, exit: Exit::Done, failure })?;
        }
        let step = self.plan().step(at).id.clone();
        if phase == Phase::Do && failure == Failure::Cancelled {
            return self.emit(Event::StepCancelled { step });
        }
        self.end_badly(step, phase, failure)
    }

    /// A person said of an interrupted attempt that it took effect (`failure` is none), or that it did not.
    pub(super) fn settle_interrupted(&mut self, at: StepIx, attempt: &AttemptId, failure: Option<Failure>) -> Decided {
        self.finish(at, attempt, Exit::Done, failure, |_| Ok(BTreeMap::new()))
    }
}

fn without_end(why: &str) -> AttemptResult {
    AttemptResult { exit: Exit::Error(why.to_owned()), ..AttemptResult::default() }
}
