//! What the world tells the core. Inputs are never stored: what was decided because of them is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{
    AttemptId, ChildEnd, Created, Host, Identity, LockHolder, LockScope, QuestionId, Survivor, Timer, Verb,
};
use crate::units::{Digest, Role, ServiceName, Timestamp};

/// One thing that the world told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A person started the run.
    Launched(Box<Created>),
    /// An engine took the run: the first time, or after a crash.
    EngineStarted(Host),
    /// A service answers.
    ServiceReady {
        /// Which.
        service: ServiceName,
        /// Its process id.
        pid: u32,
    },
    /// A service ended before it answered, or did not answer in time.
    ServiceFailed {
        /// Which.
        service: ServiceName,
        /// Why, in one sentence.
        reason: String,
    },
    /// A service is gone, as wanted.
    ServiceStopped(ServiceName),
    /// The locks are held now.
    LocksTaken(LockScope),
    /// Somebody else holds a lock.
    LockHeld {
        /// For whom it was asked.
        scope: LockScope,
        /// Which.
        name: String,
        /// Who holds it, where that is known.
        holder: Option<LockHolder>,
    },
    /// An attempt ended.
    Ended {
        /// Which.
        attempt: AttemptId,
        /// How.
        result: Box<AttemptResult>,
    },
    /// An attempt was going on when the engine was lost, and nobody can know how it ended.
    Lost(Box<Lost>),
    /// An attempt that the journal says was started has no process yet: the engine was lost in between. It may be started
    /// now, unless the run is to end.
    NotStarted(AttemptId),
    /// A person answered.
    Answered(Box<Answered>),
    /// A timer is due.
    Due(Timer),
    /// A person wants the run to end.
    CancelAsked {
        /// How hard: 1 with grace, 2 TERM now, 3 KILL now.
        level: u8,
        /// Who.
        by: Identity,
        /// Why, when said.
        reason: Option<String>,
        /// Which message said so, when it was one: read again after a crash, it counts once.
        message: Option<String>,
    },
    /// An operator tells the run something. Also after its end.
    Verb(Box<VerbAsked>),
}

/// What an operator tells a run, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct VerbAsked {
    /// What.
    pub verb: Verb,
    /// Who.
    pub by: Identity,
    /// Why.
    pub reason: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// Which message said so, when it was one: read again after a crash, it counts once.
    pub message: Option<String>,
}

/// What is left of an attempt of which nobody knows how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// Which.
    pub attempt: AttemptId,
    /// Its processes that live on.
    pub survivors: Vec<Survivor>,
    /// What it had handed back; otherwise why that cannot be used, in one sentence.
    pub outputs: Result<BTreeMap<String, Value>, String>,
}

/// Nothing is left but the name.
impl From<AttemptId> for Lost {
    fn from(attempt: AttemptId) -> Self {
        Self { attempt, survivors: vec![], outputs: Ok(BTreeMap::new()) }
    }
}

/// How an attempt ended, with what expressions may read of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttemptResult {
    /// What became of the process or request.
    pub exit: Exit,
    /// `outputs` as written to `$RUNBOOK_OUTPUT`.
    pub outputs: BTreeMap<String, Value>,
    /// What expressions may read: `stdout`, `stderr`, `response`, where the plan asks for them.
    pub locals: BTreeMap<String, Value>,
    /// Why the result cannot be used although the command ended: output too long, a secret in an output.
    pub unusable: Option<String>,
    /// What a plugin says went wrong, or what is wrong with what it said.
    pub said: Option<String>,
    /// How the child run ended, where it was one.
    pub child: Option<ChildEnd>,
}

/// What became of a process or a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// The process ended with this code.
    Code(i32),
    /// The process was ended by this signal.
    Signal(i32),
    /// The server answered with this status.
    Status(u16),
    /// It never ran, or no answer came: why, in one sentence.
    Error(String),
    /// It was done by the engine itself.
    #[default]
    Done,
}

/// An answer, as found in the inbox or given in the terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// To which question.
    pub question: QuestionId,
    /// What was answered.
    pub answer: Answer,
    /// By whom.
    pub by: Identity,
    /// The roles that this person holds now.
    pub roles: BTreeSet<Role>,
    /// The digest that the person saw, for an approval.
    pub digest: Option<Digest>,
    /// When it was written, which counts, not when it was read.
    pub written_at: Timestamp,
}

/// What a person may answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To an approval: go on.
    Approve {
        /// Why, when said.
        reason: Option<String>,
    },
    /// To an approval, in an emergency: go on, whoever else would have to agree.
    BreakGlass {
        /// Why.
        reason: String,
    },
    /// To an approval, or a manual step: no.
    Reject {
        /// Why, when said.
        reason: Option<String>,
    },
    /// To a manual step: it is done.
    Confirm {
        /// A remark, when made.
        reason: Option<String>,
    },
    /// To an `ask`: these values.
    Values {
        /// By the names of the fields.
        values: BTreeMap<String, Value>,
        /// A remark, when made.
        reason: Option<String>,
    },
    /// To an interruption: the attempt took effect.
    TookEffect {
        /// Why the person thinks so, when said.
        reason: Option<String>,
    },
    /// To an interruption: it did not; count it as failed.
    DidNot {
        /// Why the person thinks so, when said.
        reason: Option<String>,
    },
    /// To an interruption: run it again.
    RunAgain {
        /// Why, when said.
        reason: Option<String>,
    },
}
