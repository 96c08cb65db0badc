//! What a run's state is made of, beside its steps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::event::{AttemptId, Cause, EndState, Identity, StopReason, Survivor};
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
    /// The list.
    pub items: Vec<Value>,
    /// How many items may fail before the loop fails.
    pub failures_max: u32,
    /// How many have failed.
    pub failed: u32,
    /// How many ran and have ended in any way.
    pub settled: u32,
    /// How many of them were let go so far.
    pub(crate) begun: usize,
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
