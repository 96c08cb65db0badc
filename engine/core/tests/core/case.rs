//! A runbook in a world, and what must hold of it wherever its engine dies.
//!
//! The world and its people outlive the engine. A crash takes no time, so that nothing but the crash differs.

use runbook_core::event::{AttemptId, Event, QuestionKind, Survivor};
use runbook_core::input::{Input, Lost};

use crate::kit::book::Book;
use crate::kit::engine::{Batch, Checks};
use crate::kit::fate::Fate;
use crate::kit::rng::Rng;
use crate::kit::sim::{Ending, Sim};
use crate::random::{Style, random};

/// A runbook in a world.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) book: Book,
    pub(crate) fate: Fate,
    /// Of a long run only about so many moments are tried; none: all.
    pub(crate) moments: Option<usize>,
}

/// A run to its end.
pub(crate) struct History {
    /// Everything after each batch.
    pub(crate) points: Vec<Sim>,
    pub(crate) whole: Sim,
    pub(crate) ending: Ending,
}

impl Case {
    /// The runbook of a seed in the world of that seed.
    pub(crate) fn of(seed: u64, style: Style, fate: Fate) -> Self {
        Self { book: random(seed, style), fate, moments: None }
    }

    /// A run to its end, with the state of everything after each batch.
    pub(crate) fn history(&self, checks: Checks) -> History {
        let mut sim = Sim::created(&self.book, self.fate, checks);
        let mut points = vec![sim.clone()];
        let _ = sim.start_engine();
        points.push(sim.clone());
        while let Some(batch) = sim.step() {
            if !batch.events.is_empty() {
                points.push(sim.clone());
            }
        }
        let ending = sim.ending();
        History { points, whole: sim, ending }
    }

    /// The moments to try, of so many.
    fn tried(&self, points: usize) -> impl Iterator<Item = usize> + use<> {
        let stride = self.moments.map_or(1, |most| points.div_ceil(most).max(1));
        let from = Rng::of(self.fate.seed, "moments").below(stride as u64) as usize;
        (from..points).step_by(stride)
    }

    /// Runs to its end; each decision is checked in every way.
    pub(crate) fn runs(&self) -> Sim {
        let mut sim = Sim::launch(&self.book, self.fate, Checks::All);
        let _ = sim.finish();
        sim
    }

    /// The engine dies behind each batch: the end is the same, and so is what was started. Gives how often it died.
    pub(crate) fn survives_a_crash(&self) -> usize {
        let History { points, whole, ending } = self.history(Checks::Few);
        assert_eq!(points.len(), whole.engine.journal.len(), "a point for each batch of the journal");
        let mut crashes = 0;
        for number in self.tried(points.len()) {
            // Before anything was done about the batch, or after.
            for acted in [false, true] {
                let mut died = points[number].clone();
                if acted {
                    died.world.reconcile(&died.engine.run, died.engine.now);
                }
                let mut resumed = died.resumed(&died.engine.journal, Checks::Few);
                let again = resumed.finish();
                let when = format!("after a crash behind batch {number}, acted: {acted}");
                ending.must_be(&again, &when);
                assert_eq!(whole.started(), resumed.started(), "{when}");
                crashes += 1;
            }
        }
        crashes
    }

    /// Engines that die young come to the same end together. Gives how many there were.
    pub(crate) fn survives_many_crashes(&self) -> usize {
        let History { whole, ending, .. } = self.history(Checks::Few);
        let mut rng = Rng::of(self.fate.seed, "lives");
        let mut sim = Sim::created(&self.book, self.fate, Checks::Few).reborn();
        let mut lives = 0;
        // Each engine decides once or a few times; one more decision says of each service that it answers again, and one
        // for each set of locks that it is held again.
        while !sim.is_over() {
            let born = sim.engine.journal.len();
            let services = self.book.services.len().max(1);
            let life = 1 + services + sim.engine.run.locks().count() + rng.below(3) as usize;
            while sim.engine.journal.len() < born + life && sim.step().is_some() {}
            if rng.percent(50) {
                sim.world.reconcile(&sim.engine.run, sim.engine.now);
            }
            sim = sim.reborn();
            lives += 1;
        }
        ending.must_be(&sim.ending(), "after many crashes");
        assert_eq!(whole.started(), sim.started());
        lives
    }

