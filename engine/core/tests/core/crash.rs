//! Random runs: every decision holds, the engine may die after every batch of the journal, and the end is the same.
//!
//! The world and its people outlive the engine. A crash takes no time, so that nothing but the crash differs.

use std::collections::BTreeMap;
use std::rc::Rc;

use runbook_core::event::{AttemptId, Event, Phase, QuestionKind};
use runbook_core::input::Input;
use runbook_core::plan::OnInterrupt;
use runbook_core::run::StepState;

use crate::kit::engine::{Batch, Checks};
use crate::kit::fate::Fate;
use crate::kit::sim::{Ending, Sim};
use crate::random::{Style, outline, random};

/// Anything may happen.
pub(crate) const RICH: Style = Style { size: 9, rich: true, on_interrupt: None };

pub(crate) fn rich_fate(seed: u64) -> Fate {
    Fate { seed, failing: 15, cancels: true, moody: true, service_fails: true }
}

/// No clock but that of the commands: nobody cancels, nothing is overdue, and there is always a place. So an attempt
/// whose fate must be asked for, or that is run again, changes nothing but itself.
fn plain(then: OnInterrupt) -> Style {
    Style { size: 9, rich: false, on_interrupt: Some(then) }
}

fn plain_fate(seed: u64) -> Fate {
    Fate { seed, failing: 15, cancels: false, moody: false, service_fails: false }
}

/// Whatever fails in a test says which seed it was.
fn with_seeds(style: Style, seeds: std::ops::Range<u64>, one: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in seeds {
        if let Err(cause) = std::panic::catch_unwind(|| one(seed)) {
            let text = cause.downcast_ref::<String>().cloned();
            let text = text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
            panic!("seed {seed}: {text}\n{}", outline(&random(seed, style)));
        }
    }
}

/// A run to its end, with the state of everything after each batch.
pub(crate) fn history(seed: u64, style: Style, fate: Fate, checks: Checks) -> (Vec<Sim>, Sim, Ending) {
    let mut sim = Sim::created(&random(seed, style), fate, checks);
    let mut points = vec![sim.clone()];
    let _ = sim.start_engine();
    points.push(sim.clone());
    while let Some(batch) = sim.step() {
        if !batch.events.is_empty() {
            points.push(sim.clone());
        }
    }
    let ending = sim.ending();
    (points, sim, ending)
}

/// How many events of each kind.
fn kinds<'a>(batches: impl IntoIterator<Item = &'a Rc<Batch>>) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for event in batches.into_iter().flat_map(|batch| &batch.events) {
        let name = serde_json::to_value(event).expect("JSON")["type"].to_string();
        *kinds.entry(name).or_default() += 1;
    }
    kinds
}

#[test]
fn every_random_run_ends_and_every_decision_holds() {
    let seen = std::sync::Mutex::new((BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new()));
    with_seeds(RICH, 0..1_000, |seed| {
        let mut sim = Sim::launch(&random(seed, RICH), rich_fate(seed), Checks::All);
        let ending = sim.finish();
        let mut seen = seen.lock().expect("no panic");
        for (kind, count) in kinds(&sim.engine.journal) {
            *seen.0.entry(kind).or_default() += count;
        }
        let cause = serde_json::to_value(&ending.cause).expect("JSON");
        let cause = cause.as_object().and_then(|it| it.keys().next().cloned()).unwrap_or(cause.to_string());
        *seen.1.entry(format!("{:?} {cause}", ending.state)).or_default() += 1;
    });
    // The runs are of some variety: nearly every event, and every way to end, is there many times.
    let (kinds, endings) = seen.into_inner().expect("no panic");
    let rare: Vec<_> = kinds.iter().filter(|(_, count)| **count < 20).collect();
    assert!(rare.is_empty() && kinds.len() == 31, "{rare:?} of {kinds:#?}");
    assert!(endings.len() >= 10, "{endings:#?}");
}

#[test]
fn after_a_crash_at_every_batch_the_end_is_the_same() {
    with_seeds(RICH, 0..1_000, |seed| {
        let (points, sim, ending) = history(seed, RICH, rich_fate(seed), Checks::Few);
        for (number, point) in points.iter().enumerate().take(points.len() - 1) {
            // Before anything was done about the batch, or after.
            for acted in [false, true] {
                let mut died = point.clone();
                if acted {
                    died.world.reconcile(&died.engine.run, died.engine.now);
                }
                let mut resumed = died.resumed(&died.engine.journal, Checks::Few);
                let again = resumed.finish();
                assert_eq!(ending, again, "after batch {number}, acted: {acted}");
                assert_eq!(sim.started(), resumed.started(), "after batch {number}, acted: {acted}");
            }
        }
    });
}

#[test]
fn what_was_told_before_a_crash_may_be_told_again() {
    with_seeds(RICH, 0..300, |seed| {
        let (points, _, ending) = history(seed, RICH, rich_fate(seed), Checks::Few);
        for point in &points[..points.len() - 1] {
            let mut resumed = point.resumed(&point.engine.journal, Checks::Few);
            let input = resumed.engine.last.clone().expect("an input");
            // A request to cancel is worth what it is worth in the stage in which it is read.
            let again = match input {
                Input::EngineStarted(_) | Input::CancelAsked { .. } => continue,
                input => resumed.engine.tell(input),
            };
            let refused = |event: &Event| matches!(event, Event::AnswerRefused { .. } | Event::ServiceReady { .. });
            assert!(again.events.iter().all(refused), "{again:?}");
            assert_eq!(ending, resumed.finish());
        }
    });
}

