//! `until`: one attempt looks again and again.

use runbook_core::event::{Event, Failure, Timer};
use runbook_core::input::{AttemptResult, Exit};
use runbook_core::run::StepState;
use serde_json::json;

use crate::kit::book::book;
use crate::kit::build::{Spec, http, run};
use crate::kit::desk::Desk;

fn polled() -> Spec {
    http("a").until("response.up", 100)
}

fn looked(exit: Exit, up: bool) -> AttemptResult {
    let locals = [("response".to_owned(), json!({"up": up}))].into();
    AttemptResult { exit, locals, ..AttemptResult::default() }
}

#[test]
fn it_looks_until_the_condition_holds() {
    let mut desk = Desk::start(&book(vec![polled()]));
    for look in 1..4 {
        assert_eq!((desk.live("a").number, desk.live("a").poll), (1, look));
        desk.ends("a", looked(Exit::Status(200), false));
        assert_eq!(desk.timers().first().map(|(at, _)| at - desk.engine.now), Some(100));
        desk.pass(99);
        assert!(matches!(desk.timers()[0].1, Timer::Poll(_)));
        desk.pass(1);
    }
    desk.ends("a", looked(Exit::Status(200), true));
    assert_eq!(desk.end(), "succeeded none");
    assert_eq!(desk.attempts()["a"], 1);
}

#[test]
fn no_answer_and_an_unexpected_status_mean_not_yet() {
    for exit in [Exit::Status(503), Exit::Status(404), Exit::Error("connection refused".to_owned())] {
        let mut desk = Desk::start(&book(vec![polled()]));
        // Even when the condition would hold.
        let events = desk.ends("a", looked(exit, true));
        assert!(matches!(events[..], [Event::PollMissed { .. }]), "{events:?}");
    }
}

#[test]
fn for_a_command_the_condition_alone_counts() {
    let step = || run("a").until("exit_code == 3", 100);
    let mut desk = Desk::start(&book(vec![step()]));
    desk.ok(&["a"]);
    desk.pass(100).exits("a", Exit::Code(3));
    assert_eq!(desk.end(), "succeeded none");
    // A command that never ran, or was ended by a signal, has no exit code to look at.
    for exit in [Exit::Signal(9), Exit::Error("no such file".to_owned())] {
        let mut desk = Desk::start(&book(vec![step()]));
        desk.exits("a", exit.clone());
        assert_eq!(*desk.state("a"), StepState::Failed(Failure::Exit(exit)));
    }
}

#[test]
fn the_timeout_bounds_the_whole_poll() {
    let mut desk = Desk::start(&book(vec![polled().timeout(250)]));
    desk.ends("a", looked(Exit::Status(200), false));
    desk.pass(100).ends("a", looked(Exit::Status(200), false));
    desk.pass(100).ends("a", looked(Exit::Status(200), false));
    desk.pass(49);
    assert_eq!(desk.states(), "a:running");
    desk.pass(1);
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Timeout(250)));
}

#[test]
fn a_look_that_is_under_way_at_the_timeout_is_ended() {
    let mut desk = Desk::start(&book(vec![polled().timeout(250)]));
    desk.ends("a", looked(Exit::Status(200), false));
    desk.pass(250);
    assert!(desk.is_live("a"));
    // What it found in the end came too late.
    desk.ends("a", looked(Exit::Status(200), true));
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Timeout(250)));
}

#[test]
fn a_poll_that_ran_out_of_time_is_retried_from_the_start() {
    let polled = http("a").until("response.up", 300);
    let mut desk = Desk::start(&book(vec![polled.timeout(250).retry(2, 1_000)]));
    desk.ends("a", looked(Exit::Status(200), false));
    desk.pass(250);
    assert_eq!(desk.states(), "a:retrying");
    desk.pass(1_000);
    assert_eq!((desk.live("a").number, desk.live("a").poll), (2, 1));
    desk.ends("a", looked(Exit::Status(200), false));
    // The whole time once more: from the start of this attempt.
    desk.pass(249);
    assert_eq!(desk.states(), "a:running");
    desk.pass(1);
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Timeout(250)));
}

#[test]
fn a_condition_without_a_value_fails_the_attempt() {
    let mut desk = Desk::start(&book(vec![http("a").until("response.none", 100)]));
    desk.ends("a", looked(Exit::Status(200), true));
    assert!(matches!(desk.state("a"), StepState::Failed(Failure::Evaluate(_))));
}

#[test]
fn a_crash_between_two_looks_changes_nothing() {
    let mut desk = Desk::start(&book(vec![polled().timeout(1_000)]));
    desk.ends("a", looked(Exit::Status(200), false));
    desk.pass(50);
    desk.crash();
    desk.pass(50);
    assert_eq!(desk.live("a").poll, 2);
    desk.pass(899);
    assert!(desk.timers().iter().any(|(at, timer)| *at == 1_000 && matches!(timer, Timer::Overdue(_))));
}

#[test]
fn outputs_come_from_the_look_that_found_it() {
    let mut desk = Desk::start(&book(vec![polled().output("up", "{{ response.up }}")]));
    desk.ends("a", looked(Exit::Status(200), false));
    desk.pass(100).ends("a", looked(Exit::Status(200), true));
    assert_eq!(desk.outputs("a"), json!({"up": true}));
}

#[test]
fn a_poll_that_ran_out_of_time_is_repeated_only_if_that_is_named() {
    let polled = |condition| http("a").until("response.up", 300).timeout(250).retry(2, 1_000).only_on(&[], condition);
    for (condition, states) in [(Some("response.status == none"), "a:retrying"), (Some("response.up"), "a:failed")] {
        let mut desk = Desk::start(&book(vec![polled(condition)]));
        desk.ends("a", looked(Exit::Status(200), false));
        desk.pass(250);
        assert_eq!(desk.states(), states);
    }
}
