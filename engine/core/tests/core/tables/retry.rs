//! `retry`: how often, and when.

use runbook_core::event::{Event, Failure};
use runbook_core::input::{AttemptResult, Exit};
use runbook_core::plan::{Retry, RetryOn};
use runbook_core::run::StepState;
use serde_json::json;

use crate::kit::book::book;
use crate::kit::build::{Spec, assert_that, http, run, set};
use crate::kit::desk::Desk;

/// The delays before each further attempt of a step that always fails, and how many attempts there were.
fn delays(step: Spec) -> (Vec<u64>, u32) {
    let mut desk = Desk::start(&book(vec![step]));
    let mut delays = vec![];
    loop {
        desk.engine.now += 7;
        desk.fail("a");
        let Some((at, _)) = desk.timers().first().cloned() else { break };
        let delay = at - desk.engine.now;
        delays.push(delay);
        desk.pass(delay.saturating_sub(1));
        assert!(!desk.is_live("a"), "too early");
        desk.pass(1);
    }
    assert_eq!(desk.end(), "failed step:a");
    (delays, desk.attempts()["a"])
}

#[test]
fn three_attempts_are_three_runs() {
    assert_eq!(delays(run("a")), (vec![], 1));
    assert_eq!(delays(run("a").retry(1, 50)), (vec![], 1));
    assert_eq!(delays(run("a").retry(3, 50)), (vec![50, 50], 3));
    // Without a delay the next one follows at once.
    let mut desk = Desk::start(&book(vec![run("a").retry(3, 0)]));
    desk.fail("a").fail("a").fail("a");
    assert_eq!(desk.end(), "failed step:a");
}

fn exponential(delay_max_ms: Option<u64>) -> Spec {
    let mut step = run("a").retry(6, 100);
    step.step.retry = Some(Retry { attempts_max: 6, delay_ms: 100, exponential: true, delay_max_ms, on: None });
    step
}

#[test]
fn delays_double_up_to_the_longest() {
    assert_eq!(delays(exponential(None)).0, [100, 200, 400, 800, 1_600]);
    assert_eq!(delays(exponential(Some(500))).0, [100, 200, 400, 500, 500]);
    assert_eq!(delays(exponential(Some(30))).0, [30, 30, 30, 30, 30]);
}

#[test]
fn delays_never_overflow() {
    let retry = Retry { attempts_max: 99, delay_ms: 3, exponential: true, delay_max_ms: None, on: None };
    assert_eq!(retry.delay_after(1), 3);
    assert_eq!(retry.delay_after(64), u64::MAX);
    assert_eq!(retry.delay_after(65), u64::MAX);
    assert_eq!(retry.delay_after(u32::MAX), u64::MAX);
    assert_eq!(Retry { delay_max_ms: Some(9), ..retry }.delay_after(80), 9);
}

#[test]
fn an_attempt_that_succeeds_ends_it() {
    let mut desk = Desk::start(&book(vec![run("a").retry(5, 10), run("b")]));
    desk.fail("a").pass(10).fail("a").pass(10).ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded b:running");
    assert_eq!(desk.attempts()["a"], 3);
}

#[test]
fn the_step_says_how_the_last_attempt_failed() {
    let mut desk = Desk::start(&book(vec![run("a").retry(2, 10)]));
    desk.exits("a", Exit::Code(4));
    desk.pass(10).exits("a", Exit::Signal(9));
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Exit(Exit::Signal(9))));
    let step = desk.run().step(&"a".into()).expect("a step");
    assert_eq!(step.exit_code, Some(4), "the last exit code that there was");
}

#[test]
fn what_the_engine_does_itself_is_repeated_too() {
    let mut desk = Desk::start(&book(vec![assert_that("a", "params.kind == 'b'").retry(3, 20), run("b")]));
    assert_eq!(desk.states(), "a:retrying b:pending");
    desk.pass(40);
    assert_eq!(desk.states(), "a:failed b:blocked");
    assert_eq!(desk.attempts()["a"], 3);
}

