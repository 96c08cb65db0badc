//! The locks in a snapshot.

use runbook_core::event::{LockHolder, LockScope};
use runbook_core::run::{LockState, Locks, Run};
use serde::{Deserialize, Serialize};

/// Locks of the run, a step or an undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockStatus {
    /// `run`, the step, or `undo.` and the step.
    pub of: String,
    /// Their names.
    pub names: Vec<String>,
    /// Whether they are held.
    pub held: bool,
    /// The one that is waited for.
    pub awaited: Option<String>,
    /// Who holds that, where it is known.
    pub holder: Option<LockHolder>,
    /// Until when it is waited for.
    pub until: Option<u64>,
}

/// Whether nothing goes on before somebody else lets go of a lock.
pub(crate) fn awaits_locks(run: &Run) -> bool {
    let awaits = |locks: &Locks| matches!(locks.state, LockState::Awaited { .. });
    run.locks().any(|(scope, locks)| scope == LockScope::Run && awaits(locks))
}

pub(crate) fn of((scope, locks): (LockScope, &Locks)) -> LockStatus {
    let (awaited, holder, until) = match &locks.state {
        LockState::Awaited { name, holder, until } => (Some(name.clone()), holder.clone(), Some(until.0)),
        LockState::Asked | LockState::Held => (None, None, None),
    };
    let names = locks.wishes.iter().map(|wish| wish.name.clone()).collect();
    LockStatus { of: scope.to_string(), names, held: locks.state == LockState::Held, awaited, holder, until }
}
