//! How many steps are how.

use runbook_runtime::status::Status;

/// Counts of steps; blocks are not counted, their steps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) all: usize,
    pub(crate) succeeded: usize,
    pub(crate) already_done: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// Blocked: they never started.
    pub(crate) blocked: usize,
    pub(crate) cancelled: usize,
    pub(crate) running: usize,
    pub(crate) waiting: usize,
}

impl Tally {
    /// Of a snapshot.
    pub(crate) fn of(status: &Status) -> Self {
        let mut tally = Self::default();
        for step in status.steps.iter().filter(|step| !step.is_block) {
            tally.all += 1;
            match step.state.as_str() {
                "succeeded" if step.already_done => tally.already_done += 1,
                "succeeded" => tally.succeeded += 1,
                "failed" => tally.failed += 1,
                "skipped" => tally.skipped += 1,
                "blocked" => tally.blocked += 1,
                "cancelled" => tally.cancelled += 1,
                "running" | "retrying" => tally.running += 1,
                "waiting" => tally.waiting += 1,
                _ => {}
            }
        }
        tally
    }

    /// Steps to which nothing more happens.
    pub(crate) fn done(&self) -> usize {
        self.succeeded + self.already_done + self.failed + self.skipped + self.blocked + self.cancelled
    }

    /// Such as `12/40 done, 3 running, 1 waiting`.
    pub(crate) fn progress(&self) -> String {
        let mut text = format!("{}/{} done", self.done(), self.all);
        for (number, word) in [(self.running, "running"), (self.waiting, "waiting"), (self.failed, "failed")] {
            if number > 0 {
                text.push_str(&format!(", {number} {word}"));
            }
        }
        text
    }

    /// Such as `12 succeeded, 1 failed, 3 skipped`.
    pub(crate) fn words(&self) -> String {
        let counts = [
            (self.succeeded, "succeeded"),
            (self.already_done, "already done"),
            (self.failed, "failed"),
            (self.skipped, "skipped"),
            (self.cancelled, "cancelled"),
            (self.blocked, "not started"),
            (self.all - self.done(), "to do"),
        ];
        let words: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if words.is_empty() { "no steps".to_owned() } else { words.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn blocks_are_not_counted() {
        let mut status = samples::waiting();
        status.steps[0].is_block = true;
        let tally = Tally::of(&status);
        assert_eq!(tally.progress(), "0/3 done, 1 running, 1 waiting");
        assert_eq!(tally.words(), "3 to do");
        assert_eq!(Tally::of(&samples::rolled_back()).words(), "2 succeeded, 1 failed, 1 not started");
        assert_eq!(Tally::default().words(), "no steps");
    }
}
