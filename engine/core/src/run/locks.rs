//! The locks of a run and of its steps. Held is only what the supervisor of the present engine holds: after a crash all
//! are taken anew.

use std::collections::BTreeSet;

use super::Run;
use crate::event::{AttemptId, LockHolder, LockScope, LockWish, Phase};
use crate::units::{StepIx, Timestamp};

/// For whom locks are held: the run (`None`), or a step or its undo.
pub(crate) type LockKey = Option<(StepIx, Phase)>;

/// The locks of a run, step or undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locks {
    /// Which, by name, each once.
    pub wishes: Vec<LockWish>,
    /// Whether they are held.
    pub state: LockState,
    /// Whether they were held before: what has begun does not give up because of a crash, nor because it is open again.
    pub(crate) had: bool,
    /// Whether an engine took them since they were asked for: after a crash they are as good as held.
    pub(crate) was_held: bool,
    /// Whether the present engine was told who holds the one that is waited for. What another engine was told may no
    /// longer be so, and is no reason to give up.
    pub told: bool,
}

/// Whether locks are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// Nobody has said yet whether they are free.
    Asked,
    /// Somebody else holds one.
    Awaited {
        /// Which.
        name: String,
        /// Who, where that is known.
        holder: Option<LockHolder>,
        /// Until when it is waited for.
        until: Timestamp,
    },
    /// They are.
    Held,
}

impl Locks {
    pub(crate) fn new(wishes: Vec<LockWish>) -> Self {
        Self { wishes, state: LockState::Asked, had: false, was_held: false, told: false }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.wishes.iter().map(|wish| wish.name.as_str())
    }
}

impl Run {
    /// The locks that are wanted or held, and for whom.
    pub fn locks(&self) -> impl Iterator<Item = (LockScope, &Locks)> {
        self.locks.iter().filter_map(|(key, locks)| Some((self.lock_scope(*key)?, locks)))
    }

    /// The locks of the run itself, once they are waited for longer than the run said that it would, although it had them
    /// before: then the run is left as it is.
    pub fn lost_locks(&self, now: Timestamp) -> Option<&Locks> {
        let locks = self.locks.get(&None).filter(|locks| locks.had)?;
        matches!(locks.state, LockState::Awaited { until, .. } if until <= now).then_some(locks)
    }

    pub(crate) fn lock_scope(&self, key: LockKey) -> Option<LockScope> {
        let Some((at, phase)) = key else { return Some(LockScope::Run) };
        Some(LockScope::Step(self.plan()?.step(at).id.clone(), phase))
    }

    pub(crate) fn lock_key(&self, scope: &LockScope) -> Option<LockKey> {
        match scope {
            LockScope::Run => Some(None),
            LockScope::Step(step, phase) => Some(Some((*self.made.as_ref()?.index.get(step)?, *phase))),
        }
    }

    /// Whether the run is to end before it held its locks for the first time: then nothing of it runs, not even `always`.
    pub(crate) fn ends_unbegun(&self) -> bool {
        let waits = self.locks.get(&None).is_some_and(|locks| !locks.had);
        self.lock_refused.is_some() || (waits && self.cancel.is_some())
    }

    /// Whether all that every command of the run needs is there: its locks are held, and its services answer.
    pub fn is_equipped(&self) -> bool {
        let held = self.locks.get(&None).is_none_or(|locks| locks.state == LockState::Held);
        held && self.lock_refused.is_none() && self.services_answer()
    }

    /// Whether all that an attempt needs is there, so that it may be started.
    pub fn is_equipped_for(&self, attempt: &AttemptId) -> bool {
        let at = self.made.as_ref().and_then(|made| made.index.get(&attempt.step));
        self.is_equipped() && at.is_some_and(|at| self.holds_locks((*at, attempt.phase)))
    }

    /// Whether the locks of a step and of the blocks around it are held, or those of its undo. What looks whether a step is
    /// done needs those of the step, but not yet while its approval is still to be asked for: nobody should wait for a
    /// lock that a question holds.
    pub(crate) fn holds_locks(&self, (at, phase): (StepIx, Phase)) -> bool {
        match phase {
            // Also where the look itself failed and is repeated, which is a repetition of the step.
            Phase::Do | Phase::Probe if self.is_before_approval(at) => self.holds_locks_around(at),
            Phase::Do | Phase::Probe => self.lock_places(at, Phase::Do).all(|place| self.is_held((place, Phase::Do))),
            Phase::Undo => self.lock_places(at, phase).all(|place| self.is_held((place, phase))),
        }
    }

    /// Whether the locks of the blocks around a step are held.
    pub(crate) fn holds_locks_around(&self, at: StepIx) -> bool {
        self.lock_places(at, Phase::Do).filter(|place| *place != at).all(|place| self.is_held((place, Phase::Do)))
    }

    fn is_held(&self, key: (StepIx, Phase)) -> bool {
        self.locks.get(&Some(key)).is_some_and(|locks| locks.state == LockState::Held)
    }

    /// The steps whose locks must be held for a step: itself and those around it that have some; of an undo, itself.
    pub(super) fn lock_places(&self, at: StepIx, phase: Phase) -> impl Iterator<Item = StepIx> {
        let plan = self.plan();
        let parent = move |at: &StepIx| plan.filter(|_| phase == Phase::Do)?.step(*at).parent;
        let places = std::iter::successors(Some(at), parent);
        places.filter(move |at| plan.is_some_and(|plan| !plan.step(*at).locks.is_empty()))
    }

    /// The locks that are held for a child run: by its step, by what is around that, and by the runs around this one.
    pub fn locks_over(&self, attempt: &AttemptId) -> Vec<String> {
        let Some(at) = self.made.as_ref().and_then(|made| made.index.get(&attempt.step)) else { return vec![] };
        let key = (*at, attempt.phase);
        let own = self.locks.get(&Some(key)).into_iter().flat_map(|locks| &locks.wishes).map(|wish| wish.name.as_str());
        let names: BTreeSet<&str> = own.chain(self.inherited_locks(key)).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The locks that a step, or undo, has by what is around it.
    pub(crate) fn inherited_locks(&self, (at, phase): (StepIx, Phase)) -> impl Iterator<Item = &str> {
        let above = self.created().into_iter().flat_map(|created| &created.locks_above).map(String::as_str);
        let around = self.lock_places(at, phase).filter(move |place| *place != at);
        let keys = around.map(move |place| Some((place, phase))).chain([None]);
        let wishes = keys.filter_map(|key| self.locks.get(&key)).flat_map(|locks| &locks.wishes);
        wishes.map(|wish| wish.name.as_str()).chain(above)
    }
}
