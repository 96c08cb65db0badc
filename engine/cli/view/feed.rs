//! Between the engine and what prints: the engine only ever adds to it, whatever becomes of the printing.
//!
//! ```text
//! engine ──records, snapshots──► Feed ──batches──► a thread that prints, for as long as somebody reads
//! ```
//!
//! A snapshot replaces the one before. Lines are kept up to a bound; when nobody reads for so long, the oldest go.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runbook_core::event::{Event, QuestionKind};
use runbook_core::run::Run;
use runbook_journal::Record;
use runbook_runtime::Reporter;
use runbook_runtime::status::Status;

use super::line::Line;
use super::{json, records};

/// As many lines as a person could want to read later; about 10 MB at the most.
const LINES_MAX: usize = 50_000;

/// How long one who prints may be stuck before the program ends without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What waits to be printed.
#[derive(Default)]
pub(crate) struct Feed {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    /// Batches taken so far: as long as it grows, somebody reads.
    taken: u64,
    is_over: bool,
}

/// What came since the last time.
#[derive(Default)]
pub(crate) struct Batch {
    /// What happened.
    pub(crate) lines: VecDeque<Line>,
    /// How many lines went because nobody read them.
    pub(crate) dropped: usize,
    /// The records as JSON.
    pub(crate) json: VecDeque<String>,
    /// The newest snapshot.
    pub(crate) status: Option<Status>,
    /// Questions to which an answer was refused.
    pub(crate) refused: Vec<String>,
    /// The most attempts of each step that has more than one.
    pub(crate) attempts_max: Option<BTreeMap<String, u32>>,
    /// Whether this is all that ever comes.
    pub(crate) is_last: bool,
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is half done when a thread that holds it panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something.
    pub(crate) fn add(&self, add: impl FnOnce(&mut Batch)) {
        let mut waiting = self.lock();
        add(&mut waiting.batch);
        let too_many = waiting.batch.lines.len().saturating_sub(LINES_MAX);
        waiting.batch.lines.drain(..too_many);
        waiting.batch.dropped += too_many;
        self.changed.notify_all();
    }

    /// Waits for something new, or for a while, and takes all there is.
    pub(crate) fn take(&self, at_most: Option<Duration>) -> Batch {
        let waiting = self.lock();
        let is_idle = |waiting: &mut Waiting| waiting.batch.is_empty();
        let mut waiting = match at_most {
            Some(time) => {
                self.changed.wait_timeout_while(waiting, time, is_idle).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner),
        };
        waiting.taken += 1;
        std::mem::take(&mut waiting.batch)
    }

    /// Says that all is printed.
    pub(crate) fn is_printed(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Waits until all is printed; with `patience`, only as long as printing goes on.
    pub(crate) fn wait_until_printed(&self, has_patience_end: bool) {
        let mut waiting = self.lock();
        while !waiting.is_over {
            let taken = waiting.taken;
            let (again, time) = self.changed.wait_timeout(waiting, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            waiting = again;
            if has_patience_end && time.timed_out() && waiting.taken == taken {
                return;
            }
        }
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        let has_text = !self.lines.is_empty() || !self.json.is_empty();
        !(has_text || self.status.is_some() || !self.refused.is_empty() || self.is_last)
    }
}

/// Tells a feed for people what the engine does.
pub(crate) struct ForPeople(pub(crate) Arc<Feed>);

impl Reporter for ForPeople {
    fn records(&mut self, records: &[Record], run: &Run) {
        let lines = records::lines(records, run);
        let refused = |record: &Record| match &record.event {
            Event::AnswerRefused { question, .. } => Some(question.0.clone()),
            // The verb may have been the answer to what follows on a failure.
            Event::VerbRefused(_) => {
                let asks = run.questions().values().find(|question| question.kind == QuestionKind::Failure);
                asks.map(|question| question.id.0.clone())
            }
            _ => None,
        };
        let refused: Vec<String> = records.iter().filter_map(refused).collect();
        let is_start = records.iter().any(|record| matches!(record.event, Event::EngineStarted { .. }));
        self.0.add(|batch| {
            batch.lines.extend(lines);
            batch.refused.extend(refused);
            if is_start {
                batch.attempts_max = Some(attempts_max(run));
            }
        });
    }

    fn status(&mut self, status: &Status) {
        let status = status.clone();
        self.0.add(|batch| batch.status = Some(status));
    }
}

fn attempts_max(run: &Run) -> BTreeMap<String, u32> {
    let of = run.steps().filter_map(|(_, step, _)| Some((step.id.to_string(), step.retry.as_ref()?.attempts_max)));
    of.filter(|(_, max)| *max > 1).collect()
}

/// Tells a feed for programs what the engine does.
pub(crate) struct ForPrograms(pub(crate) Arc<Feed>);

impl Reporter for ForPrograms {
    fn records(&mut self, records: &[Record], run: &Run) {
        let first = records.first().and_then(|record| json::first(record, run));
        let lines: Vec<String> = first.into_iter().chain(records.iter().map(json::line)).collect();
        self.0.add(|batch| batch.json.extend(lines));
    }

    fn status(&mut self, _: &Status) {}
}

#[cfg(test)]
mod tests {
    use super::super::paint::Tone;
    use super::super::samples;
    use super::*;

    #[test]
    fn snapshots_replace_each_other_and_old_lines_go_when_nobody_reads() {
        let feed = Feed::default();
        for number in 0..LINES_MAX + 10 {
            feed.add(|batch| batch.lines.push_back(Line::new(number as u64, Tone::Quiet, "x")));
        }
        for now in [1, 2] {
            let mut status = samples::waiting();
            status.updated_at = now;
            feed.add(|batch| batch.status = Some(status));
        }
        let batch = feed.take(None);
        assert_eq!((batch.lines.len(), batch.dropped, batch.lines[0].at), (LINES_MAX, 10, 10));
        assert_eq!(batch.status.unwrap().updated_at, 2);
        assert!(feed.take(Some(Duration::ZERO)).is_empty());
    }

    #[test]
    fn the_end_waits_for_the_printing() {
        let feed = Arc::new(Feed::default());
        feed.add(|batch| batch.is_last = true);
        let other = feed.clone();
        let printer = std::thread::spawn(move || {
            assert!(other.take(None).is_last);
            other.is_printed();
        });
        feed.wait_until_printed(true);
        printer.join().unwrap();
    }
}
