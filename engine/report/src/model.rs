//! A report as data: `report/v1`. Moments are RFC 3339 in UTC, durations are in milliseconds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// `report/v1`
    pub schema: String,
    /// What was run, by whom, and with what
    pub run: RunFacts,
    /// How it ended, or stands
    pub ending: Ending,
    /// One paragraph that says it all
    pub summary: String,
    /// How many steps are how; blocks are not counted, their steps are
    pub counts: Counts,
    /// The targets of `sla`, each with what was measured
    pub targets: Vec<Target>,
    /// What was decided, in order
    pub timeline: Vec<Entry>,
    /// What people were asked: approvals, manual steps, attempts that were interrupted
    pub questions: Vec<Question>,
    /// Every step, in the order written
    pub steps: Vec<Step>,
    /// The attempts that failed or were interrupted
    pub failed_attempts: Vec<Attempt>,
    /// The way back, where it was taken
    pub rollback: Option<Rollback>,
    /// What proves that the record is the one that was written
    pub evidence: Evidence,
}

/// What was run, by whom, and with what.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunFacts {
    /// The id of the run
    pub id: String,
    /// The id of the runbook
    pub runbook: String,
    /// Its title
    pub title: String,
    /// Who keeps it
    pub owner: Option<String>,
    /// Such as `P0`
    pub severity: Option<String>,
    /// Its tags
    pub tags: Vec<String>,
    /// The sections of manuals that it comes from
    pub source: Vec<Source>,
    /// The file that it was read from
    pub file: String,
    /// The SHA-256 of the plan
    pub plan_digest: String,
    /// The name of the environment
    pub environment: Option<String>,
    /// The value of each param; `null` where an optional one has none
    pub params: Value,
    /// Who started it
    pub started_by: Person,
}

/// A section of a manual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Source {
    /// The name of the manual
    pub manual: String,
    /// The heading
    pub section: String,
}

/// A person, as the operating system knows them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Person {
    /// The login name
    pub name: String,
    /// The user id
    pub uid: u32,
}

/// How a run ended, or stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Ending {
    /// succeeded, failed, rolled_back, stuck, cancelled; running, waiting and the like for one that is not over
    pub state: String,
    /// Whether it is over
    pub is_over: bool,
    /// Why, as a phrase; none for one that succeeded
    pub cause: Option<String>,
    /// The exit code of a run that is over
    pub exit_code: Option<u8>,
    /// When it was started
    pub started_at: String,
    /// When it ended
    pub ended_at: Option<String>,
    /// From its start to its end, or to the moment of the report
    pub took_ms: u64,
}

/// How many steps are how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// All of them
    pub all: usize,
    /// Ended well
    pub succeeded: usize,
    /// Ended badly
    pub failed: usize,
    /// Were not to run
    pub skipped: usize,
    /// Never started
    pub blocked: usize,
    /// Were ended by a person
    pub cancelled: usize,
    /// Succeeded or failed only after another attempt
    pub retried: usize,
}

/// A target of `sla`, with what was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Target {
    /// `acknowledge`, `resolve`, or the id of a step
    pub name: String,
    /// What the runbook allows
    pub limit_ms: u64,
    /// From the start of the run to when it was reached; none when it was not
    pub took_ms: Option<u64>,
    /// Whether it was reached in time; none as long as it still can be
    pub is_met: Option<bool>,
    /// What was taken as reaching it, as a phrase
    pub measured: String,
}

/// Something that was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    /// When
    pub at: String,
    /// What, as a phrase
    pub what: String,
    /// About which step
    pub step: Option<String>,
    /// By which person; none where the engine decided by itself
    pub by: Option<Person>,
    /// How much it matters when there is little room
    #[serde(skip)]
    pub(crate) weight: Weight,
}

/// How much an entry of the timeline matters when there is little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Always told.
    Own,
    /// A step went well at once.
    Succeeded,
    /// A step was skipped.
    Skipped,
    /// A step was not started.
    Blocked,
}

