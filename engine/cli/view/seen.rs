//! A run as it is now, with or without an engine.

use std::time::Duration;

use runbook_core::event::Created;
use runbook_core::event::Event;
use runbook_journal::Record;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;
use runbook_runtime::{EngineError, load, now};

use super::answering::stored;
use crate::failure::{Failure, with_causes};

/// An engine that has just started publishes its first snapshot within this time.
const FIRST_SNAPSHOT: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A run as it is now.
pub(crate) struct Seen {
    /// Its snapshot.
    pub(crate) status: Status,
    /// Whether an engine has it.
    pub(crate) has_engine: bool,
    /// Its journal, which can be read when no engine has it.
    pub(crate) records: Vec<Record>,
    /// What was wrong with the journal, when the snapshot had to do.
    pub(crate) flaw: Option<String>,
    /// The questions to which an answer is stored that no engine has read.
    pub(crate) stored: Vec<String>,
}

impl Seen {
    /// Looks at a run: by its snapshot while an engine has it, else by its journal.
    ///
    /// A journal that is damaged leaves the last snapshot, with what is wrong.
    ///
    /// What its child runs ask is among its questions.
    pub(crate) fn look(folder: &RunFolder) -> Result<Self, Failure> {
        let seen = Self::look_at(folder)?;
        Ok(Self { status: seen.status.with_children(&folder.state()), ..seen })
    }

    fn look_at(folder: &RunFolder) -> Result<Self, Failure> {
        let until = std::time::Instant::now() + FIRST_SNAPSHOT;
        loop {
            if folder.has_engine() {
                match Status::read(folder) {
                    Ok(status) => {
                        return Ok(Self {
                            status,
                            has_engine: true,
                            records: vec![],
                            flaw: None,
                            stored: stored(folder),
                        });
                    }
                    Err(error) if std::time::Instant::now() >= until => return Err(unreadable(folder, &error)),
                    Err(_) => std::thread::sleep(LOOK_AGAIN),
                }
                continue;
            }
            if folder.other_owner().is_some() {
                let status = Status::read(folder).map_err(|error| unreadable(folder, &error))?;
                return Ok(Self { status, has_engine: false, records: vec![], flaw: None, stored: vec![] });
            }
            match load(folder) {
                Ok((run, records)) => {
                    let status = Status::of(&run, now(), None);
                    let status = status.ok_or_else(|| unreadable(folder, &"its journal is empty"))?;
                    return Ok(Self { status, has_engine: false, records, flaw: None, stored: stored(folder) });
                }
                Err(EngineError::InUse) if std::time::Instant::now() < until => std::thread::sleep(LOOK_AGAIN),
                Err(error) => return Self::without_journal(folder, &error),
            }
        }
    }

    fn without_journal(folder: &RunFolder, error: &EngineError) -> Result<Self, Failure> {
        match Status::read(folder) {
            Ok(mut status) => {
                status.engine_pid = None;
                let flaw = Some(with_causes(error));
                Ok(Self { status, has_engine: false, records: vec![], flaw, stored: stored(folder) })
            }
            Err(_) => Err(unreadable(folder, &with_causes(error))),
        }
    }

    /// Says that the journal is damaged, where it is.
    pub(crate) fn warn(&self) {
        if let Some(flaw) = &self.flaw {
            crate::output::note(format!(
                "warning: the last snapshot is shown, since the journal cannot be read: {flaw}"
            ));
        }
    }

    /// Whether the run is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.status.ended_at.is_some()
    }

    /// Whether the run goes nowhere by itself: it is not over, and no engine has it.
    pub(crate) fn is_abandoned(&self) -> bool {
        !self.has_engine && !self.has_ended()
    }

    /// What the run was made of, when its journal could be read.
    pub(crate) fn created(&self) -> Option<&Created> {
        self.records.iter().find_map(|record| match &record.event {
            Event::RunCreated(created) => Some(&**created),
            _ => None,
        })
    }
}

fn unreadable(folder: &RunFolder, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ExitCode::Internal, format!("run {} cannot be read: {error}", folder.id()))
        .hint(format!("its folder is {}", folder.path().display()))
}
