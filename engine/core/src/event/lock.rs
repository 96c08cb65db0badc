//! Locks: names that one run or step at a time holds, on the whole machine.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Phase;
use crate::units::{StepId, Timestamp};

/// For whom locks are held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockScope {
    /// The whole run, until it has ended.
    Run,
    /// A step until it settles, or its undo until that is over.
    Step(StepId, Phase),
}

/// `run`, `<step>` or `undo.<step>`.
impl fmt::Display for LockScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => out.write_str("run"),
            Self::Step(step, Phase::Do | Phase::Probe) => write!(out, "{step}"),
            Self::Step(step, Phase::Undo) => write!(out, "undo.{step}"),
        }
    }
}

/// A lock that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LockWish {
    /// Its name.
    pub name: String,
    /// How long to wait for it, in milliseconds; 0 when it is refused at once.
    pub wait_ms: u64,
}

/// The run that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LockHolder {
    /// Its id.
    pub run: String,
    /// Its runbook.
    pub runbook: String,
    /// The login name of the user that it runs as.
    pub user: String,
    /// Since when it holds the lock.
    pub since: Timestamp,
    /// The state folder that it lies in.
    pub state: String,
}

/// As a phrase: `run … of `…` (root)`. Since when is for those who know the time of day.
impl fmt::Display for LockHolder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "run {} of `{}` ({})", self.run, self.runbook, self.user)
    }
}
