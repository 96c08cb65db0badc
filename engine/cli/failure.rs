//! Why a command failed: a message, a way out, an exit code. Mapped from the errors of the libraries once, here.

use std::error::Error;
use std::fmt::Display;
use std::io::ErrorKind;

use runbook_core::event::LockHolder;
use runbook_runtime::EngineError;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::FindError;
use runbook_runtime::signing::KeyError;

use crate::view::text::{moment, visible_line};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: ExitCode,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    /// A failure with its exit code; the message is a fragment that fits after `error: `.
    pub(crate) fn new(code: ExitCode, message: impl Display) -> Self {
        Self { code, message: message.to_string(), hints: vec![] }
    }

    /// Names the way out, instead of any other.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints = vec![hint.into()];
        self
    }

    /// Adds a way out.
    pub(crate) fn also(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The message with its way out.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.message, self.hints.join("\n"))
    }

    /// The message, and the first way out: for a failure that is reported as part of something else.
    pub(crate) fn into_parts(self) -> (String, Option<String>) {
        (self.message, self.hints.into_iter().next())
    }

    /// Says it on standard error.
    pub(crate) fn report(self) -> ExitCode {
        for line in self.message.lines() {
            crate::output::note(format!("error: {line}"));
        }
        for hint in self.hints {
            crate::output::note(format!("hint: {hint}"));
        }
        self.code
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::InUse => Self::new(ExitCode::InUse, "an engine has this run already")
                .hint("`runbook attach RUN` shows it, `runbook cancel RUN` ends it"),
            EngineError::Locked { ref holder, .. } => {
                let failure = Self::new(ExitCode::InUse, &error);
                match holder {
                    None => failure.hint("`runbook locks` lists who holds which lock"),
                    Some(holder) => {
                        failure.hint(format!("it is held since {}", moment(holder.since.0))).also(look_at(holder))
                    }
                }
            }
            EngineError::Precondition(_) | EngineError::Unsigned(_) => Self::new(ExitCode::Precondition, error),
            EngineError::Journal(ref journal) => {
                let hint = journal.hint();
                let failure = Self::new(ExitCode::Internal, with_causes(&error));
                hint.into_iter().fold(failure, Self::also)
            }
            EngineError::Illegal(_) | EngineError::Supervisor(_) | EngineError::Io(_) => {
                Self::new(ExitCode::Internal, with_causes(&error))
            }
        }
    }
}

/// The command that shows the run that holds a lock.
pub(crate) fn look_at(holder: &LockHolder) -> String {
    format!("runbook status {} --state {}", holder.run, visible_line(&holder.state))
}

/// An error with all its causes, each said once: what a library says first may hide why.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = plain(cause.to_string());
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// What the system says. The store hands on a copy of its error, whose text is `Os { code: 28, … }`.
fn plain(text: String) -> String {
    let code = text.strip_prefix("Os { code: ").and_then(|rest| rest.split_once(',')?.0.parse().ok());
    code.map_or(text, |code| std::io::Error::from_raw_os_error(code).to_string())
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let hint = error.hint();
        hint.into_iter().fold(Self::new(ExitCode::Precondition, error), Self::also)
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let hint = "`runbook runs` lists them; `last` is the newest";
        match error {
            FindError::Io(_, ref cause) if is_elsewhere(cause.kind()) => Self::new(ExitCode::Precondition, error)
                .hint("name the state folder with `--state DIR` or `RUNBOOK_STATE`"),
            FindError::Io(..) => Self::new(ExitCode::Internal, error),
            FindError::None(..) | FindError::Empty(_) | FindError::NoneOfYours(_) | FindError::Ambiguous(..) => {
                Self::new(ExitCode::Usage, error).hint(hint)
            }
        }
    }
}

/// Whether the path itself is wrong, rather than the disk below it.
fn is_elsewhere(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::io;

    use runbook_journal::JournalError;

    use super::*;

    fn full_disk() -> EngineError {
        let source = io::Error::from_raw_os_error(28);
        JournalError::Io { dir: "/state/journal".into(), action: "write the database", source }.into()
    }

    #[test]
    fn a_full_disk_is_said_once_with_what_to_do() {
        let text = Failure::from(full_disk()).also("runbook resume 01KB3").text();
        assert_eq!(text.matches("No space left on device").count(), 1, "{text}");
        assert!(text.starts_with("failed to write the database in the journal `/state/journal`: No space"), "{text}");
        assert!(text.contains("see that the disk has room") && text.ends_with("runbook resume 01KB3"), "{text}");
        let copied = io::Error::new(ErrorKind::StorageFull, format!("{:?}", io::Error::from_raw_os_error(28)));
        let error = JournalError::Io { dir: "/journal".into(), action: "write", source: copied };
        assert!(with_causes(&error).ends_with(": No space left on device (os error 28)"), "{}", with_causes(&error));
        let text = with_causes(&EngineError::Io(io::Error::from_raw_os_error(28)));
        assert_eq!(text.matches("No space left on device").count(), 1, "{text}");
    }
}
