//! Rollback: what is undone, in which order, and what stands in the way.

use runbook_core::event::{BlockReason, Failure};
use runbook_core::input::{Answer, Exit};
use runbook_core::plan::OnInterrupt;
use runbook_core::run::{StepState, UndoState};
use serde_json::json;

use crate::kit::book::book;
use crate::kit::build::{argv, assert_that, block, manual, run, script, wait};
use crate::kit::desk::Desk;

fn undo_state<'a>(desk: &'a Desk, step: &str) -> &'a UndoState {
    &desk.run().step(&step.into()).expect("a step").undo.state
}

/// Lets every undo end well; gives the order.
fn undo_all(desk: &mut Desk) -> Vec<String> {
    let next = |desk: &Desk| desk.run().live().next().map(|live| live.attempt.step.to_string());
    while let Some(step) = next(desk) {
        assert_eq!(desk.run().live().count(), 1, "one at a time");
        desk.ok(&[&format!("undo {step}")]);
    }
    desk.undone()
}

#[test]
fn dependents_first() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b").undo(), run("c").undo(), run("z")]).rolls_back());
    desk.ok(&["a", "b", "c"]).fail("z");
    assert_eq!(undo_all(&mut desk), ["c", "b", "a"]);
    assert_eq!(desk.end(), "rolled_back step:z");
}

#[test]
fn in_a_diamond_by_what_ended_last() {
    let steps = vec![
        run("a").undo(),
        run("b").undo().needs(&["a"]),
        run("c").undo().needs(&["a"]),
        run("d").undo().needs(&["b", "c"]),
        run("z"),
    ];
    let mut desk = Desk::start(&book(steps).rolls_back());
    desk.ok(&["a", "c", "b", "d"]).fail("z");
    assert_eq!(undo_all(&mut desk), ["d", "b", "c", "a"]);
}

#[test]
fn a_block_is_undone_before_the_steps_within() {
    let inside = block("x", vec![run("a").undo(), run("b").undo()]).undo();
    let mut desk = Desk::start(&book(vec![inside, run("z")]).rolls_back());
    desk.ok(&["a", "b"]).fail("z");
    assert_eq!(undo_all(&mut desk), ["x", "b", "a"]);
}

#[test]
fn it_begins_when_all_has_ended() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b"), run("c").undo()]).parallel().rolls_back());
    desk.ok(&["a"]).fail("b");
    assert_eq!(desk.states(), "a:succeeded b:failed c:running");
    assert!(desk.run().rollback().is_none());
    desk.ok(&["c"]);
    assert_eq!(undo_all(&mut desk), ["c", "a"]);
}

#[test]
fn what_failed_is_undone_only_where_the_author_says_so() {
    let steps = || vec![run("a").undo(), run("b").also_failed(), run("z").needs(&[]).undo()];
    let mut desk = Desk::start(&book(steps()).rolls_back());
    desk.ok(&["a", "z"]).fail("b");
    assert_eq!(undo_all(&mut desk), ["b", "z", "a"]);
    // One that never started has nothing to undo.
    let mut desk = Desk::start(&book(steps()).rolls_back());
    desk.fail("a").ok(&["z"]);
    assert_eq!(undo_all(&mut desk), ["z"]);
    // One that was ended by a person counts as failed.
    let mut desk = Desk::start(&book(steps()).rolls_back());
    desk.ok(&["a", "z"]);
    desk.cancel(2);
    desk.exits("b", Exit::Signal(15));
    assert_eq!(undo_all(&mut desk), ["b", "z", "a"]);
    assert_eq!(desk.end(), "rolled_back cancelled");
}

#[test]
fn a_block_that_was_begun_is_undone_where_the_author_says_so() {
    let inside = |also| {
        let spec = block("x", vec![run("a"), run("b")]);
        if also { spec.also_failed() } else { spec.undo() }
    };
    for also in [true, false] {
        let mut desk = Desk::start(&book(vec![inside(also)]).rolls_back());
        desk.ok(&["a"]).fail("b");
        assert_eq!(undo_all(&mut desk), if also { vec!["x"] } else { vec![] });
        // Neither failed nor succeeded: a failure elsewhere blocked the rest of it.
        let mut desk = Desk::start(&book(vec![inside(also), run("z")]).parallel().rolls_back());
        desk.fail("z").ok(&["a"]);
        assert_eq!(undo_all(&mut desk), if also { vec!["x"] } else { vec![] });
    }
}

