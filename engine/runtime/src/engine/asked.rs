//! What the run that started a child run wants of it after its end: that it goes on, or is rolled back. The engine of the
//! child run finds that in a file beside its journal, and says it to the run as a person would, once.

use std::collections::BTreeMap;
use std::io;

use runbook_core::event::{ChildEnd, EndState, FROM_PARENT, Verb};
use runbook_core::run::Run;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Engine, EngineError};
use crate::folder::{RunFolder, write_durable};

/// What is wanted of a child run that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The attempt of the parent for which it is wanted: what was said for it is not said again.
    pub ask: String,
    /// Whether it is to be rolled back; else what failed in it starts over.
    pub is_way_back: bool,
    /// Why, with who said so.
    pub reason: String,
}

/// How a child run ended, as its engine leaves it for the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Left {
    pub(super) end: ChildEnd,
    pub(super) outputs: BTreeMap<String, Value>,
    /// What it was asked for; none for its first end.
    #[serde(default)]
    pub(super) ask: Option<String>,
    /// Whether something is left that could be undone, and was to be.
    #[serde(default)]
    pub(super) is_left: bool,
}

impl Asked {
    /// What was wanted last; none where it was only started.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(folder: &RunFolder) -> io::Result<Option<Self>> {
        match std::fs::read(folder.asked()) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn write(&self, folder: &RunFolder) -> io::Result<()> {
        write_durable(&folder.asked(), &serde_json::to_vec(self)?)
    }

    fn message(&self) -> String {
        format!("{FROM_PARENT}asks-{}", self.ask)
    }

    fn was_said(&self, run: &Run) -> bool {
        let message = self.message();
        run.told().iter().any(|told| told.message.as_ref() == Some(&message))
    }

    /// What is to be said to the child run now; nothing where it is as it is wanted, or has been told.
    fn verb(&self, run: &Run) -> Option<Verb> {
        let again = Verb::Retry { step: None, downstream: false };
        let is_stuck = run.end().is_some_and(|end| end.state == EndState::Stuck);
        let verb = match (self.is_way_back, run.end()) {
            (true, _) if is_stuck => again,
            // Somebody may have gone on with it meanwhile.
            (true, _) => run.has_something_to_undo(None).then_some(Verb::Rollback { to: None })?,
            (false, Some(end)) if end.state == EndState::Succeeded => return None,
            (false, Some(_)) => again,
            (false, None) => return None,
        };
        let makes_sense = run.verb_refusal(&verb).is_none();
        (makes_sense && !self.was_said(run)).then_some(verb)
    }
}

/// Leaves how a child run ended, where its parent looks for it.
///
/// # Errors
/// When the file cannot be written.
pub fn leave_end(folder: &RunFolder, run: &Run, asked: Option<&Asked>) -> io::Result<()> {
    let Some(end) = run.end() else { return Ok(()) };
    let is_way_back = asked.is_some_and(|asked| asked.is_way_back);
    // Of what may have to be undone yet it is known before what cannot be.
    let irreversible = match end.state {
        EndState::Succeeded => run.holds_irreversible(),
        // What is undone yet when that is tried again is no matter now.
        EndState::Stuck => !end.irreversible.is_empty(),
        _ => !end.irreversible.is_empty() || (is_way_back && run.holds_irreversible()),
    };
    let child = ChildEnd { run: folder.id().clone(), state: end.state, cause: end.cause.clone(), irreversible };
    let left = Left {
        end: child,
        outputs: end.outputs.clone(),
        ask: asked.map(|asked| asked.ask.clone()),
        is_left: is_way_back && run.has_something_to_undo(None),
    };
    write_durable(&folder.end(), &serde_json::to_vec(&left)?)
}

impl Engine {
    /// Says to a child run what its parent wants of it, where that makes sense and was not said yet. Whether it was said now.
    ///
    /// # Errors
    /// When the inbox cannot be read, or the journal cannot be written.
    pub fn hear_parent(&mut self, asked: &Asked) -> Result<bool, EngineError> {
        let Some(verb) = asked.verb(&self.run) else { return Ok(false) };
        let told = self.tell_as(verb, asked.reason.clone(), Some((asked.message(), &asked.ask)))?;
        Ok(told.is_none())
    }
}
