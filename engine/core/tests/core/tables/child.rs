//! Child runs: how they start, are gone on with, and end.

use runbook_core::Effect;
use runbook_core::event::{AttemptId, Cause, ChildEnd, EndState, Event, Failure};
use runbook_core::input::{AttemptResult, Exit};
use runbook_core::run::{Run, StepState};
use runbook_core::units::{RunId, StepId, Timestamp};
use serde_json::{Value, json};

use crate::kit::book::{Book, book};
use crate::kit::build::{argv, child, run};
use crate::kit::desk::Desk;

/// The child run that a step runs now.
fn child_of(desk: &Desk, step: &str) -> RunId {
    desk.run().step(&StepId::new(step)).and_then(|step| step.child().cloned()).expect("a child run").run
}

fn ends(desk: &mut Desk, step: &str, state: EndState, cause: Cause) -> Vec<Event> {
    let (run, irreversible) = (child_of(desk, step), false);
    let code = i32::from(state != EndState::Succeeded);
    let child = Some(ChildEnd { run, state, cause, irreversible });
    let outputs = [("made".to_owned(), json!([1]))].into();
    desk.ends(step, AttemptResult { exit: Exit::Code(code), outputs, child, ..AttemptResult::default() })
}

fn fails(desk: &mut Desk, step: &str) {
    ends(desk, step, EndState::Failed, Cause::Step("x".into()));
}

/// How hard the child runs are told to end, each as `step level`.
fn told(run: &Run) -> Vec<String> {
    let wanted = run.wanted().into_iter().filter_map(|effect| match effect {
        Effect::EndChild { attempt, level, overdue } => {
            Some(format!("{} {level}{}", attempt.step, if overdue { " overdue" } else { "" }))
        }
        _ => None,
    });
    wanted.collect()
}

#[test]
fn a_child_run_is_known_by_an_id_before_it_starts_and_hands_on_what_it_made() {
    let mut desk = Desk::start(&book(vec![child("a"), argv("b", &["{{ steps.a.outputs.made }}"])]));
    let id = child_of(&desk, "a");
    assert_eq!(id.as_str().len(), 26, "it is like any other: {id}");
    let started = desk.engine.journal.iter().flat_map(|batch| &batch.events);
    let written =
        started.filter(|event| matches!(event, Event::AttemptStarted { child: Some(child), .. } if *child == id));
    assert_eq!(written.count(), 1);
    ends(&mut desk, "a", EndState::Succeeded, Cause::None);
    assert_eq!(desk.outputs("a"), json!({"made": [1]}));
    desk.ok(&["b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_failed_attempt_is_followed_by_another_child_run() {
    let mut desk = Desk::start(&book(vec![child("a").retry(2, 0)]));
    let first = child_of(&desk, "a");
    fails(&mut desk, "a");
    desk.pass(0);
    assert_ne!(child_of(&desk, "a"), first);
    fails(&mut desk, "a");
    assert_eq!(desk.end(), "failed step:a");
    let StepState::Failed(failure) = desk.state("a") else { panic!("it failed") };
    let text = failure.to_string();
    assert!(text.contains(child_of(&desk, "a").as_str()) && text.ends_with("failed: `x` failed"), "{text}");
}

#[test]
fn a_lost_engine_is_followed_by_one_that_goes_on_with_the_same_child_run() {
    let mut desk = Desk::start(&book(vec![child("a").retry(1, 0).timeout(500)]));
    let first = child_of(&desk, "a");
    desk.pass(400);
    for _ in 0..3 {
        desk.crash();
        desk.lose("a");
        assert_eq!(child_of(&desk, "a"), first);
        assert!(desk.run().questions().is_empty(), "nobody is asked: its own record knows");
    }
    assert_eq!(desk.attempts()["a"], 4);
    // It does not get more time by that.
    desk.pass(101);
    assert_eq!(told(desk.run()), ["a 1 overdue"]);
    ends(&mut desk, "a", EndState::Succeeded, Cause::None);
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Timeout(500)));
}

#[test]
fn an_engine_that_is_always_lost_fails_the_step() {
    let mut desk = Desk::start(&book(vec![child("a")]));
    for _ in 0..20 {
        desk.lose("a");
    }
    assert_eq!(desk.end(), "failed step:a");
    assert_eq!(desk.attempts()["a"], 20);
}

#[test]
fn a_child_run_is_told_how_hard_its_run_is_to_end_and_is_never_killed() {
    let mut desk = Desk::start(&book(vec![run("z"), child("a")]).rolls_back().grace(100));
    desk.ok(&["z"]);
    assert_eq!(told(desk.run()), [""; 0]);
    for level in 1..=3 {
        desk.cancel(level);
        // The grace of this run is none of the child's, which has its own.
        desk.pass(60_000);
        assert_eq!(told(desk.run()), [format!("a {level}")]);
        assert!(desk.is_live("a"));
    }
    ends(&mut desk, "a", EndState::RolledBack, Cause::Cancelled);
    assert_eq!((desk.states().as_str(), desk.end().as_str()), ("z:succeeded a:cancelled", "rolled_back cancelled"));
}

