//! A run goes on after its end because an operator says so.

use std::fs;
use std::path::Path;

use runbook_core::evaluate::Evaluate;
use runbook_core::event::{FROM_PARENT, Verb};
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
        self.tell_as(verb, reason, None)
    }

    /// The same, as a message of this name from the run that started this one, for one of its attempts.
    pub(super) fn tell_as(
        &mut self,
        verb: Verb,
        reason: String,
        from_parent: Option<(String, &str)>,
    ) -> Result<Option<String>, EngineError> {
        let (message, ask) = from_parent.unzip();
        if let Some(why) = self.run.verb_refusal(&verb) {
            return Ok(Some(why));
        }
        if self.run.end().is_some() {
            self.put_late_messages_aside(ask)?;
        }
        let asked = VerbAsked { verb, by: me(), reason, written_at: now(), message };
        self.take(Input::Verb(Box::new(asked)))?;
        // Whoever looks before an engine has the run must not find the end that it had.
        if let Some(status) = Status::of(&self.run, now(), None) {
            status.publish(&self.folder)?;
        }
        Ok(None)
    }

    /// What was said to a run that had ended counts for nothing in what follows, but for what its parent said for this.
    fn put_late_messages_aside(&self, ask: Option<&str>) -> Result<(), EngineError> {
        let is_meant = |file: &Path| {
            let name = inbox::name_of(file).unwrap_or_default();
            ask.is_some_and(|ask| name.starts_with(FROM_PARENT) && name.ends_with(&format!("-{ask}")))
        };
        for received in inbox::read(&self.folder)?.into_iter().filter(|received| !is_meant(&received.file)) {
            fs::rename(&received.file, inbox::late(&received.file))?;
        }
        Ok(())
    }
}
