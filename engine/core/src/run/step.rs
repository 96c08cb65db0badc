//! The state of one step and of its undo.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Child;
use crate::event::{BlockReason, Failure, SkipReason};
use crate::plan::{Section, Step};
use crate::rendered::Rendered;
use crate::units::{Digest, StepId, Timestamp};

/// The state of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRun {
    /// Where it stands.
    pub state: StepState,
    /// Attempts started so far.
    pub attempts: u32,
    /// How often its `done_when` was looked at by a command so far.
    pub probes: u32,
    /// Whether it succeeded because its `done_when` said that nothing was left to do.
    pub already_done: bool,
    /// Attempts that failed and count against `max_attempts`.
    pub failures: u32,
    /// The exit code of the last attempt that had one.
    pub exit_code: Option<i32>,
    /// What it handed on.
    pub outputs: BTreeMap<String, Value>,
    /// Whether its last attempt was interrupted and it is not known what it handed on.
    pub outputs_unknown: bool,
    /// What it will do, once that is known.
    pub prepared: Option<Prepared>,
    /// Its last call.
    pub(crate) call: Call,
    /// Its undo.
    pub undo: UndoRun,
    /// Its child runs, the last one last.
    pub children: Vec<Child>,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it settled.
    pub ended_at: Option<Timestamp>,
    /// Whether it had succeeded when a person had it start over: that took effect, and is undone with the rest.
    pub had_succeeded: bool,
    /// How often a person had it start over.
    pub resets: u32,
    /// Whether a person told it to run, so that a failure elsewhere does not hold it back.
    pub told: bool,
    /// What a person said it comes to, as soon as it would start.
    pub by_hand: Option<ByHand>,
    /// Of an item of a loop that is open again: whether it waits until there is room for it in the loop.
    pub parked: bool,
    /// Of a switch that was entered: the case that was taken.
    pub(crate) taken: Option<u32>,
    /// The step that spoils this one for those that need it.
    pub(crate) taint: Option<StepId>,
    /// The same, from the needs of the block around it; known once that is entered.
    pub(crate) inherited: Option<StepId>,
    pub(crate) unmet: u32,
    /// Steps of the present section that have not settled.
    pub(crate) open_children: u32,
    /// Of a block: which of its sections runs.
    pub(crate) section: Section,
    /// Of a block whose `rescue` or `always` runs: whether something went wrong in the sections before it.
    pub(crate) in_trouble: bool,
    /// The count of settled steps when it settled: later means a larger number.
    pub(crate) settled_as: u64,
}

/// What a person said a step comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum ByHand {
    /// It need not run.
    Skip,
    /// It was done, and hands this on.
    Done(BTreeMap<String, Value>),
}

/// What a step will do.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The action with its values.
    pub action: Rendered,
    /// What an approval is bound to.
    pub digest: Digest,
    /// What looks whether it is done, with its values.
    pub probe: Option<Rendered>,
    /// The attempt before which that said that it is not; 0 where it has not said so.
    pub(crate) probed_for: u32,
    /// Whether its approval was asked for.
    pub(crate) was_asked: bool,
    /// Whether an attempt of it was started.
    pub(crate) has_begun: bool,
}

impl Prepared {
    pub(crate) fn new(action: Rendered, digest: Digest, probe: Option<Rendered>) -> Self {
        Self { action, digest, probe, probed_for: 0, was_asked: false, has_begun: false }
    }

    /// Whether something of it may take one of the `max_parallel` places: an attempt, or a look whether it is done.
    pub(crate) fn may_take_place(&self) -> bool {
        self.action.is_external() || self.probe.is_some()
    }
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Nothing was decided yet.
    Pending,
    /// Its approval is asked.
    Asked,
    /// It may start when there is a place.
    Cleared,
    /// An attempt runs, waits, or is asked about.
    Running,
    /// The next attempt waits for its time.
    Retrying,
    /// A block whose steps run.
    Entered,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Failed(Failure),
    /// It was not to run.
    Skipped(SkipReason),
    /// It could not run.
    Blocked(BlockReason),
    /// A person ended it.
    Cancelled,
}

