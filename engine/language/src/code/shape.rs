//! Pages.

use super::Page;

pub(super) const UNKNOWN_KEY: Page = Page { title: "unknown key", explanation: "", wrong: "", right: "" };
pub(super) const MISSING_KEY: Page = Page { title: "missing key", explanation: "", wrong: "", right: "" };
pub(super) const WRONG_TYPE: Page = Page { title: "wrong type", explanation: "", wrong: "", right: "" };
pub(super) const WRONG_VALUE: Page = Page { title: "wrong value", explanation: "", wrong: "", right: "" };
pub(super) const NOT_YET: Page = Page { title: "not supported by this version", explanation: "", wrong: "", right: "" };
pub(super) const DURATION: Page = Page { title: "not a duration", explanation: "", wrong: "", right: "" };
pub(super) const INVALID_ID: Page = Page { title: "not an id", explanation: "", wrong: "", right: "" };
pub(super) const DOUBLED_ID: Page = Page { title: "the same id twice", explanation: "", wrong: "", right: "" };
pub(super) const ACTIONS: Page = Page { title: "not exactly one action", explanation: "", wrong: "", right: "" };
pub(super) const MISPLACED: Page =
    Page { title: "a key that makes no sense here", explanation: "", wrong: "", right: "" };
pub(super) const EMPTY: Page = Page { title: "nothing to do", explanation: "", wrong: "", right: "" };
