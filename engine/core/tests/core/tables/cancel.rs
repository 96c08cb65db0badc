//! A person ends the run: once, twice, three times, in each stage.

use runbook_core::Effect;
use runbook_core::event::BlockReason;
use runbook_core::input::{Exit, Input};
use runbook_core::run::StepState;

use crate::kit::book::{Book, book};
use crate::kit::build::{block, http, manual, run, wait};
use crate::kit::desk::Desk;

/// The commands that are being ended, and whether killed.
fn stops(desk: &Desk) -> Vec<(String, bool)> {
    let stop = |effect: Effect| match effect {
        Effect::Stop { attempt, force } => Some((attempt.to_string(), force)),
        _ => None,
    };
    desk.run().wanted().into_iter().filter_map(stop).collect()
}

#[test]
fn once_starts_nothing_more_and_ends_what_runs_after_the_grace() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b"), run("c").when("always()")]));
    desk.cancel(1);
    assert_eq!(desk.states(), "a:running b:pending c:pending");
    desk.pass(9_999);
    assert!(stops(&desk).is_empty());
    desk.pass(1);
    assert_eq!(stops(&desk), [("a.1".to_owned(), false)]);
    desk.pass(999);
    assert_eq!(stops(&desk), [("a.1".to_owned(), false)]);
    desk.pass(1);
    assert_eq!(stops(&desk), [("a.1".to_owned(), true)]);
    desk.exits("a", Exit::Signal(9));
    // Even a step with `always()` does not start any more.
    assert_eq!(desk.states(), "a:cancelled b:blocked c:blocked");
    assert_eq!(*desk.state("c"), StepState::Blocked(BlockReason::Cancelled));
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn what_ends_within_the_grace_has_ended_well() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b")]));
    desk.cancel(1);
    desk.pass(5_000).ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded b:blocked");
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn twice_is_term_now_and_three_times_is_kill_now() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b")]).parallel());
    desk.cancel(1);
    desk.cancel(2);
    assert_eq!(stops(&desk), [("a.1".to_owned(), false), ("b.1".to_owned(), false)]);
    desk.cancel(3);
    assert_eq!(stops(&desk), [("a.1".to_owned(), true), ("b.1".to_owned(), true)]);
    // Once more, or less, changes nothing.
    assert!(desk.cancel(3).is_empty() && desk.cancel(1).is_empty() && desk.cancel(2).is_empty());
    let mut desk = Desk::start(&book(vec![run("a")]));
    desk.cancel(3);
    assert_eq!(stops(&desk), [("a.1".to_owned(), true)]);
    desk.exits("a", Exit::Signal(9));
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn what_only_waits_ends_at_once() {
    let polled = http("p").until("response.up", 60_000);
    let steps =
        vec![wait("w", "1h"), manual("m"), run("r").retry(2, 60_000), polled, run("q").approval(&["chief"], None)];
    let mut desk = Desk::start(&book(steps).parallel());
    desk.fail("r");
    desk.exits("p", Exit::Status(500));
    assert_eq!(desk.states(), "w:running m:running r:retrying p:running q:waiting");
    desk.cancel(1);
    assert_eq!(desk.states(), "w:cancelled m:cancelled r:cancelled p:cancelled q:blocked");
    assert!(desk.run().questions().is_empty());
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn nothing_is_repeated_when_cancelled() {
    let mut desk = Desk::start(&book(vec![run("a").retry(3, 10)]));
    desk.cancel(1);
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed");
    let mut desk = Desk::start(&book(vec![http("a").until("response.up", 10)]));
    desk.cancel(1);
    desk.exits("a", Exit::Status(500));
    assert_eq!(desk.states(), "a:cancelled");
}

#[test]
fn a_block_that_is_cut_is_cancelled() {
    let mut desk = Desk::start(&book(vec![block("x", vec![run("a"), run("b")])]));
    desk.cancel(2);
    desk.exits("a", Exit::Signal(15));
    assert_eq!(desk.states(), "x:cancelled a:cancelled b:blocked");
}

#[test]
fn always_runs_after_a_cancel() {
    let mut desk = Desk::start(&book(vec![run("a")]).always(vec![run("x")]));
    desk.cancel(2);
    desk.exits("a", Exit::Signal(15));
    desk.ok(&["x"]);
    assert_eq!(desk.end(), "cancelled cancelled");
}

/// A run that is being rolled back: `b` failed, `a` is being undone, `z` will be.
fn rolling_back() -> Desk {
    let book = book(vec![run("z").undo(), run("a").undo(), run("b")]).rolls_back().always(vec![run("x")]);
    let mut desk = Desk::start(&book);
    desk.ok(&["z", "a"]).fail("b");
    desk
}

#[test]
fn once_does_not_cut_an_undo() {
    let mut desk = rolling_back();
    assert_eq!(desk.cancel(1).len(), 1);
    desk.pass(60_000);
    assert!(stops(&desk).is_empty());
    desk.ok(&["undo a", "undo z", "x"]);
    assert_eq!(desk.end(), "rolled_back step:b");
}

#[test]
fn twice_cuts_an_undo_and_leaves_the_run_stuck() {
    let mut desk = rolling_back();
    desk.cancel(2);
    assert_eq!(stops(&desk), [("a.undo.1".to_owned(), false)]);
    desk.exits("undo a", Exit::Signal(15));
    // `always` runs even then.
    desk.ok(&["x"]);
    assert_eq!(desk.end(), "stuck undo:a");
}

#[test]
fn a_request_from_before_the_rollback_counts_once_there() {
    let book = book(vec![run("a").undo(), run("b")]).rolls_back().always(vec![run("x")]);
    let mut desk = Desk::start(&book);
    desk.ok(&["a"]);
    desk.cancel(3);
    desk.exits("b", Exit::Signal(9));
    assert!(stops(&desk).is_empty(), "the undo is not killed");
    desk.cancel(2);
    assert_eq!(stops(&desk), [("a.undo.1".to_owned(), false)]);
    desk.exits("undo a", Exit::Signal(15));
    assert!(stops(&desk).is_empty(), "nor is `always`");
    desk.ok(&["x"]);
    assert_eq!(desk.end(), "stuck undo:a");
}

#[test]
fn an_undo_that_waits_to_be_repeated_is_cut_by_two() {
    let undoable = run("a").undoing(|undo| undo.retry = run("x").retry(3, 60_000).step.retry);
    let mut desk = Desk::start(&book(vec![undoable, run("b")]).rolls_back());
    desk.ok(&["a"]).fail("b").fail("undo a");
    desk.cancel(1);
    assert_eq!(desk.timers().len(), 1);
    desk.cancel(2);
    assert_eq!(desk.end(), "stuck undo:a");
}

fn in_always() -> (Book, Desk) {
    let book = book(vec![run("a")]).always(vec![run("x"), wait("w", "1h"), run("y")]);
    let mut desk = Desk::start(&book);
    desk.ok(&["a"]);
    (book, desk)
}

#[test]
fn once_does_not_cut_always() {
    let (_, mut desk) = in_always();
    desk.cancel(1);
    desk.pass(60_000);
    assert!(stops(&desk).is_empty());
    desk.ok(&["x"]).pass(3_600_000).ok(&["y"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn twice_cuts_always_and_what_is_left_of_it() {
    let (_, mut desk) = in_always();
    desk.cancel(2);
    assert_eq!(stops(&desk), [("x.1".to_owned(), false)]);
    desk.exits("x", Exit::Signal(15));
    assert_eq!(desk.states(), "a:succeeded x:cancelled w:blocked y:blocked");
    assert_eq!(desk.end(), "failed always:x");
    let (_, mut desk) = in_always();
    desk.ok(&["x"]);
    desk.cancel(2);
    assert_eq!(desk.states(), "a:succeeded x:succeeded w:cancelled y:blocked");
    assert_eq!(desk.end(), "failed always:w");
}

#[test]
fn a_request_outlives_a_crash() {
    let mut desk = Desk::start(&book(vec![run("a")]).grace(3_000));
    desk.cancel(1);
    desk.pass(1_000);
    desk.crash();
    desk.pass(1_999);
    assert!(stops(&desk).is_empty());
    desk.pass(1);
    assert_eq!(stops(&desk), [("a.1".to_owned(), false)]);
}

#[test]
fn without_an_engine_before_there_is_nothing_to_wait_for() {
    // `cancel` becomes the engine when there is none.
    let mut desk = Desk::start(&book(vec![wait("w", "1h"), run("b")]).service("db"));
    desk.ready("db");
    desk.crash();
    desk.cancel(1);
    assert_eq!(desk.states(), "w:cancelled b:blocked");
    desk.stopped("db");
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn a_level_beyond_the_scale_is_the_end_of_it() {
    for (level, counts) in [(0, 1), (9, 3)] {
        let mut desk = Desk::start(&book(vec![run("a")]));
        desk.cancel(level);
        assert_eq!(desk.run().cancel().map(|cancel| cancel.level), Some(counts));
    }
}

#[test]
fn a_command_that_ended_well_before_it_could_be_stopped_has_succeeded_and_is_undone() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b")]).rolls_back());
    desk.cancel(2);
    assert_eq!(stops(&desk), [("a.1".to_owned(), false)]);
    desk.exits("a", Exit::Code(0));
    assert_eq!(desk.states(), "a:succeeded b:blocked");
    desk.exits("undo a", Exit::Code(0));
    assert_eq!(desk.undone(), ["a"]);
    assert_eq!(desk.end(), "rolled_back cancelled");
}

#[test]
fn a_message_that_is_read_again_in_another_stage_is_no_second_request() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b")]).rolls_back());
    desk.ok(&["a"]);
    assert!(!desk.cancel_by("one", 2).is_empty());
    desk.exits("b", Exit::Signal(15));
    desk.live("undo a");
    assert!(desk.cancel_by("one", 2).is_empty());
    assert!(stops(&desk).is_empty());
    assert!(!desk.cancel_by("two", 2).is_empty(), "another one cuts it");
    assert_eq!(stops(&desk), [("a.undo.1".to_owned(), false)]);
}

#[test]
fn what_was_never_started_does_not_start_once_the_run_is_to_end() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b")]));
    let attempt = desk.live("a");
    assert!(desk.tell(Input::NotStarted(attempt.clone())).is_empty(), "it may be started");
    desk.cancel(1);
    desk.tell(Input::NotStarted(attempt));
    assert_eq!(desk.states(), "a:cancelled b:blocked");

    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b")]).rolls_back());
    desk.ok(&["a"]).fail("b");
    let undo = desk.live("undo a");
    desk.cancel(1);
    assert!(desk.tell(Input::NotStarted(undo.clone())).is_empty(), "what is done is undone, as it would have been");
    desk.cancel(2);
    desk.tell(Input::NotStarted(undo));
    assert_eq!(desk.end(), "stuck undo:a");
}
