//! What runs beside the steps: deadlines that pass, and the end of all that once the steps have settled.

use std::collections::BTreeMap;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::event::{BlockReason, Event, Phase, SkipReason};
use crate::input::Exit;
use crate::plan::Step;
use crate::run::{Doing, Live, StepState};
use crate::units::{StepId, StepIx};

impl Deciding<'_> {
    /// The time of a deadline has come. Where nobody knows whether its `unless` holds it passes: to call for help once too
    /// often is better than not to call.
    pub(super) fn deadline_due(&mut self, step: &StepId) -> Decided {
        let is_it = |(deadline, due): &(&Step, _)| deadline.id == *step && self.now >= *due;
        if !self.run.deadlines().any(|it| is_it(&it)) {
            return Ok(());
        }
        let Some(at) = self.made.index.get(step).copied() else { return Ok(()) };
        let unless = self.plan().step(at).deadline().and_then(|deadline| deadline.unless.clone());
        let trouble = match unless.map(|unless| self.holds(at, &unless, &Locals::new())) {
            Some(Ok(true)) => return self.skip(at, SkipReason::Unless),
            Some(Err(error)) => Some(format!("`unless`: {error}")),
            Some(Ok(false)) | None => None,
        };
        self.emit(Event::DeadlinePassed { step: step.clone(), trouble })?;
        self.emit(Event::BlockEntered { step: step.clone(), case: None })
    }

    /// The steps have settled: nothing more begins beside them, and only what runs is waited for.
    pub(super) fn end_beside(&mut self) -> Decided {
        for at in self.made.beside.clone() {
            let is_deadline = self.plan().step(at).deadline().is_some();
            if is_deadline && self.run.steps[at.at()].state == StepState::Pending {
                self.skip(at, SkipReason::InTime)?;
            }
        }
        self.block_unstarted()?;
        let waits = |live: &Live| matches!(live.doing, Doing::Waiting | Doing::Asking | Doing::Polling { .. });
        let live = self.run.live.iter().filter(|(_, live)| waits(live)).map(|(key, _)| *key);
        let keys = live.chain(self.run.retries.keys().copied()).filter(|(at, _)| self.run.is_over(*at));
        let keys: Vec<(StepIx, Phase)> = keys.collect();
        for (at, phase) in keys {
            // A guard that looked to the end has done what it was for.
            if let Some(live) = self.run.live.get(&(at, phase)).filter(|_| self.run.is_guard(at)).cloned() {
                self.finish(at, &live.attempt, Exit::Done, None, |_| Ok(BTreeMap::new()))?;
                continue;
            }
            self.withdraw_questions(at, &BlockReason::Over)?;
            self.end_waiting(at, phase)?;
        }
        self.stop_guards()
    }
}
