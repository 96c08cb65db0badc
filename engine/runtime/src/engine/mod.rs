//! The engine of one run: one loop that takes what happens, lets the core decide, makes that durable, and acts on it.
//!
//! ```text
//!          ┌──────────── what happened: a command ended, a timer, an answer, a signal
//!          ▼
//!   decide (core) ──► append (journal, durable) ──► reporters ──► reconcile: wanted() against what is live
//!          ▲                                                            │
//!          └──────────── supervisor, HTTP, services, inbox ◄────────────┘
//! ```
//!
//! After a crash nothing is live, so resuming is the same loop: its first reconcile finds more to do.

mod adopt;
mod answers;
mod asked;
mod before;
mod child;
pub(crate) mod command;
mod error;
mod http;
mod locks;
mod lookup;
mod needed;
pub(crate) mod params;
mod plugin;
mod reconcile;
mod reopen;
mod services;
mod told;
mod uses;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runbook_core::decide;
use runbook_core::evaluate::Evaluate;
use runbook_core::event::{AttemptId, Created, Event, Timer};
use runbook_core::input::{AttemptResult, Input};
use runbook_core::run::{End, Run};
use runbook_core::units::{Digest, Timestamp};
use runbook_journal::{Journal, JournalError, Record, RunJournal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::folder::{EngineLock, LockError, RunFolder, StateFolder};
use crate::identity::Roles;
use crate::plugin::{PluginFiles, files};
use crate::secrets::Secrets;
use crate::signing::{self, SigningKey};
use crate::status::Status;
use crate::supervisor::SupervisorClient;

pub use asked::{Asked, leave_end};
pub use child::CHILD_SUBCOMMAND;
pub use error::EngineError;
use locks::LocksAtWork;
use lookup::Lookups;
use services::Services;
use told::{Inbox, Signals};

/// Snapshots are published at most this often, unless the run stops for somebody.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// Nor so often that it takes more than a twentieth of the time: a snapshot of ten thousand steps has megabytes.
const PUBLISH_SHARE: u32 = 20;

/// But nobody looks at a run that seems to stand still for longer.
const PUBLISH_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Sees everything that is decided. What it does with that never matters to the run.
pub trait Reporter {
    /// These records are durable; the run is the state after them.
    fn records(&mut self, records: &[Record], run: &Run);

    /// A new snapshot was published.
    fn status(&mut self, status: &Status);
}

/// What an engine needs from its surroundings.
pub struct Options {
    /// This very program: the supervisor is started from it, and scripts find it first on PATH.
    pub exe: PathBuf,
    /// Whether to leave when only questions remain.
    pub exit_when_waiting: bool,
    /// Reads who holds which role, anew at each answer. An error is a sentence; then the roles at the start count.
    pub roles: Box<dyn Fn() -> Result<Roles, String>>,
    /// The key to sign the record with when it is sealed.
    pub sign: Box<Sign>,
    /// Who is told.
    pub reporters: Vec<Box<dyn Reporter>>,
}

/// Reads the key that records are signed with, if there is one. An error is a sentence; then the record stays unsigned.
pub type Sign = dyn Fn() -> Result<Option<SigningKey>, String>;

/// How an engine left its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The run is over.
    Ended(End),
    /// Only questions remain, and the engine was told not to wait.
    Waiting,
}

/// A run and the right to decide for it.
pub struct Engine {
    folder: RunFolder,
    journal: RunJournal,
    run: Run,
    secrets: Secrets,
    evaluate: Box<dyn Evaluate>,
    /// The boot in which each running attempt was started.
    boots: BTreeMap<AttemptId, String>,
    _lock: EngineLock,
}

impl Engine {
    /// Makes the folder and the journal of a new run, and its first event durable.
    ///
    /// # Errors
    /// When the run could not get far, so that it is better not to begin: then there is no run. When a folder or the
    /// journal cannot be written.
    pub fn create(
        state: &StateFolder,
        created: Created,
        plugins: &BTreeMap<Digest, PluginFiles>,
        evaluate: Box<dyn Evaluate>,
    ) -> Result<Self, EngineError> {
        let precondition = |reason: String| EngineError::Precondition(vec![reason]);
        let secrets = before::checked(state, &created)?;
        let folder = state.create_run(&created.run).map_err(|error| precondition(error.to_string()))?;
        files::keep_all(plugins, created.plan.plugin_digests(), |digest| folder.plugin(digest))
            .map_err(|error| precondition(format!("cannot keep the plugins of the run: {error}")))?;
        let lock = folder.lock().map_err(EngineError::from)?;
        let journal = RunJournal::create(folder.path())?;
        let run = Run::default();
        let mut engine = Self { folder, journal, run, secrets, evaluate, boots: BTreeMap::new(), _lock: lock };
        engine.take(Input::Launched(Box::new(created)))?;
        Ok(engine)
    }

