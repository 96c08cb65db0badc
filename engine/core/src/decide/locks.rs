//! Locks: asked for before a run, a step or an undo begins, waited for or given up.

use std::collections::BTreeMap;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::evaluate::EvaluateError;
use crate::event::{Event, Failure, LockHolder, LockScope, LockWish, Phase};
use crate::run::{LockKey, LockState, StepState};
use crate::units::StepIx;

/// An undo waits at least so long for its locks, in milliseconds: to give up would leave the run stuck.
const UNDO_WAIT_MS: u64 = 600_000;

impl Deciding<'_> {
    /// Asks for the locks of the steps that may start.
    pub(super) fn ask_locks(&mut self) -> Decided {
        let asks = |at: &StepIx| {
            let wants = !self.plan().step(*at).locks.is_empty() && !self.run.is_before_approval(*at);
            wants && !self.knows_locks((*at, Phase::Do))
        };
        let unasked: Vec<StepIx> = self.run.cleared.iter().copied().filter(asks).collect();
        for at in unasked {
            if let Err(error) = self.ask_locks_of(at, Phase::Do)? {
                self.fail_unstarted(at, Failure::Evaluate(format!("`locks`: {error}")))?;
            }
        }
        Ok(())
    }

    /// Asks for the locks of a block that is open again. Its names had values before; where one has none now, nothing is held.
    pub(super) fn ask_locks_again(&mut self, at: StepIx) -> Decided {
        if self.plan().step(at).locks.is_empty() || self.knows_locks((at, Phase::Do)) {
            return Ok(());
        }
        match self.ask_locks_of(at, Phase::Do)? {
            Ok(()) => Ok(()),
            Err(_) => {
                let scope = LockScope::Step(self.plan().step(at).id.clone(), Phase::Do);
                self.emit(Event::LocksAsked { scope: scope.clone(), locks: vec![] })?;
                self.emit(Event::LocksTaken { scope })
            }
        }
    }

    /// Whether an undo holds its locks; asks for them the first time.
    pub(super) fn undo_has_locks(&mut self, at: StepIx) -> Result<Result<bool, EvaluateError>, crate::IllegalEvent> {
        if !self.plan().step(at).locks.is_empty()
            && !self.knows_locks((at, Phase::Undo))
            && let Err(error) = self.ask_locks_of(at, Phase::Undo)?
        {
            return Ok(Err(error));
        }
        Ok(Ok(self.run.holds_locks((at, Phase::Undo))))
    }

    fn knows_locks(&self, key: (StepIx, Phase)) -> bool {
        self.run.locks.contains_key(&Some(key))
    }

    fn ask_locks_of(&mut self, at: StepIx, phase: Phase) -> Result<Result<(), EvaluateError>, crate::IllegalEvent> {
        let mut wishes = BTreeMap::new();
        for lock in self.plan().step(at).locks.clone() {
            let name = match self.text(at, &lock.name, &Locals::new()) {
                Ok(name) if name.trim().is_empty() => return Ok(Err(EvaluateError("a name is empty".to_owned()))),
                Ok(name) => name,
                Err(error) => return Ok(Err(error)),
            };
            let wait_ms = lock.wait_ms.unwrap_or(0);
            let wait_ms = if phase == Phase::Undo { wait_ms.max(UNDO_WAIT_MS) } else { wait_ms };
            let longest: &mut u64 = wishes.entry(name).or_default();
            *longest = (*longest).max(wait_ms);
        }
        wishes.retain(|name, _| self.run.inherited_locks((at, phase)).all(|held| held != name));
        let locks: Vec<LockWish> = wishes.into_iter().map(|(name, wait_ms)| LockWish { name, wait_ms }).collect();
        let scope = LockScope::Step(self.plan().step(at).id.clone(), phase);
        let has_all = locks.is_empty();
        self.emit(Event::LocksAsked { scope: scope.clone(), locks })?;
        if has_all {
            self.emit(Event::LocksTaken { scope })?;
        }
        Ok(Ok(()))
    }

    /// The locks are held now.
    pub(super) fn locks_taken(&mut self, scope: LockScope) -> Decided {
        let waiting = |key: &LockKey| self.run.locks.get(key).is_some_and(|locks| locks.state != LockState::Held);
        match self.run.lock_key(&scope).filter(waiting) {
            Some(_) => self.emit(Event::LocksTaken { scope }),
            None => Ok(()),
        }
    }

    /// Somebody else holds a lock: waits for it, or gives up.
    pub(super) fn lock_held(&mut self, scope: LockScope, name: String, holder: Option<LockHolder>) -> Decided {
        let Some(key) = self.run.lock_key(&scope) else { return Ok(()) };
        let Some(locks) = self.run.locks.get(&key).filter(|_| !self.run.ends_unbegun()) else { return Ok(()) };
        if self.run.is_kept_waiting(key, &self.run.waits_within()) {
            return Ok(());
        }
        let wait_ms = locks.wishes.iter().find(|wish| wish.name == name).map_or(0, |wish| wish.wait_ms);
        let until = match &locks.state {
            LockState::Held => return Ok(()),
            LockState::Asked => self.now.after(wait_ms),
            LockState::Awaited { name: known, holder: by, .. } if locks.told && *known == name && *by == holder => {
                return Ok(());
            }
            // Who holds it now has no more of its time than the one before.
            LockState::Awaited { until, .. } => *until,
        };
        if wait_ms == 0 && !locks.had {
            return self.give_up_lock(key, name, holder);
        }
        self.emit(Event::LockAwaited { scope, name, holder, until })
    }

    /// Where steps wait for each other for ever because of a lock, one of them fails, which lets the others go on.
    pub(super) fn break_deadlock(&mut self) -> Decided {
        let Some(found) = self.run.deadlock() else { return Ok(()) };
        let steps = found.steps.iter().map(|at| self.plan().step(*at).id.clone()).collect();
        let failure = Failure::LockCycle { name: found.lock, steps };
        let Some(at) = found.steps.first().copied() else { return Ok(()) };
        if self.run.steps[at.at()].state == StepState::Cleared {
            return self.fail_unstarted(at, failure);
        }
        // A block that is open again: what is to start in it fails, and so does the block.
        let within: Vec<StepIx> = self.subtree(at).into_iter().filter(|child| self.run.ready.contains(child)).collect();
        within.into_iter().try_for_each(|child| self.fail_unstarted(child, failure.clone()))
    }

    /// A lock was waited for long enough. What has begun waits as long as it takes; and nothing gives up before this engine
    /// was told that somebody holds it.
    pub(super) fn lock_due(&mut self, scope: &LockScope) -> Decided {
        let Some(key) = self.run.lock_key(scope) else { return Ok(()) };
        let Some(locks) = self.run.locks.get(&key).filter(|locks| !locks.had && locks.told) else {
            return Ok(());
        };
        match locks.state.clone() {
            LockState::Awaited { name, holder, until } if self.now >= until => self.give_up_lock(key, name, holder),
            _ => Ok(()),
        }
    }

    fn give_up_lock(&mut self, key: LockKey, name: String, holder: Option<LockHolder>) -> Decided {
        match key {
            None => self.emit(Event::LockRefused { name, holder }),
            Some((at, Phase::Do | Phase::Probe)) => {
                self.fail_unstarted(at, Failure::Lock { name, holder: holder.map(Box::new) })
            }
            Some((at, Phase::Undo)) => {
                let step = self.plan().step(at).id.clone();
                self.emit(Event::UndoFailed { step, failure: Failure::Lock { name, holder: holder.map(Box::new) } })
            }
        }
    }
}
