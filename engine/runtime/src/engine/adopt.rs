//! Taking a run: the first time, after a crash, and after the supervisor was lost. Finds out what became of what ran.
//!
//! | the supervisor says | and so the attempt |
//! |---|---|
//! | it runs | is adopted |
//! | it ended | ended so, even past its timeout |
//! | nobody saw the end | is lost: `on_interrupt` decides |
//! | never heard of it, same boot | never started: it is started |
//! | never heard of it, other boot | is lost: files may be, too |

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;

use runbook_core::event::{AttemptId, Host};
use runbook_core::input::Input;
use runbook_core::rendered::Rendered;
use runbook_core::run::Doing;
use tokio::sync::mpsc;

use super::lookup::Lookups;
use super::services::Services;
use super::told::{Inbox, Signals};
use super::{Driver, Engine, EngineError, Options};
use crate::supervisor::{CommandState, Identity, KnownCommand, SupervisorClient, Welcome};

impl Driver {
    /// Takes the run: checks what it needs, finds the supervisor, and learns what became of what ran.
    pub(super) async fn start(engine: Engine, options: Options) -> Result<Self, EngineError> {
        let signals = Signals::listen()?;
        let shared = engine.folder.share();
        shared.map_err(|error| EngineError::Precondition(vec![format!("the group could not answer: {error}")]))?;
        let inbox = Inbox::listen(&engine.folder);
        let secrets = engine.secrets.clone();
        // Of a run that is to end only what that takes is needed.
        let is_ending = engine.run.is_being_ended() || engine.is_told_to_end()?;
        engine.check_secrets(is_ending, false).await?;
        link_program(&engine, &options)?;
        let withhold = secrets.variables();
        let (supervisor, welcome) =
            SupervisorClient::connect_or_start(engine.folder.path(), &options.exe, &withhold).await?;
        let is_resumed = engine.run.host().is_some() || engine.run.reopened() > 0;
        let mut driver = Self {
            services: Services::new(is_resumed),
            locks: super::locks::LocksAtWork::default(),
            finished: mpsc::unbounded_channel(),
            running: BTreeMap::new(),
            requests: BTreeMap::new(),
            lookups: Lookups::new(),
            stopping: BTreeSet::new(),
            muted: BTreeSet::new(),
            clients: super::http::Clients::default(),
            published: None,
            publish_pause: super::PUBLISH_EVERY,
            is_stale: true,
            engine,
            options,
            secrets,
            supervisor,
            signals,
            inbox,
        };
        driver.adopt(welcome)?;
        Ok(driver)
    }

    /// The supervisor is gone while the engine lives: finds or starts another one, and goes on.
    pub(super) async fn replace_supervisor(&mut self) -> Result<(), EngineError> {
        tracing::warn!("the supervisor is gone; starting another one");
        let withhold = self.secrets.variables();
        let folder = self.engine.folder.path().to_owned();
        let (client, welcome) = SupervisorClient::connect_or_start(&folder, &self.options.exe, &withhold).await?;
        self.supervisor = client;
        self.running.clear();
        self.locks.forget();
        self.stopping.clear();
        self.adopt(welcome)
    }

    fn adopt(&mut self, welcome: Welcome) -> Result<(), EngineError> {
        let Identity { process, boot_id } = welcome.identity;
        let supervisor = format!("{}:{}", process.pid, process.start_time);
        let known: BTreeMap<String, KnownCommand> =
            welcome.commands.into_iter().map(|command| (command.key.to_string(), command)).collect();
        self.services.adopt(&known);
        // Learned before anything is decided: what ran then, and in which boot it was started.
        let ran = self.attempts_that_ran();
        self.take(Input::EngineStarted(Host { boot_id: boot_id.clone(), supervisor }))?;
        self.read_ends()?;
        for (attempt, is_command, started_in) in ran {
            let key = attempt.to_string();
            match known.get(&key).map(|command| &command.state) {
                Some(CommandState::Running(_)) => drop(self.running.insert(key, attempt)),
                Some(CommandState::Ended(ended)) => {
                    self.running.insert(key.clone(), attempt);
                    self.command_ended(&key, ended)?;
                }
                None if self.requests.contains_key(&attempt) => {}
                None if is_command && started_in.as_deref() == Some(boot_id.as_str()) => {
                    self.take(Input::NotStarted(attempt))?;
                }
                None if self.engine.run.child_of(&attempt).is_some() => self.child_lost(attempt)?,
                None => self.lost(attempt, &[])?,
            }
        }
        self.forget_old_outputs()
    }

    /// An engine that died may have left what the journal has long since.
    fn forget_old_outputs(&self) -> Result<(), EngineError> {
        for entry in std::fs::read_dir(self.engine.folder.path().join("outputs"))? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|key| self.running.contains_key(key)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn attempts_that_ran(&self) -> Vec<(AttemptId, bool, Option<String>)> {
        let run = &self.engine.run;
        let ran = run.live().filter(|live| matches!(live.doing, Doing::Executing | Doing::Stopping { .. }));
        ran.map(|live| {
            let action = run.action_of(&live.attempt);
            let is_command = action.is_some_and(Rendered::is_command);
            (live.attempt.clone(), is_command, self.engine.boots.get(&live.attempt).cloned())
        })
        .collect()
    }
}

impl Engine {
    pub(super) fn journal_len(&self) -> u64 {
        use runbook_journal::Journal as _;
        self.journal.next_seq()
    }
}

/// Scripts find the running program first on their PATH.
fn link_program(engine: &Engine, options: &Options) -> Result<(), EngineError> {
    let link = engine.folder.bin().join("runbook");
    if std::fs::read_link(&link).is_ok_and(|target| target == options.exe) {
        return Ok(());
    }
    match std::fs::remove_file(&link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => symlink(&options.exe, &link)?,
    }
    Ok(())
}
