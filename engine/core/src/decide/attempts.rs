//! Attempts: how they start, end, are repeated, polled, overdue and lost. The same for a step and for its undo.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::event::{AttemptId, Event, Failure, Phase, StopReason};
use crate::input::{AttemptResult, Exit};
use crate::plan::{Action, Body, OnInterrupt, Retry};
use crate::rendered::Rendered;
use crate::run::{Doing, Live, StepState};
use crate::units::{StepId, StepIx};

/// The part of a step, or of its undo, that rules its attempts.
struct Rules {
    timeout_ms: Option<u64>,
    kill_grace_ms: u64,
    retry: Option<Retry>,
    on_interrupt: OnInterrupt,
}

impl Deciding<'_> {
    fn rules(&self, at: StepIx, phase: Phase) -> Rules {
        let step = self.plan().step(at);
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

    /// How many attempts run outside of the engine's own decisions.
    pub(super) fn running_outside(&self) -> usize {
        let outside =
            |live: &&Live| matches!(live.doing, Doing::Executing | Doing::Stopping { .. } | Doing::Polling { .. });
        self.run.live.values().filter(outside).count()
    }

    /// Starts a step that may start: enters a block, or begins the first attempt.
    pub(super) fn start(&mut self, at: StepIx) -> Decided {
        if !matches!(self.plan().step(at).body, Body::Action(_)) {
            return self.enter(at);
        }
        self.start_attempt(at, Phase::Do)
    }

    /// Begins the next attempt of a step, or of its undo.
    pub(super) fn start_attempt(&mut self, at: StepIx, phase: Phase) -> Decided {
        let run = &self.run.steps[at.at()];
        let last = if phase == Phase::Do { run.attempts } else { run.undo.attempts };
        let attempt = AttemptId::first(self.plan().step(at).id.clone(), phase, last + 1);
        let action = self.run.action_of(&attempt).cloned();
        let due = match &action {
            Some(Rendered::WaitFor(ms)) => Some(self.now.after(*ms)),
            Some(Rendered::WaitUntil(moment)) => Some(*moment),
            _ => self.rules(at, phase).timeout_ms.map(|ms| self.now.after(ms)),
        };
        let Some(host) = self.run.host.clone() else { return Ok(()) };
        self.emit(Event::AttemptStarted { attempt: attempt.clone(), due, host })?;
        match action {
            Some(Rendered::Assert | Rendered::Set(_)) => self.do_inline(at, attempt, action),
            Some(Rendered::Manual(text)) => self.ask_manual(attempt, text, due),
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

    fn live(&self, attempt: &AttemptId) -> Option<(StepIx, Live)> {
        let at = *self.made.index.get(&attempt.step)?;
        let live = self.run.live.get(&(at, attempt.phase))?;
        (live.attempt == *attempt).then(|| (at, live.clone()))
    }

    /// A process or request ended. Of an attempt that is not the running one nothing follows.
    pub(super) fn ended(&mut self, attempt: &AttemptId, result: AttemptResult) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        let stopped = match live.doing {
            Doing::Executing => None,
            Doing::Stopping { why, .. } => Some(why),
            _ => return Ok(()),
        };
        if stopped == Some(StopReason::Cancel) {
            return self.cancelled(at, attempt, result.exit);
        }
        if stopped == Some(StopReason::Timeout) {
            let failure = Failure::Timeout(self.rules(at, attempt.phase).timeout_ms.unwrap_or_default());
            return self.finish(at, attempt, result.exit, Some(failure), |_| Ok(BTreeMap::new()));
        }
        let mut locals = result.locals;
        if let Exit::Code(code) = result.exit {
            locals.insert("exit_code".to_owned(), code.into());
        }
        let handed_back = Value::Object(result.outputs.into_iter().collect());
        locals.insert("outputs".to_owned(), handed_back);
        let mut failure = match result.unusable {
            Some(reason) => Some(Failure::Evaluate(reason)),
            None => self.failure_of(attempt, &result.exit),
        };
        if attempt.phase == Phase::Do && self.plan().step(at).until.is_some() && !is_unusable(failure.as_ref()) {
            match self.poll_result(at, attempt, &result.exit, &locals) {
                Ok(true) => failure = None,
                Ok(false) => return self.poll_again(at, attempt, failure),
                Err(reason) => failure = Some(reason),
            }
        }
        self.finish(at, attempt, result.exit, failure, |deciding| deciding.outputs(at, BTreeMap::new(), locals))
    }

    fn failure_of(&self, attempt: &AttemptId, exit: &Exit) -> Option<Failure> {
        let fine = match exit {
            Exit::Code(code) => *code == 0,
            Exit::Status(status) => match self.run.action_of(attempt) {
                Some(Rendered::Http { expect, .. }) => expect.iter().any(|(low, high)| (low..=high).contains(&status)),
                _ => true,
            },
            Exit::Done => true,
            Exit::Signal(_) | Exit::Error(_) => false,
        };
        (!fine).then(|| Failure::Exit(exit.clone()))
    }

    /// Whether a poll found what it looks for. No answer and an unexpected status mean "not yet".
    fn poll_result(&self, at: StepIx, attempt: &AttemptId, exit: &Exit, locals: &Locals) -> Result<bool, Failure> {
        let Some(until) = &self.plan().step(at).until else { return Ok(true) };
        let is_http = matches!(self.run.action_of(attempt), Some(Rendered::Http { .. }));
        match exit {
            _ if is_http && self.failure_of(attempt, exit).is_some() => return Ok(false),
            Exit::Signal(_) | Exit::Error(_) => return Err(Failure::Exit(exit.clone())),
            _ => {}
        }
        self.holds(at, &until.condition, locals).map_err(|error| Failure::Evaluate(format!("`until`: {error}")))
    }

    fn poll_again(&mut self, at: StepIx, attempt: &AttemptId, failure: Option<Failure>) -> Decided {
        let Some(until) = self.plan().step(at).until.clone() else { return Ok(()) };
        if self.cancel_stops(attempt.phase) {
            return self.cancelled(at, attempt, Exit::Done);
        }
        let found = match failure {
            Some(Failure::Exit(exit)) => exit.to_string(),
            _ => format!("`{}` does not hold yet", until.condition.source),
        };
        let next = self.now.after(until.every_ms);
        self.emit(Event::PollMissed { attempt: attempt.clone(), next, found })
    }

    /// The declared outputs of a step, from its result; `values` are those of a `set`.
    fn outputs(
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
    fn finish(
        &mut self,
        at: StepIx,
        attempt: &AttemptId,
        exit: Exit,
        failure: Option<Failure>,
        outputs: impl FnOnce(&Self) -> Result<BTreeMap<String, Value>, Failure>,
    ) -> Decided {
        let result = match (failure, attempt.phase) {
            (Some(failure), _) => Err(failure),
            (None, Phase::Do) => outputs(self),
            (None, Phase::Undo) => Ok(BTreeMap::new()),
        };
        let failure = result.as_ref().err().cloned();
        self.emit(Event::AttemptEnded { attempt: attempt.clone(), exit, failure })?;
        let step = attempt.step.clone();
        match (result, attempt.phase) {
            (Ok(outputs), Phase::Do) => self.emit(Event::StepSucceeded { step, outputs }),
            (Ok(_), Phase::Undo) => self.emit(Event::StepUndone { step }),
            (Err(failure), phase) => self.retry_or_fail(at, phase, failure),
        }
    }

    /// After a failed attempt: another one, or the end.
    fn retry_or_fail(&mut self, at: StepIx, phase: Phase, failure: Failure) -> Decided {
        let step = self.plan().step(at).id.clone();
        let run = &self.run.steps[at.at()];
        let failures = if phase == Phase::Do { run.failures } else { run.undo.failures };
        let final_anyway = matches!(failure, Failure::Rejected { .. } | Failure::Cancelled);
        match self.rules(at, phase).retry {
            Some(retry) if failures < retry.attempts_max && !final_anyway && !self.cancel_stops(phase) => {
                let due = self.now.after(retry.delay_after(failures));
                self.emit(Event::RetryScheduled { step, phase, due })
            }
            _ => self.end_badly(step, phase, failure),
        }
    }

    fn end_badly(&mut self, step: StepId, phase: Phase, failure: Failure) -> Decided {
        self.emit(match phase {
            Phase::Do => Event::StepFailed { step, failure },
            Phase::Undo => Event::UndoFailed { step, failure },
        })
    }

    /// Ends an attempt because a person ends the run.
    pub(super) fn cancelled(&mut self, at: StepIx, attempt: &AttemptId, exit: Exit) -> Decided {
        let failure = Some(Failure::Cancelled);
        self.emit(Event::AttemptEnded { attempt: attempt.clone(), exit, failure })?;
        let step = self.plan().step(at).id.clone();
        self.emit(match attempt.phase {
            Phase::Do => Event::StepCancelled { step },
            Phase::Undo => Event::UndoFailed { step, failure: Failure::Cancelled },
        })
    }

    /// Nobody knows how an attempt ended.
    pub(super) fn lost(&mut self, attempt: &AttemptId) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        match live.doing {
            Doing::Executing => {}
            // It was being ended; now it has.
            Doing::Stopping { .. } => return self.ended(attempt, AttemptResult::default()),
            _ => return Ok(()),
        }
        let then = self.rules(at, attempt.phase).on_interrupt;
        self.emit(Event::AttemptInterrupted { attempt: attempt.clone(), then })?;
        match then {
            OnInterrupt::Ask => self.ask_interrupted(attempt.clone()),
            OnInterrupt::Fail => self.retry_or_fail(at, attempt.phase, Failure::Interrupted),
            OnInterrupt::Rerun => self.run_again(at, attempt.phase),
        }
    }

    /// Starts an interrupted attempt anew, unless the run is being cancelled.
    pub(super) fn run_again(&mut self, at: StepIx, phase: Phase) -> Decided {
        if !self.cancel_stops(phase) {
            return self.start_attempt(at, phase);
        }
        let step = self.plan().step(at).id.clone();
        self.emit(match phase {
            Phase::Do => Event::StepCancelled { step },
            Phase::Undo => Event::UndoFailed { step, failure: Failure::Cancelled },
        })
    }

    /// A person said of an interrupted attempt that it took effect (`failure` is none), or that it did not.
    pub(super) fn settle_interrupted(&mut self, at: StepIx, attempt: &AttemptId, failure: Option<Failure>) -> Decided {
        self.finish(at, attempt, Exit::Done, failure, |_| Ok(BTreeMap::new()))
    }

    /// A person confirmed a manual step, refused it, or let its time pass.
    pub(super) fn settle_manual(&mut self, attempt: &AttemptId, failure: Option<Failure>) -> Decided {
        let Some((at, _)) = self.live(attempt) else { return Ok(()) };
        let result = |deciding: &Self| deciding.outputs(at, BTreeMap::new(), Locals::new());
        self.finish(at, attempt, Exit::Done, failure, result)
    }

    pub(super) fn overdue(&mut self, attempt: &AttemptId) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        if live.due.is_none_or(|due| self.now < due) {
            return Ok(());
        }
        let rules = self.rules(at, attempt.phase);
        let failure = Failure::Timeout(rules.timeout_ms.unwrap_or_default());
        match live.doing {
            Doing::Executing => {
                let kill_at = self.now.after(rules.kill_grace_ms);
                let (attempt, why) = (attempt.clone(), StopReason::Timeout);
                self.emit(Event::AttemptStopping { attempt, force: false, why, kill_at })
            }
            Doing::Polling { .. } => self.finish(at, attempt, Exit::Done, Some(failure), |_| Ok(BTreeMap::new())),
            Doing::Waiting | Doing::Asking | Doing::Stopping { .. } | Doing::Interrupted => Ok(()),
        }
    }

    pub(super) fn kill_due(&mut self, attempt: &AttemptId) -> Decided {
        let Some((_, live)) = self.live(attempt) else { return Ok(()) };
        match live.doing {
            Doing::Stopping { force: false, why, kill_at } if self.now >= kill_at => {
                self.emit(Event::AttemptStopping { attempt: attempt.clone(), force: true, why, kill_at })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn retry_due(&mut self, step: &StepId, phase: Phase) -> Decided {
        let Some(at) = self.made.index.get(step).copied() else { return Ok(()) };
        match self.run.retries.get(&(at, phase)) {
            Some(due) if self.now >= *due && self.may_start() => self.start_attempt(at, phase),
            _ => Ok(()),
        }
    }

    pub(super) fn poll_due(&mut self, attempt: &AttemptId) -> Decided {
        let Some((_, live)) = self.live(attempt) else { return Ok(()) };
        let Some(host) = self.run.host.clone() else { return Ok(()) };
        match live.doing {
            Doing::Polling { next } if self.now >= next && self.may_start() => {
                self.emit(Event::AttemptStarted { attempt: attempt.next_poll(), due: live.due, host })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn wait_due(&mut self, attempt: &AttemptId) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        let over = live.doing == Doing::Waiting && live.due.is_some_and(|due| self.now >= due);
        if !over {
            return Ok(());
        }
        self.finish(at, attempt, Exit::Done, None, |deciding| deciding.outputs(at, BTreeMap::new(), Locals::new()))
    }

    /// Ends everything of a step that only waits: a pause, a retry, a poll, a question.
    pub(super) fn end_waiting(&mut self, at: StepIx, phase: Phase) -> Decided {
        if let Some(live) = self.run.live.get(&(at, phase)).cloned() {
            return self.cancelled(at, &live.attempt, Exit::Done);
        }
        let retrying = phase == Phase::Undo || self.run.steps[at.at()].state == StepState::Retrying;
        if retrying && self.run.retries.contains_key(&(at, phase)) {
            let step = self.plan().step(at).id.clone();
            return self.emit(match phase {
                Phase::Do => Event::StepCancelled { step },
                Phase::Undo => Event::UndoFailed { step, failure: Failure::Cancelled },
            });
        }
        Ok(())
    }
}

fn is_unusable(failure: Option<&Failure>) -> bool {
    matches!(failure, Some(Failure::Evaluate(_)))
}
