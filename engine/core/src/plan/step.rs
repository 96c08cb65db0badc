//! One step: its place, its conditions, and the rules of its attempts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Action, Beside, Expression, Template};
use crate::units::{Role, StepId, StepIx};

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// One line; the id where none is written.
    pub title: String,
    /// The block, or switch, that it lies in.
    pub parent: Option<StepIx>,
    /// Which case of its parent, when that is a switch; counted from 0, the default last.
    pub case: Option<u32>,
    /// Which list of its parent, when that is a block.
    #[serde(default, skip_serializing_if = "Section::is_main")]
    pub section: Section,
    /// Whether it belongs to `always` of the runbook.
    pub always: bool,
    /// What makes it run beside the steps, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// What must have settled before it starts.
    pub needs: Vec<StepIx>,
    /// How many of these suffice; all of them where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_any: Option<u32>,
    /// Its `if`.
    pub condition: Option<Condition>,
    /// What it does.
    pub body: Body,
    /// Bounds one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// From TERM to KILL, in milliseconds.
    pub kill_grace_ms: u64,
    /// How failed attempts are repeated.
    pub retry: Option<Retry>,
    /// Polls within one attempt until it holds.
    pub until: Option<Until>,
    /// What says that nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_when: Option<DoneWhen>,
    /// Who must agree before it starts.
    pub approval: Option<Approval>,
    /// What it holds from its start until it settles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Lock>,
    /// What happens to an attempt whose fate is unknown.
    pub on_interrupt: OnInterrupt,
    /// `on_failure: continue`: its failure counts as done.
    pub continue_on_failure: bool,
    /// `on_failure: ask`: when its failure fails the run, a person is asked what is to follow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ask_on_failure: bool,
    /// How it is undone.
    pub rollback: Option<Undo>,
    /// There is no way to undo it.
    pub irreversible: bool,
    /// Values for later steps, computed from the result.
    pub outputs: BTreeMap<String, Template>,
    /// Of which item of a loop it is; only in the plan of a run, as loops are entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemOf>,
}

/// Of which item of which loop a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemOf {
    /// The loop.
    pub of: StepIx,
    /// The first step of the item, which all others of it lie in.
    pub root: StepIx,
    /// Counted from 1.
    pub number: u32,
}

/// The `if` of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What must hold.
    pub expression: Expression,
    /// Whether it calls `failure()` or `always()`, and so is asked also after a failure.
    pub asks_status: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// It acts.
    Action(Action),
    /// It holds other steps.
    Block {
        /// The direct children in `steps`, in the order written.
        children: Vec<StepIx>,
        /// Those in `rescue`: they run when a step of the list above failed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rescue: Vec<StepIx>,
        /// Those in `always`: they run at the end of the block, whatever happened.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        always: Vec<StepIx>,
    },
    /// It holds lists of steps of which one is taken.
    Switch {
        /// Whose value chooses.
        on: Expression,
        /// The value of each case and its steps.
        cases: Vec<Case>,
        /// The steps for any other value. Without it, an unknown value fails the step.
        default: Option<Vec<StepIx>>,
    },
    /// It repeats steps for each item of a list.
    ForEach(Box<ForEach>),
}

/// A loop. The plan of a run grows by the steps of its items when it is entered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForEach {
    /// Whose value is the list.
    pub over: Expression,
    /// What an item is called in expressions.
    pub name: String,
    /// Most items at once; none means as many as the runbook's attempts.
    pub width: Option<u32>,
    /// How many items may fail before the loop fails.
    pub failures_max: FailuresMax,
    /// The steps of one item, the first around all others. They are placed within this list; a first step that is an
    /// action is alone.
    pub body: Vec<Step>,
    /// The first steps of the items; empty until the loop is entered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<StepIx>,
}

/// How many items of a loop may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailuresMax {
    /// So many.
    Count(u32),
    /// So many of a hundred, rounded down.
    Percent(u32),
}

impl FailuresMax {
    /// Of a list of this length.
    pub fn of(self, items: usize) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => u32::try_from(items as u64 * u64::from(percent) / 100).unwrap_or(u32::MAX),
        }
    }
}

/// Which list of a block a step lies in. They run in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// `steps`. All other steps lie in it, too.
    #[default]
    #[serde(rename = "steps")]
    Main,
    /// `rescue`.
    Rescue,
    /// `always`.
    Always,
}

impl Section {
    /// Whether it is `steps`.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    fn is_main(&self) -> bool {
        *self == Self::Main
    }
}

/// One case of a switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Taken when the value equals this, compared as text.
    pub value: String,
    /// Its direct children, in the order written.
    pub children: Vec<StepIx>,
}

/// How failed attempts are repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all: 3 means three runs.
    pub attempts_max: u32,
    /// From a failure to the next attempt, in milliseconds.
    pub delay_ms: u64,
    /// Whether the delay doubles each time.
    pub exponential: bool,
    /// The delay never grows beyond this, in milliseconds.
    pub delay_max_ms: Option<u64>,
    /// Which failures are repeated; all where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<RetryOn>,
}

/// Which failures are repeated: those that fit one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryOn {
    /// A command that ended with one of these codes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exit_codes: BTreeSet<i32>,
    /// One of which this holds: over `exit_code`, `stdout`, `stderr`, `response`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
}

