//! Attempts that were lost with engine and supervisor.

use runbook_core::event::{Event, Failure};
use runbook_core::input::{Answer, Input};
use runbook_core::plan::OnInterrupt::{self, Ask, Fail, Rerun};
use runbook_core::run::{StepState, UndoState};

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, http, run, wait};
use crate::kit::desk::Desk;

fn took() -> Answer {
    Answer::TookEffect { reason: None }
}

fn did_not() -> Answer {
    Answer::DidNot { reason: None }
}

fn again() -> Answer {
    Answer::RunAgain { reason: None }
}

/// A run whose step `a` was lost.
fn lost(step: Spec, change: impl FnOnce(Book) -> Book) -> Desk {
    let mut desk = Desk::start(&change(book(vec![step, run("b")])));
    desk.crash();
    desk.lose("a");
    desk
}

fn lost_with(then: OnInterrupt) -> Desk {
    lost(run("a").on_interrupt(then), |book| book)
}

#[test]
fn it_is_run_again() {
    let mut desk = lost_with(Rerun);
    assert_eq!(desk.live("a").number, 2);
    assert!(desk.run().questions().is_empty());
    desk.ok(&["a", "b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_rerun_does_not_count_against_the_attempts() {
    let mut desk = lost(run("a").on_interrupt(Rerun).retry(2, 10), |book| book);
    desk.fail("a").pass(10);
    desk.crash();
    desk.lose("a");
    assert_eq!(desk.live("a").number, 4);
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed b:blocked");
}

#[test]
fn it_counts_as_failed() {
    let desk = lost_with(Fail);
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Interrupted));
    let mut desk = lost(run("a").on_interrupt(Fail).retry(2, 10), |book| book);
    assert_eq!(desk.states(), "a:retrying b:pending");
    desk.pass(10).fail("a");
    assert_eq!(desk.states(), "a:failed b:blocked");
}

