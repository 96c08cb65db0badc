//! What a run's state is made of, beside its steps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::event::{AttemptId, Cause, EndState, Identity, StopReason, Survivor, Verb};
use crate::units::{StepId, StepIx, Timestamp};

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not created yet.
    #[default]
    New,
    /// Its steps run.
    Main,
    /// What succeeded is being undone.
    RollingBack,
    /// Its `always` steps run.
    Always,
    /// Its services are being stopped.
    Stopping,
    /// It is over.
    Ended,
}

/// A running attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Which.
    pub attempt: AttemptId,
    /// When it is overdue; for a `wait`, when it is over.
    pub due: Option<Timestamp>,
    /// When this attempt (not this poll) started.
    pub started_at: Timestamp,
    /// What is going on.
    pub doing: Doing,
    /// Of a guard: how many looks, the last one among them, found what must not be so.
    pub trips: u32,
    /// What is known of it if it was interrupted.
    pub lost: Option<Box<Interrupted>>,
}

impl Live {
    /// Whether it was interrupted and left processes that live on, as far as is known.
    pub fn has_survivors(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| !lost.survivors.is_empty())
    }
}

/// What is known of an attempt that was interrupted.
#[derive(Clone, Debug, PartialEq)]
pub struct Interrupted {
    /// Its processes that live on.
    pub survivors: Vec<Survivor>,
    /// What it hands on if it took effect; none where that is not known.
    pub outputs: Option<BTreeMap<String, Value>>,
}

/// What is going on in a running attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A process or request.
    Executing,
    /// Nothing until its time: a `wait`.
    Waiting,
    /// A person is asked: `manual`, `ask`.
    Asking,
    /// Nothing until the next poll.
    Polling {
        /// When that is.
        next: Timestamp,
    },
    /// A process or request that is being ended.
    Stopping {
        /// Whether it is killed.
        force: bool,
        /// Why.
        why: StopReason,
        /// When it is killed, unless it is already.
        kill_at: Timestamp,
    },
    /// A person is asked what became of it.
    Interrupted,
}

impl Doing {
    /// Whether it takes one of the `max_parallel` places.
    pub(crate) fn takes_place(self) -> bool {
        match self {
            Self::Stopping { why: StopReason::Interrupted(_), .. } => false,
            Self::Executing | Self::Polling { .. } | Self::Stopping { .. } => true,
            Self::Waiting | Self::Asking | Self::Interrupted => false,
        }
    }

    /// Whether nobody knows how it ended, be it that what it left running is being ended.
    pub(crate) fn is_interrupted(self) -> bool {
        matches!(self, Self::Interrupted | Self::Stopping { why: StopReason::Interrupted(_), .. })
    }
}

/// The state of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// It is to answer before anything starts: at first, and again after a crash.
    Starting,
    /// It answers.
    Ready {
        /// Its process id.
        pid: u32,
    },
    /// It did not come up.
    Failed,
    /// It is gone, as wanted.
    Stopped,
}

/// A request to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// How hard, within the present stage.
    pub level: u8,
    /// When the first one came.
    pub at: Timestamp,
    /// Who asked first.
    pub by: Identity,
    /// Whether it came while the steps ran, and so decides how the run ends.
    pub in_main: bool,
    /// Whether the grace is over.
    pub grace_over: bool,
    /// The messages that asked for it.
    pub messages: BTreeSet<String>,
}

/// A loop that was entered.
#[derive(Clone, Debug, PartialEq)]
pub struct LoopRun {
    /// All items that it ever had: those of a list that another one replaced when it started over come first.
    pub(crate) items: Vec<Value>,
    /// Where each list begins among them.
    pub(crate) starts: Vec<usize>,
    /// How many items may fail before the loop fails.
    pub failures_max: u32,
    /// How many have failed.
    pub failed: u32,
    /// How many ran and have ended in any way.
    pub settled: u32,
    /// How many were let go and have not ended.
    pub(crate) busy: u32,
    /// The places of those that were not let go yet.
    pub(crate) waiting: BTreeSet<usize>,
}

impl LoopRun {
    pub(crate) fn new() -> Self {
        let items = vec![];
        let waiting = BTreeSet::new();
        Self { items, starts: vec![], failures_max: 0, failed: 0, settled: 0, busy: 0, waiting }
    }

    /// The list.
    pub fn items(&self) -> &[Value] {
        self.items.get(self.from()..).unwrap_or_default()
    }

    /// How many items it had of lists that another one replaced.
    pub(crate) fn from(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Where an item stands in its list, from 1, given its number among all.
    pub(crate) fn index(&self, number: u32) -> usize {
        let number = number as usize;
        number - self.starts.iter().rev().find(|start| **start < number).copied().unwrap_or(0)
    }
}

/// What an operator told the run, or a guard that paused it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What.
    pub verb: Verb,
    /// Who.
    pub by: Identity,
    /// The guard, where no person said it.
    pub guard: Option<StepId>,
    /// Why.
    pub reason: String,
    /// When it was taken, or refused.
    pub at: Timestamp,
    /// Which message said so, when it was one.
    pub message: Option<String>,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

/// The way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// The steps to undo, dependents first.
    pub order: Vec<StepIx>,
    /// How many of them are done with.
    pub done: usize,
    /// Steps that succeeded and cannot be undone.
    pub irreversible: Vec<StepId>,
    /// The step whose undo failed.
    pub failed: Option<StepId>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The state.
    pub state: EndState,
    /// Why.
    pub cause: Cause,
    /// Steps that succeeded and could not be undone although the run was rolled back.
    pub irreversible: Vec<StepId>,
    /// What it hands on.
    pub outputs: BTreeMap<String, Value>,
    /// When.
    pub at: Timestamp,
}
