//! Questions to people, and the timers that the core asks for.

use serde::{Deserialize, Serialize};

use super::{AttemptId, LockScope, Phase};
use crate::plan::Field;
use crate::plan::step::{is_one, one};
use crate::units::{Digest, Role, StepId, Timestamp};

/// A question, unique within its run: `approve:<step>`, `manual:<attempt>`, `ask:<attempt>`, `interrupt:<attempt>`,
/// `failure:<step>.<number>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionId(pub String);

impl QuestionId {
    /// May this step run? Asked anew of a step that started over so many times: an answer to the question before is none
    /// to this one.
    pub fn approval(step: &StepId, resets: u32) -> Self {
        match resets {
            0 => Self(format!("approve:{step}")),
            resets => Self(format!("approve:{step}.{}", resets + 1)),
        }
    }

    /// What is to follow now that this step has failed the run? Asked anew after so many verbs.
    pub fn failure(step: &StepId, told: usize) -> Self {
        Self(format!("failure:{step}.{}", told + 1))
    }

    /// Has a person done this?
    pub fn manual(attempt: &AttemptId) -> Self {
        Self(format!("manual:{attempt}"))
    }

    /// Which values?
    pub fn values(attempt: &AttemptId) -> Self {
        Self(format!("ask:{attempt}"))
    }

    /// Did this attempt take effect?
    pub fn interrupted(attempt: &AttemptId) -> Self {
        Self(format!("interrupt:{attempt}"))
    }
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// About which step.
    pub step: StepId,
    /// What kind.
    pub kind: QuestionKind,
    /// What is asked, beyond what the kind says.
    pub message: Option<String>,
    /// When it expires.
    pub due: Option<Timestamp>,
}

/// Who may answer, too, when nobody did in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// Roles or login names.
    pub to: Vec<Role>,
    /// How long the question stays open after that, in milliseconds.
    pub timeout_ms: u64,
    /// The time that was over when it came to that: these people's answers count if they were written later. None before
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// The kinds of questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// May this step run?
    Approval {
        /// Roles or login names, of which one suffices.
        from: Vec<Role>,
        /// Of exactly what will run.
        digest: Digest,
        /// How many people must agree.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        min: u32,
        /// Whether the approval of the person who started the run does not count.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        exclude_initiator: bool,
        /// Who may answer, too, when nobody did in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escalation: Option<Escalation>,
    },
    /// Has a person done this?
    Manual {
        /// In which attempt.
        attempt: AttemptId,
    },
    /// Which values?
    Values {
        /// In which attempt.
        attempt: AttemptId,
        /// What is asked for, in the order written.
        fields: Vec<Field>,
    },
    /// Did this attempt take effect?
    Interrupted {
        /// Which.
        attempt: AttemptId,
    },
    /// The run has failed: what is to follow? Answered by a verb, or a request to cancel.
    Failure,
}

/// A timer that the core asked for; `decide` ignores one that no longer matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// A question expires.
    Question(QuestionId),
    /// An attempt is overdue.
    Overdue(AttemptId),
    /// TERM was not enough.
    Kill(AttemptId),
    /// The next attempt starts.
    Retry(StepId, Phase),
    /// The next poll starts.
    Poll(AttemptId),
    /// A `wait` is over.
    Wait(AttemptId),
    /// The grace after the first request to cancel is over.
    CancelGrace,
    /// A lock was waited for long enough.
    Lock(LockScope),
    /// The time of a deadline has come.
    Deadline(StepId),
}
