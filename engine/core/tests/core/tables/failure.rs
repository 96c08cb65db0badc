//! After a failure: what still starts, what `failure()` says, what `continue` means.

use runbook_core::event::BlockReason;
use runbook_core::run::StepState;

use crate::kit::book::book;
use crate::kit::build::{run, set};
use crate::kit::desk::Desk;

#[test]
fn nothing_more_starts_and_what_runs_may_end() {
    let book = book(vec![run("a"), run("b"), run("x"), run("y").needs(&["x"])]).parallel();
    let mut desk = Desk::start(&book);
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed b:running x:running y:pending");
    desk.ok(&["x"]);
    assert_eq!(desk.states(), "a:failed b:running x:succeeded y:blocked");
    assert_eq!(*desk.state("y"), StepState::Blocked(BlockReason::Failure("a".into())));
    desk.ok(&["b"]);
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn the_default_condition_looks_at_all_ancestors() {
    // `b` runs in spite of the failure; `c` needs only `b`, but builds on `a` too.
    let mut desk = Desk::start(&book(vec![run("a"), run("b").when("always()"), run("c"), run("d").when("failure()")]));
    desk.fail("a").ok(&["b"]);
    assert_eq!(desk.states(), "a:failed b:succeeded c:blocked d:running");
    assert_eq!(*desk.state("c"), StepState::Blocked(BlockReason::Ancestor("a".into())));
    desk.ok(&["d"]);
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn a_skipped_step_hands_the_failure_on() {
    let book = book(vec![run("a"), run("b").when("always() and false"), run("c"), run("d").when("failure()")]);
    let mut desk = Desk::start(&book);
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed b:skipped c:blocked d:running");
}

#[test]
fn failure_says_whether_an_ancestor_failed() {
    let steps =
        || vec![run("a"), run("f").when("failure()"), run("n").when("not failure()"), run("z").when("always()")];
    let mut desk = Desk::start(&book(steps()));
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded f:skipped n:running z:pending");
    let mut desk = Desk::start(&book(steps()));
    desk.fail("a");
    desk.ok(&["f"]);
    assert_eq!(desk.states(), "a:failed f:succeeded n:skipped z:running");
}

#[test]
fn failure_is_not_about_steps_elsewhere() {
    let book = book(vec![run("a"), run("b"), run("f").needs(&["b"]).when("failure()")]).parallel();
    let mut desk = Desk::start(&book);
    desk.fail("a").ok(&["b"]);
    assert_eq!(desk.states(), "a:failed b:succeeded f:skipped");
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn continue_counts_as_done_and_the_record_says_failed() {
    let mut desk = Desk::start(&book(vec![run("a").keep_going(), run("b"), run("f").when("failure()"), run("c")]));
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed b:running f:pending c:pending");
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "a:failed b:succeeded f:skipped c:running");
    desk.ok(&["c"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn continue_does_not_hide_an_earlier_failure() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b").when("always()").keep_going(), run("c")]));
    desk.fail("a").fail("b");
    assert_eq!(desk.states(), "a:failed b:failed c:blocked");
    assert_eq!(*desk.state("c"), StepState::Blocked(BlockReason::Ancestor("a".into())));
}

#[test]
fn what_was_asked_or_waited_for_a_place_is_blocked() {
    let book = book(vec![run("a"), run("b"), run("q").approval(&["chief"], None)]).parallel().at_once(1);
    let mut desk = Desk::start(&book);
    assert_eq!(desk.states(), "a:running b:queued q:waiting");
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed b:blocked q:blocked");
    assert!(desk.run().questions().is_empty());
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn a_failure_in_the_very_decision_that_starts_others_holds_them_back() {
    // `s` fails while it is prepared, before `b` is started in the same decision.
    let broken = set("s", &[("v", "{{ params.none }}")]);
    let desk = Desk::start(&book(vec![run("b"), broken, run("c")]).parallel());
    assert_eq!(desk.states(), "b:blocked s:failed c:blocked");
    assert_eq!(desk.attempts()["b"], 0);
}

#[test]
fn a_retry_is_part_of_what_runs() {
    let book = book(vec![run("a").retry(2, 500), run("b")]).parallel();
    let mut desk = Desk::start(&book);
    desk.fail("a").fail("b");
    assert_eq!(desk.states(), "a:retrying b:failed");
    desk.pass(500).ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded b:failed");
    assert_eq!(desk.end(), "failed step:b");
}

#[test]
fn in_always_failure_says_whether_the_run_went_wrong() {
    let steps = || vec![run("f").when("failure()"), run("z")];
    let mut desk = Desk::start(&book(vec![run("a")]).always(steps()));
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed f:running z:pending");
    let mut desk = Desk::start(&book(vec![run("a")]).always(steps()));
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded f:skipped z:running");
    let mut desk = Desk::start(&book(vec![run("a")]).always(steps()));
    desk.cancel(1);
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded f:running z:pending");
}

#[test]
fn the_steps_of_always_run_whatever_the_others_did() {
    let mut desk = Desk::start(&book(vec![run("a")]).always(vec![run("x"), run("y"), run("z").keep_going()]));
    desk.fail("a").fail("x").ok(&["y"]).fail("z");
    assert_eq!(desk.states(), "a:failed x:failed y:succeeded z:failed");
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn a_step_of_always_that_fails_makes_a_green_run_red() {
    let mut desk = Desk::start(&book(vec![run("a")]).always(vec![run("x"), run("y")]));
    desk.ok(&["a"]).fail("x").ok(&["y"]);
    assert_eq!(desk.end(), "failed always:x");
    let mut desk = Desk::start(&book(vec![run("a")]).always(vec![run("x").keep_going(), run("y")]));
    desk.ok(&["a"]).fail("x").ok(&["y"]);
    assert_eq!(desk.end(), "succeeded none");
}
