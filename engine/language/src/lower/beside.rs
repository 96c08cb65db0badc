//! What runs beside the steps.

use runbook_core::plan::{Beside, Deadline};
use runbook_core::units::parse_duration;

use super::Lowering;
use super::site::Site;
use super::template::literal_text;
use crate::code::Code;

impl Lowering<'_, '_> {
    /// What makes a step run beside the others, if it does; none within when that cannot be used, which has been reported.
    pub(crate) fn beside(&mut self, at: usize) -> Option<Option<Beside>> {
        let item = &self.outline.items[at];
        let Some(doc) = item.deadline else { return Some(item.beside.map(|_| Beside::Within)) };
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
        Some(Some(Beside::Deadline(Box::new(Deadline { after, unless }))))
    }
}
