//! What follows from the result of a process or request: an end, or the next look of a poll.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::event::{AttemptId, ChildEnd, EndedChild, Event, Failure, Phase, StopReason};
use crate::input::{AttemptResult, Exit};
use crate::rendered::Rendered;
use crate::run::Doing;
use crate::units::StepIx;

impl Deciding<'_> {
    /// A process or request ended. Of an attempt that is not the running one nothing follows.
    pub(super) fn ended(&mut self, attempt: &AttemptId, result: AttemptResult) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        let stopped = match live.doing {
            Doing::Executing => None,
            Doing::Stopping { why, .. } => Some(why),
            _ => return Ok(()),
        };
        if let Some(StopReason::Interrupted(then)) = stopped {
            return self.nothing_is_left(at, attempt, then);
        }
        if attempt.phase == Phase::Probe {
            return self.probe_ended(at, attempt, result, stopped);
        }
        if self.run.is_guard(at) {
            return self.looked(at, attempt, &live, result);
        }
        if let Some(end) = result.child.clone().filter(|_| self.is_child(attempt)) {
            let attempt = attempt.clone();
            self.emit(Event::ChildEnded(Box::new(EndedChild { attempt, end })))?;
        }
        // What succeeded all the same took effect, and may have to be undone: a race that the command won.
        let failure = self.failure_in(attempt, &result);
        let has_failed = failure.is_some();
        if self.was_cancelled_with(at, attempt, failure.as_ref()) {
            return self.cancelled(at, attempt, result.exit);
        }
        if stopped == Some(StopReason::Cancel) && has_failed {
            return self.cancelled(at, attempt, result.exit);
        }
        if stopped == Some(StopReason::Timeout) {
            let timeout = Failure::Timeout(self.rules(at, attempt.phase).timeout_ms.unwrap_or_default());
            let failure =
                failure.filter(|_| result.child.as_ref().is_some_and(ChildEnd::leaves_something)).unwrap_or(timeout);
            return self.finish(at, attempt, result.exit, Some(failure), |_| Ok(BTreeMap::new()));
        }
        if self.is_child(attempt) {
            let failure = result.unusable.map(Failure::Evaluate).or(failure);
            let code = match result.exit {
                Exit::Code(code) => code.into(),
                _ => Value::Null,
            };
            let (seen, outputs) = (Locals::from([("exit_code".to_owned(), code)]), result.outputs);
            return self.finish_seen(at, attempt, result.exit, failure, &seen, |deciding| {
                deciding.outputs(at, outputs, Locals::new())
            });
        }
        let mut locals = result.locals;
        if let Exit::Code(code) = result.exit {
            locals.insert("exit_code".to_owned(), code.into());
        }
        let handed_back = Value::Object(result.outputs.into_iter().collect());
        locals.insert("outputs".to_owned(), handed_back);
        let mut failure = match result.unusable {
            Some(reason) => Some(Failure::Evaluate(reason)),
            None => failure,
        };
        if attempt.phase == Phase::Do && self.plan().step(at).until.is_some() && !is_unusable(failure.as_ref()) {
            match self.poll_result(at, attempt, &result.exit, &locals) {
                Ok(true) => failure = None,
                Ok(false) => return self.poll_again(at, attempt, failure),
                Err(reason) => failure = Some(reason),
            }
        }
        let seen = if failure.is_some() { locals.clone() } else { Locals::new() };
        let outputs = |deciding: &Self| deciding.outputs(at, BTreeMap::new(), locals);
        self.finish_seen(at, attempt, result.exit, failure, &seen, outputs)
    }

    pub(super) fn failure_of(&self, attempt: &AttemptId, exit: &Exit) -> Option<Failure> {
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
        // Both say by themselves whether they could look.
        let asks = matches!(self.run.action_of(attempt), Some(Rendered::Http { .. } | Rendered::Plugin { .. }));
        match exit {
            _ if asks && self.failure_of(attempt, exit).is_some() => return Ok(false),
            Exit::Signal(_) | Exit::Error(_) => return Err(Failure::Exit(exit.clone())),
            _ => {}
        }
        self.holds(at, &until.condition, locals).map_err(|error| Failure::Evaluate(format!("`until`: {error}")))
    }

    fn poll_again(&mut self, at: StepIx, attempt: &AttemptId, failure: Option<Failure>) -> Decided {
        let Some(until) = self.plan().step(at).until.clone() else { return Ok(()) };
        if self.cancel_stops(at, attempt.phase) {
            return self.cancelled(at, attempt, Exit::Done);
        }
        if let Some(failure) = self.no_service() {
            return self.finish(at, attempt, Exit::Done, Some(failure), |_| Ok(BTreeMap::new()));
        }
        let found = match failure {
            Some(Failure::Exit(exit)) => exit.to_string(),
            _ => format!("`{}` does not hold yet", until.condition.source),
        };
        let next = self.now.after(until.every_ms);
        self.emit(Event::PollMissed { attempt: attempt.clone(), next, found, trips: 0 })
    }
}

fn is_unusable(failure: Option<&Failure>) -> bool {
    matches!(failure, Some(Failure::Evaluate(_)))
}