    /// Takes a child run: makes its first event durable, unless an earlier engine of it has.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::open`].
    pub fn open_child(folder: RunFolder, created: Created, evaluate: Box<dyn Evaluate>) -> Result<Self, EngineError> {
        let lock = folder.lock().map_err(EngineError::from)?;
        let secrets = Secrets::of(&created);
        let begun = match RunJournal::open(folder.path()) {
            // What was cut short before it was published holds nothing; the loss of more is no new beginning.
            Err(JournalError::Missing { .. }) if !folder.status().exists() => None,
            journal => Some(journal?),
        };
        let (journal, (run, boots)) = match begun {
            Some(mut journal) => {
                let folded = fold(&journal.load()?)?;
                (journal, folded)
            }
            None => {
                before::check(&folder, &created, &secrets).map_err(EngineError::Precondition)?;
                (RunJournal::create_anew(folder.path())?, (Run::default(), BTreeMap::new()))
            }
        };
        let mut engine = Self { folder, journal, run, secrets, evaluate, boots, _lock: lock };
        if engine.run.created().is_none() {
            engine.take(Input::Launched(Box::new(created)))?;
        }
        Ok(engine)
    }

    /// Takes a run that exists, to go on with it.
    ///
    /// # Errors
    /// When another engine has it, or the journal is damaged.
    pub fn open(folder: RunFolder, evaluate: Box<dyn Evaluate>) -> Result<Self, EngineError> {
        let lock = folder.lock().map_err(EngineError::from)?;
        let mut journal = RunJournal::open(folder.path())?;
        let (run, boots) = fold(&journal.load()?)?;
        let secrets = run.created().map(Secrets::of).unwrap_or_default();
        Ok(Self { folder, journal, run, secrets, evaluate, boots, _lock: lock })
    }

    /// The folder of the run.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// The state of the run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Decides, and makes the decision durable before anyone learns of it.
    fn take(&mut self, input: Input) -> Result<Vec<Record>, EngineError> {
        let now = now();
        let decision = decide(std::mem::take(&mut self.run), input, now, &*self.evaluate)?;
        let records = if decision.events.is_empty() {
            vec![]
        } else {
            self.journal.append(self.journal.next_seq(), now, &decision.events)?
        };
        self.run = decision.run;
        note_boots(&mut self.boots, decision.events.iter());
        Ok(records)
    }

    /// Seals the record of a run that has ended, and signs it; does nothing when it is sealed, or the run has not ended.
    ///
    /// # Errors
    /// When the record cannot be written: the journal then still has all of it. [`EngineError::Unsigned`] when it is sealed
    /// and cannot be signed.
    pub fn seal(&mut self, sign: &Sign) -> Result<(), EngineError> {
        let Some(created) = self.run.created().filter(|_| self.run.end().is_some()) else { return Ok(()) };
        if self.journal.is_sealed() {
            return Ok(());
        }
        self.journal.seal(now(), &created.plan_digest, env!("CARGO_PKG_VERSION"))?;
        let Some(key) = sign().map_err(EngineError::Unsigned)? else { return Ok(()) };
        signing::sign(&self.folder, &key).map_err(|error| EngineError::Unsigned(error.to_string()))
    }

    /// The run has ended as it has, sealed or not.
    fn seal_or_warn(&mut self, sign: &Sign) {
        let run = self.folder.id().clone();
        match self.seal(sign) {
            Ok(()) => {}
            Err(EngineError::Unsigned(why)) => {
                tracing::warn!("{why}: the record is sealed, not signed; `runbook seal {run} --sign KEY` signs it");
            }
            Err(error) => tracing::warn!("{error}: the record is not sealed; `runbook seal {run}` tries again"),
        }
    }

    /// Goes on with the run until it ends.
    ///
    /// # Errors
    /// When the journal cannot be written, the supervisor cannot be reached, or a precondition is not met. The run is
    /// then as it is in the journal, and can be resumed.
    pub async fn drive(mut self, options: Options) -> Result<Outcome, EngineError> {
        if let Some(end) = self.run.end().cloned() {
            self.seal_or_warn(&*options.sign);
            return Ok(Outcome::Ended(end));
        }
        before::check_path(&self.folder).map_err(|reason| EngineError::Precondition(vec![reason]))?;
        Driver::start(self, options).await?.go().await
    }
}

/// A request that is over, and how.
type Finished = (AttemptId, AttemptResult);

