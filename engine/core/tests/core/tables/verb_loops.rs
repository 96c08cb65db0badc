//! What operators say of loops and their items.

use runbook_core::event::{Event, SkipReason, Verb};
use runbook_core::plan::{FailuresMax, OnFailure};
use runbook_core::rendered::Rendered;
use runbook_core::run::StepState;
use serde_json::json;

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, argv, block, run};
use crate::kit::desk::Desk;

fn asks(each: Spec) -> Book {
    let made = book(vec![each, run("z")]).param("hosts", json!(["a", "b", "c"]));
    Book { on_failure: OnFailure::Ask, ..made }
}

fn retry(step: Option<&str>, downstream: bool) -> Verb {
    Verb::Retry { step: step.map(Into::into), downstream }
}

#[test]
fn a_retry_of_a_loop_redoes_the_items_that_failed_or_did_not_start() {
    for verb in [retry(None, false), retry(Some("x"), false), retry(Some("x-2"), false)] {
        let mut desk = Desk::start(&asks(run("x").for_each("params.hosts").wide(Some(1))));
        desk.ok(&["x-1"]).fail("x-2");
        assert_eq!(desk.states(), "x:failed z:blocked x-1:succeeded x-2:failed x-3:blocked");
        let events = desk.say(verb);
        assert!(!events.iter().any(|event| matches!(event, Event::LoopEntered { .. })), "the list is there");
        assert_eq!(desk.states(), "x:running z:pending x-1:succeeded x-2:running x-3:pending");
        desk.crash();
        desk.ok(&["x-2", "x-3"]);
        assert_eq!(desk.outputs("x")["failed"], json!([]));
        desk.ok(&["z"]);
        assert_eq!(desk.end(), "succeeded none");
    }
}

#[test]
fn failed_items_that_a_loop_bears_are_retried_only_by_name() {
    let bears = run("x").for_each("params.hosts").wide(None).may_fail(FailuresMax::Count(1));
    let mut desk = Desk::start(&asks(bears));
    desk.ok(&["x-1"]).fail("x-2").ok(&["x-3"]).fail("z");
    assert_eq!(desk.outputs("x")["failed"], json!([2]));
    desk.say(retry(None, false));
    assert_eq!(desk.states(), "x:succeeded z:running x-1:succeeded x-2:failed x-3:succeeded");
    desk.fail("z");
    assert!(desk.run().verb_refusal(&retry(Some("x-2"), false)).is_some_and(|why| why.contains("`z`")));
    desk.say(retry(Some("x-2"), true));
    desk.ok(&["x-2", "z"]);
    assert_eq!(desk.outputs("x")["failed"], json!([]));
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn an_item_that_starts_over_waits_for_room_in_its_loop() {
    let one = block("x", vec![run("a"), run("b")]).for_each("params.hosts").wide(Some(1));
    let mut desk = Desk::start(&asks(one.may_fail(FailuresMax::Count(1))));
    desk.ok(&["a-1"]).fail("b-1");
    assert!(desk.is_live("a-2"));
    desk.say(retry(Some("b-1"), false));
    assert!(!desk.is_live("b-1"), "the second item has the room");
    desk.crash();
    desk.ok(&["a-2", "b-2"]);
    assert!(desk.is_live("b-1") && !desk.is_live("a-3"), "first what comes first: {}", desk.states());
    desk.ok(&["b-1", "a-3", "b-3", "z"]);
    assert_eq!(desk.attempts()["a-1"], 1);
    assert_eq!(desk.end(), "succeeded none");
}

/// A loop over what `find` hands on.
fn over_found() -> Book {
    let find = run("find").output("hosts", "{{ outputs.hosts }}");
    let each = argv("x", &["probe", "{{ item }}", "{{ index }}"]).undo_with(crate::kit::build::script("undo"));
    let mut made = book(vec![find, each.for_each("steps.find.outputs.hosts").wide(None), run("z")]);
    made.on_failure = OnFailure::Ask;
    made
}

fn words(desk: &Desk, step: &str) -> Vec<String> {
    let prepared = desk.run().step(&step.into()).and_then(|step| step.prepared.clone()).expect("prepared");
    let Rendered::Argv { argv, .. } = prepared.action else { panic!("no argv") };
    argv
}

#[test]
fn a_loop_that_starts_over_with_another_list_has_new_steps_for_it_and_undoes_those_of_both() {
    let mut desk = Desk::start(&over_found());
    desk.ok_with("find", json!({"hosts": ["a", "b"]})).ok(&["x-1", "x-2"]).fail("z");
    desk.say(retry(Some("find"), true));
    desk.ok_with("find", json!({"hosts": ["b", "c"]}));
    assert_eq!(desk.states(), "find:succeeded x:running z:pending x-1:skipped x-2:skipped x-3:running x-4:running");
    assert_eq!(*desk.state("x-1"), StepState::Skipped(SkipReason::List));
    assert_eq!(words(&desk, "x-3"), ["probe", "b", "1"]);
    desk.crash();
    desk.ok(&["x-3"]).fail("x-4");
    assert_eq!(desk.states(), "find:succeeded x:failed z:blocked x-1:skipped x-2:skipped x-3:succeeded x-4:failed");
    desk.say(Verb::Rollback { to: None });
    for undo in ["undo x-3", "undo x-2", "undo x-1"] {
        desk.ok(&[undo]);
    }
    assert_eq!(desk.end(), "rolled_back step:x-4");
}

#[test]
fn a_loop_that_starts_over_with_the_same_list_keeps_its_steps() {
    let mut desk = Desk::start(&over_found());
    desk.ok_with("find", json!({"hosts": ["a", "b"]})).ok(&["x-1", "x-2"]).fail("z");
    desk.say(retry(Some("find"), true));
    desk.ok_with("find", json!({"hosts": ["a", "b"]}));
    assert_eq!(desk.states(), "find:succeeded x:running z:pending x-1:running x-2:running");
    assert_eq!(desk.live("x-1").to_string(), "x-1.2");
    desk.ok(&["x-1", "x-2"]);
    assert_eq!(desk.outputs("x")["results"].as_array().map(Vec::len), Some(2));
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_loop_that_was_done_by_hand_has_no_results() {
    let mut desk =
        Desk::start(&book(vec![run("a"), run("x").for_each("params.hosts"), run("z")]).param("hosts", json!(["a"])));
    desk.say(Verb::MarkDone { step: "x".into(), outputs: Default::default() });
    desk.ok(&["a"]);
    assert_eq!(desk.outputs("x"), json!({"results": [], "failed": []}));
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}