impl Retry {
    /// The delay after the given failed attempt, counted from 1.
    pub fn delay_after(&self, failed: u32) -> u64 {
        let doubled = if self.exponential {
            1u64.checked_shl(failed.saturating_sub(1)).map_or(u64::MAX, |by| self.delay_ms.saturating_mul(by))
        } else {
            self.delay_ms
        };
        doubled.min(self.delay_max_ms.unwrap_or(u64::MAX))
    }
}

/// `until` and `every`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// What ends the poll.
    pub condition: Expression,
    /// From one poll to the next, in milliseconds.
    pub every_ms: u64,
}

/// `done_when`: asked before an attempt, and about one that was interrupted. A step that is done succeeds as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoneWhen {
    /// It is done when this holds.
    Holds(Expression),
    /// It is done when this command says so.
    Probe(Box<Probe>),
}

/// A command that only looks: exit code 0 says done, 1 to 125 not done, and anything else that nobody knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// What looks.
    pub action: Action,
    /// Bounds it, in milliseconds.
    pub timeout_ms: u64,
    /// From TERM to KILL, in milliseconds.
    pub kill_grace_ms: u64,
}

/// Who must agree before a step starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Roles or login names, of which one suffices.
    pub from: Vec<Role>,
    /// How many people must agree.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub min: u32,
    /// Whether the approval of the person who started the run does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclude_initiator: bool,
    /// How long the question stays open, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Roles or login names who may answer, too, once that time is over; the question then stays open as long again.
    /// Empty where nobody's answer in time is a rejection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalate_to: Vec<Role>,
    /// Shown with the question.
    pub message: Option<Template>,
    /// Whether it is asked only because the run goes step by step: then a person may also pass over the step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub step_by_step: bool,
}

/// The people whom an approval needs where nothing is said.
pub(crate) fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(crate) fn is_one(number: &u32) -> bool {
    *number == 1
}

/// A name that one run or step at a time holds, on the whole machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// Its name.
    pub name: Template,
    /// How long to wait for it, in milliseconds; without it, it is refused at once.
    pub wait_ms: Option<u64>,
}

/// What happens to an attempt whose fate is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInterrupt {
    /// Start a new attempt.
    Rerun,
    /// Ask a person.
    Ask,
    /// Count it as failed.
    Fail,
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// What undoes it; it sees the step's outputs.
    pub action: Action,
    /// Whether a failed or killed step is undone too.
    pub also_failed: bool,
    /// Bounds one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// From TERM to KILL, in milliseconds.
    pub kill_grace_ms: u64,
    /// How failed attempts are repeated.
    pub retry: Option<Retry>,
    /// What happens to an attempt whose fate is unknown.
    pub on_interrupt: OnInterrupt,
}

impl Step {
    /// Its id as it is written: of a step of an item of a loop, without the numbers behind it.
    pub fn written_id(&self) -> &str {
        let id = self.id.as_str();
        if self.item.is_none() { id } else { id.split('-').next().unwrap_or(id) }
    }

    /// Whether its `if` calls `failure()` or `always()`, so that it may start after a failure.
    pub(crate) fn asks_status(&self) -> bool {
        self.condition.as_ref().is_some_and(|condition| condition.asks_status)
    }

    /// Whether it is a direct step of an `always`, of the runbook or of a block: it runs whatever the others did.
    pub(crate) fn runs_anyway(&self) -> bool {
        self.section == Section::Always || (self.always && self.parent.is_none())
    }

    /// The command that says whether it is done, where one does.
    pub fn probe(&self) -> Option<&Probe> {
        match &self.done_when {
            Some(DoneWhen::Probe(probe)) => Some(probe),
            Some(DoneWhen::Holds(_)) | None => None,
        }
    }

    /// Whether it is the first step of an item of a loop.
    pub(crate) fn is_root(&self) -> bool {
        self.item.is_some_and(|item| self.parent == Some(item.of))
    }

    /// The steps of one list of a block, all of a switch or loop.
    pub fn section(&self, section: Section) -> Vec<StepIx> {
        match (&self.body, section) {
            (Body::Block { children, .. }, Section::Main) => children.clone(),
            (Body::Block { rescue, .. }, Section::Rescue) => rescue.clone(),
            (Body::Block { always, .. }, Section::Always) => always.clone(),
            (Body::Switch { .. } | Body::ForEach(_), Section::Main) => self.children().collect(),
            (Body::Action(_) | Body::Switch { .. } | Body::ForEach(_), _) => vec![],
        }
    }

    /// Whether a failure among its steps is contained until its `rescue` is over.
    pub(crate) fn can_rescue(&self) -> bool {
        matches!(&self.body, Body::Block { rescue, .. } if !rescue.is_empty())
    }

    /// Whether a failure among the steps within it holds back the others within it, whatever goes on around it.
    pub(crate) fn bounds_failures(&self) -> bool {
        let has_sections = matches!(&self.body, Body::Block { rescue, always, .. } if rescue.len() + always.len() > 0);
        let bounds = has_sections || self.is_root() || self.deadline().is_some();
        self.continue_on_failure || self.asks_status() || self.runs_anyway() || bounds
    }

    /// Its direct children, of all cases, sections and items.
    pub fn children(&self) -> impl Iterator<Item = StepIx> {
        let lists: Vec<&[StepIx]> = match &self.body {
            Body::Action(_) => vec![],
            Body::Block { children, rescue, always } => vec![children, rescue, always],
            Body::Switch { cases, default, .. } => {
                cases.iter().map(|case| case.children.as_slice()).chain(default.as_deref()).collect()
            }
            Body::ForEach(each) => vec![&each.roots],
        };
        lists.into_iter().flatten().copied()
    }
}
