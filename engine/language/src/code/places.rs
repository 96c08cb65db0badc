//! Pages.

use super::Page;

pub(super) const UNKNOWN_ENVIRONMENT_NAME: Page =
    Page { title: "unknown name of the environment", explanation: "", wrong: "", right: "" };
pub(super) const UNKNOWN_SERVICE: Page = Page { title: "unknown service", explanation: "", wrong: "", right: "" };
pub(super) const PROJECT: Page = Page { title: "a mistake in `runbook.toml`", explanation: "", wrong: "", right: "" };