#[test]
fn a_run_that_was_left_alone_for_an_hour_ends_too() {
    with_seeds(RICH, 0..300, |seed| {
        let (points, ..) = history(seed, RICH, rich_fate(seed), Checks::Few);
        for (number, point) in points[..points.len() - 1].iter().enumerate() {
            let mut died = point.clone();
            died.world.reconcile(&died.engine.run, died.engine.now);
            died.engine.now += 3_600_000;
            let checks = if number % 4 == 0 { Checks::All } else { Checks::Few };
            let mut resumed = died.resumed(&died.engine.journal, checks);
            let _ = resumed.finish();
            let mut started = resumed.started();
            let before = started.len();
            started.dedup();
            assert_eq!(before, started.len(), "an attempt was started twice");
        }
    });
}

/// The same but for what a person cannot know: outputs, exit codes, the kind of a failure.
fn told_by_a_person(mut ending: Ending) -> Ending {
    for step in &mut ending.steps {
        (step.outputs, step.exit_code) = (serde_json::Value::Null, None);
        if matches!(step.state, StepState::Failed(_)) {
            step.state = StepState::Failed(runbook_core::event::Failure::Interrupted);
        }
        if matches!(step.undo, runbook_core::run::UndoState::Failed(_)) {
            step.undo = runbook_core::run::UndoState::Failed(runbook_core::event::Failure::Interrupted);
        }
    }
    ending
}

/// Engine, supervisor and commands die together after each batch of each run. Gives how many attempts were lost.
fn lose_all(then: OnInterrupt, check: impl Fn(&Ending, &[AttemptId], &Sim) + std::panic::RefUnwindSafe) -> usize {
    let total = std::sync::atomic::AtomicUsize::new(0);
    let style = plain(then);
    with_seeds(style, 0..1_000, |seed| {
        let (points, _, ending) = history(seed, style, plain_fate(seed), Checks::Few);
        for (number, point) in points[..points.len() - 1].iter().enumerate() {
            let mut died = point.clone();
            // Half of them in the moment before anything is done about the batch.
            if (number as u64 + seed) % 2 == 0 {
                died.world.reconcile(&died.engine.run, died.engine.now);
            }
            let lost = died.world.all_lost(&died.engine.run, died.engine.now);
            let mut resumed = died.resumed(&died.engine.journal, Checks::Few);
            let before = resumed.engine.journal.len();
            for (attempt, _) in &lost {
                let _ = resumed.engine.tell(Input::Lost(attempt.clone()));
            }
            let asked: Vec<AttemptId> = questions(&resumed.engine.journal[before..]);
            let expected =
                lost.iter().filter(|(_, then)| *then == OnInterrupt::Ask).map(|(attempt, _)| attempt.clone());
            assert_eq!(asked, expected.collect::<Vec<_>>(), "after batch {number}");
            let _ = resumed.finish();
            assert_eq!(questions(&resumed.engine.journal).len(), asked.len(), "asked about what was not lost");
            let lost: Vec<AttemptId> = lost.into_iter().map(|(attempt, _)| attempt).collect();
            check(&ending, &lost, &resumed);
            total.fetch_add(lost.len(), std::sync::atomic::Ordering::Relaxed);
        }
    });
    total.into_inner()
}

fn questions(journal: &[Rc<Batch>]) -> Vec<AttemptId> {
    let asked = journal.iter().flat_map(|batch| &batch.events).filter_map(|event| match event {
        Event::QuestionAsked { question } => match &question.kind {
            QuestionKind::Interrupted { attempt } => Some(attempt.clone()),
            _ => None,
        },
        _ => None,
    });
    asked.collect()
}

#[test]
fn when_all_is_lost_the_truth_about_each_attempt_leads_to_the_same_end() {
    let lost = lose_all(OnInterrupt::Ask, |ending, lost, resumed| {
        let again = resumed.ending();
        let polls = |step: &str| resumed.engine.run.step_plan(&step.into()).is_some_and(|step| step.until.is_some());
        let polled = lost.iter().filter(|it| it.phase == Phase::Do && polls(it.step.as_str())).count() as u32;
        assert_eq!(
            told_by_a_person(ending.clone()).without_attempts(),
            told_by_a_person(again.clone()).without_attempts()
        );
        // Only a lost poll is repeated without a question.
        assert_eq!(again.attempts() - ending.attempts(), polled);
    });
    assert!(lost > 1_000, "{lost}");
}

#[test]
fn when_all_is_lost_running_again_takes_one_attempt_more_for_each() {
    let lost = lose_all(OnInterrupt::Rerun, |ending, lost, resumed| {
        let again = resumed.ending();
        assert_eq!(ending.clone().without_attempts(), again.clone().without_attempts());
        assert_eq!(again.attempts() - ending.attempts(), lost.len() as u32);
        for attempt in lost {
            let started =
                resumed.world.started.iter().filter(|it| it.step == attempt.step && it.phase == attempt.phase);
            assert!(started.count() > 1, "{attempt} was not run again");
        }
    });
    assert!(lost > 1_000, "{lost}");
}
