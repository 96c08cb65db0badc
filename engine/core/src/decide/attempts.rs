//! Attempts: how they start, end, are repeated, polled, overdue and lost. The same for a step and for its undo.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::event::{AfterLoss, AttemptId, Event, Failure, Phase};
use crate::input::Exit;
use crate::plan::{Action, Body, OnInterrupt, Retry};
use crate::rendered::Rendered;
use crate::run::{Doing, Live, StepState};
use crate::units::{StepId, StepIx};

/// The part of a step, or of its undo, that rules its attempts.
pub(super) struct Rules {
    pub(super) timeout_ms: Option<u64>,
    pub(super) kill_grace_ms: u64,
    pub(super) retry: Option<Retry>,
    pub(super) on_interrupt: OnInterrupt,
}

impl Deciding<'_> {
    pub(super) fn rules(&self, at: StepIx, phase: Phase) -> Rules {
        let step = self.plan().step(at);
        if let (Phase::Probe, Some(probe)) = (phase, step.probe()) {
            return Rules {
                timeout_ms: Some(probe.timeout_ms),
                kill_grace_ms: probe.kill_grace_ms,
                retry: None,
                // It only looks.
                on_interrupt: OnInterrupt::Rerun,
            };
        }
        match (phase, &step.rollback) {
            (Phase::Undo, Some(undo)) => Rules {
                timeout_ms: undo.timeout_ms,
                kill_grace_ms: undo.kill_grace_ms,
                retry: undo.retry.clone(),
                on_interrupt: undo.on_interrupt,
            },
            _ => Rules {
                timeout_ms: step.timeout_ms,
                kill_grace_ms: step.kill_grace_ms,
                retry: step.retry.clone(),
                on_interrupt: step.on_interrupt,
            },
        }
    }

    /// Starts a step that may start: enters a block, or begins the first attempt.
    pub(super) fn start(&mut self, at: StepIx) -> Decided {
        if !matches!(self.plan().step(at).body, Body::Action(_)) {
            return self.enter(at);
        }
        if self.run.is_before_approval(at) {
            return self.start_probe(at);
        }
        self.start_attempt(at, Phase::Do)
    }

    /// Begins the next attempt of a step, or of its undo. Of a step that may be done already, looks first.
    pub(super) fn start_attempt(&mut self, at: StepIx, phase: Phase) -> Decided {
        if phase == Phase::Probe {
            return self.start_probe(at);
        }
        if phase == Phase::Do && self.looks_first(at)? {
            return Ok(());
        }
        let run = &self.run.steps[at.at()];
        let last = if phase == Phase::Do { run.attempts } else { run.undo.attempts };
        let attempt = AttemptId::first(self.plan().step(at).id.clone(), phase, last + 1);
        let action = self.run.action_of(&attempt).cloned();
        let due = match &action {
            Some(Rendered::WaitFor(ms)) => Some(self.now.after(*ms)),
            Some(Rendered::WaitUntil(moment)) => Some(*moment),
            _ => self.rules(at, phase).timeout_ms.map(|ms| self.now.after(ms)),
        };
        let (child, due) = match &action {
            Some(action) if action.is_child() => {
                let (child, due) = self.child_for(at, &attempt, due);
                (Some(child), due)
            }
            _ => (None, due),
        };
        let Some(host) = self.run.host.clone() else { return Ok(()) };
        self.emit(Event::AttemptStarted { attempt: attempt.clone(), due, host, child })?;
        match action {
            Some(Rendered::Assert | Rendered::Set(_)) => self.do_inline(at, attempt, action),
            Some(Rendered::Manual(text)) => self.ask_manual(attempt, text, due),
            Some(Rendered::Ask { prompt, fields }) => self.ask_values(attempt, prompt, fields, due),
            _ => Ok(()),
        }
    }

    /// `assert` and `set` need nobody: they end as they start.
    fn do_inline(&mut self, at: StepIx, attempt: AttemptId, action: Option<Rendered>) -> Decided {
        let failure = self.first_broken_check(at, attempt.phase);
        let values = match action {
            Some(Rendered::Set(values)) => values,
            _ => BTreeMap::new(),
        };
        self.finish(at, &attempt, Exit::Done, failure, |deciding| deciding.outputs(at, values, Locals::new()))
    }

    fn first_broken_check(&self, at: StepIx, phase: Phase) -> Option<Failure> {
        let step = self.plan().step(at);
        let action = match (phase, &step.rollback, &step.body) {
            (Phase::Undo, Some(undo), _) => &undo.action,
            (Phase::Do, _, Body::Action(action)) => action,
            _ => return None,
        };
        let Action::Assert(checks) = action else { return None };
        let locals = self.undo_locals(at, phase);
        checks.iter().find_map(|check| match self.holds(at, &check.that, &locals) {
            Ok(true) => None,
            Err(error) => Some(Failure::Evaluate(format!("`{}`: {error}", check.that.source))),
            Ok(false) => Some(match check.message.as_ref().map(|message| self.text(at, message, &locals)) {
                None => Failure::Assert(format!("`{}` does not hold", check.that.source)),
                Some(Ok(message)) => Failure::Assert(message),
                Some(Err(error)) => Failure::Assert(format!("`{}` does not hold ({error})", check.that.source)),
            }),
        })
    }

    /// What an undo sees beyond what a step sees: the outputs of its step.
    pub(super) fn undo_locals(&self, at: StepIx, phase: Phase) -> Locals {
        if phase == Phase::Do {
            return Locals::new();
        }
        let outputs = self.run.steps[at.at()].outputs.clone();
        Locals::from([("outputs".to_owned(), Value::Object(outputs.into_iter().collect()))])
    }

    pub(super) fn live(&self, attempt: &AttemptId) -> Option<(StepIx, Live)> {
        let at = *self.made.index.get(&attempt.step)?;
        let live = self.run.live.get(&(at, attempt.phase))?;
        (live.attempt == *attempt).then(|| (at, live.clone()))
    }

    /// The declared outputs of a step, from its result; `values` are those of a `set`.
    pub(super) fn outputs(
        &self,
        at: StepIx,
        values: BTreeMap<String, Value>,
        locals: Locals,
    ) -> Result<BTreeMap<String, Value>, Failure> {
        let mut outputs = values;
        for (name, template) in &self.plan().step(at).outputs {
            let value = self.render(at, template, &locals);
            let value = value.map_err(|error| Failure::Evaluate(format!("output `{name}`: {error}")))?;
            outputs.insert(name.clone(), value);
        }
        Ok(outputs)
    }

    /// The outputs of a block, which its steps' outputs are in reach of.
    pub(super) fn block_outputs(&self, at: StepIx) -> Result<BTreeMap<String, Value>, Failure> {
        self.outputs(at, BTreeMap::new(), Locals::new())
    }

    /// Ends an attempt, and with it the step or undo, or plans the next attempt.
    pub(super) fn finish(
        &mut self,
        at: StepIx,
        attempt: &AttemptId,
        exit: Exit,
        failure: Option<Failure>,
        outputs: impl FnOnce(&Self) -> Result<BTreeMap<String, Value>, Failure>,
    ) -> Decided {
        self.finish_seen(at, attempt, exit, failure, &Locals::new(), outputs)
    }

    /// The same for an attempt of which `seen` is known: a failure may be repeated because of it.
    pub(super) fn finish_seen(
        &mut self,
        at: StepIx,
        attempt: &AttemptId,
        exit: Exit,
        failure: Option<Failure>,
        seen: &Locals,
        outputs: impl FnOnce(&Self) -> Result<BTreeMap<String, Value>, Failure>,
    ) -> Decided {
        let result = match (failure, attempt.phase) {
            (Some(failure), _) => Err(failure),
            (None, Phase::Do) => outputs(self),
            (None, Phase::Undo | Phase::Probe) => Ok(BTreeMap::new()),
        };
        let failure = result.as_ref().err().cloned();
        self.emit(Event::AttemptEnded { attempt: attempt.clone(), exit, failure })?;
        let step = attempt.step.clone();
        match (result, attempt.phase) {
            (Ok(outputs), Phase::Do | Phase::Probe) => {
                self.emit(Event::StepSucceeded { step, outputs, already_done: false })
            }
            // Before that there was another child run.
            (Ok(_), Phase::Undo) if self.run.undoes_next_child(at) => Ok(()),
            (Ok(_), Phase::Undo) => self.emit(Event::StepUndone { step }),
            (Err(failure), phase) => self.retry_or_fail(at, phase, failure, seen),
        }
    }

    pub(super) fn end_badly(&mut self, step: StepId, phase: Phase, failure: Failure) -> Decided {
        self.emit(match phase {
            Phase::Do | Phase::Probe => Event::StepFailed { step, failure },
            Phase::Undo => Event::UndoFailed { step, failure },
        })
    }

    /// A service will not come up: whatever waits to be repeated would wait for ever.
    pub(super) fn give_up_repeats(&mut self) -> Decided {
        let Some(failure) = self.no_service() else { return Ok(()) };
        let polls = |live: &&Live| matches!(live.doing, Doing::Polling { .. });
        let polling: Vec<_> = self.run.live.values().filter(polls).map(|live| live.attempt.clone()).collect();
        for attempt in polling {
            let Some((at, _)) = self.live(&attempt) else { continue };
            self.finish(at, &attempt, Exit::Done, Some(failure.clone()), |_| Ok(BTreeMap::new()))?;
        }
        let retrying: Vec<_> = self.run.retries.keys().copied().collect();
        for (at, phase) in retrying {
            if phase == Phase::Probe && self.run.live.contains_key(&(at, Phase::Do)) {
                self.follow_loss(at)?;
                continue;
            }
            let step = self.plan().step(at).id.clone();
            self.end_badly(step, phase, failure.clone())?;
        }
        Ok(())
    }

    /// Ends an attempt because a person ends the run.
    pub(super) fn cancelled(&mut self, at: StepIx, attempt: &AttemptId, exit: Exit) -> Decided {
        let failure = Some(Failure::Cancelled);
        self.emit(Event::AttemptEnded { attempt: attempt.clone(), exit, failure })?;
        let step = self.plan().step(at).id.clone();
        self.emit(match attempt.phase {
            Phase::Do | Phase::Probe => Event::StepCancelled { step },
            Phase::Undo => Event::UndoFailed { step, failure: Failure::Cancelled },
        })
    }

    /// A person confirmed a manual step or gave values, refused, or let the time pass.
    pub(super) fn settle_asked(
        &mut self,
        attempt: &AttemptId,
        answer: Result<BTreeMap<String, Value>, Failure>,
    ) -> Decided {
        let Some((at, _)) = self.live(attempt) else { return Ok(()) };
        let (values, failure) = match answer {
            Ok(values) => (values, None),
            Err(failure) => (BTreeMap::new(), Some(failure)),
        };
        let result = |deciding: &Self| deciding.outputs(at, values, Locals::new());
        self.finish(at, attempt, Exit::Done, failure, result)
    }

    /// Ends everything of a step that only waits: a pause, a retry, a poll, a question.
    pub(super) fn end_waiting(&mut self, at: StepIx, phase: Phase) -> Decided {
        if let Some(live) = self.run.live.get(&(at, phase)).cloned() {
            if live.has_survivors() {
                return self.end_survivors(at, &live.attempt, AfterLoss::Cancelled);
            }
            return self.cancelled(at, &live.attempt, Exit::Done);
        }
        let retrying = match phase {
            Phase::Do => self.run.steps[at.at()].state == StepState::Retrying,
            Phase::Undo => true,
            // It says what becomes of an interrupted attempt.
            Phase::Probe => !self.run.live.contains_key(&(at, Phase::Do)),
        };
        if retrying && self.run.retries.contains_key(&(at, phase)) {
            let step = self.plan().step(at).id.clone();
            return self.emit(match phase {
                Phase::Do | Phase::Probe => Event::StepCancelled { step },
                Phase::Undo => Event::UndoFailed { step, failure: Failure::Cancelled },
            });
        }
        Ok(())
    }
}
