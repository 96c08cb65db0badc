//! `rescue` and `always` of a block.

use runbook_core::Effect;
use runbook_core::event::{BlockReason, Event, Failure, SkipReason};
use runbook_core::input::{Answer, Exit};
use runbook_core::plan::{OnInterrupt, Section};
use runbook_core::run::StepState;

use crate::kit::book::book;
use crate::kit::build::{block, manual, run, set, wait};
use crate::kit::desk::Desk;

#[test]
fn without_a_failure_the_rescue_is_skipped_and_always_runs() {
    let x = block("x", vec![run("a")]).rescue(vec![block("r", vec![run("r1")])]).always(vec![run("z")]);
    let mut desk = Desk::start(&book(vec![x, run("b")]));
    assert_eq!(desk.states(), "x:running a:running r:pending r1:pending z:pending b:pending");
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "x:running a:succeeded r:skipped r1:skipped z:running b:pending");
    assert_eq!(*desk.state("r"), StepState::Skipped(SkipReason::Rescue("x".into())));
    assert_eq!(*desk.state("r1"), StepState::Skipped(SkipReason::Parent("r".into())));
    desk.ok(&["z", "b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_rescue_that_succeeds_contains_the_failure() {
    let x = block("x", vec![run("a"), run("b")]).rescue(vec![run("r"), run("s")]);
    let mut desk = Desk::start(&book(vec![x, run("c").when("failure()"), run("d")]));
    desk.fail("a");
    assert_eq!(desk.states(), "x:running a:failed b:blocked r:running s:pending c:pending d:pending");
    desk.ok(&["r", "s"]);
    // The record still says what failed, and for those after it nothing did.
    assert_eq!(desk.states(), "x:succeeded a:failed b:blocked r:succeeded s:succeeded c:skipped d:running");
    desk.ok(&["d"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_rescue_that_fails_fails_the_block_and_names_both() {
    let x = block("x", vec![run("a")]).rescue(vec![run("r"), run("s")]);
    let mut desk = Desk::start(&book(vec![x, run("c")]));
    desk.fail("a").fail("r");
    assert_eq!(desk.states(), "x:failed a:failed r:failed s:blocked c:blocked");
    assert_eq!(*desk.state("x"), StepState::Failed(Failure::Steps(vec!["a".into(), "r".into()])));
    assert_eq!(desk.end(), "failed step:r");
}

#[test]
fn a_rescue_begins_when_all_of_the_block_has_settled() {
    let x = block("x", vec![run("a"), run("b"), run("c")]).parallel().rescue(vec![run("r")]);
    let mut desk = Desk::start(&book(vec![x]).at_once(2));
    let events = desk.exits("a", Exit::Code(1));
    assert_eq!(desk.states(), "x:running a:failed b:running c:blocked r:pending");
    assert!(!events.iter().any(|event| matches!(event, Event::SectionEntered { .. })));
    let events = desk.exits("b", Exit::Code(0));
    let entered = Event::SectionEntered { step: "x".into(), section: Section::Rescue, trouble: vec!["a".into()] };
    assert!(events.contains(&entered), "{events:?}");
    desk.ok(&["r"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn in_a_rescue_failure_holds_and_the_failed_step_can_be_read() {
    let rescue = vec![run("r").when("failure()"), run("s").when("steps.a.failed"), run("t").when("steps.b.failed")];
    let mut desk = Desk::start(&book(vec![block("x", vec![run("a"), run("b")]).rescue(rescue)]));
    desk.fail("a").ok(&["r", "s"]);
    assert_eq!(desk.states(), "x:succeeded a:failed b:blocked r:succeeded s:succeeded t:skipped");
}

#[test]
fn what_happens_around_a_block_does_not_hold_back_its_rescue() {
    let x = block("x", vec![run("a")]).rescue(vec![run("r"), run("s")]);
    let mut desk = Desk::start(&book(vec![x, run("y")]).parallel());
    desk.fail("y").fail("a").ok(&["r", "s"]);
    assert_eq!(desk.states(), "x:succeeded a:failed r:succeeded s:succeeded y:failed");
    assert_eq!(desk.end(), "failed step:y");
}

#[test]
fn a_block_that_is_held_back_by_others_is_not_rescued() {
    let x = block("x", vec![run("a"), run("b")]).rescue(vec![run("r")]).always(vec![run("z")]);
    let mut desk = Desk::start(&book(vec![x, run("y")]).parallel());
    desk.fail("y").ok(&["a"]);
    assert_eq!(desk.states(), "x:running a:succeeded b:blocked r:skipped z:running y:failed");
    desk.ok(&["z"]);
    assert_eq!(*desk.state("x"), StepState::Blocked(BlockReason::Failure("y".into())));
}

#[test]
fn always_runs_after_a_failure_and_the_block_still_fails() {
    let x = block("x", vec![run("a"), run("b")]).always(vec![run("z").when("failure()")]);
    let mut desk = Desk::start(&book(vec![x, run("c")]));
    desk.fail("a");
    assert_eq!(desk.states(), "x:running a:failed b:blocked z:running c:pending");
    desk.ok(&["z"]);
    assert_eq!(desk.states(), "x:failed a:failed b:blocked z:succeeded c:blocked");
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn each_always_step_runs_whatever_the_others_did_and_one_that_fails_fails_the_block() {
    let x = block("x", vec![run("a")]).always(vec![run("y"), run("z")]);
    let mut desk = Desk::start(&book(vec![x, run("c")]));
    desk.ok(&["a"]).fail("y");
    assert_eq!(desk.states(), "x:running a:succeeded y:failed z:running c:pending");
    desk.ok(&["z"]);
    assert_eq!(desk.states(), "x:failed a:succeeded y:failed z:succeeded c:blocked");
    assert_eq!(desk.end(), "failed step:y");
}

#[test]
fn after_a_rescue_that_helped_always_sees_no_failure() {
    let x = || block("x", vec![run("a")]).rescue(vec![run("r")]).always(vec![run("z").when("failure()")]);
    let mut desk = Desk::start(&book(vec![x()]));
    desk.fail("a").ok(&["r"]);
    assert_eq!(desk.states(), "x:succeeded a:failed r:succeeded z:skipped");
    let mut desk = Desk::start(&book(vec![x()]));
    desk.fail("a").fail("r").ok(&["z"]);
    assert_eq!(desk.states(), "x:failed a:failed r:failed z:succeeded");
}

#[test]
fn a_block_that_is_not_entered_runs_none_of_the_three() {
    let x = || block("x", vec![run("a")]).rescue(vec![run("r")]).always(vec![run("z")]);
    let desk = Desk::start(&book(vec![x().when("false")]));
    assert_eq!(desk.states(), "x:skipped a:skipped r:skipped z:skipped");
    let mut desk = Desk::start(&book(vec![run("f"), x()]));
    desk.fail("f");
    assert_eq!(desk.states(), "f:failed x:blocked a:blocked r:blocked z:blocked");
}

#[test]
fn always_runs_although_the_run_is_cancelled_and_before_the_rollback() {
    let x = block("x", vec![run("a").undo(), run("b")]).rescue(vec![run("r")]).always(vec![run("y"), run("z")]);
    let mut desk = Desk::start(&book(vec![x, run("c")]).rolls_back());
    desk.ok(&["a"]);
    desk.cancel(1);
    desk.pass(10_000);
    desk.exits("b", Exit::Signal(15));
    assert_eq!(desk.states(), "x:running a:succeeded b:cancelled r:skipped y:running z:pending c:pending");
    // The grace is over; it is not for these.
    desk.pass(60_000).ok(&["y"]);
    assert!(desk.is_live("z") && desk.undone().is_empty());
    desk.ok(&["z", "undo a"]);
    assert_eq!(desk.states(), "x:cancelled a:succeeded b:cancelled r:skipped y:succeeded z:succeeded c:blocked");
    assert_eq!(desk.end(), "rolled_back cancelled");
}

#[test]
fn the_first_request_leaves_a_running_always_alone_and_the_second_cuts_it() {
    let cleanup = || vec![run("y").retry(3, 100), wait("w", "1h"), run("z")];
    let mut desk = Desk::start(&book(vec![block("x", vec![run("a")]).always(cleanup()), run("c")]));
    desk.ok(&["a"]);
    desk.cancel(1);
    desk.pass(60_000).fail("y").pass(100).ok(&["y"]);
    assert_eq!(desk.states(), "x:running a:succeeded y:succeeded w:running z:pending c:pending");
    desk.cancel(2);
    assert_eq!(desk.states(), "x:cancelled a:succeeded y:succeeded w:cancelled z:blocked c:blocked");
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn two_requests_before_an_always_begins_count_as_one_for_it() {
    let x = block("x", vec![run("a")]).always(vec![run("y"), run("z")]);
    let mut desk = Desk::start(&book(vec![x]));
    desk.cancel(1);
    desk.cancel(2);
    desk.exits("a", Exit::Signal(15));
    assert_eq!(desk.states(), "x:running a:cancelled y:running z:pending");
    desk.cancel(2);
    let stopped = |effect: &Effect| matches!(effect, Effect::Stop { attempt, .. } if attempt.step.as_str() == "y");
    assert!(desk.run().wanted().iter().any(stopped));
    desk.exits("y", Exit::Signal(15));
    assert_eq!(desk.states(), "x:cancelled a:cancelled y:cancelled z:blocked");
}

#[test]
fn an_always_that_was_cut_stays_so_when_another_begins() {
    let x = block("x", vec![run("a")]).always(vec![run("y"), run("z")]);
    let other = block("o", vec![run("b")]).always(vec![run("v")]);
    let mut desk = Desk::start(&book(vec![x, other]).parallel());
    desk.ok(&["a"]);
    desk.cancel(1);
    desk.cancel(2);
    desk.exits("b", Exit::Signal(15));
    // The `always` of `o` begins after the request; that of `x` is cut by it.
    assert!(desk.is_live("v"));
    desk.exits("y", Exit::Signal(15));
    assert_eq!(desk.states(), "x:cancelled a:succeeded y:cancelled z:blocked o:running b:cancelled v:running");
    desk.ok(&["v"]);
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn a_rescue_is_no_matter_of_a_run_that_is_cancelled() {
    let x = block("x", vec![run("a")]).rescue(vec![run("r")]);
    let mut desk = Desk::start(&book(vec![x]));
    desk.cancel(1);
    desk.fail("a");
    assert_eq!(desk.states(), "x:failed a:failed r:blocked");
    assert_eq!(*desk.state("r"), StepState::Blocked(BlockReason::Cancelled));
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn what_succeeded_before_a_rescue_is_undone_when_the_run_fails_later() {
    let x = block("x", vec![run("a").undo(), run("b")]).rescue(vec![run("r").undo()]).always(vec![run("z").undo()]);
    let mut desk = Desk::start(&book(vec![x, run("c")]).rolls_back());
    desk.ok(&["a"]).fail("b").ok(&["r", "z"]).fail("c");
    desk.ok(&["undo r", "undo a"]);
    // What an `always` did is not undone.
    assert_eq!(desk.undone(), ["r", "a"]);
    assert_eq!(desk.end(), "rolled_back step:c");
}

#[test]
fn a_refused_approval_can_be_rescued() {
    let x = block("x", vec![run("a").approval(&["chief"], None)]).rescue(vec![run("r")]);
    let mut desk = Desk::start(&book(vec![x.clone()]));
    desk.answer("a", Answer::Reject { reason: None });
    desk.ok(&["r"]);
    assert_eq!(desk.end(), "succeeded none");
    let mut desk = Desk::start(&book(vec![x]));
    desk.answer("a", Answer::Reject { reason: None });
    desk.fail("r");
    assert_eq!(desk.end(), "failed step:r");
}

#[test]
fn approvals_retries_timeouts_and_interruptions_are_in_sections_what_they_are_elsewhere() {
    let rescue = vec![run("r").retry(2, 100), run("s").approval(&["chief"], None)];
    let always = vec![run("t").timeout(500), run("u").on_interrupt(OnInterrupt::Rerun), manual("m")];
    let mut desk = Desk::start(&book(vec![block("x", vec![run("a")]).rescue(rescue).always(always)]));
    desk.fail("a").fail("r").pass(100).ok(&["r"]);
    desk.answer_with("s", |_| {});
    desk.ok(&["s"]).pass(500);
    desk.exits("t", Exit::Signal(15));
    desk.lose("u");
    desk.ok(&["u"]);
    desk.answer_with("m", |_| {});
    assert_eq!(desk.states(), "x:failed a:failed r:succeeded s:succeeded t:failed u:succeeded m:succeeded");
    assert_eq!(desk.attempts()["r"], 2);
    assert_eq!(desk.attempts()["u"], 2);
}

#[test]
fn sections_nest() {
    let inner = block("in", vec![run("a")]).rescue(vec![run("r")]).always(vec![run("y")]);
    let outer = block("out", vec![inner]).rescue(vec![run("s")]).always(vec![run("z")]);
    let mut desk = Desk::start(&book(vec![outer]));
    desk.fail("a").fail("r").ok(&["y", "s", "z"]);
    assert_eq!(desk.states(), "out:succeeded in:failed a:failed r:failed y:succeeded s:succeeded z:succeeded");
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn outputs_of_a_block_can_come_from_its_rescue() {
    let rescue = vec![set("r", &[("given", "spare")])];
    let x = block("x", vec![run("a")]).rescue(rescue).output("given", "{{ steps.r.outputs.given }}");
    let mut desk = Desk::start(&book(vec![x]));
    desk.fail("a");
    assert_eq!(desk.outputs("x")["given"], "spare");
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn always_runs_in_the_always_of_the_runbook_too() {
    let x = block("x", vec![run("a")]).rescue(vec![run("r")]).always(vec![run("z")]);
    let mut desk = Desk::start(&book(vec![run("b")]).always(vec![x]));
    desk.ok(&["b"]).fail("a").ok(&["r", "z"]);
    assert_eq!(desk.end(), "succeeded none");
}
