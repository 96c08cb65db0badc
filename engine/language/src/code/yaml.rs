//! Pages.

use super::Page;

pub(super) const SYNTAX: Page = Page { title: "this is not YAML", explanation: "", wrong: "", right: "" };
pub(super) const TOO_LARGE: Page =
    Page { title: "the file is too large or too deep", explanation: "", wrong: "", right: "" };
pub(super) const UNSUPPORTED: Page =
    Page { title: "YAML that runbooks do not use", explanation: "", wrong: "", right: "" };
pub(super) const DOUBLED_KEY: Page = Page { title: "the same key twice", explanation: "", wrong: "", right: "" };
