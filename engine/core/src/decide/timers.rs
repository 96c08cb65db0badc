//! What follows when a moment has come. A timer that no longer matters changes nothing.

use std::collections::BTreeMap;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::event::{AttemptId, Event, Failure, Phase, StopReason};
use crate::input::Exit;
use crate::run::Doing;
use crate::units::StepId;

impl Deciding<'_> {
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
            Doing::Stopping { force: false, why, kill_at } if self.now >= kill_at && !self.is_child(attempt) => {
                self.emit(Event::AttemptStopping { attempt: attempt.clone(), force: true, why, kill_at })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn retry_due(&mut self, step: &StepId, phase: Phase) -> Decided {
        let Some(at) = self.made.index.get(step).copied() else { return Ok(()) };
        match self.run.retries.get(&(at, phase)) {
            Some(due) if self.now >= *due && self.may_start() && self.run.may_repeat((at, phase)) => {
                self.start_attempt(at, phase)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn poll_due(&mut self, attempt: &AttemptId) -> Decided {
        let Some((at, live)) = self.live(attempt) else { return Ok(()) };
        let Some(host) = self.run.host.clone() else { return Ok(()) };
        match live.doing {
            Doing::Polling { next } if self.now >= next && self.run.is_equipped_for(attempt) => {
                // The time of a guard is for one look, that of a step for all.
                let due = match self.run.is_guard(at) {
                    true => self.rules(at, attempt.phase).timeout_ms.map(|ms| self.now.after(ms)),
                    false => live.due,
                };
                self.emit(Event::AttemptStarted { attempt: attempt.next_poll(), due, host, child: None })
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
}
