//! `ask`: a person gives values.

use std::collections::BTreeMap;

use runbook_core::event::{Event, Failure};
use runbook_core::input::Answer;
use runbook_core::plan::{Action, Body};
use runbook_core::run::StepState;
use serde_json::{Value, json};

use crate::kit::book::{book, person};
use crate::kit::build::{Spec, argv, ask, run};
use crate::kit::desk::Desk;

fn values(given: Value) -> Answer {
    let values: BTreeMap<String, Value> = serde_json::from_value(given).expect("an object");
    Answer::Values { values, reason: None }
}

#[test]
fn the_values_are_its_outputs() {
    let reader = argv("b", &["echo", "{{ steps.a.outputs.x }}"]);
    let mut desk = Desk::start(&book(vec![ask("a", &["x", "y"]), reader]));
    assert_eq!(desk.question("a").0, "ask:a.1");
    desk.answer("a", values(json!({"x": "a", "y": "b"})));
    assert_eq!(desk.outputs("a"), json!({"x": "a", "y": "b"}));
    assert_eq!(desk.states(), "a:succeeded b:running");
}

/// Why an answer does not count; the question stays open.
fn refused(given: Answer) -> String {
    let mut desk = Desk::start(&book(vec![ask("a", &["x", "y"])]));
    let events = desk.answer("a", given);
    let [Event::AnswerRefused { reason, .. }] = &events[..] else { panic!("{events:?}") };
    let reason = reason.clone();
    assert_eq!(desk.states(), "a:running");
    desk.answer("a", values(json!({"x": "a", "y": "b"})));
    assert_eq!(desk.end(), "succeeded none");
    reason
}

#[test]
fn what_does_not_fit_is_refused_and_still_open() {
    assert_eq!(refused(values(json!({"x": "a", "y": "z"}))), "`y`: \"z\" is no choice");
    assert_eq!(refused(values(json!({"x": "a"}))), "`y` is missing");
    assert_eq!(refused(values(json!({"x": "a", "y": null}))), "`y` is missing");
    assert_eq!(refused(values(json!({"x": "a", "y": "b", "z": "a"}))), "`z` is not asked for");
    for other in [Answer::Confirm { reason: None }, Answer::Approve { reason: None }] {
        assert_eq!(refused(other), "it neither gives the values nor rejects the step");
    }
}

/// A step whose only field is changed so.
fn with(required: bool, default: Option<Value>) -> Spec {
    let mut spec = ask("a", &["x"]);
    if let Body::Action(Action::Ask(ask)) = &mut spec.step.body {
        (ask.fields[0].param.required, ask.fields[0].param.default) = (required, default);
    }
    spec
}

#[test]
fn what_is_not_given_has_its_default_or_is_none() {
    for (spec, outputs) in [(with(false, Some(json!("b"))), json!({"x": "b"})), (with(false, None), json!({"x": null}))]
    {
        let mut desk = Desk::start(&book(vec![spec]));
        desk.answer("a", values(json!({})));
        assert_eq!(desk.outputs("a"), outputs);
    }
}

#[test]
fn who_answered_and_what_is_recorded() {
    let mut desk = Desk::start(&book(vec![ask("a", &["x"])]));
    let events = desk.answer_with("a", |letter| letter.by = person("bob"));
    let [Event::QuestionAnswered { answer, by, .. }, ..] = &events[..] else { panic!("{events:?}") };
    assert_eq!((answer, by.name.as_str()), (&values(json!({"x": "b"})), "bob"));
}

#[test]
fn it_expires_is_rejected_and_outlives_a_crash_like_a_manual_step() {
    let mut desk = Desk::start(&book(vec![ask("a", &["x"]).timeout(1_000)]));
    desk.pass(600);
    desk.crash();
    assert!(desk.lose("a").is_empty());
    desk.pass(400);
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Expired));
    let mut desk = Desk::start(&book(vec![run("b").undo(), ask("a", &["x"])]).rolls_back());
    desk.ok(&["b"]).answer("a", Answer::Reject { reason: None });
    desk.ok(&["undo b"]);
    assert_eq!(desk.end(), "rolled_back step:a");
}

#[test]
fn a_run_that_goes_another_way_asks_no_more() {
    let mut desk = Desk::start(&book(vec![ask("a", &["x"])]));
    desk.cancel(1);
    assert_eq!(desk.end(), "cancelled cancelled");
}
