//! The published snapshot of a run, `status.json`: what `status`, `show`, `attach` and the live view all draw.

mod steps;
mod told;

use std::collections::BTreeMap;
use std::io;

use runbook_core::event::{EndState, Verb};
use runbook_core::plan::Field;
use runbook_core::rendered::Rendered;
use runbook_core::run::{Doing, Live, Run, ServiceState, Stage};
use runbook_core::units::{StepId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::asked::{Asker, ParentStatus};
pub use crate::awaited::LockStatus;
use crate::awaited::{self, awaits_locks};
use crate::exit_code::ExitCode;
use crate::folder::{RunFolder, write_whole};
use crate::given::Given;
use crate::looped::{BodyStatus, LoopStatus};
use crate::question::question_of;
use crate::shared;
use crate::shortened::shortened;
use crate::unless::Unless;

pub use told::ToldStatus;

/// The most steps of which the verbs are listed.
pub(crate) const VERB_STEPS_MAX: usize = 20;

/// The version of the format below.
pub const STATUS_VERSION: u32 = 1;

/// A run, as seen from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`STATUS_VERSION`].
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// The runbook's id.
    pub runbook: String,
    /// The runbook's title.
    pub title: String,
    /// One of: pending, running, waiting, paused, rolling_back, succeeded, failed, rolled_back, stuck, cancelled.
    pub state: String,
    /// What it is doing beyond that: the steps, the rollback, the `always` steps, the services.
    pub stage: String,
    /// Who started it.
    pub started_by: String,
    /// Who answers for it: who started it, or took it over last.
    #[serde(default)]
    pub responsible: Option<String>,
    /// The environment, when it has one.
    pub environment: Option<String>,
    /// Its params.
    pub params: Value,
    /// When it was created, in milliseconds since 1970.
    pub started_at: u64,
    /// When it ended.
    pub ended_at: Option<u64>,
    /// When this snapshot was taken.
    pub updated_at: u64,
    /// The process that decides for it; a reader checks the engine's lock.
    pub engine_pid: Option<u32>,
    /// The request to cancel, when there was one.
    pub cancel: Option<CancelStatus>,
    /// Who paused it, when it is paused.
    #[serde(default)]
    pub paused_by: Option<String>,
    /// Why it is paused, when it is: what a person said, or what a guard found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_because: Option<String>,
    /// The verbs that make sense now.
    #[serde(default)]
    pub verbs: Vec<Verb>,
    /// What operators, and guards that paused it, told it last, the newest last.
    #[serde(default)]
    pub told: Vec<ToldStatus>,
    /// What a person must answer.
    pub questions: Vec<QuestionStatus>,
    /// The locks that it, its steps and undos hold or wait for.
    #[serde(default)]
    pub locks: Vec<LockStatus>,
    /// Its services.
    pub services: BTreeMap<String, String>,
    /// Its steps, in the order written.
    pub steps: Vec<StepStatus>,
    /// Why it ended as it did, as a sentence.
    pub cause: Option<String>,
    /// The exit code, once it ended.
    pub exit_code: Option<u8>,
    /// Steps that succeeded and could not be undone.
    pub irreversible: Vec<String>,
    /// What started it, when it is a child run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentStatus>,
    /// What it hands on, cut like the outputs of steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Value>,
}

/// A request to cancel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelStatus {
    /// Who asked.
    pub by: String,
    /// How hard.
    pub level: u8,
    /// When running commands are told to end.
    pub term_at: u64,
}

/// A question that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionStatus {
    /// Its id.
    pub id: String,
    /// About which step.
    pub step: String,
    /// `approval`, `manual`, `values`, `interrupted` or `failure`.
    pub kind: String,
    /// What is asked.
    pub message: Option<String>,
    /// Who may approve.
    pub from: Vec<String>,
    /// How many people must agree.
    #[serde(default)]
    pub min: Option<u32>,
    /// Who agreed so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved: Vec<String>,
    /// Who may answer, too, when nobody does in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalates_to: Vec<String>,
    /// Whether nobody did, so that they may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
    /// Who may approve alone in an emergency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub break_glass: Vec<String>,
    /// The person who may not approve, because it is the one who started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_by: Option<String>,
    /// What an approval is bound to.
    pub digest: Option<String>,
    /// Exactly what will run, or ran.
    pub action: Option<Rendered>,
    /// How it would be undone, as far as that is known before the step has run.
    pub undo: Option<Value>,
    /// Of an approval: what may say, before it runs, that it is done already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Unless<Rendered>>,
    /// What that gets besides its own `env`.
    #[serde(default)]
    pub given: Given,
    /// What its undo gets besides its own `env`.
    #[serde(default)]
    pub undo_given: Given,
    /// When it expires.
    pub due: Option<u64>,
    /// Of a loop, what it does for each item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<BodyStatus>,
    /// The values that are asked for, in the order written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// The attempt whose fate is unknown.
    pub attempt: Option<String>,
    /// The verbs that make sense: of what follows on a failure, and in place of an approval that `exec --step` asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<Verb>,
    /// The child run that asks, when it is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<Asker>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepStatus {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The block around it.
    pub parent: Option<String>,
    /// Whether it belongs to `always`.
    pub always: bool,
    /// Whether it is a block.
    pub is_block: bool,
    /// Of a loop that was entered: how far it is. Its items follow it, each with its own state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<LoopStatus>,
    /// pending, waiting, queued, running, retrying, succeeded, failed, skipped, blocked, cancelled.
    pub state: String,
    /// Why it is so, as a phrase.
    pub detail: Option<String>,
    /// Of a deadline: when it comes, as long as it is to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<u64>,
    /// Whether it succeeded because its `done_when` said that nothing was left to do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_done: bool,
    /// Attempts started so far.
    pub attempts: u32,
    /// The name of the log of the last attempt, without its ending.
    pub log: Option<String>,
    /// The exit code of the last attempt.
    pub exit_code: Option<i32>,
    /// When the first attempt started.
    pub started_at: Option<u64>,
    /// When it settled.
    pub ended_at: Option<u64>,
    /// The state of its undo: pending, running, undone, failed.
    pub undo: Option<String>,
    /// Why its undo is so.
    pub undo_detail: Option<String>,
    /// What it handed on; the journal has the whole of what is too long for a snapshot.
    pub outputs: BTreeMap<String, Value>,
    /// The outputs of which only the beginning is there, each with the bytes that it has in all.
    #[serde(default)]
    pub outputs_cut: BTreeMap<String, u64>,
    /// The child run of its last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<String>,
}

