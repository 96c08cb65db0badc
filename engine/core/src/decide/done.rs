//! `done_when`: what is done already need not be done again.
//!
//! It is asked before an approval, before each attempt, and about an attempt of which nobody knows how it ended, before
//! a person is asked. A command that looks is an attempt of its own, journaled like any other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::apply::IllegalEvent;
use crate::event::{AfterLoss, AttemptId, Event, Failure, Phase, StopReason};
use crate::input::{AttemptResult, Exit};
use crate::plan::{DoneWhen, OnInterrupt, Template};
use crate::units::StepIx;

/// What was handed on, by name.
type Outputs = BTreeMap<String, Value>;

/// What a look came to.
enum Look {
    Done(Outputs),
    NotDone,
    /// Nobody knows, and why.
    Unknown(Failure),
}

impl Deciding<'_> {
    /// Looks whether a step is done, before an attempt or an approval. Gives whether something follows in its place.
    pub(super) fn looks_first(&mut self, at: StepIx) -> Result<bool, IllegalEvent> {
        match self.plan().step(at).done_when.clone() {
            None => Ok(false),
            Some(DoneWhen::Holds(expression)) => match self.holds(at, &expression, &Locals::new()) {
                Ok(false) => Ok(false),
                Ok(true) => self.already_done(at, self.outputs_when_done(at, Outputs::new())).map(|()| true),
                Err(error) => {
                    let failure = Failure::Evaluate(format!("`done_when`: {error}"));
                    self.fail_unstarted(at, failure).map(|()| true)
                }
            },
            Some(DoneWhen::Probe(_)) if !self.is_to_be_looked_at(at) => Ok(false),
            Some(DoneWhen::Probe(_)) => self.start_probe(at).map(|()| true),
        }
    }

    /// Whether a step is to be looked at before its next attempt: a command looks once for each.
    pub(super) fn is_to_be_looked_at(&self, at: StepIx) -> bool {
        let run = &self.run.steps[at.at()];
        match &self.plan().step(at).done_when {
            None => false,
            Some(DoneWhen::Holds(_)) => true,
            Some(DoneWhen::Probe(_)) => run.prepared.as_ref().is_none_or(|it| it.probed_for != run.attempts + 1),
        }
    }

    pub(super) fn start_probe(&mut self, at: StepIx) -> Decided {
        let (step, number) = (self.plan().step(at).id.clone(), self.run.steps[at.at()].probes + 1);
        let attempt = AttemptId::first(step, Phase::Probe, number);
        let due = self.rules(at, Phase::Probe).timeout_ms.map(|ms| self.now.after(ms));
        let Some(host) = self.run.host.clone() else { return Ok(()) };
        self.emit(Event::AttemptStarted { attempt, due, host, child: None })
    }

    /// A command has looked whether a step is done, or was ended.
    pub(super) fn probe_ended(
        &mut self,
        at: StepIx,
        attempt: &AttemptId,
        result: AttemptResult,
        stopped: Option<StopReason>,
    ) -> Decided {
        let exit = result.exit.clone();
        let look = self.look(at, result, stopped);
        let failure = match &look {
            Look::Unknown(failure) => Some(failure.clone()),
            Look::Done(_) | Look::NotDone => None,
        };
        self.emit(Event::AttemptEnded { attempt: attempt.clone(), exit, failure })?;
        let lost = self.run.live.get(&(at, Phase::Do)).map(|live| live.attempt.clone());
        match (look, lost) {
            (Look::Done(outputs), None) => self.already_done(at, outputs),
            (Look::Done(outputs), Some(lost)) => self.lost_is_done(at, &lost, outputs),
            (Look::NotDone | Look::Unknown(_), Some(_)) => self.follow_loss(at),
            (Look::NotDone, None) => self.is_left(at),
            (Look::Unknown(Failure::Cancelled), None) => {
                let step = attempt.step.clone();
                self.emit(Event::StepCancelled { step })
            }
            (Look::Unknown(failure), None) => self.retry_or_fail(at, Phase::Do, failure, &Locals::new()),
        }
    }

    /// What a command that looked says by its exit code. Codes from 126 on are a shell's own: it found no such command.
    fn look(&self, at: StepIx, result: AttemptResult, stopped: Option<StopReason>) -> Look {
        let why = match (&result.exit, stopped) {
            (_, Some(StopReason::Timeout)) => {
                Failure::Timeout(self.rules(at, Phase::Probe).timeout_ms.unwrap_or_default()).to_string()
            }
            (Exit::Code(0), _) => match result.unusable {
                None => return Look::Done(self.outputs_when_done(at, result.outputs)),
                Some(reason) => reason,
            },
            (_, Some(_)) => return Look::Unknown(Failure::Cancelled),
            (Exit::Code(1..=125), None) => return Look::NotDone,
            (exit, None) => exit.to_string(),
        };
        Look::Unknown(Failure::Evaluate(format!("`done_when` does not say whether it is done: {why}")))
    }

    /// What a step that was already done hands on: those of its outputs that have a value without an attempt.
    fn outputs_when_done(&self, at: StepIx, handed_back: Outputs) -> Outputs {
        let locals = Locals::from([("outputs".to_owned(), Value::Object(handed_back.into_iter().collect()))]);
        let value = |(name, template): (&String, &Template)| {
            self.render(at, template, &locals).ok().map(|value| (name.clone(), value))
        };
        self.plan().step(at).outputs.iter().filter_map(value).collect()
    }

    fn already_done(&mut self, at: StepIx, outputs: Outputs) -> Decided {
        let step = self.plan().step(at).id.clone();
        self.emit(Event::StepSucceeded { step, outputs, already_done: true })
    }

    /// There is something to do: asks for the approval, goes on with the attempts, or lets the step wait for its place.
    fn is_left(&mut self, at: StepIx) -> Decided {
        let Some(prepared) = self.run.steps[at.at()].prepared.clone() else { return Ok(()) };
        if prepared.has_begun {
            return self.run_again(at, Phase::Do);
        }
        if let Some(reason) = self.held_back(at) {
            return self.block(at, reason);
        }
        if self.run.is_before_approval(at) { self.ask_approval(at, prepared.digest) } else { Ok(()) }
    }

    /// Whether something says if an interrupted attempt of a step took effect.
    pub(super) fn is_probed_when_lost(&self, at: StepIx) -> bool {
        self.plan().step(at).done_when.is_some()
    }

    /// Whether it is being looked whether an interrupted attempt took effect.
    pub(super) fn is_looked_at(&self, attempt: &AttemptId) -> bool {
        let at = self.made.index.get(&attempt.step);
        attempt.phase == Phase::Do && at.is_some_and(|at| self.run.live.contains_key(&(*at, Phase::Probe)))
    }

    /// Looks what became of an interrupted attempt, before anything else follows.
    pub(super) fn look_at_lost(&mut self, at: StepIx) -> Decided {
        let lost = self.run.live.get(&(at, Phase::Do)).map(|live| live.attempt.clone());
        let (Some(lost), Some(done_when)) = (lost, self.plan().step(at).done_when.clone()) else { return Ok(()) };
        match done_when {
            DoneWhen::Probe(_) => self.probe_again(at),
            DoneWhen::Holds(expression) => match self.holds(at, &expression, &Locals::new()) {
                Ok(true) => self.lost_is_done(at, &lost, self.outputs_when_done(at, Outputs::new())),
                // Without a value it says nothing.
                Ok(false) | Err(_) => self.follow_loss(at),
            },
        }
    }

    /// A look starts as soon as it may: at first, or because the last one was interrupted itself.
    pub(super) fn probe_again(&mut self, at: StepIx) -> Decided {
        let lost = self.run.live.get(&(at, Phase::Do)).map(|live| live.attempt.clone());
        let step = self.plan().step(at).id.clone();
        let is_cancelled = match &lost {
            Some(lost) => self.gives_up_on(at, lost),
            None => self.cancel_stops(at, Phase::Do),
        };
        let no_service = self.no_service();
        if !is_cancelled && no_service.is_none() {
            if self.may_start() && self.run.may_repeat((at, Phase::Probe)) {
                return self.start_probe(at);
            }
            return self.emit(Event::RetryScheduled { step, phase: Phase::Probe, due: self.now });
        }
        if let Some(look) = self.run.live.get(&(at, Phase::Probe)).map(|live| live.attempt.clone()) {
            let failure = Some(Failure::Interrupted);
            self.emit(Event::AttemptEnded { attempt: look, exit: Exit::Done, failure })?;
        }
        match (lost, no_service) {
            (Some(_), _) => self.follow_loss(at),
            (None, Some(failure)) if !is_cancelled => self.emit(Event::StepFailed { step, failure }),
            (None, _) => self.emit(Event::StepCancelled { step }),
        }
    }

    fn gives_up_on(&self, at: StepIx, lost: &AttemptId) -> bool {
        self.cancel_stops(at, Phase::Do) && !self.must_know_fate(lost)
    }

    /// An interrupted attempt took effect. What it handed back whole goes before what the look handed back.
    fn lost_is_done(&mut self, at: StepIx, lost: &AttemptId, outputs: Outputs) -> Decided {
        let known = self.live(lost).and_then(|(_, live)| live.lost?.outputs);
        let lives_on = self.live(lost).is_some_and(|(_, live)| live.has_survivors());
        if lives_on && self.run.cancel.is_some() {
            return self.interrupted_was(at, lost, AfterLoss::AlreadyDone);
        }
        self.proved_done(lost, known.unwrap_or(outputs))
    }

    pub(super) fn proved_done(&mut self, lost: &AttemptId, outputs: Outputs) -> Decided {
        self.emit(Event::AttemptEnded { attempt: lost.clone(), exit: Exit::Done, failure: None })?;
        self.emit(Event::StepSucceeded { step: lost.step.clone(), outputs, already_done: true })
    }

    /// It did not take effect, as far as anybody can see: what follows is what follows without `done_when`.
    pub(super) fn follow_loss(&mut self, at: StepIx) -> Decided {
        let Some(live) = self.run.live.get(&(at, Phase::Do)).cloned() else { return Ok(()) };
        let attempt = live.attempt;
        if self.gives_up_on(at, &attempt) {
            return self.end_waiting(at, Phase::Do);
        }
        match self.rules(at, Phase::Do).on_interrupt {
            OnInterrupt::Ask => {
                let lost = live.lost.map(|lost| *lost);
                let (survivors, outputs) = lost.map_or_else(Default::default, |it| (it.survivors, it.outputs));
                let message = self.what_is_left(at, &attempt, &survivors, outputs.is_some());
                self.ask_interrupted(attempt, message)
            }
            OnInterrupt::Fail => self.interrupted_was(at, &attempt, AfterLoss::Failed),
            OnInterrupt::Rerun => self.interrupted_was(at, &attempt, AfterLoss::Rerun),
        }
    }
}