/// An engine at work: what is live, and where news comes from.
struct Driver {
    engine: Engine,
    options: Options,
    secrets: Secrets,
    supervisor: SupervisorClient,
    services: Services,
    locks: LocksAtWork,
    /// What runs, by the key that the supervisor knows it by.
    running: BTreeMap<String, AttemptId>,
    requests: BTreeMap<AttemptId, tokio::task::JoinHandle<()>>,
    lookups: Lookups,
    /// What was told to end, and how hard.
    stopping: BTreeSet<(AttemptId, bool)>,
    /// Timers that changed nothing: not told again until something else changes.
    muted: BTreeSet<Timer>,
    finished: (mpsc::UnboundedSender<Finished>, mpsc::UnboundedReceiver<Finished>),
    clients: http::Clients,
    signals: Signals,
    inbox: Inbox,
    published: Option<Instant>,
    /// How long after that the next snapshot may be published.
    publish_pause: Duration,
    is_stale: bool,
}

impl Driver {
    async fn go(mut self) -> Result<Outcome, EngineError> {
        self.read_inbox()?;
        loop {
            self.reconcile().await?;
            self.must_not_have_lost_locks()?;
            self.publish(false);
            if let Some(end) = self.engine.run.end().cloned() {
                self.publish(true);
                self.free_locks().await;
                self.supervisor.send(&crate::supervisor::Request::Leave);
                self.engine.seal_or_warn(&*self.options.sign);
                return Ok(Outcome::Ended(end));
            }
            if self.options.exit_when_waiting && self.only_questions_remain() {
                self.publish(true);
                if self.engine.run.services().is_empty() {
                    self.free_locks().await;
                }
                return Ok(Outcome::Waiting);
            }
            self.wait_for_news().await?;
        }
    }

    /// Decides about an input, and tells the reporters.
    fn take(&mut self, input: Input) -> Result<(), EngineError> {
        let records = self.engine.take(input)?;
        if records.is_empty() {
            return Ok(());
        }
        self.muted.clear();
        self.is_stale = true;
        self.inbox.note_refusals(&records);
        for reporter in &mut self.options.reporters {
            reporter.records(&records, &self.engine.run);
        }
        Ok(())
    }

    /// Publishes a snapshot when there is news, not too often; at once when nothing else will happen by itself.
    fn publish(&mut self, at_once: bool) {
        let waits = self.engine.run.live().next().is_none() && !self.engine.run.questions().is_empty();
        let is_due = self.published.is_none_or(|at| at.elapsed() >= self.publish_pause);
        if !self.is_stale || !(at_once || waits || is_due) {
            return;
        }
        let start = Instant::now();
        let Some(status) = Status::of(&self.engine.run, now(), Some(std::process::id())) else { return };
        if let Err(error) = status.publish(&self.engine.folder) {
            tracing::warn!(%error, "cannot publish the status");
        }
        for reporter in &mut self.options.reporters {
            reporter.status(&status);
        }
        self.publish_pause = (start.elapsed() * PUBLISH_SHARE).clamp(PUBLISH_EVERY, PUBLISH_PAUSE_MAX);
        self.published = Some(Instant::now());
        self.is_stale = false;
    }
}

/// The state after all records, and the boot in which each running attempt was started.
fn fold(records: &[Record]) -> Result<(Run, BTreeMap<AttemptId, String>), EngineError> {
    let mut run = Run::default();
    let mut boots = BTreeMap::new();
    for record in records {
        run.apply(&record.event, record.at)?;
    }
    note_boots(&mut boots, records.iter().map(|record| &record.event));
    Ok((run, boots))
}

fn note_boots<'e>(boots: &mut BTreeMap<AttemptId, String>, events: impl Iterator<Item = &'e Event>) {
    for event in events {
        match event {
            Event::AttemptStarted { attempt, host, .. } => drop(boots.insert(attempt.clone(), host.boot_id.clone())),
            Event::AttemptEnded { attempt, .. } => drop(boots.remove(attempt)),
            _ => {}
        }
    }
}

/// Reads a run from its journal or its sealed record without taking it: for looking at a run that no engine has.
///
/// # Errors
/// When an engine has it, or the journal is damaged.
pub fn load(folder: &RunFolder) -> Result<(Run, Vec<Record>), EngineError> {
    if let Some(owner) = folder.other_owner() {
        return Err(LockError::NotYours(owner).into());
    }
    let records = match runbook_journal::load_sealed(folder.path())? {
        Some(records) => records,
        None => {
            let _lock = folder.lock().map_err(EngineError::from)?;
            runbook_journal::load(folder.path())?
        }
    };
    let (run, _) = fold(&records)?;
    Ok((run, records))
}

/// Now, by the clock on the wall: due times must outlive the process.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl From<LockError> for EngineError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held => Self::InUse,
            LockError::NotYours(_) => Self::Precondition(vec![error.to_string()]),
            LockError::Io(error) => Self::Io(error),
        }
    }
}
