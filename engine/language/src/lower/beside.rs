//! What runs beside the steps.

use runbook_core::plan::{Beside, Deadline, Guard, OnTrip};
use runbook_core::units::parse_duration;

use super::Lowering;
use super::site::Site;
use super::template::literal_text;
use crate::check::outline::Beyond;
use crate::code::Code;
use crate::document::{DeadlineDoc, GuardDoc, OnTripWord};

/// From one look of a guard to the next where nothing is written, in milliseconds.
const EVERY_MS: u64 = 30_000;

/// A guard that looks more often would fill the record and tell nobody more, in milliseconds.
const EVERY_MS_MIN: u64 = 1_000;

/// How long a look may take where nothing is written, in milliseconds: one that hangs sees nothing.
pub(super) const LOOK_MS: u64 = 10_000;

impl<'d> Lowering<'d, '_> {
    /// What makes a step run beside the others, if it does; none within when that cannot be used, which has been reported.
    pub(crate) fn beside(&mut self, at: usize) -> Option<Option<Beside>> {
        let item = &self.outline.items[at];
        match item.beyond {
            None => Some(item.beside.map(|_| Beside::Within)),
            Some(Beyond::Deadline(doc)) => self.deadline(at, doc).map(Some),
            Some(Beyond::Guard(doc)) => self.guard(at, doc).map(Some),
        }
    }

    fn deadline(&mut self, at: usize, doc: &'d DeadlineDoc) -> Option<Beside> {
        let unless = doc.unless.as_ref().map(|unless| self.expression(&unless.0, &Site::step(at)));
        let node = &doc.after.get()?.0;
        let after = self.scalar(node, &Site::document())?;
        match literal_text(&after).map(parse_duration) {
            Some(Err(error)) => drop(self.found.error(Code::Duration, node.span, error.to_string())),
            Some(Ok(0)) => drop(self.found.error(Code::WrongValue, node.span, "it must be longer than nothing")),
            Some(Ok(_)) | None => {}
        }
        let unless = match unless {
            None => None,
            Some(unless) => Some(unless?),
        };
        Some(Beside::Deadline(Box::new(Deadline { after, unless })))
    }

    fn guard(&mut self, at: usize, doc: &'d GuardDoc) -> Option<Beside> {
        let every_ms = doc.every.as_ref().map_or(EVERY_MS, |every| every.0.value);
        if let Some(every) = doc.every.as_ref().filter(|every| every.0.value < EVERY_MS_MIN) {
            self.found
                .error(Code::WrongValue, every.0.span, "a guard looks once a second at most")
                .help("write `1s` or more: each look is in the record");
        }
        let locals = Self::locals(&doc.probe).of_failure();
        let trip_if = doc.trip_if.get().and_then(|trip_if| self.expression(&trip_if.0, &Site::look(at, locals)));
        let on_trip = match doc.on_trip.get()? {
            OnTripWord::Stop => OnTrip::Stop,
            OnTripWord::Rollback => OnTrip::Rollback,
            OnTripWord::Pause => OnTrip::Pause,
        };
        let trip_after = doc.trip_after.as_ref().map_or(1, |count| count.value);
        Some(Beside::Guard(Box::new(Guard { every_ms, trip_if: trip_if?, trip_after, on_trip })))
    }
}
