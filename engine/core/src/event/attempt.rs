//! The names of attempts.

use serde::{Deserialize, Serialize};

use crate::units::StepId;

/// Of a step, of its undo, or of the look whether it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The step itself.
    Do,
    /// Its undo.
    Undo,
    /// Its `done_when`.
    Probe,
}

impl Phase {
    /// What stands behind the id of the step in names of files.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Do => "",
            Self::Undo => ".undo",
            Self::Probe => ".probe",
        }
    }
}

/// One attempt, or one poll of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptId {
    /// Of which step.
    pub step: StepId,
    /// Of the step, its undo, or its `done_when`.
    pub phase: Phase,
    /// Counted from 1.
    pub number: u32,
    /// Counted from 1; 1 where nothing is polled.
    pub poll: u32,
}

impl AttemptId {
    /// The first poll of an attempt.
    pub fn first(step: StepId, phase: Phase, number: u32) -> Self {
        Self { step, phase, number, poll: 1 }
    }

    /// The poll after this one.
    #[must_use]
    pub fn next_poll(&self) -> Self {
        Self { poll: self.poll + 1, ..self.clone() }
    }
}

/// `<step>.<number>`, `<step>.undo.<number>`, `<step>.probe.<number>`, and `.<poll>` behind it from the second poll on: safe as a file name.
impl std::fmt::Display for AttemptId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}{}.{}", self.step, self.phase.suffix(), self.number)?;
        if self.poll > 1 { write!(out, ".{}", self.poll) } else { Ok(()) }
    }
}

/// A process of an attempt that was interrupted, and that lives on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Its number.
    pub pid: u32,
    /// Its command line, for people; secrets are masked in it.
    pub command: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}