#[test]
fn a_step_that_continued_is_like_any_other() {
    let mut desk = Desk::start(
        &book(vec![run("a").undo().keep_going(), run("b").also_failed().keep_going(), run("z")]).rolls_back(),
    );
    desk.ok(&["a"]).fail("b").fail("z");
    assert_eq!(undo_all(&mut desk), ["b", "a"]);
}

#[test]
fn what_was_skipped_or_blocked_is_not_undone() {
    let mut desk =
        Desk::start(&book(vec![run("a").undo().when("false"), run("b"), run("c").also_failed()]).rolls_back());
    desk.fail("b");
    assert_eq!(desk.end(), "rolled_back step:b");
    assert_eq!((undo_state(&desk, "a"), undo_state(&desk, "c")), (&UndoState::None, &UndoState::None));
}

#[test]
fn always_is_not_undone_and_runs_after_the_rollback() {
    let book = book(vec![run("a").undo(), run("z")]).rolls_back().always(vec![run("x").undo()]);
    let mut desk = Desk::start(&book);
    desk.ok(&["a"]).fail("z");
    assert_eq!(desk.states(), "a:succeeded z:failed x:pending");
    desk.ok(&["undo a"]).fail("x");
    assert_eq!(desk.end(), "rolled_back step:z");
    assert_eq!(desk.undone(), ["a"]);
}

#[test]
fn without_the_wish_nothing_is_undone() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("z")]));
    desk.ok(&["a"]).fail("z");
    assert_eq!(desk.end(), "failed step:z");
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("z").keep_going()]).rolls_back());
    desk.ok(&["a"]).fail("z");
    assert_eq!(desk.end(), "succeeded none");
    let mut desk = Desk::start(&book(vec![run("a").undo()]).rolls_back().always(vec![run("x")]));
    desk.ok(&["a"]).fail("x");
    assert_eq!(desk.end(), "failed always:x");
}

#[test]
fn what_cannot_be_undone_is_named_and_the_run_has_failed() {
    let steps = || vec![run("a").undo(), run("i").irreversible(), run("b").undo(), run("z")];
    let mut desk = Desk::start(&book(steps()).rolls_back());
    desk.ok(&["a", "i", "b"]).fail("z");
    assert_eq!(undo_all(&mut desk), ["b", "a"], "the rest is undone");
    assert_eq!(desk.end(), "failed step:z");
    assert_eq!(desk.run().end().expect("an end").irreversible, ["i".into()]);
    // One that did not succeed is no matter.
    let mut desk = Desk::start(&book(steps()).rolls_back());
    desk.ok(&["a"]).fail("i");
    undo_all(&mut desk);
    assert_eq!(desk.end(), "rolled_back step:i");
}

#[test]
fn an_undo_is_repeated_and_then_leaves_the_run_stuck() {
    let undoable = run("b").undoing(|undo| undo.retry = run("x").retry(3, 100).step.retry);
    let mut desk = Desk::start(&book(vec![run("a").undo(), undoable, run("z")]).rolls_back().always(vec![run("x")]));
    desk.ok(&["a", "b"]).fail("z");
    for _ in 0..2 {
        desk.fail("undo b").pass(99);
        assert!(desk.run().live().next().is_none());
        desk.pass(1);
    }
    assert_eq!(desk.live("undo b").number, 3);
    desk.fail("undo b");
    // What is left is not undone, and says so; `always` runs.
    assert_eq!(*undo_state(&desk, "b"), UndoState::Failed(Failure::Exit(Exit::Code(1))));
    assert_eq!(*undo_state(&desk, "a"), UndoState::Pending);
    desk.ok(&["x"]);
    assert_eq!(desk.end(), "stuck undo:b");
}

#[test]
fn an_undo_is_overdue_like_a_step() {
    let undoable = run("a").undoing(|undo| (undo.timeout_ms, undo.kill_grace_ms) = (Some(300), 50));
    let mut desk = Desk::start(&book(vec![undoable, run("z")]).rolls_back());
    desk.ok(&["a"]).fail("z").pass(350);
    let forced = |effect: &runbook_core::Effect| matches!(effect, runbook_core::Effect::Stop { force: true, .. });
    assert!(desk.run().wanted().iter().any(forced));
    desk.exits("undo a", Exit::Signal(9));
    assert_eq!(*undo_state(&desk, "a"), UndoState::Failed(Failure::Timeout(300)));
}

