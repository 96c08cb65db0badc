//! Random runs: every decision holds, the engine may die after every batch of the journal, and the end is the same.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use runbook_core::event::{Event, Failure, Phase};
use runbook_core::run::{Child, StepState};

use crate::case::Case;
use crate::kit::engine::Batch;
use crate::kit::fate::Fate;
use crate::outline::outline;
use crate::random::{Style, random};

/// Anything may happen.
pub(crate) const RICH: Style = Style { size: 9, rich: true, guards: true, on_interrupt: None };

/// Half of the worlds are mean, so that much goes wrong; in the others runs get far before it does.
pub(crate) fn rich_fate(seed: u64) -> Fate {
    let mean = seed.is_multiple_of(2);
    Fate {
        seed,
        failing: if mean { 15 } else { 3 },
        cancels: seed % 4 != 3,
        moody: mean,
        service_fails: mean,
        verbs: !seed.is_multiple_of(3),
    }
}

/// Whatever fails in a test says which seed it was.
pub(crate) fn with_seeds(style: Style, seeds: std::ops::Range<u64>, one: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in seeds {
        if let Some(text) = trouble(|| one(seed)) {
            panic!("seed {seed}: {text}\n{}", outline(&random(seed, style)));
        }
    }
}

/// What it panics with, if it does.
pub(crate) fn trouble(one: impl FnOnce()) -> Option<String> {
    let cause = std::panic::catch_unwind(std::panic::AssertUnwindSafe(one)).err()?;
    let text = cause.downcast_ref::<String>().cloned();
    text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string)).or(Some(String::new()))
}

/// What must hold of a case, for each seed.
fn with_cases(seeds: std::ops::Range<u64>, one: impl Fn(&Case) + std::panic::RefUnwindSafe) {
    with_seeds(RICH, seeds, |seed| one(&Case::of(seed, RICH, rich_fate(seed))));
}

/// How many events of each kind.
fn kinds<'a>(batches: impl IntoIterator<Item = &'a Rc<Batch>>) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for event in batches.into_iter().flat_map(|batch| &batch.events) {
        let name = match event {
            Event::AttemptStarted { attempt, child: Some(_), .. } if attempt.phase == Phase::Undo => {
                "rollback of a child run".to_owned()
            }
            _ => serde_json::to_value(event).expect("JSON")["type"].to_string(),
        };
        *kinds.entry(name).or_default() += 1;
    }
    kinds
}

#[test]
fn every_random_run_ends_and_every_decision_holds() {
    let seen = std::sync::Mutex::new((BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new(), 0));
    let gave_up = AtomicUsize::new(0);
    with_seeds(RICH, 0..1_000, |seed| {
        let sim = Case::of(seed, RICH, rich_fate(seed)).runs();
        let ending = sim.ending();
        let is_cycle = |state: &StepState| matches!(state, StepState::Failed(Failure::LockCycle { .. }));
        gave_up.fetch_add(usize::from(ending.steps.iter().any(|step| is_cycle(&step.state))), Relaxed);
        let mut seen = seen.lock().expect("no panic");
        for (kind, count) in kinds(&sim.engine.journal) {
            *seen.0.entry(kind).or_default() += count;
        }
        let cause = serde_json::to_value(&ending.cause).expect("JSON");
        let cause = cause.as_object().and_then(|it| it.keys().next().cloned()).unwrap_or(cause.to_string());
        let went_on = |child: &&Child| child.went_on && child.asked.phase == Phase::Do;
        let went_on = sim.engine.run.steps().flat_map(|(_, _, step)| &step.children).filter(went_on).count();
        seen.2 += went_on;
        *seen.1.entry(format!("{:?} {cause}", ending.state)).or_default() += 1;
    });
    // The runs are of some variety: nearly every event, and every way to end, is there many times.
    let (kinds, endings, went_on) = seen.into_inner().expect("no panic");
    let rare: Vec<_> = kinds.iter().filter(|(_, count)| **count < 10).collect();
    assert!(rare.is_empty() && kinds.len() == 48, "{rare:?} of {kinds:#?}");
    assert!(endings.len() >= 10 && went_on > 2, "{went_on} {endings:#?}");
    let gave_up = gave_up.into_inner();
    assert!(gave_up > 15, "steps waited for each other's locks in {gave_up} runs");
}

#[test]
fn after_a_crash_at_every_batch_the_end_is_the_same() {
    let (plans, crashes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    with_cases(0..1_000, |case| {
        crashes.fetch_add(case.survives_a_crash(), Relaxed);
        plans.fetch_add(1, Relaxed);
    });
    let (plans, crashes) = (plans.into_inner(), crashes.into_inner());
    assert!(plans == 1_000 && crashes > 15_000, "{plans} plans, {crashes} crashes");
}

#[test]
fn engines_that_die_young_come_to_the_same_end_together() {
    let lives = AtomicUsize::new(0);
    with_cases(0..1_000, |case| {
        lives.fetch_add(case.survives_many_crashes(), Relaxed);
    });
    let lives = lives.into_inner();
    assert!(lives > 2_500, "{lives} engines");
}

#[test]
fn what_was_told_before_a_crash_may_be_told_again() {
    with_cases(0..300, Case::may_be_told_again);
}

#[test]
fn a_run_that_was_left_alone_for_an_hour_ends_too() {
    with_cases(0..300, Case::ends_after_an_hour);
}
