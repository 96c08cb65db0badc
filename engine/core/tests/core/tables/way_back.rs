//! Child runs after their end: rolled back with the run that started them, gone on with by a retry, and held by a pause.

use runbook_core::Effect;
use runbook_core::event::{Cause, ChildEnd, EndState, Event, Verb};
use runbook_core::input::{AttemptResult, Exit, Input, VerbAsked};
use runbook_core::plan::OnFailure;
use runbook_core::run::{Child, UndoState};
use runbook_core::units::{RunId, StepId, Timestamp};

use crate::kit::book::{Book, book, person};
use crate::kit::build::{Spec, child, run, set};
use crate::kit::desk::Desk;

fn children(desk: &Desk, step: &str) -> Vec<Child> {
    desk.run().step(&StepId::new(step)).expect("a step").children.clone()
}

/// The child run that a step, or its undo (`undo x`), runs now.
fn of(desk: &Desk, name: &str) -> Child {
    desk.run().child_of(&desk.live(name)).expect("a child run").clone()
}

fn ends_with(desk: &mut Desk, name: &str, state: EndState, cause: Cause, irreversible: bool) -> Vec<Event> {
    let run = of(desk, name).run;
    let code = i32::from(state != EndState::Succeeded);
    let child = Some(ChildEnd { run, state, cause, irreversible });
    desk.ends(name, AttemptResult { exit: Exit::Code(code), child, ..AttemptResult::default() })
}

fn ends(desk: &mut Desk, name: &str, state: EndState) -> Vec<Event> {
    let cause = match state {
        EndState::Succeeded => Cause::None,
        EndState::Failed => Cause::Step("x".into()),
        EndState::RolledBack => Cause::Rollback,
        EndState::Stuck => Cause::Undo("x".into()),
        EndState::Cancelled => Cause::Cancelled,
    };
    ends_with(desk, name, state, cause, false)
}

fn retry(step: &str) -> Verb {
    Verb::Retry { step: Some(step.into()), downstream: false }
}

/// A child run that is undone with its parent, and a step that fails after it.
fn parent(steps: Vec<Spec>) -> Book {
    book(steps).rolls_back()
}

fn left(desk: &Desk) -> Vec<String> {
    desk.run().end().expect("an end").irreversible.iter().map(ToString::to_string).collect()
}

#[test]
fn a_child_run_that_succeeded_is_rolled_back_with_its_parent() {
    let mut desk = Desk::start(&parent(vec![run("z").undo(), child("a").undoes_child(), run("b")]));
    desk.ok(&["z"]);
    let first = of(&desk, "a").run;
    ends(&mut desk, "a", EndState::Succeeded);
    desk.fail("b");
    let undo = of(&desk, "undo a");
    assert_eq!((&undo.run, undo.went_on), (&first, true));
    assert_eq!(undo.asked, desk.live("undo a"));
    // Another engine of it is asked for the same: it is said once.
    for _ in 0..3 {
        desk.crash();
        desk.lose("undo a");
        assert_eq!((of(&desk, "undo a").run, of(&desk, "undo a").asked), (first.clone(), undo.asked.clone()));
        assert!(desk.run().questions().is_empty());
    }
    ends(&mut desk, "undo a", EndState::RolledBack);
    desk.ok(&["undo z"]);
    assert_eq!((desk.undone(), desk.end().as_str()), (vec!["a".into(), "z".into()], "rolled_back step:b"));
}

#[test]
fn a_child_run_whose_rollback_is_stuck_makes_its_parent_stuck_until_it_is_rolled_back() {
    for by_hand in [false, true] {
        let mut desk = Desk::start(&parent(vec![child("a").undoes_child(), run("b")]));
        ends(&mut desk, "a", EndState::Succeeded);
        desk.fail("b");
        let (run, asked) = (of(&desk, "undo a").run, of(&desk, "undo a").asked);
        ends(&mut desk, "undo a", EndState::Stuck);
        assert_eq!(desk.end(), "stuck undo:a");
        let UndoState::Failed(failure) = &desk.run().step(&"a".into()).expect("a step").undo.state else {
            panic!("it is stuck");
        };
        assert_eq!(failure.to_string(), format!("the child run {run} is stuck: the undo of `x` failed"));
        if by_hand {
            desk.say(Verb::MarkDone { step: "a".into(), outputs: [].into() });
            desk.engine_starts();
        } else {
            desk.say(retry("a"));
            desk.engine_starts();
            let again = of(&desk, "undo a");
            assert_eq!(again.run, run);
            assert_ne!(again.asked, asked, "it is asked anew");
            ends(&mut desk, "undo a", EndState::RolledBack);
        }
        assert_eq!((desk.undone(), desk.end().as_str()), (vec!["a".into()], "rolled_back step:b"));
    }
}

