//! Pages.

use super::Page;

pub(super) const EXPRESSION_SYNTAX: Page = Page { title: "not an expression", explanation: "", wrong: "", right: "" };
pub(super) const UNKNOWN_NAME: Page = Page { title: "unknown name", explanation: "", wrong: "", right: "" };
pub(super) const UNKNOWN_STEP: Page =
    Page { title: "unknown step in an expression", explanation: "", wrong: "", right: "" };
pub(super) const READ_TOO_EARLY: Page =
    Page { title: "a step that may not have ended yet", explanation: "", wrong: "", right: "" };
pub(super) const UNKNOWN_OUTPUT: Page = Page { title: "unknown output", explanation: "", wrong: "", right: "" };
pub(super) const UNCERTAIN_OUTPUT: Page =
    Page { title: "an output that may be missing", explanation: "", wrong: "", right: "" };
