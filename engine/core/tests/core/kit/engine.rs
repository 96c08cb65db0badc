//! One engine: decides, keeps the journal, and checks each decision.

use std::rc::Rc;

use runbook_core::decide;
use runbook_core::event::Event;
use runbook_core::input::Input;
use runbook_core::run::Run;
use runbook_core::units::Timestamp;

use super::check;
use super::expr::Mini;

/// What was made durable at once.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) at: Timestamp,
    pub(crate) events: Vec<Event>,
}

/// How much is checked after each decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// Only what costs nothing.
    Few,
    /// All.
    All,
}

/// A run in the hands of an engine.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) run: Run,
    /// The fold of the journal.
    shadow: Run,
    pub(crate) now: u64,
    pub(crate) journal: Vec<Rc<Batch>>,
    pub(crate) checks: Checks,
    /// The last input that was followed by events.
    pub(crate) last: Option<Input>,
}

impl Engine {
    /// Before anything has happened.
    pub(crate) fn new(checks: Checks) -> Self {
        Self { run: Run::default(), shadow: Run::default(), now: 0, journal: vec![], checks, last: None }
    }

    /// After a crash: all that is left is the journal.
    pub(crate) fn recovered(journal: &[Rc<Batch>], now: u64, checks: Checks) -> Self {
        let run = fold(journal);
        let shadow = if checks == Checks::All { run.clone() } else { Run::default() };
        Self { run, shadow, now, journal: journal.to_vec(), checks, last: None }
    }

    /// Tells the engine something; gives what was decided.
    pub(crate) fn tell(&mut self, input: Input) -> Rc<Batch> {
        let at = Timestamp(self.now);
        let before = std::mem::take(&mut self.run);
        let copy = (self.checks == Checks::All).then(|| before.clone());
        let decision = decide(before, input.clone(), at, &Mini)
            .unwrap_or_else(|illegal| panic!("{input:?} at {at:?} led to an illegal event: {illegal}"));
        self.run = decision.run;
        let batch = Rc::new(Batch { at, events: decision.events });
        if let Some(before) = copy {
            self.check(&before, &input, &batch);
        }
        if !batch.events.is_empty() {
            self.journal.push(batch.clone());
            self.last = Some(input);
        }
        batch
    }

    fn check(&mut self, before: &Run, input: &Input, batch: &Batch) {
        let again = decide(before.clone(), input.clone(), batch.at, &Mini).expect("the same input once more");
        assert_eq!(again.events, batch.events, "the same input leads to other events");
        for event in &batch.events {
            assert_eq!(*event, written_and_read(event), "an event is another one when it is read");
            let was = self.shadow.clone();
            self.shadow.apply(event, batch.at).unwrap_or_else(|illegal| panic!("replay: {illegal}"));
            check::event(&was, event, &self.shadow);
            assert!(self.shadow.is_derived(), "what is kept beside the steps does not follow from them: {event:?}");
        }
        assert!(self.shadow == self.run, "the fold of the events is not the state:\n{:?}\n{:?}", self.shadow, self.run);
        check::state(&self.run);
        check::once(&self.run, input, batch.at);
    }
}

/// An event as another engine finds it. What is checked once need not be done again for each crash of the same run.
fn written_and_read(event: &Event) -> Event {
    let text = serde_json::to_vec(event).expect("an event is JSON");
    serde_json::from_slice(&text).expect("an event comes back")
}

/// The state that a journal leads to.
pub(crate) fn fold(journal: &[Rc<Batch>]) -> Run {
    let mut run = Run::default();
    for batch in journal {
        for event in &batch.events {
            run.apply(event, batch.at).unwrap_or_else(|illegal| panic!("replay: {illegal}"));
        }
    }
    run
}