impl Status {
    /// Draws a run; none before it exists.
    pub fn of(run: &Run, now: Timestamp, engine_pid: Option<u32>) -> Option<Self> {
        let created = run.created()?;
        let end = run.end();
        Some(Self {
            version: STATUS_VERSION,
            run: created.run.to_string(),
            runbook: created.plan.about.id.clone(),
            title: created.plan.about.title.clone(),
            state: state_of(run).to_owned(),
            stage: stage_word(run).to_owned(),
            started_by: created.by.name.clone(),
            responsible: run.responsible().map(|by| by.name.clone()),
            paused_by: run.paused().map(|by| by.name.clone()),
            paused_because: run.paused_because().map(str::to_owned),
            verbs: run.verbs(VERB_STEPS_MAX),
            told: ToldStatus::last_of(run),
            environment: created.environment_name.clone(),
            params: created.params.clone(),
            started_at: run.started_at().0,
            ended_at: end.map(|end| end.at.0),
            updated_at: now.0,
            engine_pid,
            cancel: run.cancel().filter(|_| end.is_none()).map(|cancel| CancelStatus {
                by: cancel.by.name.clone(),
                level: cancel.level,
                term_at: cancel.at.after(created.plan.cancel_grace_ms).0,
            }),
            locks: run.locks().map(awaited::of).collect(),
            questions: run.questions().values().map(|question| question_of(run, question)).collect(),
            services: run.services().iter().map(|(name, state)| (name.to_string(), service_word(state))).collect(),
            steps: steps::of(run),
            cause: end.and_then(|end| crate::words::cause(run, &end.cause)),
            exit_code: end.map(|end| ExitCode::of(end.state, &end.cause) as u8),
            irreversible: end.map(|end| end.irreversible.iter().map(StepId::to_string).collect()).unwrap_or_default(),
            parent: created
                .parent
                .as_ref()
                .map(|parent| ParentStatus { run: parent.run.to_string(), step: parent.attempt.step.to_string() }),
            outputs: end.map(|end| shortened(&end.outputs).0).unwrap_or_default(),
        })
    }

    /// Publishes the snapshot.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn publish(&self, folder: &RunFolder) -> io::Result<()> {
        write_whole(&folder.status(), &serde_json::to_vec(self)?)?;
        folder.shared().map_or(Ok(()), |shared| shared::publish(&shared, self))
    }

    /// Reads the last published snapshot.
    ///
    /// # Errors
    /// When there is none, or it is of another version.
    pub fn read(folder: &RunFolder) -> io::Result<Self> {
        if folder.other_owner().is_some() {
            return shared::status(folder);
        }
        let status: Self = serde_json::from_slice(&std::fs::read(folder.status())?)?;
        if status.version == STATUS_VERSION {
            return Ok(status);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the status is of another version of this program"))
    }
}

/// The state of a run in one word.
pub fn state_of(run: &Run) -> &'static str {
    if let Some(end) = run.end() {
        return match end.state {
            EndState::Succeeded => "succeeded",
            EndState::Failed => "failed",
            EndState::RolledBack => "rolled_back",
            EndState::Stuck => "stuck",
            EndState::Cancelled => "cancelled",
        };
    }
    let acts = |live: &Live| matches!(live.doing, Doing::Executing | Doing::Stopping { .. } | Doing::Polling { .. });
    match run.stage() {
        Stage::New => "pending",
        _ if run.paused().is_some() => "paused",
        Stage::RollingBack => "rolling_back",
        Stage::Main if awaits_locks(run) => "waiting",
        // A guard looks on while all else waits for a person.
        _ if run.live().any(|live| acts(live) && !run.is_look(&live.attempt)) => "running",
        _ if run.questions().is_empty() => "running",
        _ => "waiting",
    }
}

fn stage_word(run: &Run) -> &'static str {
    match run.stage() {
        Stage::New => "new",
        Stage::Main if awaits_locks(run) => "waiting for a lock",
        Stage::Main if !run.services_answer() => "starting services",
        Stage::Main => "steps",
        Stage::RollingBack => "rollback",
        Stage::Always => "always",
        Stage::Stopping => "stopping services",
        Stage::Ended => "ended",
    }
}

fn service_word(state: &ServiceState) -> String {
    match state {
        ServiceState::Starting => "starting".to_owned(),
        ServiceState::Ready { pid } => format!("ready (pid {pid})"),
        ServiceState::Failed => "failed".to_owned(),
        ServiceState::Stopped => "stopped".to_owned(),
    }
}
