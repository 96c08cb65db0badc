//! What attempts leave behind that were lost with engine and supervisor: processes that live on, and what they handed back.

use runbook_core::Effect;
use runbook_core::event::Failure;
use runbook_core::input::Answer;
use runbook_core::plan::OnInterrupt::{Ask, Fail, Rerun};
use runbook_core::run::{StepState, UndoState};
use serde_json::json;

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, run, set, template};
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

/// A run whose step `a` was lost and left a process that lives on.
fn haunted(step: Spec, change: impl FnOnce(Book) -> Book) -> Desk {
    let mut desk = Desk::start(&change(book(vec![step, run("b")])));
    desk.crash();
    desk.lose_with("a", &["sleep 71"], Err("no file"));
    desk
}

fn stops(desk: &Desk) -> Vec<(String, bool)> {
    let wanted = desk.run().wanted().into_iter();
    let stops = wanted.filter_map(|effect| match effect {
        Effect::Stop { attempt, force } => Some((attempt.to_string(), force)),
        _ => None,
    });
    stops.collect()
}

#[test]
fn what_lives_on_is_named_and_ended_before_anything_else_follows() {
    for (answer, after) in [(again(), "a:running b:pending"), (did_not(), "a:failed b:blocked")] {
        let mut desk = haunted(run("a").on_interrupt(Ask), |book| book);
        let message = desk.run().questions()[&desk.question("a")].message.clone().expect("a message");
        assert!(message.starts_with("processes of it still run: 100 `sleep 71`\n"), "{message}");
        assert!(stops(&desk).is_empty(), "nothing happens before a person says what");
        desk.answer("a", answer);
        assert_eq!(desk.states(), "a:running b:pending");
        assert_eq!((desk.live("a").number, stops(&desk)), (1, vec![("a.1".to_owned(), false)]));
        assert!(!desk.run().wanted().contains(&Effect::Execute(desk.live("a"))), "it is not started");
        // That an engine finds it again changes nothing, as long as something lives.
        desk.crash();
        assert!(desk.lose_with("a", &["sleep 71"], Err("no file")).is_empty());
        desk.lose("a");
        assert_eq!(desk.states(), after);
        assert!(stops(&desk).is_empty());
    }
}

#[test]
fn what_lives_on_is_killed_when_it_does_not_end() {
    let mut desk = haunted(run("a").on_interrupt(Ask), |book| book);
    desk.answer("a", again());
    let grace = desk.timers()[0].0 - desk.engine.now;
    desk.pass(grace);
    assert_eq!(stops(&desk), [("a.1".to_owned(), true)]);
    desk.lose("a");
    assert_eq!(desk.live("a").number, 2);
}

#[test]
fn what_took_effect_may_leave_something_running() {
    let mut desk = haunted(run("a").on_interrupt(Ask), |book| book);
    desk.answer("a", took());
    assert_eq!(desk.states(), "a:succeeded b:running");
    assert!(stops(&desk).is_empty());
}

#[test]
fn it_is_ended_without_a_question_where_the_author_said_what_follows() {
    let mut desk = haunted(run("a").on_interrupt(Rerun), |book| book.at_once(1));
    assert_eq!((desk.live("a").number, stops(&desk)), (1, vec![("a.1".to_owned(), false)]));
    desk.lose("a");
    assert_eq!(desk.live("a").number, 2);
    let mut desk = haunted(run("a").on_interrupt(Fail).retry(2, 10), |book| book);
    desk.lose("a");
    assert_eq!(desk.states(), "a:retrying b:pending");
    desk.pass(10).fail("a");
    assert_eq!(desk.states(), "a:failed b:blocked", "it counts as one of the two");
}

