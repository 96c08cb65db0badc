//! What people say: read from the inbox, made durable, published, then removed. Read twice it changes nothing.

use std::fs;
use std::mem::discriminant;

use runbook_core::event::{Event, Identity, QuestionId, Verb};
use runbook_core::input::{Answer, Answered, Input, VerbAsked};
use runbook_core::units::Timestamp;

use super::{Driver, EngineError};
use crate::identity::roles_of;
use crate::inbox::{self, Message, Received};

impl Driver {
    /// Takes everything in the inbox.
    ///
    /// Who gave an answer sees its file go and then looks at the snapshot, so the snapshot that knows it comes first.
    pub(super) fn read_inbox(&mut self) -> Result<(), EngineError> {
        self.read_messages(|_| true)
    }

    /// Takes alone what keeps more from starting, and `continue`, in the order written: known before anything else is decided.
    pub(super) fn read_ends(&mut self) -> Result<(), EngineError> {
        self.read_messages(|message| match message {
            Message::Cancel { .. } => true,
            Message::Verb { verb, .. } => matches!(verb, Verb::Pause | Verb::Continue | Verb::Rollback { .. }),
            Message::Answer { .. } => false,
        })
    }

    fn read_messages(&mut self, which: impl Fn(&Message) -> bool) -> Result<(), EngineError> {
        let mut files = vec![];
        for received in inbox::read(&self.engine.folder)?.into_iter().filter(|received| which(&received.message)) {
            if self.inbox.is_tired_of(&received.by) && matches!(received.message, Message::Answer { .. }) {
                files.push((received.file, false));
                continue;
            }
            let is_late = self.is_late(&received)?;
            if is_late {
                // To tell so takes the whole journal, and leaves a file: nobody is to have that done for ever.
                self.inbox.note_uncounted(&received.by);
            }
            files.push((received.file.clone(), is_late));
            let input = self.input_of(received);
            self.take(input)?;
        }
        if !files.is_empty() {
            self.publish(true);
        }
        for (file, is_late) in files {
            let gone = if is_late { fs::rename(&file, inbox::late(&file)) } else { fs::remove_file(&file) };
            match gone {
                // Its owner took it back, and it counts all the same.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                gone => gone?,
            }
        }
        Ok(())
    }

    /// Whether an answer came after another one had closed its question. One that closed it itself, and is read again after a
    /// crash, did not.
    fn is_late(&mut self, received: &Received) -> Result<bool, EngineError> {
        let Message::Answer { question, answer, .. } = &received.message else { return Ok(false) };
        if self.engine.run.questions().contains_key(question) {
            return Ok(false);
        }
        let same = |of: &QuestionId, by: &Identity, at: Timestamp| {
            of == question && by.uid == received.by.uid && at == received.written_at
        };
        // A person may say two things in one millisecond.
        let is_it = |event: &Event| match event {
            Event::QuestionAnswered { question: of, by, written_at, answer: counted, .. } => {
                same(of, by, *written_at) && discriminant(counted) == discriminant(answer)
            }
            Event::ApprovalGiven { question: of, by, written_at, .. } => {
                same(of, by, *written_at) && matches!(answer, Answer::Approve { .. })
            }
            _ => false,
        };
        let records = runbook_journal::Journal::load(&mut self.engine.journal)?;
        Ok(!records.iter().any(|record| is_it(&record.event)))
    }

    fn input_of(&self, received: Received) -> Input {
        let Received { by, written_at, message, file } = received;
        match message {
            Message::Cancel { level, reason } => {
                Input::CancelAsked { level, by, reason, message: inbox::name_of(&file) }
            }
            Message::Verb { verb, reason } => {
                Input::Verb(Box::new(VerbAsked { verb, by, reason, written_at, message: inbox::name_of(&file) }))
            }
            Message::Answer { question, answer, digest } => {
                let roles = roles_of(&by, &self.roles_now());
                Input::Answered(Box::new(Answered { question, answer, by, roles, digest, written_at }))
            }
        }
    }

    /// Who holds which role now; where that cannot be read, as it was at the start.
    fn roles_now(&self) -> crate::identity::Roles {
        (self.options.roles)().unwrap_or_else(|reason| {
            tracing::warn!(reason, "the roles cannot be read; those of the start count");
            self.engine.run.created().map(|created| created.roles.clone()).unwrap_or_default()
        })
    }
}
