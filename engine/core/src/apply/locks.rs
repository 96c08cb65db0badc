//! How locks are asked for, taken and let go.

use super::Applied;
use crate::event::{Event, LockScope, Phase};
use crate::run::{LockKey, LockState, Locks, Run, Stage, StepState, UndoState};

impl Run {
    pub(super) fn apply_lock(&mut self, event: &Event) -> Applied {
        match event {
            Event::LocksAsked { scope, locks } => {
                let key = self.key_of(scope, event)?;
                let Some((at, phase)) = key else { return Err(self.illegal(event)) };
                let fits = match phase {
                    // A block that is open again holds its locks anew.
                    Phase::Do => matches!(self.steps[at.at()].state, StepState::Cleared | StepState::Entered),
                    Phase::Undo => {
                        let pending = self.steps[at.at()].undo.state == UndoState::Pending;
                        pending && self.is_being_undone(at)
                    }
                    // It has those of its step.
                    Phase::Probe => false,
                };
                self.must(fits && !self.locks.contains_key(&key), event)?;
                // What has begun does not give up.
                let had = self.steps[at.at()].state == StepState::Entered && phase == Phase::Do;
                self.locks.insert(key, Locks { had, ..Locks::new(locks.clone()) });
            }
            Event::LocksTaken { scope } => {
                let key = self.key_of(scope, event)?;
                let locks = self.locks.get_mut(&key).filter(|locks| locks.state != LockState::Held);
                let Some(locks) = locks else { return Err(self.illegal(event)) };
                locks.state = LockState::Held;
                (locks.had, locks.was_held) = (true, true);
            }
            Event::LockAwaited { scope, name, holder, until } => {
                let key = self.key_of(scope, event)?;
                let locks = self.locks.get_mut(&key).filter(|locks| locks.state != LockState::Held);
                let Some(locks) = locks else { return Err(self.illegal(event)) };
                locks.state = LockState::Awaited { name: name.clone(), holder: holder.clone(), until: *until };
                locks.told = true;
            }
            Event::LockRefused { name, .. } => {
                let waits = self.locks.get(&None).is_some_and(|locks| !locks.had);
                self.must(waits && self.stage == Stage::Main, event)?;
                self.locks.remove(&None);
                self.lock_refused = Some(name.clone());
            }
            _ => return Err(self.illegal(event)),
        }
        Ok(())
    }

    fn key_of(&self, scope: &LockScope, event: &Event) -> Result<LockKey, super::IllegalEvent> {
        self.lock_key(scope).ok_or_else(|| self.illegal(event))
    }

    /// Another engine took the run: whether its supervisor still holds the locks is to be asked, and what had them waits
    /// anew. What never had them goes on with its time; when that is over, it gives up once this engine was told that
    /// somebody holds them still.
    pub(super) fn ask_locks_again(&mut self) {
        for locks in self.locks.values_mut() {
            locks.told = false;
            if locks.was_held {
                locks.state = LockState::Asked;
            }
        }
    }
}
