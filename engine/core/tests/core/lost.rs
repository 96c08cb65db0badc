//! Engine, supervisor and commands die together: what ran is lost, and only that is asked about or run again.

use runbook_core::event::{AttemptId, Failure, Phase};
use runbook_core::input::Input;
use runbook_core::plan::{Action, Body, OnInterrupt, Step};
use runbook_core::run::{StepState, UndoState};
use runbook_core::units::StepId;

use crate::case::{Case, History, questions};
use crate::crash::{RICH, rich_fate, with_seeds};
use crate::kit::engine::Checks;
use crate::kit::fate::Fate;
use crate::kit::sim::{Ending, Sim};
use crate::random::Style;

/// No clock but that of the commands: nobody cancels, nothing is overdue, and there is always a place. So an attempt
/// whose fate must be asked for, or that is run again, changes nothing but itself.
fn plain(then: OnInterrupt) -> Style {
    Style { size: 9, rich: false, guards: false, on_interrupt: Some(then) }
}

fn plain_fate(seed: u64) -> Fate {
    Fate { seed, failing: 15, cancels: false, moody: false, service_fails: false, verbs: false }
}

/// The same but for what a person cannot know: outputs, exit codes, the kind of a failure.
fn told_by_a_person(mut ending: Ending) -> Ending {
    for step in &mut ending.steps {
        (step.outputs, step.exit_code) = (serde_json::Value::Null, None);
        if matches!(step.state, StepState::Failed(_)) {
            step.state = StepState::Failed(Failure::Interrupted);
        }
        if matches!(step.undo, UndoState::Failed(_)) {
            step.undo = UndoState::Failed(Failure::Interrupted);
        }
    }
    ending
}

/// Engine, supervisor and commands die together after each batch of each run. Gives how many attempts were lost.
fn lose_all(then: OnInterrupt, check: impl Fn(&Ending, &[AttemptId], &Sim) + std::panic::RefUnwindSafe) -> usize {
    let total = std::sync::atomic::AtomicUsize::new(0);
    let style = plain(then);
    with_seeds(style, 0..1_000, |seed| {
        let History { points, ending, .. } = Case::of(seed, style, plain_fate(seed)).history(Checks::Few);
        for (number, point) in points[..points.len() - 1].iter().enumerate() {
            let mut died = point.clone();
            // Half of them in the moment before anything is done about the batch.
            if (number as u64 + seed).is_multiple_of(2) {
                died.world.reconcile(&died.engine.run, died.engine.now);
            }
            let lost = died.world.all_lost(&died.engine.run, died.engine.now);
            let mut resumed = died.resumed(&died.engine.journal, Checks::Few);
            let before = resumed.engine.journal.len();
            for (attempt, _) in &lost {
                let _ = resumed.engine.tell(Input::Lost(Box::new(attempt.clone().into())));
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

#[test]
fn when_all_is_lost_the_truth_about_each_attempt_leads_to_the_same_end() {
    let lost = lose_all(OnInterrupt::Ask, |ending, lost, resumed| {
        let again = resumed.ending();
        let is_again = |step: &Step| step.until.is_some() || matches!(step.body, Body::Action(Action::Runbook(_)));
        let polls = |step: &str| resumed.engine.run.step_plan(&step.into()).is_some_and(is_again);
        let undoes_child = |step: &StepId| {
            let undo = resumed.engine.run.step_plan(step).and_then(|step| step.rollback.as_ref());
            undo.is_some_and(|undo| undo.action == Action::UndoRunbook)
        };
        let is_repeated = |it: &&AttemptId| match it.phase {
            Phase::Undo => undoes_child(&it.step),
            _ => it.phase == Phase::Do && polls(it.step.as_str()),
        };
        let polled = lost.iter().filter(is_repeated).count() as u32;
        let truth = told_by_a_person(ending.clone()).without_attempts();
        truth.must_be(&told_by_a_person(again.clone()).without_attempts(), &format!("when {lost:?} are lost"));
        // Only a lost poll, and the engine of a child run, is repeated without a question.
        assert_eq!(again.attempts() - ending.attempts(), polled);
    });
    assert!(lost > 1_000, "{lost}");
}

#[test]
fn when_all_is_lost_running_again_takes_one_attempt_more_for_each() {
    let lost = lose_all(OnInterrupt::Rerun, |ending, lost, resumed| {
        let again = resumed.ending();
        let once = ending.clone().without_attempts();
        once.must_be(&again.clone().without_attempts(), &format!("when {lost:?} are lost"));
        assert_eq!(again.attempts() - ending.attempts(), lost.len() as u32);
        for attempt in lost {
            let started =
                resumed.world.started.iter().filter(|it| it.step == attempt.step && it.phase == attempt.phase);
            assert!(started.count() > 1, "{attempt} was not run again");
        }
    });
    assert!(lost > 1_000, "{lost}");
}

#[test]
fn whatever_is_lost_whenever_the_run_ends_and_asks_about_nothing_else() {
    with_seeds(RICH, 0..300, |seed| Case::of(seed, RICH, rich_fate(seed)).ends_when_all_is_lost());
}