#[test]
fn outputs_that_cannot_be_computed_fail_the_attempt() {
    let mut desk = Desk::start(&book(vec![run("a").output("v", "{{ outputs.v }}").retry(2, 10)]));
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:retrying");
    desk.pass(10).ok_with("a", serde_json::json!({"v": 1}));
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_step_that_cannot_be_prepared_is_not_tried() {
    let desk = Desk::start(&book(vec![set("a", &[("v", "{{ params.none }}")]).retry(3, 10)]));
    assert_eq!(desk.attempts()["a"], 0);
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn a_late_or_repeated_result_changes_nothing() {
    let mut desk = Desk::start(&book(vec![run("a").retry(2, 10), run("b")]));
    let first = desk.live("a");
    desk.fail("a");
    let late = runbook_core::input::AttemptResult { exit: Exit::Code(0), ..Default::default() };
    let ended = |attempt| runbook_core::input::Input::Ended { attempt, result: Box::new(late.clone()) };
    assert!(desk.tell(ended(first.clone())).is_empty());
    assert!(desk.tell(runbook_core::input::Input::Lost(Box::new(first.clone().into()))).is_empty());
    desk.pass(10);
    assert!(desk.tell(ended(first)).is_empty());
    let second = desk.live("a");
    assert_eq!(desk.tell(ended(second.clone())).len(), 4, "ended, succeeded, prepared, started");
    assert!(desk.tell(ended(second)).is_empty());
    assert_eq!(desk.states(), "a:succeeded b:running");
}

#[test]
fn a_retry_outlives_a_crash_with_its_time() {
    let mut desk = Desk::start(&book(vec![run("a").retry(2, 1_000)]));
    desk.fail("a").pass(400);
    desk.crash();
    assert_eq!(desk.timers()[0].0, 1_000);
    desk.pass(599);
    assert_eq!(desk.states(), "a:retrying");
    let started = |event: &Event| matches!(event, Event::AttemptStarted { attempt, .. } if attempt.number == 2);
    desk.pass(1);
    assert!(desk.engine.journal.last().expect("a batch").events.iter().any(started));
}

fn with(exit: Exit, stdout: &str) -> AttemptResult {
    let locals = [("stdout".to_owned(), json!(stdout))].into();
    AttemptResult { exit, locals, ..AttemptResult::default() }
}

/// Whether a step is repeated that failed so.
fn is_repeated(step: Spec, result: AttemptResult) -> bool {
    let mut desk = Desk::start(&book(vec![step]));
    desk.ends("a", result);
    let repeated = *desk.state("a") == StepState::Retrying;
    assert!(repeated || desk.end() == "failed step:a");
    repeated
}

#[test]
fn only_the_failures_that_are_named_are_repeated() {
    let on = |exit_codes: &[i32], condition| run("a").retry(3, 10).only_on(exit_codes, condition);
    for (step, exit, stdout, repeated) in [
        (on(&[7, 75], None), Exit::Code(75), "", true),
        (on(&[7, 75], None), Exit::Code(1), "", false),
        (on(&[7, 75], None), Exit::Signal(9), "", false),
        (on(&[7, 75], None), Exit::Error("no such file".to_owned()), "", false),
        (on(&[], Some("stdout == 'busy'")), Exit::Code(1), "busy", true),
        (on(&[], Some("stdout == 'busy'")), Exit::Code(1), "gone", false),
        (on(&[], Some("exit_code == 4")), Exit::Code(4), "", true),
        // Either suffices.
        (on(&[7], Some("stdout == 'busy'")), Exit::Code(7), "gone", true),
        (on(&[7], Some("stdout == 'busy'")), Exit::Code(1), "busy", true),
        (on(&[7], Some("stdout == 'busy'")), Exit::Code(1), "gone", false),
        // What is not known is none.
        (on(&[], Some("exit_code == none")), Exit::Signal(9), "", true),
        (on(&[], Some("exit_code == none")), Exit::Code(9), "", false),
    ] {
        let what = format!("{:?} {exit} {stdout}", step.step.retry);
        assert_eq!(is_repeated(step, with(exit, stdout)), repeated, "{what}");
    }
}

#[test]
fn a_request_without_an_answer_has_a_response_without_a_status() {
    let step = |condition| http("a").retry(3, 10).only_on(&[], Some(condition));
    let unanswered = || AttemptResult { exit: Exit::Error("connection refused".to_owned()), ..Default::default() };
    assert!(!is_repeated(step("response.status == 503"), unanswered()));
    assert!(is_repeated(step("response.status == none"), unanswered()));
}

#[test]
fn a_timeout_has_no_exit_code_to_be_repeated_by() {
    let timed_out = |step: Spec| {
        let mut desk = Desk::start(&book(vec![step.timeout(100)]));
        desk.pass(100);
        desk.exits("a", Exit::Code(7));
        desk.states()
    };
    let step = |exit_codes: &[i32], condition| run("a").retry(3, 10).only_on(exit_codes, condition);
    assert_eq!(timed_out(step(&[7], None)), "a:failed");
    assert_eq!(timed_out(step(&[], Some("exit_code == 7"))), "a:failed");
    assert_eq!(timed_out(step(&[], Some("exit_code == none"))), "a:retrying");
    assert_eq!(timed_out(run("a").retry(3, 10)), "a:retrying", "without `on` every failure is repeated");
}

#[test]
fn an_expression_without_a_value_repeats_nothing_and_says_so() {
    let mut desk = Desk::start(&book(vec![run("a").retry(3, 10).only_on(&[], Some("nothing.there"))]));
    desk.exits("a", Exit::Code(3));
    let StepState::Failed(Failure::Evaluate(reason)) = desk.state("a") else { panic!("{}", desk.states()) };
    assert!(reason.starts_with("exit code 3; not repeated, as `retry.on.if` has no value: "), "{reason}");
}

#[test]
fn an_undo_is_repeated_by_the_same_rules() {
    let undo = |exit: i32| {
        let step = run("a").undoing(|undo| {
            let on = RetryOn { exit_codes: [7].into(), condition: None };
            let (attempts_max, delay_ms, exponential, delay_max_ms) = (2, 10, false, None);
            undo.retry = Some(Retry { attempts_max, delay_ms, exponential, delay_max_ms, on: Some(on) });
        });
        let mut desk = Desk::start(&book(vec![step, run("b")]).rolls_back());
        desk.ok(&["a"]).fail("b");
        desk.exits("undo a", Exit::Code(exit));
        desk
    };
    assert_eq!(undo(3).end(), "stuck undo:a");
    let mut repeated = undo(7);
    repeated.pass(10).ok(&["undo a"]);
    assert_eq!(repeated.end(), "rolled_back step:b");
}
