//! What there is to say about a code.

use super::Code;

/// What there is to say about a code.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// What is wrong, as a fragment.
    pub title: &'static str,
    /// Why it is an error, and what to do.
    pub explanation: &'static str,
    /// A file with just this mistake.
    pub wrong: &'static str,
    /// The same without it.
    pub right: &'static str,
}

impl Page {
    /// As a page of `docs/diagnostics/`.
    pub fn to_markdown(&self, code: Code) -> String {
        let kind = if self.wrong.contains("runbooks =") { "toml" } else { "yaml" };
        format!(
            "# {code}: {}\n\n{}\n\n## Wrong\n\n```{kind}\n{}```\n\n## Right\n\n```{kind}\n{}```\n",
            self.title, self.explanation, self.wrong, self.right
        )
    }
}
