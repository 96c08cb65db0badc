//! Random runs: every decision holds, the engine may die after every batch of the journal, and the end is the same.
//!
//! The world and its people outlive the engine. A crash takes no time, so that nothing but the crash differs.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use runbook_core::event::{Event, Failure, Phase};
use runbook_core::input::Input;
use runbook_core::run::{Child, StepState};

use crate::kit::engine::{Batch, Checks};
use crate::kit::fate::Fate;
use crate::kit::rng::Rng;
use crate::kit::sim::{Ending, Sim};
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
        let mut sim = Sim::launch(&random(seed, RICH), rich_fate(seed), Checks::All);
        let ending = sim.finish();
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
    with_seeds(RICH, 0..1_000, |seed| {
        let (points, sim, ending) = history(seed, RICH, rich_fate(seed), Checks::Few);
        assert_eq!(points.len(), sim.engine.journal.len(), "a point for each batch of the journal");
        for (number, point) in points.iter().enumerate() {
            // Before anything was done about the batch, or after.
            for acted in [false, true] {
                let mut died = point.clone();
                if acted {
                    died.world.reconcile(&died.engine.run, died.engine.now);
                }
                let mut resumed = died.resumed(&died.engine.journal, Checks::Few);
                let again = resumed.finish();
                let when = format!("after a crash behind batch {number}, acted: {acted}");
                ending.must_be(&again, &when);
                assert_eq!(sim.started(), resumed.started(), "{when}");
                crashes.fetch_add(1, Relaxed);
            }
        }
        plans.fetch_add(1, Relaxed);
    });
    let (plans, crashes) = (plans.into_inner(), crashes.into_inner());
    assert!(plans == 1_000 && crashes > 15_000, "{plans} plans, {crashes} crashes");
}

#[test]
fn engines_that_die_young_come_to_the_same_end_together() {
    let lives = AtomicUsize::new(0);
    with_seeds(RICH, 0..1_000, |seed| {
        let (_, whole, ending) = history(seed, RICH, rich_fate(seed), Checks::Few);
        let mut rng = Rng::of(seed, "lives");
        let mut sim = Sim::created(&random(seed, RICH), rich_fate(seed), Checks::Few).reborn();
        // Each engine decides once or a few times; one more decision says that the service answers again,
        // and one for each set of locks that it is held again.
        while !sim.is_over() {
            let born = sim.engine.journal.len();
            let life = 2 + sim.engine.run.locks().count() + rng.below(3) as usize;
            while sim.engine.journal.len() < born + life && sim.step().is_some() {}
            if rng.percent(50) {
                sim.world.reconcile(&sim.engine.run, sim.engine.now);
            }
            sim = sim.reborn();
            lives.fetch_add(1, Relaxed);
        }
        ending.must_be(&sim.ending(), "after many crashes");
        assert_eq!(whole.started(), sim.started());
    });
    let lives = lives.into_inner();
    assert!(lives > 2_500, "{lives} engines");
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
            let refused = |event: &Event| {
                matches!(event, Event::AnswerRefused { .. } | Event::ServiceReady { .. } | Event::LocksTaken { .. })
            };
            assert!(again.events.iter().all(refused), "{again:?}");
            ending.must_be(&resumed.finish(), "when it is told again");
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