/// What a person was asked.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Question {
    /// The id of the question
    pub id: String,
    /// About which step
    pub step: String,
    /// approval, manual, or interrupted
    pub kind: String,
    /// Who may approve
    pub from: Vec<String>,
    /// The SHA-256 of exactly what an approval is for
    pub digest: Option<String>,
    /// What was asked, beyond what the kind says
    pub message: Option<String>,
    /// When it was asked
    pub asked_at: String,
    /// When it would have expired
    pub due: Option<String>,
    /// approved, rejected, confirmed, took effect, did not take effect, run again, expired, withdrawn, or open
    pub outcome: String,
    /// From the question to the answer that closed it
    pub took_ms: Option<u64>,
    /// What was answered, and counted
    pub answers: Vec<Answer>,
    /// What was answered, and did not count
    pub refused: Vec<Refusal>,
}

/// An answer that counted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Answer {
    /// Who
    pub by: Person,
    /// The roles that this person held then
    pub roles: Vec<String>,
    /// When it was written
    pub at: String,
    /// What, in the words of `outcome`
    pub what: String,
    /// Why, when said
    pub reason: Option<String>,
}

/// An answer that did not count.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Refusal {
    /// Who
    pub by: Person,
    /// When it was read
    pub at: String,
    /// Why it did not count
    pub why: String,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    /// Its id
    pub id: String,
    /// Its title
    pub title: String,
    /// The block around it
    pub parent: Option<String>,
    /// How many blocks are around it
    pub depth: usize,
    /// Whether it belongs to `always`
    pub always: bool,
    /// Whether it is a block or a switch
    pub is_block: bool,
    /// pending, waiting, queued, running, retrying, succeeded, failed, skipped, blocked, cancelled
    pub state: String,
    /// Why it is so, as a phrase
    pub why: Option<String>,
    /// Attempts started
    pub attempts: u32,
    /// When its first attempt started
    pub started_at: Option<String>,
    /// From there to its end
    pub took_ms: Option<u64>,
    /// What it handed on; secrets are masked, and of what is longer than 4 KiB the beginning is there
    pub outputs: BTreeMap<String, Value>,
    /// The outputs of which only the beginning is there, each with the bytes that it has in all
    pub outputs_cut: BTreeMap<String, u64>,
    /// What became of its undo: pending, running, undone, failed
    pub undo: Option<String>,
    /// Why its undo is so
    pub undo_why: Option<String>,
}

/// An attempt that failed or was interrupted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Attempt {
    /// Its name, as in the names of logs
    pub attempt: String,
    /// Of which step
    pub step: String,
    /// Whether it is one of the step's undo
    pub is_undo: bool,
    /// Counted from 1
    pub number: u32,
    /// When it started
    pub started_at: Option<String>,
    /// When it ended, or was found to be lost
    pub ended_at: String,
    /// Whether nobody knows how it ended, because engine and supervisor were lost
    pub is_interrupted: bool,
    /// Why it failed, or what followed from the interruption, as a phrase
    pub why: String,
    /// The end of what it printed, secrets masked
    pub log: Option<LogEnd>,
}

/// The end of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LogEnd {
    /// The file, by its name in the folder of logs
    pub file: String,
    /// Its last lines
    pub lines: Vec<String>,
}

/// The way back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rollback {
    /// When it began
    pub started_at: String,
    /// What is undone, in the order in which it was
    pub undone: Vec<String>,
    /// What could not be undone, because its undo failed
    pub failed: Vec<String>,
    /// What is not undone, and was not tried
    pub left: Vec<String>,
    /// What took effect and has no undo
    pub irreversible: Vec<String>,
}

/// What proves that the record is the one that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// How many records there are
    pub records: u64,
    /// The SHA-256 of the last line, which carries the hash of the one before, and so on: of the seal when it is sealed, as
    /// `runbook verify` shows it
    pub head: String,
    /// Whether the record is sealed: nothing can be added to it unseen
    pub is_sealed: bool,
    /// When this report was made
    pub reported_at: String,
}
