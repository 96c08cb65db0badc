//! A person ends the run: once with grace, twice at once, three times by force.
//!
//! The level counts within a stage: an undo, or an `always` step, is cut only by the second request that it lives to see.

use super::{Decided, Deciding};
use crate::event::{AttemptId, BlockReason, Event, Identity, Phase, StopReason};
use crate::run::{Cancel, Doing, Live, Stage};
use crate::units::StepIx;

impl Deciding<'_> {
    /// Whether a request to cancel, or the end of the steps that it runs beside, keeps an attempt from being repeated.
    pub(super) fn cancel_stops(&self, at: StepIx, phase: Phase) -> bool {
        if phase != Phase::Undo && self.run.is_over(at) {
            return true;
        }
        let Some(cancel) = &self.run.cancel else { return false };
        match (phase, self.run.stage) {
            (Phase::Do | Phase::Probe, Stage::Main) => self.run.is_cut(at).unwrap_or(true),
            _ => cancel.level >= 2,
        }
    }

    /// Whether a request to cancel keeps a step from starting: one while the steps run; in an `always`, of the runbook or
    /// of a block, one more than there were when it began.
    pub(super) fn cancel_holds_back(&self, at: StepIx) -> bool {
        let Some(cancel) = &self.run.cancel else { return false };
        let always = self.plan().step(at).always;
        match self.run.stage {
            Stage::Main => !always && self.run.is_cut(at).unwrap_or(true),
            Stage::Always => always && cancel.level >= 2,
            Stage::New | Stage::RollingBack | Stage::Stopping | Stage::Ended => false,
        }
    }

    /// Whether requests to cancel pass this by, so far: it belongs to the `always` of a block.
    fn is_spared(&self, (at, phase): (StepIx, Phase)) -> bool {
        self.run.stage == Stage::Main && phase != Phase::Undo && self.run.is_cut(at) == Some(false)
    }

    /// Of a message that was read before nothing follows: in a later stage it would count as another request.
    pub(super) fn cancel_asked(
        &mut self,
        level: u8,
        by: Identity,
        reason: Option<String>,
        message: Option<String>,
    ) -> Decided {
        let level = level.clamp(1, 3);
        let known = |cancel: &Cancel| message.as_ref().is_some_and(|message| cancel.messages.contains(message));
        let is_old = |cancel: &Cancel| cancel.level >= level || known(cancel);
        if self.run.cancel.as_ref().is_some_and(is_old) || self.run.stage == Stage::Stopping {
            return Ok(());
        }
        self.emit(Event::CancelRequested { level, by, reason, message })?;
        if self.run.stage == Stage::Main {
            self.end_what_waits()?;
            self.stop_guards()?;
        }
        if level >= 2 {
            self.end_what_waits()?;
            self.stop_running(level >= 3)?;
        }
        Ok(())
    }

    pub(super) fn cancel_grace_due(&mut self) -> Decided {
        let Some(cancel) = &self.run.cancel else { return Ok(()) };
        let due = cancel.at.after(self.plan().cancel_grace_ms);
        if self.run.stage != Stage::Main || cancel.grace_over || self.now < due {
            return Ok(());
        }
        self.emit(Event::CancelGraceOver)?;
        self.stop_running(false)
    }

    /// Ends pauses, polls between two looks, retries, and questions.
    pub(super) fn end_what_waits(&mut self) -> Decided {
        let waits = |live: &Live| match live.doing {
            Doing::Waiting | Doing::Asking | Doing::Polling { .. } => true,
            // What looks whether it is done says more soon.
            Doing::Interrupted => !self.must_know_fate(&live.attempt) && !self.is_looked_at(&live.attempt),
            Doing::Executing | Doing::Stopping { .. } => false,
        };
        let live = self.run.live.iter().filter(|(_, live)| waits(live)).map(|(key, _)| *key);
        let keys = live.chain(self.run.retries.keys().copied()).filter(|key| !self.is_spared(*key));
        let keys: Vec<(StepIx, Phase)> = keys.collect();
        for (at, phase) in keys {
            self.withdraw_questions(at, &BlockReason::Cancelled)?;
            self.end_waiting(at, phase)?;
        }
        Ok(())
    }

    /// Whether the fate of an interrupted attempt must be known although the run is cancelled: what took effect is to be
    /// undone, or named as what cannot be.
    pub(super) fn must_know_fate(&self, attempt: &AttemptId) -> bool {
        let Some(at) = self.made.index.get(&attempt.step) else { return false };
        let level = self.run.cancel.as_ref().map_or(0, |cancel| cancel.level);
        let step = self.plan().step(*at);
        // What an `always` did is never undone.
        let matters = (step.rollback.is_some() || step.irreversible) && self.run.is_cut(*at).is_none();
        let rolls_back = self.run.undoes_after_failure() || self.run.way_back.is_some();
        level < 2 && attempt.phase == Phase::Do && matters && rolls_back
    }

    fn stop_running(&mut self, force: bool) -> Decided {
        let stops = |live: &Live| match live.doing {
            Doing::Executing => true,
            Doing::Stopping { force: forced, .. } => force && !forced,
            _ => false,
        };
        // Child runs are told how hard this run is to end, and see to it themselves.
        let is_mine = |key: (StepIx, Phase), live: &Live| !self.is_spared(key) && !self.is_child(&live.attempt);
        let running = self.run.live.iter().filter(|(key, live)| stops(live) && is_mine(**key, live));
        let running: Vec<AttemptId> = running.map(|(_, live)| live.attempt.clone()).collect();
        for attempt in running {
            let Some(at) = self.made.index.get(&attempt.step).copied() else { continue };
            let kill_at = self.now.after(self.rules(at, attempt.phase).kill_grace_ms);
            self.emit(Event::AttemptStopping { attempt, force, why: StopReason::Cancel, kill_at })?;
        }
        Ok(())
    }
}
