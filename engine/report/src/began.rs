//! When each step began for the last time: one that a person had start over did not run all the time in between.

use std::collections::BTreeMap;

use runbook_core::event::{Event, Phase};
use runbook_core::units::StepId;
use runbook_journal::Record;

/// When each step began, after the records that it followed.
#[derive(Default)]
pub(crate) struct Began(BTreeMap<StepId, u64>);

impl Began {
    /// After all records.
    pub(crate) fn after(records: &[Record]) -> Self {
        let mut began = Self::default();
        records.iter().for_each(|record| began.follow(record));
        began
    }

    /// Takes the next record. Attempts that are repeated by rule belong to one time.
    pub(crate) fn follow(&mut self, record: &Record) {
        match &record.event {
            Event::AttemptStarted { attempt, .. } if attempt.phase == Phase::Do => {
                self.0.entry(attempt.step.clone()).or_insert(record.at.0);
            }
            Event::StepsReset { steps, .. } => {
                for step in steps {
                    self.0.remove(step);
                }
            }
            _ => {}
        }
    }

    /// When a step began, in milliseconds since 1970; none for one that did not, and for a block.
    pub(crate) fn of(&self, step: &StepId) -> Option<u64> {
        self.0.get(step).copied()
    }
}