#[test]
fn a_child_run_that_is_lost_while_its_run_is_cancelled_is_gone_on_with() {
    let mut desk = Desk::start(&book(vec![child("a")]));
    desk.cancel(1);
    let before = child_of(&desk, "a");
    desk.crash();
    desk.lose("a");
    assert!(desk.is_live("a"), "only its engine can end it");
    assert_eq!((child_of(&desk, "a"), told(desk.run())), (before, vec!["a 1".to_owned()]));
    ends(&mut desk, "a", EndState::Cancelled, Cause::Cancelled);
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn a_child_run_that_was_never_started_need_not_start_when_the_run_is_cancelled() {
    let mut desk = Desk::start(&book(vec![child("a")]));
    desk.crash();
    desk.cancel(1);
    let attempt = AttemptId::first("a".into(), runbook_core::event::Phase::Do, 1);
    desk.tell(runbook_core::input::Input::NotStarted(attempt));
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn a_child_of_always_is_told_only_when_somebody_asks_twice() {
    let mut desk = Desk::start(&book(vec![run("z")]).always(vec![child("a")]));
    desk.cancel(1);
    desk.ok(&["z"]);
    assert_eq!(told(desk.run()), [""; 0]);
    desk.cancel(2);
    assert_eq!(told(desk.run()), ["a 2"]);
}

/// How the run ends when its child run ends so, after a step that can be undone.
fn end_of(book: Book, state: EndState, cause: Cause) -> String {
    let mut desk = Desk::start(&book);
    desk.ok(&["z"]);
    ends(&mut desk, "a", state, cause);
    let undone = if desk.run().end().is_none() { desk.ok(&["undo z"]).undone() } else { vec![] };
    let irreversible: Vec<String> =
        desk.run().end().expect("an end").irreversible.iter().map(ToString::to_string).collect();
    format!("{} undone {undone:?} left {irreversible:?}", desk.end())
}

#[test]
fn the_end_of_a_child_run_is_the_end_of_its_step() {
    let step = || Cause::Step("x".into());
    let cases = [
        (EndState::Failed, step(), "rolled_back step:a undone [\"z\"] left []"),
        (EndState::RolledBack, step(), "rolled_back step:a undone [\"z\"] left []"),
        (EndState::Failed, Cause::Rejected("x".into()), "rolled_back rejected:a undone [\"z\"] left []"),
        // Nobody cancelled this run.
        (EndState::Cancelled, Cause::Cancelled, "rolled_back step:a undone [\"z\"] left []"),
        // What it could not undo is named: the run does not say that all is undone.
        (EndState::Stuck, Cause::Undo("x".into()), "failed step:a undone [\"z\"] left [\"a\"]"),
    ];
    for (state, cause, expected) in cases {
        let book = book(vec![run("z").undo(), child("a")]).rolls_back();
        assert_eq!(end_of(book, state, cause.clone()), expected, "{state:?} {cause:?}");
    }
}

#[test]
fn what_a_person_refused_in_a_child_run_is_not_tried_again() {
    for (cause, state) in [
        (Cause::Rejected("x".into()), EndState::Failed),
        (Cause::Cancelled, EndState::Cancelled),
        (Cause::Undo("x".into()), EndState::Stuck),
    ] {
        let mut desk = Desk::start(&book(vec![child("a").retry(3, 0)]));
        ends(&mut desk, "a", state, cause.clone());
        assert!(desk.run().end().is_some(), "{cause:?}");
    }
}

#[test]
fn a_success_that_nobody_saw_is_none() {
    let mut desk = Desk::start(&book(vec![child("a")]));
    desk.ok(&["a"]);
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn values_that_do_not_fit_fail_the_step_before_the_child_run_starts() {
    let mut desk = Desk::start(&book(vec![child("a").with("nope", "1")]));
    assert_eq!(desk.end(), "failed step:a");
    assert_eq!(desk.attempts()["a"], 0);
    desk.crash();
}

#[test]
fn a_plan_without_the_plans_of_its_child_runs_is_refused() {
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut created = serde_json::to_value(book(vec![child("a")]).created()).expect("JSON");
        change(&mut created["plan"]["runbooks"]);
        let event = Event::RunCreated(serde_json::from_value(created).expect("a first event"));
        Run::default().apply(&event, Timestamp(0)).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|runbooks| *runbooks = json!({})));
    // One that names itself.
    assert!(refused(&|runbooks| {
        let own = serde_json::to_value(book(vec![child("a")]).plan().steps).expect("JSON");
        runbooks.as_object_mut().expect("plans").values_mut().for_each(|plan| plan["steps"] = own.clone());
    }));
    // One whose steps do not hold together.
    assert!(refused(&|runbooks| {
        runbooks.as_object_mut().expect("plans").values_mut().for_each(|plan| plan["steps"][0]["needs"] = json!([7]));
    }));
}

#[test]
fn a_run_hands_on_its_outputs_only_when_it_succeeds() {
    let made = |text| book(vec![run("a").output("x", "{{ outputs.x }}")]).output("y", text);
    let outputs = |desk: &Desk| json!(desk.run().end().expect("an end").outputs);
    let mut desk = Desk::start(&made("{{ steps.a.outputs.x }}"));
    desk.ok_with("a", json!({"x": [1]}));
    assert_eq!((desk.end().as_str(), outputs(&desk)), ("succeeded none", json!({"y": [1]})));
    let mut desk = Desk::start(&made("{{ steps.a.outputs.x }}"));
    desk.fail("a");
    assert_eq!((desk.end().as_str(), outputs(&desk)), ("failed step:a", json!({})));
    let mut desk = Desk::start(&made("{{ steps.a.outputs.nope }}"));
    desk.ok_with("a", json!({"x": 1}));
    assert!(desk.end().starts_with("failed outputs:the output `y` has no value"), "{}", desk.end());
}
