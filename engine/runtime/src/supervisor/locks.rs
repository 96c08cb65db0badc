//! Locks are the supervisor's: they are held as long as it serves an engine, or a command of the run lives.

use super::protocol::{LockRequest, Notification};
use super::reactor::Supervisor;
use crate::locks::{self, InUse};

impl Supervisor {
    pub(super) fn lock(&mut self, request: LockRequest) {
        let LockRequest { scope, folder, names, claim } = request;
        if self.locks.contains_key(&scope) {
            return self.tell(&Notification::Locked { scope });
        }
        let said = match locks::take(&folder, &names, &claim) {
            Ok(Ok(held)) => {
                self.locks.insert(scope.clone(), held);
                Notification::Locked { scope }
            }
            Ok(Err(InUse { name, holder })) => Notification::LockInUse { scope, name, holder },
            Err(error) => Notification::LockFailed { message: error.to_string() },
        };
        self.tell(&said);
    }

    pub(super) fn unlock(&mut self, scope: String) {
        self.locks.remove(&scope);
        self.tell(&Notification::Unlocked { scope });
    }

    /// A run without an engine and without a command holds no lock: nothing of it goes on.
    pub(super) fn let_go_of_locks(&mut self) {
        if self.engine.is_none() && self.commands.live_count() == 0 {
            self.locks.clear();
        }
    }
}