#[test]
fn what_cannot_be_undone_in_a_child_run_is_named_by_its_parent() {
    // Known before the rollback, and only by it.
    for before in [true, false] {
        let mut desk = Desk::start(&parent(vec![run("z").undo(), child("a").undoes_child(), run("b")]));
        desk.ok(&["z"]);
        ends_with(&mut desk, "a", EndState::Succeeded, Cause::None, before);
        let events = desk.exits("b", Exit::Code(1));
        let named = events.iter().any(
            |event| matches!(event, Event::RollbackStarted { irreversible, .. } if *irreversible == [StepId::new("a")]),
        );
        assert_eq!(named, before);
        ends_with(&mut desk, "undo a", EndState::Failed, Cause::Rollback, true);
        desk.ok(&["undo z"]);
        assert_eq!((desk.end().as_str(), left(&desk)), ("failed step:b", vec!["a".to_owned()]));
        assert_eq!(desk.undone(), ["a", "z"]);
    }
}

#[test]
fn what_a_child_run_that_failed_has_done_is_undone_unless_it_undid_itself() {
    let cases = [
        (EndState::Failed, true, "rolled_back step:a", 0),
        (EndState::Cancelled, true, "rolled_back step:a", 0),
        (EndState::RolledBack, false, "rolled_back step:a", 0),
        (EndState::Stuck, false, "failed step:a", 1),
    ];
    for (state, is_undone, end, stays) in cases {
        let mut desk = Desk::start(&parent(vec![child("a").undoes_child()]));
        ends(&mut desk, "a", state);
        if is_undone {
            ends(&mut desk, "undo a", EndState::RolledBack);
        }
        assert_eq!((desk.end().as_str(), desk.undone().len(), left(&desk).len()), (end, is_undone.into(), stays));
    }
    // One that never began has no end to go by.
    let mut desk = Desk::start(&parent(vec![child("a").undoes_child()]));
    desk.fail("a");
    assert_eq!((desk.end().as_str(), desk.undone().len()), ("rolled_back step:a", 0));
}

#[test]
fn all_child_runs_of_a_step_are_rolled_back_the_latest_first() {
    let mut desk = Desk::start(&parent(vec![child("a").undoes_child().retry(3, 0), run("b")]));
    for state in [EndState::Failed, EndState::RolledBack, EndState::Succeeded] {
        ends(&mut desk, "a", state);
        desk.pass(0);
    }
    let runs: Vec<RunId> = children(&desk, "a").into_iter().map(|child| child.run).collect();
    assert_eq!(runs.len(), 3);
    desk.fail("b");
    assert_eq!(of(&desk, "undo a").run, runs[2]);
    ends(&mut desk, "undo a", EndState::RolledBack);
    desk.crash();
    assert_eq!(of(&desk, "undo a").run, runs[0], "the other one has undone itself");
    assert!(desk.undone().is_empty());
    ends(&mut desk, "undo a", EndState::RolledBack);
    assert_eq!((desk.undone().len(), desk.end().as_str()), (1, "rolled_back step:b"));
}

#[test]
fn the_rollback_of_a_child_run_is_cut_only_by_a_second_request_to_cancel() {
    let levels = |desk: &Desk| -> Vec<u8> {
        let level = |effect| match effect {
            Effect::EndChild { level, .. } => Some(level),
            _ => None,
        };
        desk.run().wanted().into_iter().filter_map(level).collect()
    };
    let mut desk = Desk::start(&parent(vec![child("a").undoes_child(), run("b")]));
    ends(&mut desk, "a", EndState::Succeeded);
    desk.fail("b");
    desk.cancel(1);
    assert!(levels(&desk).is_empty());
    desk.cancel(2);
    assert_eq!(levels(&desk), [2]);
    ends(&mut desk, "undo a", EndState::Stuck);
    assert_eq!(desk.end(), "stuck undo:a");
}

#[test]
fn a_step_whose_undo_is_not_that_of_its_child_run_leaves_it_as_it_is() {
    for (spec, end) in [
        (child("a").undo(), "rolled_back step:b"),
        (child("a").irreversible(), "failed step:b"),
        (child("a"), "rolled_back step:b"),
    ] {
        let has_own = spec.step.rollback.is_some();
        let mut desk = Desk::start(&parent(vec![spec, run("b")]));
        ends(&mut desk, "a", EndState::Succeeded);
        desk.fail("b");
        if has_own {
            desk.ok(&["undo a"]);
        }
        assert_eq!(desk.end(), end);
    }
}

