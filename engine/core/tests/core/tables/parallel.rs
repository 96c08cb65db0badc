//! `max_parallel`.

use runbook_core::plan::OnInterrupt;

use crate::kit::book::book;
use crate::kit::build::{http, manual, run, wait};
use crate::kit::desk::Desk;

#[test]
fn no_more_run_at_once_than_may() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b"), run("c"), run("d")]).parallel().at_once(2));
    assert_eq!(desk.states(), "a:running b:running c:queued d:queued");
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "a:running b:succeeded c:running d:queued");
}

#[test]
fn none_at_once_means_one() {
    let desk = Desk::start(&book(vec![run("a"), run("b")]).parallel().at_once(0));
    assert_eq!(desk.states(), "a:running b:queued");
}

#[test]
fn people_and_pauses_take_no_place() {
    let desk = Desk::start(&book(vec![manual("m"), wait("w", "1h"), run("a"), run("b")]).parallel().at_once(1));
    assert_eq!(desk.states(), "m:running w:running a:running b:queued");
}

#[test]
fn a_poll_keeps_its_place_between_two_looks() {
    let polled = http("a").until("response.up", 1_000);
    let mut desk = Desk::start(&book(vec![polled, run("b")]).parallel().at_once(1));
    desk.exits("a", runbook_core::input::Exit::Status(503));
    assert_eq!(desk.states(), "a:running b:queued");
}

#[test]
fn a_retry_waits_for_a_place_and_comes_before_what_never_ran() {
    let book = book(vec![run("a").retry(2, 100), run("b"), run("c")]).parallel().at_once(1);
    let mut desk = Desk::start(&book);
    desk.fail("a");
    assert_eq!(desk.states(), "a:retrying b:running c:queued");
    desk.pass(100);
    // It is time, and there is no place; no timer fires again and again.
    assert_eq!(desk.states(), "a:retrying b:running c:queued");
    assert!(desk.timers().is_empty());
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "a:running b:succeeded c:queued");
    desk.ok(&["a", "c"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn an_interrupted_attempt_gives_its_place_away_and_waits_for_another() {
    let book = book(vec![run("a").on_interrupt(OnInterrupt::Ask), run("b")]).parallel().at_once(1);
    let mut desk = Desk::start(&book);
    desk.crash();
    desk.lose("a");
    assert_eq!(desk.states(), "a:running b:running");
    desk.answer("a", runbook_core::input::Answer::RunAgain { reason: None });
    assert_eq!(desk.states(), "a:retrying b:running");
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "a:running b:succeeded");
    assert_eq!(desk.live("a").number, 2);
    desk.ok(&["a"]);
    assert_eq!(desk.end(), "succeeded none");
}
