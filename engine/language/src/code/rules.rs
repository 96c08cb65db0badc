//! Pages.

use super::Page;

pub(super) const APPROVAL_FROM: Page =
    Page { title: "an approval without `from`", explanation: "", wrong: "", right: "" };
pub(super) const UNDO_OF_BLOCK: Page = Page { title: "a rollback on a block", explanation: "", wrong: "", right: "" };
pub(super) const UNDO_OF_IRREVERSIBLE: Page =
    Page { title: "both a rollback and irreversible", explanation: "", wrong: "", right: "" };
pub(super) const EVERY_WITHOUT_UNTIL: Page =
    Page { title: "`every` without `until`", explanation: "", wrong: "", right: "" };
pub(super) const PARAM_VALUE: Page =
    Page { title: "a value that does not fit its param", explanation: "", wrong: "", right: "" };
pub(super) const IMPOSSIBLE_CASE: Page =
    Page { title: "a case that is never taken", explanation: "", wrong: "", right: "" };
pub(super) const MISSING_CASE: Page = Page { title: "a value without a case", explanation: "", wrong: "", right: "" };
pub(super) const UNUSED_SECRET: Page =
    Page { title: "a secret that is never used", explanation: "", wrong: "", right: "" };
pub(super) const TEMPLATE_IN_SCRIPT: Page =
    Page { title: "a template in a script", explanation: "", wrong: "", right: "" };
