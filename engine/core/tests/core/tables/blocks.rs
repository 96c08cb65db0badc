//! Blocks: what they come to, and how far a failure within them reaches.

use runbook_core::event::{BlockReason, Failure};
use runbook_core::run::StepState;

use crate::kit::book::book;
use crate::kit::build::{block, run};
use crate::kit::desk::Desk;

#[test]
fn a_block_ends_after_its_steps() {
    let mut desk = Desk::start(&book(vec![block("x", vec![run("a"), run("b")]), run("c")]));
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "x:running a:succeeded b:running c:pending");
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "x:succeeded a:succeeded b:succeeded c:running");
}

#[test]
fn a_parallel_block_starts_all_at_once() {
    let desk = Desk::start(&book(vec![block("x", vec![run("a"), run("b")]).parallel(), run("c")]));
    assert_eq!(desk.states(), "x:running a:running b:running c:pending");
}

#[test]
fn a_failure_within_fails_the_block_and_the_run() {
    let mut desk = Desk::start(&book(vec![block("x", vec![run("a"), run("b")]), run("c")]));
    desk.fail("a");
    assert_eq!(desk.states(), "x:failed a:failed b:blocked c:blocked");
    assert_eq!(*desk.state("x"), StepState::Failed(Failure::Steps(vec!["a".into()])));
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn a_block_that_continues_contains_its_failures() {
    let inside = block("x", vec![run("a"), run("b"), run("c")]).parallel().keep_going();
    let mut desk = Desk::start(&book(vec![inside, run("y").needs(&[]), run("z")]).at_once(2));
    assert_eq!(desk.states(), "x:running a:running b:running c:queued y:queued z:pending");
    desk.fail("a");
    // `c` lies in the scope of the failure, `y` does not.
    assert_eq!(desk.states(), "x:running a:failed b:running c:blocked y:running z:pending");
    desk.ok(&["b", "y", "z"]);
    assert_eq!(desk.states(), "x:failed a:failed b:succeeded c:blocked y:succeeded z:succeeded");
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn the_nearest_block_that_continues_contains() {
    let inner = block("in", vec![run("a"), run("b")]);
    let outer = block("out", vec![inner, run("c")]).keep_going();
    let mut desk = Desk::start(&book(vec![outer, run("d")]));
    desk.fail("a");
    assert_eq!(desk.states(), "out:failed in:failed a:failed b:blocked c:blocked d:running");
    desk.ok(&["d"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_step_that_continues_does_not_fail_its_block() {
    let mut desk = Desk::start(&book(vec![block("x", vec![run("a").keep_going(), run("b")])]));
    desk.fail("a").ok(&["b"]);
    assert_eq!(desk.states(), "x:succeeded a:failed b:succeeded");
}

#[test]
fn a_need_into_a_block_sees_the_failure_that_the_block_contains() {
    let book = book(vec![block("x", vec![run("a")]).keep_going(), run("b").needs(&["a"]), run("c").needs(&["x"])]);
    let mut desk = Desk::start(&book);
    desk.fail("a");
    assert_eq!(desk.states(), "x:failed a:failed b:blocked c:running");
    desk.ok(&["c"]);
    // Nothing failed the run; `b` could not run, and says why.
    assert_eq!(*desk.state("b"), StepState::Blocked(BlockReason::Ancestor("a".into())));
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn the_steps_of_a_block_that_is_entered_after_a_failure_run() {
    let clean = block("clean", vec![run("c1"), block("in", vec![run("c2")]), run("c3")]).when("failure()");
    let mut desk = Desk::start(&book(vec![run("a"), clean, run("b")]));
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed clean:running c1:running in:pending c2:pending c3:pending b:pending");
    desk.ok(&["c1", "c2", "c3"]);
    assert_eq!(desk.states(), "a:failed clean:succeeded c1:succeeded in:succeeded c2:succeeded c3:succeeded b:blocked");
}

#[test]
fn a_failure_within_such_a_block_holds_back_the_rest_of_it() {
    let clean = block("clean", vec![run("c1"), run("c2"), run("c3")]).when("always()").parallel();
    let mut desk = Desk::start(&book(vec![run("a"), clean]).at_once(2));
    desk.fail("a").fail("c1");
    assert_eq!(desk.states(), "a:failed clean:running c1:failed c2:running c3:blocked");
    desk.ok(&["c2"]);
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn in_a_block_failure_looks_at_what_the_block_builds_on() {
    let inner = block("x", vec![run("f").when("failure()"), run("n").needs(&[])]).when("always()");
    let mut desk = Desk::start(&book(vec![run("a"), inner]));
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed x:running f:running n:running");
}

#[test]
fn a_failure_elsewhere_blocks_what_is_left_of_a_block() {
    let inside = block("x", vec![run("a"), run("b")]);
    let mut desk = Desk::start(&book(vec![inside, run("y")]).parallel());
    desk.fail("y").ok(&["a"]);
    assert_eq!(desk.states(), "x:blocked a:succeeded b:blocked y:failed");
    assert_eq!(*desk.state("x"), StepState::Blocked(BlockReason::Failure("y".into())));
}

#[test]
fn a_block_of_always_that_fails_holds_back_nothing_but_itself() {
    let book = book(vec![run("a")]).always(vec![block("x", vec![run("x1"), run("x2")]), run("y")]);
    let mut desk = Desk::start(&book);
    desk.ok(&["a"]).fail("x1");
    assert_eq!(desk.states(), "a:succeeded x:failed x1:failed x2:blocked y:running");
    desk.ok(&["y"]);
    assert_eq!(desk.end(), "failed always:x1");
}

#[test]
fn a_block_may_be_approved_as_a_whole() {
    let inside = block("x", vec![run("a"), run("b")]).approval(&["chief"], None);
    let mut desk = Desk::start(&book(vec![inside]));
    assert_eq!(desk.states(), "x:waiting a:pending b:pending");
    desk.answer_with("x", |_| {});
    desk.ok(&["a", "b"]);
    assert_eq!(desk.end(), "succeeded none");
}