    /// What was told last before a crash is told again: nothing follows.
    pub(crate) fn may_be_told_again(&self) {
        let History { points, ending, .. } = self.history(Checks::Few);
        for number in self.tried(points.len() - 1) {
            let point = &points[number];
            let mut resumed = point.resumed(&point.engine.journal, Checks::Few);
            let input = resumed.engine.last.clone().expect("an input");
            // A request to cancel is worth what it is worth in the stage in which it is read.
            let again = match input {
                Input::EngineStarted(_) | Input::CancelAsked { .. } => continue,
                input => resumed.engine.tell(input),
            };
            let refused = |event: &Event| {
                matches!(event, Event::AnswerRefused { .. } | Event::ServiceReady { .. } | Event::LocksTaken { .. })
            };
            assert!(again.events.iter().all(refused), "{again:?}");
            ending.must_be(&resumed.finish(), "when it is told again");
        }
    }

    /// Nobody has the run for an hour: it ends all the same, and starts nothing twice.
    pub(crate) fn ends_after_an_hour(&self) {
        let History { points, .. } = self.history(Checks::Few);
        for number in self.tried(points.len() - 1) {
            let mut died = points[number].clone();
            died.world.reconcile(&died.engine.run, died.engine.now);
            died.engine.now += 3_600_000;
            let checks = if number % 4 == 0 { Checks::All } else { Checks::Few };
            let mut resumed = died.resumed(&died.engine.journal, checks);
            let _ = resumed.finish();
            starts_nothing_twice(&resumed);
        }
    }

    /// Engine, supervisor and commands are lost: the run ends, and asks about nothing else.
    pub(crate) fn ends_when_all_is_lost(&self) {
        let History { points, .. } = self.history(Checks::Few);
        for number in self.tried(points.len() - 1) {
            let mut died = points[number].clone();
            died.world.reconcile(&died.engine.run, died.engine.now);
            let lost = died.world.all_lost(&died.engine.run, died.engine.now);
            let checks = if number % 3 == 0 { Checks::All } else { Checks::Few };
            let mut resumed = died.resumed(&died.engine.journal, checks);
            let before = questions(&resumed.engine.journal).len();
            for (place, (attempt, _)) in lost.iter().enumerate() {
                let mut lost = Lost::from(attempt.clone());
                // Some leave processes that live on.
                if (place + number).is_multiple_of(2) {
                    lost.survivors.push(Survivor { pid: 7, command: "sleep 300".to_owned() });
                }
                let _ = resumed.engine.tell(Input::Lost(Box::new(lost)));
            }
            let at_once = questions(&resumed.engine.journal).split_off(before).len();
            let _ = resumed.finish();
            let asked = questions(&resumed.engine.journal).split_off(before);
            assert!(asked.iter().all(|it| lost.iter().any(|(attempt, _)| attempt == it)), "{asked:?} of {lost:?}");
            // Those that something looks at first are asked about later, or not at all.
            let looks = |attempt: &&AttemptId| {
                resumed.engine.run.step_plan(&attempt.step).is_some_and(|step| step.probe().is_some())
            };
            assert!(asked[at_once..].iter().all(|it| looks(&it)), "{asked:?}, {at_once} of them at once");
            starts_nothing_twice(&resumed);
        }
    }
}

fn starts_nothing_twice(sim: &Sim) {
    let mut started = sim.world.started.clone();
    let all = started.len();
    started.sort();
    started.dedup();
    assert_eq!(started.len(), all, "an attempt was started twice");
}

/// The attempts that people were asked about because they were interrupted.
pub(crate) fn questions(journal: &[std::rc::Rc<Batch>]) -> Vec<AttemptId> {
    let asked = journal.iter().flat_map(|batch| &batch.events).filter_map(|event| match event {
        Event::QuestionAsked { question } => match &question.kind {
            QuestionKind::Interrupted { attempt } => Some(attempt.clone()),
            _ => None,
        },
        _ => None,
    });
    asked.collect()
}
