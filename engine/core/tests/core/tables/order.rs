//! What starts when.

use crate::kit::book::book;
use crate::kit::build::{block, run, set, wait};
use crate::kit::desk::Desk;

#[test]
fn steps_run_in_the_order_written() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b"), run("c")]));
    assert_eq!(desk.states(), "a:running b:pending c:pending");
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded b:running c:pending");
    desk.ok(&["b", "c"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn needs_replace_the_order() {
    let mut desk =
        Desk::start(&book(vec![run("a"), run("b").needs(&[]), run("c").needs(&["a", "b"]), run("d").needs(&["b"])]));
    assert_eq!(desk.states(), "a:running b:running c:pending d:pending");
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "a:running b:succeeded c:pending d:running");
    desk.ok(&["a", "c", "d"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_step_may_need_a_step_within_another_block() {
    let outer = block("x", vec![run("x1"), run("x2")]);
    let other = block("y", vec![run("y1").needs(&["x1"]), run("y2").needs(&[])]).needs(&[]);
    let mut desk = Desk::start(&book(vec![outer, other]));
    assert_eq!(desk.states(), "x:running x1:running x2:pending y:running y1:pending y2:running");
    desk.ok(&["x1"]);
    assert_eq!(desk.states(), "x:running x1:succeeded x2:running y:running y1:running y2:running");
    desk.ok(&["y1", "y2", "x2"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn always_runs_last_one_after_the_other() {
    let mut desk = Desk::start(&book(vec![run("a")]).always(vec![run("x"), run("y")]));
    assert_eq!(desk.states(), "a:running x:pending y:pending");
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded x:running y:pending");
    desk.ok(&["x", "y"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn an_empty_runbook_ends_at_once() {
    assert_eq!(Desk::start(&book(vec![])).end(), "succeeded none");
    let mut desk = Desk::start(&book(vec![]).always(vec![run("x")]));
    desk.ok(&["x"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn what_needs_nobody_happens_at_once_and_a_pause_ends_by_itself() {
    let mut desk = Desk::start(&book(vec![set("a", &[("v", "x")]), wait("b", "2s"), wait("c", "@9000")]));
    assert_eq!(desk.states(), "a:succeeded b:running c:pending");
    desk.pass(1_999);
    assert_eq!(desk.states(), "a:succeeded b:running c:pending");
    desk.pass(1);
    assert_eq!(desk.states(), "a:succeeded b:succeeded c:running");
    desk.pass(6_999);
    assert_eq!(desk.states(), "a:succeeded b:succeeded c:running");
    desk.pass(1);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_pause_that_is_over_takes_no_time() {
    let mut desk = Desk::start(&book(vec![wait("a", "5s"), wait("b", "@10")]));
    desk.pass(5_000);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn nothing_starts_before_an_engine_has_the_run() {
    let mut engine = crate::kit::engine::Engine::new(crate::kit::engine::Checks::All);
    let created = Box::new(book(vec![run("a")]).created());
    let batch = engine.tell(runbook_core::input::Input::Launched(created.clone()));
    assert_eq!(batch.events.len(), 1);
    assert!(engine.run.wanted().is_empty());
    // A second launch changes nothing.
    assert!(engine.tell(runbook_core::input::Input::Launched(created)).events.is_empty());
}