#[test]
fn nothing_lives_on_after_a_cancel() {
    for (level, force) in [(1, false), (2, false), (3, true)] {
        // Before or after the crash is known.
        let mut asked = haunted(run("a").on_interrupt(Ask), |book| book);
        asked.cancel(level);
        let mut told = Desk::start(&book(vec![run("a").on_interrupt(Ask), run("b")]));
        told.crash();
        told.cancel(level);
        told.lose_with("a", &["sleep 71"], Err("no file"));
        for mut desk in [asked, told] {
            assert!(desk.run().questions().is_empty());
            assert_eq!(stops(&desk), [("a.1".to_owned(), force)]);
            assert!(desk.run().end().is_none(), "not before it is gone");
            desk.lose("a");
            assert_eq!(desk.end(), "cancelled cancelled");
        }
    }
    // Whose fate must be known is asked about, and whatever the answer, nothing is left.
    let mut desk = haunted(run("a").undo().on_interrupt(Ask), Book::rolls_back);
    desk.cancel(1);
    desk.answer("a", took());
    assert_eq!(stops(&desk), [("a.1".to_owned(), false)]);
    desk.lose("a");
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back cancelled");
}

#[test]
fn what_an_undo_left_running_is_ended_before_it_is_repeated() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b")]).rolls_back());
    desk.ok(&["a"]).fail("b");
    desk.crash();
    desk.lose_with("undo a", &["sleep 71"], Err("no file"));
    desk.answer("a", again());
    assert_eq!(stops(&desk), [("a.undo.1".to_owned(), false)]);
    desk.lose("undo a");
    assert_eq!(desk.live("undo a").number, 2);
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back step:b");
}

#[test]
fn what_it_handed_back_counts_if_it_took_effect() {
    let reads = || set("r", &[("w", "{{ steps.a.outputs.v }}")]);
    let step = || run("a").on_interrupt(Ask).output("v", "{{ outputs.v }}");
    let message = |desk: &Desk| desk.run().questions()[&desk.question("a")].message.clone().unwrap_or_default();
    let mut desk = Desk::start(&book(vec![step(), reads()]));
    desk.crash();
    desk.lose_with("a", &[], Ok(json!({"v": "5"})));
    assert_eq!(message(&desk), "what it handed back is there: `v` can be read if it took effect");
    desk.crash();
    desk.answer("a", took());
    assert_eq!((desk.outputs("a"), desk.outputs("r")), (json!({"v": "5"}), json!({"w": "5"})));

    for left in [Err("the last line has no end"), Ok(json!({})), Ok(json!({"other": "1"}))] {
        let mut desk = Desk::start(&book(vec![step(), reads()]));
        desk.crash();
        desk.lose_with("a", &[], left);
        assert_eq!(message(&desk), "what it handed back is not known: whatever reads `v` will fail");
        desk.answer("a", took());
        let StepState::Failed(Failure::Evaluate(why)) = desk.state("r") else { panic!("{}", desk.states()) };
        assert!(why.ends_with(": `a` was declared to have taken effect; its outputs are not known"), "{why}");
        assert_eq!(desk.states(), "a:succeeded r:failed");
    }
    // A later attempt hands on what it hands on.
    let mut desk = Desk::start(&book(vec![step(), reads()]));
    desk.crash();
    desk.lose("a");
    desk.answer("a", again());
    desk.ok_with("a", json!({"v": "6"}));
    assert_eq!(desk.outputs("r"), json!({"w": "6"}));
}

#[test]
fn an_undo_that_reads_what_is_not_known_says_why_it_cannot() {
    let undo = run("a").undo_with(runbook_core::plan::Action::Manual(template("put back {{ outputs.v }}")));
    let step = undo.on_interrupt(Ask).output("v", "{{ outputs.v }}");
    let mut desk = Desk::start(&book(vec![step, run("b")]).rolls_back());
    desk.crash();
    desk.lose("a");
    desk.answer("a", took());
    desk.fail("b");
    let undo = &desk.run().step(&"a".into()).expect("a step").undo.state;
    let UndoState::Failed(Failure::Evaluate(why)) = undo else { panic!("{undo:?}") };
    assert!(why.ends_with("`a` was declared to have taken effect; its outputs are not known"), "{why}");
}
