//! Calls of plugins: what they are given, how they fail, and by which name they are known.

use runbook_core::event::{Event, Failure};
use runbook_core::input::{AttemptResult, Exit};
use runbook_core::plan::{Action, Body, EnvSource, OnInterrupt};
use runbook_core::run::StepState;
use serde_json::{Value, json};

use crate::kit::book::book;
use crate::kit::build::{expr, plugin};
use crate::kit::desk::Desk;

fn says(message: &str, code: i32) -> AttemptResult {
    AttemptResult { exit: Exit::Code(code), said: Some(message.to_owned()), ..AttemptResult::default() }
}

/// The attempt that names the call that goes on.
fn key(desk: &Desk) -> String {
    desk.run().call_of(&desk.live("a")).to_string()
}

#[test]
fn what_a_plugin_says_is_why_its_step_failed() {
    let mut desk = Desk::start(&book(vec![plugin("a")]));
    desk.ends("a", says("no such channel", 3));
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Plugin("no such channel".to_owned())));
    assert_eq!(desk.end(), "failed step:a");
    // What it says counts only where its host says that it failed.
    let mut desk = Desk::start(&book(vec![plugin("a")]));
    desk.ends("a", says("x", 0));
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn inputs_that_do_not_fit_fail_the_step_before_the_call() {
    let mut spec = plugin("a");
    let Body::Action(Action::Plugin(call)) = &mut spec.step.body else { panic!("a plugin") };
    call.with.clear();
    let desk = Desk::start(&book(vec![spec]));
    assert_eq!(desk.end(), "failed step:a");
    let StepState::Failed(failure) = desk.state("a") else { panic!("it failed") };
    assert!(failure.to_string().contains("the inputs of `note`: `text` is missing"), "{failure}");
    let started = desk.engine.journal.iter().flat_map(|batch| &batch.events);
    assert_eq!(started.filter(|event| matches!(event, Event::AttemptStarted { .. })).count(), 0);
}

#[test]
fn an_input_without_a_value_is_not_given() {
    let mut spec = plugin("a");
    let Body::Action(Action::Plugin(call)) = &mut spec.step.body else { panic!("a plugin") };
    call.with.insert("text".to_owned(), EnvSource::Template(runbook_core::plan::Template::Literal(Value::Null)));
    let desk = Desk::start(&book(vec![spec]));
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn a_call_that_was_interrupted_keeps_its_name_and_a_retry_has_its_own() {
    let mut desk = Desk::start(&book(vec![plugin("a").retry(3, 0).on_interrupt(OnInterrupt::Rerun)]));
    assert_eq!(key(&desk), "a.1");
    desk.crash();
    desk.engine_starts();
    desk.lose("a");
    assert_eq!((desk.live("a").to_string(), key(&desk)), ("a.2".to_owned(), "a.1".to_owned()));
    desk.lose("a");
    assert_eq!((desk.live("a").to_string(), key(&desk)), ("a.3".to_owned(), "a.1".to_owned()));
    desk.ends("a", says("busy", 1));
    desk.pass(0);
    assert_eq!((desk.live("a").to_string(), key(&desk)), ("a.4".to_owned(), "a.4".to_owned()));
}

#[test]
fn a_call_that_counts_as_failed_when_it_is_lost_is_followed_by_another() {
    let mut desk = Desk::start(&book(vec![plugin("a").retry(2, 0).on_interrupt(OnInterrupt::Fail)]));
    desk.lose("a");
    desk.pass(0);
    assert_eq!((desk.live("a").to_string(), key(&desk)), ("a.2".to_owned(), "a.2".to_owned()));
}

#[test]
fn a_plugin_that_fails_under_until_has_not_found_it_yet() {
    let mut spec = plugin("a").timeout(10_000);
    spec.step.until = Some(runbook_core::plan::Until { condition: expr("outputs.up"), every_ms: 100 });
    let mut desk = Desk::start(&book(vec![spec]));
    desk.ends("a", says("nobody answers", 1));
    desk.pass(100);
    assert_eq!(key(&desk), "a.1.2", "each look is a call of its own");
    let outputs = [("up".to_owned(), json!(true))].into();
    desk.ends("a", AttemptResult { exit: Exit::Code(0), outputs, ..AttemptResult::default() });
    assert_eq!(desk.end(), "succeeded none");
}