#[test]
fn a_person_is_asked_and_says_what_became_of_it() {
    let mut desk = lost_with(Ask);
    assert_eq!(desk.question("a").0, "interrupt:a.1");
    desk.answer("a", took());
    assert_eq!(desk.states(), "a:succeeded b:running");
    let mut desk = lost_with(Ask);
    desk.answer("a", did_not());
    assert_eq!(desk.states(), "a:failed b:blocked");
    let mut desk = lost_with(Ask);
    desk.answer("a", again());
    assert_eq!(desk.live("a").number, 2);
    desk.ok(&["a", "b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn what_did_not_take_effect_is_retried_if_it_may() {
    let mut desk = lost(run("a").on_interrupt(Ask).retry(2, 10), |book| book);
    desk.answer("a", did_not());
    assert_eq!(desk.states(), "a:retrying b:pending");
}

#[test]
fn the_question_outlives_a_crash_and_is_asked_once() {
    let mut desk = lost_with(Ask);
    desk.crash();
    assert!(desk.lose("a").is_empty(), "it is known to be lost");
    assert_eq!(desk.run().questions().len(), 1);
    desk.answer("a", took());
    assert_eq!(desk.states(), "a:succeeded b:running");
}

#[test]
fn other_answers_do_not_count() {
    for answer in [Answer::Approve { reason: None }, Answer::Confirm { reason: None }] {
        let mut desk = lost_with(Ask);
        let events = desk.answer("a", answer);
        assert!(matches!(events[..], [Event::AnswerRefused { .. }]));
    }
}

#[test]
fn a_status_that_comes_after_all_changes_nothing() {
    let mut desk = lost_with(Ask);
    let attempt = desk.live("a");
    let input = Input::Ended { attempt, result: Box::default() };
    assert!(desk.tell(input).is_empty(), "a person decides now");
}

#[test]
fn a_pause_is_never_lost() {
    let mut desk = Desk::start(&book(vec![wait("a", "5s"), run("b")]));
    desk.pass(1_000);
    desk.crash();
    assert!(desk.lose("a").is_empty());
    desk.pass(4_000);
    assert_eq!(desk.states(), "a:succeeded b:running");
}

#[test]
fn a_lost_poll_begins_anew() {
    let mut desk = Desk::start(&book(vec![http("a").until("response.up", 100).on_interrupt(Rerun), run("b")]));
    desk.exits("a", runbook_core::input::Exit::Status(500));
    desk.pass(100);
    assert_eq!((desk.live("a").number, desk.live("a").poll), (1, 2));
    desk.crash();
    desk.lose("a");
    assert_eq!((desk.live("a").number, desk.live("a").poll), (2, 1));
}

/// A run whose undo of `a` was lost.
fn lost_undo(then: OnInterrupt) -> Desk {
    let undoable = run("a").undoing(|undo| undo.on_interrupt = then);
    let mut desk = Desk::start(&book(vec![undoable, run("b")]).rolls_back());
    desk.ok(&["a"]).fail("b");
    desk.crash();
    desk.lose("undo a");
    desk
}

#[test]
fn an_undo_is_treated_alike() {
    let mut desk = lost_undo(Rerun);
    assert_eq!(desk.live("undo a").number, 2);
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back step:b");
    let desk = lost_undo(Fail);
    assert_eq!(desk.end(), "stuck undo:a");
    for (answer, end) in [(took(), "rolled_back step:b"), (did_not(), "stuck undo:a")] {
        let mut desk = lost_undo(Ask);
        assert_eq!(desk.question("a").0, "interrupt:a.undo.1");
        desk.answer("a", answer);
        assert_eq!(desk.end(), end);
    }
    let mut desk = lost_undo(Ask);
    desk.answer("a", again());
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back step:b");
}

#[test]
fn what_took_effect_is_undone_and_what_did_not_is_not() {
    for (answer, undone) in [(took(), true), (did_not(), false)] {
        let mut desk = Desk::start(&book(vec![run("a").undo(), run("b")]).parallel().rolls_back());
        desk.crash();
        desk.lose("a");
        desk.fail("b");
        // The rollback waits for the answer.
        assert_eq!(desk.states(), "a:running b:failed");
        desk.answer("a", answer);
        if undone {
            desk.ok(&["undo a"]);
        }
        assert_eq!(desk.end(), "rolled_back step:b");
        let undo = &desk.run().step(&"a".into()).expect("a step").undo.state;
        assert_eq!(*undo == UndoState::Undone, undone);
    }
}

#[test]
fn when_cancelled_only_what_matters_for_the_rollback_is_asked() {
    // (rolls back, has an undo or is irreversible) -> asked
    for (rolls_back, step, asked) in [
        (true, run("a").undo(), true),
        (true, run("a").irreversible(), true),
        (true, run("a"), false),
        (false, run("a").undo(), false),
    ] {
        let change = |book: Book| if rolls_back { book.rolls_back() } else { book };
        // First lost, then cancelled; and the other way round.
        let mut desk = lost(step.clone(), change);
        desk.cancel(1);
        assert_eq!(desk.run().questions().len(), usize::from(asked), "{rolls_back} {:?}", desk.states());
        let mut desk = Desk::start(&change(book(vec![step, run("b")])));
        desk.cancel(1);
        desk.crash();
        desk.lose("a");
        assert_eq!(desk.run().questions().len(), usize::from(asked), "{rolls_back} {:?}", desk.states());
        if asked {
            desk.answer("a", again());
        }
        assert_eq!(*desk.state("a"), StepState::Cancelled);
    }
}

#[test]
fn who_cancels_twice_is_not_asked() {
    let mut desk = lost(run("a").undo(), Book::rolls_back);
    desk.cancel(2);
    assert!(desk.run().questions().is_empty());
    assert_eq!(desk.end(), "rolled_back cancelled");
}

#[test]
fn a_rerun_waits_for_the_services() {
    let mut desk = Desk::start(&book(vec![run("a").on_interrupt(Rerun)]).service("db"));
    desk.ready("db");
    desk.crash();
    desk.lose("a");
    assert_eq!(desk.states(), "a:retrying");
    assert!(desk.timers().is_empty(), "no timer fires again and again");
    desk.ready("db");
    assert_eq!(desk.live("a").number, 2);
}