impl StepState {
    /// Whether nothing more happens to the step, but an undo.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Pending | Self::Asked | Self::Cleared | Self::Running | Self::Retrying | Self::Entered => false,
            Self::Succeeded | Self::Failed(_) | Self::Skipped(_) | Self::Blocked(_) | Self::Cancelled => true,
        }
    }

    /// The word for it, the same everywhere.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Asked => "waiting",
            Self::Cleared => "queued",
            Self::Running | Self::Entered => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
            Self::Blocked(_) => "blocked",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The state of one step's undo.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UndoRun {
    /// Where it stands.
    pub state: UndoState,
    /// Attempts started so far.
    pub attempts: u32,
    /// Attempts that failed and count against `max_attempts`.
    pub failures: u32,
    /// What it will do, once that is known.
    pub action: Option<Rendered>,
    /// Its last call.
    pub(crate) call: Call,
}

/// Attempts of which each but the last was interrupted: nobody knows whether these took effect, so that together they are
/// one call, which whoever is called can know by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// The number of the first attempt.
    pub(crate) first: u32,
    /// Whether the last attempt was interrupted, and the next one goes on with the call.
    pub(crate) is_open: bool,
}

impl Call {
    pub(crate) fn begin(&mut self, number: u32) {
        if !std::mem::take(&mut self.is_open) {
            self.first = number;
        }
    }
}

/// Where an undo stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum UndoState {
    /// It is not to be undone, or not yet known to be.
    #[default]
    None,
    /// It will be undone.
    Pending,
    /// An attempt runs or waits.
    Running,
    /// It is undone.
    Undone,
    /// The undo failed.
    Failed(Failure),
}

impl StepRun {
    /// Of a block: which of its sections runs, or ran last.
    pub fn section(&self) -> Section {
        self.section
    }

    pub(crate) fn new(step: &Step) -> Self {
        Self {
            state: StepState::Pending,
            attempts: 0,
            probes: 0,
            already_done: false,
            failures: 0,
            exit_code: None,
            outputs: BTreeMap::new(),
            outputs_unknown: false,
            prepared: None,
            call: Call::default(),
            undo: UndoRun::default(),
            children: vec![],
            started_at: None,
            ended_at: None,
            had_succeeded: false,
            resets: 0,
            told: false,
            by_hand: None,
            parked: false,
            taken: None,
            taint: None,
            inherited: None,
            unmet: step.needs_any.unwrap_or_else(|| u32::try_from(step.needs.len()).unwrap_or(u32::MAX)),
            open_children: u32::try_from(step.section(Section::Main).len()).unwrap_or(u32::MAX),
            section: Section::Main,
            in_trouble: false,
            settled_as: 0,
        }
    }

    /// Pending again. Attempts are counted on, so that each has a name of its own; what counts against `max_attempts`
    /// begins anew. What it handed on is kept for its undo alone.
    pub(crate) fn start_over(&mut self, is_block: bool, told: bool) {
        // What was done before this run began is not its to undo.
        let was_there = self.already_done && self.attempts == 0;
        self.had_succeeded |= self.state == StepState::Succeeded && !was_there;
        self.already_done = false;
        if self.state == StepState::Skipped(SkipReason::Person) && !told {
            self.by_hand = Some(ByHand::Skip);
        }
        self.state = StepState::Pending;
        self.failures = 0;
        self.call.is_open = false;
        self.exit_code = None;
        self.outputs_unknown = false;
        self.prepared = None;
        self.ended_at = None;
        self.resets += 1;
        self.told = told;
        self.taken = None;
        self.parked = false;
        self.settled_as = 0;
        (self.section, self.in_trouble) = (Section::Main, false);
        if is_block {
            self.started_at = None;
        }
    }
}