#[test]
fn a_retry_by_a_person_goes_on_with_the_child_run_that_failed() {
    let cases = [
        (EndState::Failed, Cause::Step("x".into()), true),
        (EndState::Failed, Cause::Rejected("x".into()), true),
        (EndState::Cancelled, Cause::Cancelled, true),
        // The undo in it is tried again.
        (EndState::Stuck, Cause::Undo("x".into()), true),
        // It has undone itself, or all of its steps have succeeded: nothing in it can start over.
        (EndState::RolledBack, Cause::Step("x".into()), false),
        (EndState::Failed, Cause::Outputs("none".to_owned()), false),
    ];
    for (state, cause, is_same) in cases {
        let mut desk = Desk::start(&book(vec![child("a")]));
        let first = of(&desk, "a");
        ends_with(&mut desk, "a", state, cause.clone(), false);
        desk.say(retry("a"));
        desk.engine_starts();
        let now = of(&desk, "a");
        assert_eq!((now.run == first.run, now.went_on), (is_same, is_same), "{state:?} {cause:?}");
        // It is asked once, whatever is lost.
        desk.crash();
        desk.lose("a");
        assert_eq!((of(&desk, "a").run, of(&desk, "a").asked), (now.run, now.asked));
        ends(&mut desk, "a", EndState::Succeeded);
        assert_eq!(desk.end(), "succeeded none");
    }
}

#[test]
fn a_retry_by_the_runbook_and_other_values_mean_another_child_run() {
    let mut desk = Desk::start(&book(vec![child("a").retry(2, 0)]));
    ends(&mut desk, "a", EndState::Failed);
    desk.pass(0);
    ends(&mut desk, "a", EndState::Failed);
    desk.say(retry("a"));
    desk.engine_starts();
    // The person means the last one; after that the runbook tries again with another.
    assert_eq!(of(&desk, "a").run, children(&desk, "a")[1].run);
    ends(&mut desk, "a", EndState::Failed);
    desk.pass(0);
    assert_eq!((children(&desk, "a").len(), of(&desk, "a").went_on), (3, false));
    // A child run that succeeded is not gone on with.
    let mut desk = Desk::start(&book(vec![set("s", &[("given", "x")]), child("a"), run("b")]));
    ends(&mut desk, "a", EndState::Succeeded);
    desk.fail("b");
    desk.say(Verb::Retry { step: Some("a".into()), downstream: true });
    desk.engine_starts();
    assert_eq!((children(&desk, "a").len(), of(&desk, "a").went_on), (2, false));
}

/// What the child run of `a` is told, as `number paused`.
fn held(desk: &Desk) -> Vec<String> {
    let held = |effect| match effect {
        Effect::HoldChild { number, paused, .. } => Some(format!("{number} {paused}")),
        _ => None,
    };
    desk.run().wanted().into_iter().filter_map(held).collect()
}

#[test]
fn a_pause_reaches_the_child_runs_that_go_on_and_so_does_its_end() {
    let mut desk = Desk::start(&book(vec![child("a"), child("b")]));
    assert_eq!(held(&desk), [""; 0]);
    desk.say(Verb::Take);
    desk.say(Verb::Pause);
    assert_eq!(held(&desk), ["1 true"]);
    desk.crash();
    assert_eq!(held(&desk), ["1 true"]);
    desk.say(Verb::Continue);
    assert_eq!(held(&desk), ["2 false"]);
    ends(&mut desk, "a", EndState::Succeeded);
    assert!(desk.is_live("b") && held(&desk).is_empty(), "one that starts after a pause knows of none");
    // Who cancels or rolls back ends the pause: the child run is told that instead.
    desk.say(Verb::Pause);
    desk.cancel(1);
    assert_eq!(held(&desk), [""; 0]);
}

#[test]
fn the_end_of_a_pause_of_the_parent_does_not_end_one_that_a_person_put_on_the_child_run() {
    let say = |desk: &mut Desk, verb: Verb, message: &str| {
        let (by, reason, message) = (person("starter"), "so".to_owned(), Some(message.to_owned()));
        desk.tell(Input::Verb(Box::new(VerbAsked { verb, by, reason, written_at: Timestamp(0), message })));
        desk.run().paused().is_some()
    };
    for (pause, go, is_paused) in [
        ("parent-holds-0", "parent-holds-1", false),
        ("parent-holds-0", "01X", false),
        ("01X", "01Y", false),
        ("01X", "parent-holds-1", true),
    ] {
        let mut desk = Desk::start(&Book { on_failure: OnFailure::Stop, ..book(vec![run("a")]) });
        assert!(say(&mut desk, Verb::Pause, pause));
        assert_eq!(say(&mut desk, Verb::Continue, go), is_paused, "{pause} {go}");
    }
}
