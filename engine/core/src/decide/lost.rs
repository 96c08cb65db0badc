//! Attempts whose fate nobody knows: repeated, counted as failed, or asked about.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::event::{AfterLoss, AttemptId, Event, Failure, Phase, StopReason, Survivor};
use crate::input::{AttemptResult, Exit, Lost};
use crate::plan::OnInterrupt;
use crate::run::Doing;
use crate::units::StepIx;

/// Most processes that a question names.
const NAMED_MAX: usize = 10;

impl Deciding<'_> {
    /// Nobody knows how an attempt ended.
    pub(super) fn lost(&mut self, lost: Lost) -> Decided {
        let Lost { attempt, survivors, outputs } = lost;
        let Some((at, live)) = self.live(&attempt) else { return Ok(()) };
        if let (Some(child), Doing::Executing | Doing::Stopping { .. }) = (self.run.child_of(&attempt), live.doing) {
            let starts = child.starts;
            return self.child_lost(at, &attempt, starts);
        }
        match live.doing {
            Doing::Executing => {}
            // It is being ended, and is not over as long as something of it lives.
            Doing::Stopping { .. } if !survivors.is_empty() => return Ok(()),
            Doing::Stopping { .. } => return self.ended(&attempt, without_end("nobody saw how it ended")),
            _ => return Ok(()),
        }
        let then = self.rules(at, attempt.phase).on_interrupt;
        let outputs = self.outputs_if_done(at, attempt.phase, outputs);
        let message = self.what_is_left(at, &attempt, &survivors, outputs.is_some());
        let lives_on = !survivors.is_empty();
        let gives_up = self.cancel_stops(at, attempt.phase) && !self.must_know_fate(&attempt);
        // What is run again is looked at then.
        let probed =
            attempt.phase == Phase::Do && self.is_probed_when_lost(at) && !gives_up && then != OnInterrupt::Rerun;
        self.emit(Event::AttemptInterrupted { attempt: attempt.clone(), then, survivors, outputs, probed })?;
        match then {
            _ if probed => self.look_at_lost(at),
            OnInterrupt::Ask if gives_up && lives_on => self.end_survivors(at, &attempt, AfterLoss::Cancelled),
            OnInterrupt::Ask if gives_up => self.give_up(at, attempt.phase, Failure::Cancelled),
            OnInterrupt::Ask => self.ask_interrupted(attempt, message),
            OnInterrupt::Fail if lives_on => self.end_survivors(at, &attempt, AfterLoss::Failed),
            OnInterrupt::Fail => self.retry_or_fail(at, attempt.phase, Failure::Interrupted, &Locals::new()),
            OnInterrupt::Rerun if lives_on => self.end_survivors(at, &attempt, AfterLoss::Rerun),
            OnInterrupt::Rerun => self.run_again(at, attempt.phase),
        }
    }

    /// What a lost attempt hands on if it took effect. Its exit code and what it printed are not known.
    fn outputs_if_done(
        &self,
        at: StepIx,
        phase: Phase,
        handed_back: Result<BTreeMap<String, Value>, String>,
    ) -> Option<BTreeMap<String, Value>> {
        if phase != Phase::Do {
            return None;
        }
        let handed_back = Value::Object(handed_back.ok()?.into_iter().collect());
        self.outputs(at, BTreeMap::new(), Locals::from([("outputs".to_owned(), handed_back)])).ok()
    }

    /// What a person who is asked about an interrupted attempt has to know beyond what was started.
    pub(super) fn what_is_left(
        &self,
        at: StepIx,
        attempt: &AttemptId,
        survivors: &[Survivor],
        known: bool,
    ) -> Option<String> {
        let mut lines = vec![];
        if !survivors.is_empty() {
            let named = survivors.iter().take(NAMED_MAX).map(|it| format!("{} `{}`", it.pid, it.command));
            let mut named: Vec<String> = named.collect();
            if survivors.len() > NAMED_MAX {
                named.push(format!("{} more", survivors.len() - NAMED_MAX));
            }
            lines.push(format!("processes of it still run: {}", named.join(", ")));
            lines.push("they are left alone if it took effect, and ended before anything else follows".to_owned());
        }
        let outputs: Vec<String> = self.plan().step(at).outputs.keys().map(|name| format!("`{name}`")).collect();
        if attempt.phase == Phase::Do && !outputs.is_empty() {
            let outputs = outputs.join(", ");
            lines.push(match known {
                true => format!("what it handed back is there: {outputs} can be read if it took effect"),
                false => format!("what it handed back is not known: whatever reads {outputs} will fail"),
            });
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Ends what an interrupted attempt left running, before something follows.
    pub(super) fn end_survivors(&mut self, at: StepIx, attempt: &AttemptId, then: AfterLoss) -> Decided {
        let kill_at = self.now.after(self.rules(at, attempt.phase).kill_grace_ms);
        let force = self.cancel_stops(at, attempt.phase) && self.run.cancel.as_ref().is_some_and(|it| it.level >= 3);
        let (attempt, why) = (attempt.clone(), StopReason::Interrupted(then));
        self.emit(Event::AttemptStopping { attempt, force, why, kill_at })
    }

    /// A person said what became of an interrupted attempt. What it left running is ended first; if it took effect, then
    /// only where the run is to end, as what a command leaves behind is else its own affair.
    pub(super) fn interrupted_was(&mut self, at: StepIx, attempt: &AttemptId, then: AfterLoss) -> Decided {
        let lives_on = self.live(attempt).is_some_and(|(_, live)| live.has_survivors());
        let is_done = matches!(then, AfterLoss::TookEffect | AfterLoss::AlreadyDone);
        let is_spared = is_done && self.run.cancel.is_none();
        if lives_on && !is_spared {
            return self.end_survivors(at, attempt, then);
        }
        self.nothing_is_left(at, attempt, then)
    }

    /// What follows for an interrupted attempt now that nothing of it runs.
    pub(super) fn nothing_is_left(&mut self, at: StepIx, attempt: &AttemptId, then: AfterLoss) -> Decided {
        match then {
            AfterLoss::TookEffect => {
                let outputs = self.live(attempt).and_then(|(_, live)| live.lost?.outputs).unwrap_or_default();
                self.finish(at, attempt, Exit::Done, None, |_| Ok(outputs))
            }
            AfterLoss::AlreadyDone => {
                let outputs = self.live(attempt).and_then(|(_, live)| live.lost?.outputs).unwrap_or_default();
                self.proved_done(attempt, outputs)
            }
            AfterLoss::Failed => {
                self.finish(at, attempt, Exit::Done, Some(Failure::Interrupted), |_| Ok(BTreeMap::new()))
            }
            AfterLoss::Rerun => self.run_again(at, attempt.phase),
            AfterLoss::Cancelled => self.give_up(at, attempt.phase, Failure::Cancelled),
        }
    }

    /// The journal says that an attempt was started, and it was not: one that is to end need not begin.
    pub(super) fn not_started(&mut self, attempt: &AttemptId) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        if self.goes_on(attempt) {
            return Ok(());
        }
        match live.doing {
            Doing::Stopping { .. } => self.ended(attempt, without_end("it was never started")),
            Doing::Executing if self.cancel_stops(at, attempt.phase) => self.cancelled(at, attempt, Exit::Done),
            _ => Ok(()),
        }
    }

    /// Starts an interrupted attempt anew, as soon as it may, unless the run is being cancelled.
    pub(super) fn run_again(&mut self, at: StepIx, phase: Phase) -> Decided {
        if phase == Phase::Probe {
            return self.probe_again(at);
        }
        if self.cancel_stops(at, phase) {
            return self.give_up(at, phase, Failure::Cancelled);
        }
        if let Some(failure) = self.no_service() {
            return self.give_up(at, phase, failure);
        }
        // What is looked at first must not seem to be the interrupted attempt.
        let is_free = !self.run.live.contains_key(&(at, phase)) || !self.is_to_be_looked_at(at);
        if is_free && self.may_start() && self.run.may_repeat((at, phase)) {
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
        if phase != Phase::Undo && failure == Failure::Cancelled {
            return self.emit(Event::StepCancelled { step });
        }
        self.end_badly(step, phase, failure)
    }
}

fn without_end(why: &str) -> AttemptResult {
    AttemptResult { exit: Exit::Error(why.to_owned()), ..AttemptResult::default() }
}
