//! Pages.

use super::Page;

pub(super) const UNKNOWN_SECRET: Page = Page { title: "unknown secret", explanation: "", wrong: "", right: "" };
pub(super) const SECRET_IN_TEMPLATE: Page =
    Page { title: "a secret in an expression", explanation: "", wrong: "", right: "" };
pub(super) const SECRET_PLACE: Page =
    Page { title: "a secret where none can go", explanation: "", wrong: "", right: "" };
pub(super) const RESERVED_ENV: Page =
    Page { title: "a reserved environment variable", explanation: "", wrong: "", right: "" };
pub(super) const DOUBLED_ENV: Page =
    Page { title: "two sources of one environment variable", explanation: "", wrong: "", right: "" };
pub(super) const INVALID_ENV: Page =
    Page { title: "not the name of an environment variable", explanation: "", wrong: "", right: "" };
