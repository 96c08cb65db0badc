//! Pages.

use super::Page;

pub(super) const UNKNOWN_NEED: Page = Page { title: "unknown step in `needs`", explanation: "", wrong: "", right: "" };
pub(super) const UNREACHABLE_NEED: Page =
    Page { title: "a step that cannot be waited for", explanation: "", wrong: "", right: "" };
pub(super) const CYCLE: Page = Page { title: "steps that wait for each other", explanation: "", wrong: "", right: "" };
