//! Why a command failed: a message, a way out, an exit code. Mapped from the errors of the libraries once, here.

use std::fmt::Display;

use runbook_runtime::EngineError;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::FindError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: ExitCode,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure with its exit code; the message is a fragment that fits after `error: `.
    pub(crate) fn new(code: ExitCode, message: impl Display) -> Self {
        Self { code, message: message.to_string(), hint: None }
    }

    /// Adds a way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message with its way out.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.message, self.hint.as_deref().unwrap_or_default())
    }

    /// Says it on standard error.
    pub(crate) fn report(self) -> ExitCode {
        for line in self.message.lines() {
            crate::output::note(format!("error: {line}"));
        }
        if let Some(hint) = self.hint {
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
            EngineError::Precondition(_) => Self::new(ExitCode::Precondition, error),
            EngineError::Journal(_) | EngineError::Illegal(_) | EngineError::Supervisor(_) | EngineError::Io(_) => {
                Self::new(ExitCode::Internal, error)
            }
        }
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        let hint = "`runbook runs` lists them; `last` is the newest";
        match error {
            FindError::Io(..) => Self::new(ExitCode::Internal, error),
            FindError::None(..) | FindError::Empty(_) | FindError::Ambiguous(..) => {
                Self::new(ExitCode::Usage, error).hint(hint)
            }
        }
    }
}