#[test]
fn an_undo_sees_the_outputs_of_its_step() {
    let action = |word: &str| match argv("x", &["drop", word]).step.body {
        runbook_core::plan::Body::Action(action) => action,
        _ => script("never"),
    };
    let step = |word: &str| run("a").output("id", "{{ outputs.id }}").undo_with(action(word));
    let mut desk = Desk::start(&book(vec![step("{{ outputs.id }}"), run("z")]).rolls_back());
    desk.ok_with("a", json!({"id": 7})).fail("z");
    let attempt = desk.live("undo a");
    let Some(runbook_core::rendered::Rendered::Argv { argv, .. }) = desk.run().action_of(&attempt) else { panic!() };
    assert_eq!(*argv, ["drop", "7"]);
    // An undo that cannot be prepared leaves the run stuck.
    let mut desk = Desk::start(&book(vec![step("{{ outputs.none }}"), run("z")]).rolls_back());
    desk.ok_with("a", json!({"id": 7})).fail("z");
    assert_eq!(desk.end(), "stuck undo:a");
}

#[test]
fn undos_of_every_kind() {
    let action = |spec: crate::kit::build::Spec| match spec.step.body {
        runbook_core::plan::Body::Action(action) => action,
        _ => script("never"),
    };
    let steps = vec![
        run("a").undo_with(action(assert_that("x", "outputs.v == 1"))).output("v", "{{ outputs.v }}"),
        run("b").undo_with(action(wait("x", "2s"))),
        run("c").undo_with(action(manual("x"))),
        run("z"),
    ];
    let mut desk = Desk::start(&book(steps).rolls_back());
    desk.ok_with("a", json!({"v": 1})).ok(&["b", "c"]).fail("z");
    assert_eq!(desk.question("c").0, "manual:c.undo.1");
    desk.answer_with("c", |_| {});
    desk.pass(1_999);
    assert_eq!(desk.undone(), ["c"]);
    desk.pass(1);
    assert_eq!(desk.undone(), ["c", "b", "a"]);
    assert_eq!(desk.end(), "rolled_back step:z");
}

#[test]
fn a_crash_in_the_middle_undoes_each_once() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b").undo(), run("z")]).rolls_back());
    desk.ok(&["a", "b"]);
    desk.crash();
    desk.fail("z");
    desk.crash();
    assert_eq!(desk.live("undo b").number, 1);
    desk.ok(&["undo b"]);
    desk.crash();
    assert_eq!(desk.live("undo a").number, 1);
    desk.ok(&["undo a"]);
    assert_eq!(desk.undone(), ["b", "a"]);
}

#[test]
fn an_approval_question_is_withdrawn_and_an_undo_asks_for_none() {
    let guarded = run("b").undo().approval(&["chief"], None);
    let open = run("q").approval(&["chief"], None).needs(&[]);
    let mut desk = Desk::start(&book(vec![run("a"), guarded, run("z"), open]).rolls_back());
    desk.ok(&["a"]).answer_with("b", |_| {});
    desk.ok(&["b"]).fail("z");
    assert_eq!(*desk.state("q"), StepState::Blocked(BlockReason::Failure("z".into())));
    desk.ok(&["undo b"]);
    assert_eq!(desk.end(), "rolled_back step:z");
}

#[test]
fn interrupted_undo_defaults_do_not_leak_from_the_step() {
    // The undo has rules of its own.
    let step = run("a").on_interrupt(OnInterrupt::Rerun).undoing(|undo| undo.on_interrupt = OnInterrupt::Fail);
    let mut desk = Desk::start(&book(vec![step, run("z")]).rolls_back());
    desk.ok(&["a"]).fail("z");
    desk.lose("undo a");
    assert_eq!(desk.end(), "stuck undo:a");
}

#[test]
fn who_is_called_because_of_a_failure_is_still_asked_when_another_step_fails() {
    let called = manual("m").needs(&["a"]).when("failure()");
    let steps = vec![run("a"), run("b"), called, manual("p")];
    let mut desk = Desk::start(&book(steps).parallel().rolls_back());
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed b:running m:running p:cancelled");
    desk.fail("b");
    assert_eq!(desk.states(), "a:failed b:failed m:running p:cancelled");
    desk.answer("m", Answer::Confirm { reason: None });
    assert_eq!(desk.end(), "rolled_back step:a");
}
