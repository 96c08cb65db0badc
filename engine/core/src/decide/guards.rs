//! Guards: what follows from each look of a probe.

use std::collections::BTreeMap;

use super::retry::fill;
use super::{Decided, Deciding};
use crate::event::{AttemptId, Event, Failure, StopReason};
use crate::input::{AttemptResult, Exit};
use crate::plan::OnTrip;
use crate::run::{Doing, Live};
use crate::units::StepIx;

impl Deciding<'_> {
    /// A look of a guard ended.
    pub(super) fn looked(&mut self, at: StepIx, attempt: &AttemptId, live: &Live, result: AttemptResult) -> Decided {
        let Some(guard) = self.plan().step(at).guard().cloned() else { return Ok(()) };
        if self.run.is_over(at) {
            return self.finish(at, attempt, result.exit, None, |_| Ok(BTreeMap::new()));
        }
        let is_cancelled = matches!(live.doing, Doing::Stopping { why: StopReason::Cancel, .. });
        if is_cancelled || self.run.cancel.is_some() {
            return self.cancelled(at, attempt, result.exit);
        }
        if let Some(failure) = self.no_service() {
            return self.finish(at, attempt, Exit::Done, Some(failure), |_| Ok(BTreeMap::new()));
        }
        let condition = &guard.trip_if;
        let mut locals = result.locals;
        match result.exit {
            Exit::Code(code) => drop(locals.insert("exit_code".to_owned(), code.into())),
            // No answer is nothing to go by.
            Exit::Error(_) | Exit::Signal(_) => drop(locals.remove("response")),
            Exit::Status(_) | Exit::Done => {}
        }
        fill(&mut locals, condition);
        let found = match result.unusable {
            Some(reason) => Err(reason),
            None => self.holds(at, condition, &locals).map_err(|error| format!("`trip_if`: {error}")),
        };
        let source = condition.source.trim();
        let (trips, found) = match found {
            Ok(true) => (live.trips + 1, format!("`{source}` holds ({})", result.exit)),
            Ok(false) => (0, format!("fine ({})", result.exit)),
            // Nobody knows: that is neither fine nor the contrary.
            Err(why) => (live.trips, format!("nobody knows ({}): {why}", result.exit)),
        };
        let (trips_now, pauses) = (trips > live.trips && trips >= guard.trip_after, guard.on_trip == OnTrip::Pause);
        if trips_now && !pauses {
            return self.trip(at, attempt, result.exit, found);
        }
        let (attempt, next) = (attempt.clone(), self.now.after(guard.every_ms));
        // There is nothing to hold in a run that is paused, and whoever goes on with it knows what was found till then.
        let holds = trips_now && !self.is_paused();
        let trips = if pauses && (holds || self.is_paused()) { 0 } else { trips };
        let step = attempt.step.clone();
        self.emit(Event::PollMissed { attempt, next, found: found.clone(), trips })?;
        if holds { self.emit(Event::GuardTripped { step, then: guard.on_trip, found }) } else { Ok(()) }
    }

    /// Ends the run because of what a guard found.
    fn trip(&mut self, at: StepIx, attempt: &AttemptId, exit: Exit, found: String) -> Decided {
        let Some(then) = self.plan().step(at).guard().map(|guard| guard.on_trip) else { return Ok(()) };
        let (step, failure) = (attempt.step.clone(), Failure::Tripped(found.clone()));
        self.emit(Event::AttemptEnded { attempt: attempt.clone(), exit, failure: Some(failure.clone()) })?;
        self.emit(Event::GuardTripped { step: step.clone(), then, found })?;
        self.emit(Event::StepFailed { step, failure })?;
        self.end_what_waits()?;
        self.stop_guards()
    }

    /// Ends the probes that look right now: what they find is no matter any more.
    pub(super) fn stop_guards(&mut self) -> Decided {
        let looks = |live: &Live| live.doing == Doing::Executing;
        let guards = self.run.live.iter().filter(|((at, _), live)| looks(live) && self.run.is_guard(*at));
        let guards: Vec<(StepIx, AttemptId)> = guards.map(|((at, _), live)| (*at, live.attempt.clone())).collect();
        for (at, attempt) in guards {
            let kill_at = self.now.after(self.rules(at, attempt.phase).kill_grace_ms);
            self.emit(Event::AttemptStopping { attempt, force: false, why: StopReason::Cancel, kill_at })?;
        }
        Ok(())
    }
}
