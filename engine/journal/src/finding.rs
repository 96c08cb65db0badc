//! What can be wrong with a record, in words for people and for programs.

use runbook_core::units::Digest;

/// One thing that is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// With which line, counted from 1.
    pub line: u64,
    /// What.
    pub wrong: Wrong,
}

/// What is wrong with a line of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is no line of a record.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It says what a record says, in other bytes.
    #[error("it is not written as a record is: other spaces, another order or other forms of the same")]
    Form,
    /// It has another number than its place.
    #[error("it is number {found}, in the place of number {expected}: {}", how(*.expected, *.found))]
    Order {
        /// The number that belongs there.
        expected: u64,
        /// The number that it has.
        found: u64,
    },
    /// It is the first, and carries a hash of one before.
    #[error("it is the first, and says that there was one before it")]
    First,
    /// The next line carries another hash than this one has.
    #[error(
        "its hash is {}, and line {next} says {}: it was altered, or line {next}, or lines before together with it",
        short(actual),
        short(carried)
    )]
    Chain {
        /// The line that follows it.
        next: u64,
        /// What that one carries.
        carried: Digest,
        /// The hash of this one.
        actual: Digest,
    },
    /// It is a seal that does not hold.
    #[error("the seal does not hold: {0}")]
    Seal(String),
    /// The plan is not the one that was checked.
    #[error("its plan has the digest {}, and it says {}", short(actual), short(says))]
    Plan {
        /// What the line says.
        says: Digest,
        /// The digest of the plan in it.
        actual: Digest,
    },
    /// No run can have gone so.
    #[error("no run can have gone so: {0}")]
    Illegal(String),
    /// It has no newline.
    #[error("its end is cut off")]
    Cut,
    /// No seal follows the last line.
    #[error("not sealed: {}", if *.has_ended { "the run has ended, and no seal follows; `runbook resume` seals it" } else { "the run has not ended, or its end is cut off" })]
    Unsealed {
        /// Whether the run has ended.
        has_ended: bool,
    },
}

impl Wrong {
    /// One word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Form => "form",
            Self::Order { .. } => "order",
            Self::First | Self::Chain { .. } => "chain",
            Self::Seal(_) => "seal",
            Self::Plan { .. } => "plan",
            Self::Illegal(_) => "illegal",
            Self::Cut => "cut",
            Self::Unsealed { .. } => "not_sealed",
        }
    }
}

fn how(expected: u64, found: u64) -> String {
    if found < expected {
        return "a line is there twice, or was moved".to_owned();
    }
    match found - expected {
        1 => format!("number {expected} was removed or moved"),
        _ => format!("numbers {expected} to {} were removed or moved", found - 1),
    }
}

/// Enough of a hash to tell it from another.
fn short(digest: &Digest) -> String {
    format!("{}…", digest.as_str().chars().take(12).collect::<String>())
}
