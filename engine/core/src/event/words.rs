//! How ends and failures read as phrases.

use super::{Cause, ChildEnd, EndState, Failure};
use crate::input::Exit;
use crate::units::format_duration;

/// So many failed steps are named; the record has all.
const NAMED_MAX: usize = 10;

/// How a process or request ended, as a phrase.
impl std::fmt::Display for Exit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(out, "exit code {code}"),
            Self::Signal(signal) => write!(out, "ended by signal {signal}"),
            Self::Status(status) => write!(out, "HTTP status {status}"),
            Self::Error(reason) => out.write_str(reason),
            Self::Done => out.write_str("done"),
        }
    }
}

/// Why something failed, as a phrase.
impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exit(exit) => exit.fmt(out),
            Self::Timeout(ms) => write!(out, "took longer than {}", format_duration(*ms)),
            Self::Evaluate(reason) | Self::Assert(reason) => out.write_str(reason),
            Self::Rejected { by, reason: Some(reason) } => write!(out, "rejected by {}: {reason}", by.name),
            Self::Rejected { by, reason: None } => write!(out, "rejected by {}", by.name),
            Self::Expired => out.write_str("nobody answered in time"),
            Self::Interrupted => out.write_str("interrupted"),
            Self::Cancelled => out.write_str("cancelled"),
            Self::Steps(steps) => {
                let names: Vec<_> = steps.iter().take(NAMED_MAX).map(|step| format!("`{step}`")).collect();
                let more = match steps.len().saturating_sub(NAMED_MAX) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(out, "{}{more} failed", names.join(", "))
            }
            Self::Plugin(said) => write!(out, "{said}"),
            Self::NoCase(value) => write!(out, "no case fits `{value}`"),
            Self::Lock { name, holder: None } => write!(out, "the lock `{name}` is held"),
            Self::Lock { name, holder: Some(holder) } => write!(out, "the lock `{name}` is held by {holder}"),
            Self::LockCycle { name, steps } => {
                let names: Vec<_> = steps.iter().chain(steps.first()).map(ToString::to_string).collect();
                write!(
                    out,
                    "the lock `{name}` can never be free: these steps wait for each other: {}",
                    names.join(" -> ")
                )
            }
            Self::Child(end) => end.fmt(out),
            Self::Tripped(found) => write!(out, "tripped: {found}"),
        }
    }
}

/// How a child run ended, as a phrase.
impl std::fmt::Display for ChildEnd {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.state {
            EndState::Succeeded => "succeeded",
            EndState::Failed => "failed",
            EndState::RolledBack => "was rolled back",
            EndState::Stuck => "is stuck",
            EndState::Cancelled => "was cancelled",
        };
        write!(out, "the child run {} {how}", self.run)?;
        match &self.cause {
            Cause::None | Cause::Cancelled | Cause::Rollback => Ok(()),
            Cause::Step(step) | Cause::Always(step) => write!(out, ": `{step}` failed"),
            Cause::Rejected(step) => write!(out, ": `{step}` was not approved"),
            Cause::Undo(step) => write!(out, ": the undo of `{step}` failed"),
            Cause::Service(service) => write!(out, ": the service `{service}` did not come up"),
            Cause::Lock(name) => write!(out, ": the lock `{name}` was held by another run"),
            Cause::Outputs(reason) => write!(out, ": {reason}"),
        }
    }
}
