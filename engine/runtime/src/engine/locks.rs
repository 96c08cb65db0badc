//! Asks the supervisor for the locks that are wanted, and lets go of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use runbook_core::event::{LockHolder, LockScope};
use runbook_core::input::Input;
use runbook_core::run::{LockState, Locks, Run};

use super::{Driver, EngineError};
use crate::folder::StateFolder;
use crate::locks::{Claim, is_settled};
use crate::supervisor::{LockRequest, Lost, Notification, Request};

/// From one look whether a lock is free to the next. There is no way to be told by all who may hold it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// An engine that leaves does not wait longer for its locks to be free.
const FREE_LIMIT: Duration = Duration::from_secs(2);
/// As long as it is not sure that somebody holds it.
const LOOK_SOON: Duration = Duration::from_millis(10);

/// The locks that were asked for.
#[derive(Default)]
pub(super) struct LocksAtWork {
    asked: BTreeMap<LockScope, AtWork>,
    /// Those that the supervisor was told to let go, and has not said that it did.
    leaving: BTreeSet<String>,
}

struct AtWork {
    first_held: Option<Instant>,
    /// When to ask; none while an answer is under way, or they are held.
    ask_at: Option<Instant>,
}

impl LocksAtWork {
    /// Another supervisor knows nothing of them.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
        self.leaving.clear();
    }

    pub(super) fn until_next(&self) -> Option<Duration> {
        let next = self.asked.values().filter_map(|at_work| at_work.ask_at).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    pub(super) fn unlocked(&mut self, scope: &str) {
        self.leaving.remove(scope);
    }

    fn scope(&self, name: &str) -> Option<LockScope> {
        self.asked.keys().find(|scope| scope.to_string() == name).cloned()
    }
}

impl Driver {
    pub(super) fn reconcile_locks(&mut self, wanted: &BTreeSet<LockScope>) {
        self.let_go_of_all_but(wanted);
        let now = Instant::now();
        for (scope, locks) in self.engine.run.locks().filter(|(scope, _)| wanted.contains(scope)) {
            let new = || AtWork { first_held: None, ask_at: Some(now) };
            let at_work = self.locks.asked.entry(scope.clone()).or_insert_with(new);
            if locks.state == LockState::Held || at_work.ask_at.is_none_or(|at| at > now) {
                continue;
            }
            at_work.ask_at = None;
            if let Some(request) = request(&self.engine.run, &self.engine.folder.state(), &scope, locks) {
                self.supervisor.send(&Request::Lock(Box::new(request)));
            }
        }
    }

    fn let_go_of_all_but(&mut self, wanted: &BTreeSet<LockScope>) {
        let unwanted: Vec<LockScope> = self.locks.asked.keys().filter(|it| !wanted.contains(*it)).cloned().collect();
        for scope in unwanted {
            self.locks.asked.remove(&scope);
            let scope = scope.to_string();
            self.supervisor.send(&Request::Unlock { scope: scope.clone() });
            self.locks.leaving.insert(scope);
        }
    }

    pub(super) fn locked(&mut self, scope: &str) -> Result<(), EngineError> {
        match self.locks.scope(scope) {
            Some(scope) => self.take(Input::LocksTaken(scope)),
            None => Ok(()),
        }
    }

    pub(super) fn lock_in_use(
        &mut self,
        scope: &str,
        name: String,
        holder: Option<LockHolder>,
    ) -> Result<(), EngineError> {
        let Some(scope) = self.locks.scope(scope) else { return Ok(()) };
        let Some(at_work) = self.locks.asked.get_mut(&scope) else { return Ok(()) };
        let now = Instant::now();
        let first_held = *at_work.first_held.get_or_insert(now);
        let is_sure = is_settled(holder.as_ref(), first_held);
        at_work.ask_at = Some(now + if is_sure { LOOK_AGAIN } else { LOOK_SOON });
        if is_sure { self.take(Input::LockHeld { scope, name, holder }) } else { Ok(()) }
    }

    /// Lets go of all locks, and waits until they are free: whoever starts the next run as soon as this engine has left
    /// must not be refused. What the supervisor says meanwhile does not matter any more.
    pub(super) async fn free_locks(&mut self) {
        self.let_go_of_all_but(&BTreeSet::new());
        let until = tokio::time::Instant::now() + FREE_LIMIT;
        while !self.locks.leaving.is_empty() {
            match tokio::time::timeout_at(until, self.supervisor.next()).await {
                Ok(Ok(Notification::Unlocked { scope })) => self.locks.unlocked(&scope),
                Ok(Ok(_)) => {}
                // With the supervisor its locks are gone; and one that does not answer lets go when it leaves.
                Ok(Err(Lost)) | Err(_) => return,
            }
        }
    }

    /// A run that had its locks before a crash, and does not get them again, is left as it is.
    pub(super) fn must_not_have_lost_locks(&self) -> Result<(), EngineError> {
        match self.engine.run.lost_locks(super::now()).map(|locks| locks.state.clone()) {
            Some(LockState::Awaited { name, holder, .. }) => {
                Err(EngineError::Locked { name, holder: holder.map(Box::new) })
            }
            _ => Ok(()),
        }
    }
}

fn request(run: &Run, state: &StateFolder, scope: &LockScope, locks: &Locks) -> Option<LockRequest> {
    let created = run.created()?;
    Some(LockRequest {
        scope: scope.to_string(),
        folder: created.locks_dir.clone().into(),
        names: locks.wishes.iter().map(|wish| wish.name.clone()).collect(),
        claim: Claim {
            run: created.run.to_string(),
            runbook: created.plan.about.id.clone(),
            state: state.path().display().to_string(),
        },
    })
}
