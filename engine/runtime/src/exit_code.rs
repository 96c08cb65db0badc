//! The exit codes of the program: one enum, the same everywhere.

use runbook_core::event::{Cause, EndState};

/// How a command of the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// The run succeeded, or the command did what it was told.
    Succeeded = 0,
    /// The run failed.
    Failed = 1,
    /// The run failed and what it had done is undone.
    RolledBack = 2,
    /// A runbook or environment is invalid.
    Invalid = 3,
    /// A precondition, parameter or secret is not met.
    Precondition = 4,
    /// A rollback failed: a person has to look.
    Stuck = 5,
    /// Left at a question.
    Waiting = 6,
    /// An approval was refused or expired.
    Rejected = 7,
    /// A lock, or the run, is in use.
    InUse = 8,
    /// A person ended the run.
    Cancelled = 10,
    /// The engine itself failed.
    Internal = 20,
    /// The command line makes no sense.
    Usage = 64,
}

impl ExitCode {
    /// All codes with what they mean, in order: for help and docs.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Succeeded, "succeeded"),
        (Self::Failed, "failed"),
        (Self::RolledBack, "failed, and rolled back"),
        (Self::Invalid, "a runbook or environment is invalid"),
        (Self::Precondition, "a precondition, parameter or secret is not met"),
        (Self::Stuck, "stuck: a rollback failed"),
        (Self::Waiting, "waiting: left at a question"),
        (Self::Rejected, "an approval was rejected or expired, rolled back or not"),
        (Self::InUse, "a lock, or the run, is in use"),
        (Self::Cancelled, "cancelled, rolled back or not"),
        (Self::Internal, "the engine itself failed"),
        (Self::Usage, "the command line makes no sense"),
    ];

    /// The code of a run that ended.
    pub fn of(state: EndState, cause: &Cause) -> Self {
        match (state, cause) {
            (EndState::Stuck, _) => Self::Stuck,
            (_, Cause::Lock(_)) => Self::InUse,
            (_, Cause::Rejected(_)) => Self::Rejected,
            (_, Cause::Cancelled) => Self::Cancelled,
            (_, Cause::Service(_)) => Self::Precondition,
            (EndState::RolledBack, _) => Self::RolledBack,
            (EndState::Failed, _) => Self::Failed,
            (EndState::Cancelled, _) => Self::Cancelled,
            (EndState::Succeeded, _) => Self::Succeeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::units::StepId;

    #[test]
    fn stuck_wins_over_rejected_over_cancelled_over_rolled_back() {
        let step = StepId::new("a");
        let of = ExitCode::of;
        assert_eq!(of(EndState::Stuck, &Cause::Undo(step.clone())), ExitCode::Stuck);
        assert_eq!(of(EndState::RolledBack, &Cause::Rejected(step.clone())), ExitCode::Rejected);
        assert_eq!(of(EndState::RolledBack, &Cause::Cancelled), ExitCode::Cancelled);
        assert_eq!(of(EndState::RolledBack, &Cause::Step(step.clone())), ExitCode::RolledBack);
        assert_eq!(of(EndState::Failed, &Cause::Step(step)), ExitCode::Failed);
        assert_eq!(of(EndState::Succeeded, &Cause::None), ExitCode::Succeeded);
    }
}
