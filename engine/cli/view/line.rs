//! One thing that happened, as one line: what is told is the same whether it comes from records or from snapshots.

use runbook_runtime::folder::RunFolder;

use super::paint::{Paint, Tone};
use super::summary::log_lines;
use super::tail;
use super::text::{clock, visible_line};

/// How many lines of its log a failed attempt is shown with.
const LOG_LINES: usize = 5;

/// One line of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it happened.
    pub(crate) at: u64,
    /// What it means to the person who looks.
    pub(crate) tone: Tone,
    /// What happened.
    pub(crate) text: String,
    /// The log that explains it, by its name without ending.
    pub(crate) log: Option<String>,
    /// Whether the live view shows the same by itself.
    pub(crate) is_start: bool,
}

impl Line {
    /// A line.
    pub(crate) fn new(at: u64, tone: Tone, text: impl AsRef<str>) -> Self {
        Self { at, tone, text: visible_line(text.as_ref()), log: None, is_start: false }
    }

    /// That something began.
    pub(crate) fn start(at: u64, text: impl AsRef<str>) -> Self {
        Self { is_start: true, ..Self::new(at, Tone::Active, text) }
    }

    /// With the log that explains it.
    pub(crate) fn with_log(self, log: Option<String>) -> Self {
        Self { log, ..self }
    }

    /// As it is printed, the end of its log below it.
    pub(crate) fn print(&self, folder: &RunFolder, paint: Paint) -> Vec<String> {
        let text = if self.tone == Tone::Active { self.text.clone() } else { paint.tone(self.tone, &self.text) };
        let mut lines = vec![format!("{} {text}", paint.dim(&clock(self.at)))];
        let tail = self.log.as_ref().and_then(|log| tail::of_failure(folder, log, LOG_LINES));
        lines.extend(log_lines(tail.as_ref(), paint));
        lines
    }
}

/// ` (attempt 2 of 3)`; nothing where there is only one.
pub(crate) fn attempt(number: u32, of: Option<u32>) -> String {
    match of {
        Some(of) if of > 1 && number <= of => format!(" (attempt {number} of {of})"),
        _ if number > 1 => format!(" (attempt {number})"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_named_where_there_may_be_several() {
        assert_eq!(attempt(1, None), "");
        assert_eq!(attempt(1, Some(1)), "");
        assert_eq!(attempt(2, Some(3)), " (attempt 2 of 3)");
        assert_eq!(attempt(2, None), " (attempt 2)");
        // A rerun after an interruption does not count against the attempts.
        assert_eq!(attempt(4, Some(3)), " (attempt 4)");
    }
}
