//! A run goes on after its end because an operator says so.

use std::fs;

use runbook_core::evaluate::Evaluate;
use runbook_core::event::Verb;
use runbook_core::input::{Input, VerbAsked};

use super::{Engine, EngineError, now};
use crate::folder::RunFolder;
use crate::identity::me;
use crate::inbox;
use crate::status::Status;

impl Engine {
    /// Takes a run that has ended, to go on with it: the one place that knows how such a run is kept.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn reopen(folder: RunFolder, evaluate: Box<dyn Evaluate>) -> Result<Self, EngineError> {
        Self::open(folder, evaluate)
    }

    /// Tells the run something, in the name of the user of this process. Of what makes no sense nothing is written, and the
    /// sentence that says why comes back.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn tell(&mut self, verb: Verb, reason: String) -> Result<Option<String>, EngineError> {
        if let Some(why) = self.run.verb_refusal(&verb) {
            return Ok(Some(why));
        }
        if self.run.end().is_some() {
            self.put_late_messages_aside()?;
        }
        let asked = VerbAsked { verb, by: me(), reason, written_at: now(), message: None };
        self.take(Input::Verb(Box::new(asked)))?;
        // Whoever looks before an engine has the run must not find the end that it had.
        if let Some(status) = Status::of(&self.run, now(), None) {
            status.publish(&self.folder)?;
        }
        Ok(None)
    }

    /// What was said to a run that had ended counts for nothing in what follows.
    fn put_late_messages_aside(&self) -> Result<(), EngineError> {
        for received in inbox::read(&self.folder)? {
            fs::rename(&received.file, inbox::late(&received.file))?;
        }
        Ok(())
    }
}
