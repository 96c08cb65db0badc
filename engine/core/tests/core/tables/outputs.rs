//! What steps hand on.

use runbook_core::DEPTH_MAX;
use runbook_core::event::Failure;
use runbook_core::input::{AttemptResult, Exit};
use runbook_core::rendered::Rendered;
use runbook_core::run::StepState;
use serde_json::json;

use crate::kit::book::book;
use crate::kit::build::{argv, assert_that, block, run, set};
use crate::kit::desk::Desk;

#[test]
fn values_pass_from_step_to_step() {
    let first = run("a")
        .output("n", "{{ outputs.count }}")
        .output("code", "{{ exit_code }}")
        .output("t", "n={{ outputs.count }}");
    let echo = argv("b", &["echo", "{{ steps.a.outputs.n }}", "{{ steps.a.outputs.t }}"]);
    let mut desk = Desk::start(&book(vec![first, echo, set("c", &[("again", "{{ steps.a.outputs.n }}")])]));
    desk.ok_with("a", json!({"count": 3, "other": 1}));
    assert_eq!(desk.outputs("a"), json!({"n": 3, "code": 0, "t": "n=3"}));
    let Some(Rendered::Argv { argv, .. }) = desk.run().action_of(&desk.live("b")) else { panic!("no argv") };
    assert_eq!(*argv, ["echo", "3", "n=3"]);
    desk.ok(&["b"]);
    assert_eq!(desk.outputs("c"), json!({"again": 3}), "a value keeps its type");
}

#[test]
fn a_block_hands_on_what_its_steps_came_to() {
    let inside = block("x", vec![run("a").output("v", "{{ outputs.v }}")]).output("w", "{{ steps.a.outputs.v }}");
    let mut desk = Desk::start(&book(vec![inside]));
    desk.ok_with("a", json!({"v": "yes"}));
    assert_eq!(desk.outputs("x"), json!({"w": "yes"}));
}

#[test]
fn a_block_whose_outputs_have_no_value_fails() {
    let inside = block("x", vec![run("a")]).output("w", "{{ steps.a.outputs.v }}");
    let mut desk = Desk::start(&book(vec![inside, run("b")]));
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "x:failed a:succeeded b:blocked");
}

#[test]
fn a_result_that_cannot_be_used_fails_the_step() {
    let mut desk = Desk::start(&book(vec![run("a")]));
    let why = "its output holds a secret".to_owned();
    desk.ends("a", AttemptResult { exit: Exit::Code(0), unusable: Some(why.clone()), ..AttemptResult::default() });
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Evaluate(why)));
}

#[test]
fn a_value_that_is_nested_too_deep_to_be_read_again_fails_the_step() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let steps = || vec![run("a").output("v", "{{ outputs.v }}"), set("b", &[("w", "{{ steps.a.outputs.v }}")])];
    let mut desk = Desk::start(&book(steps()));
    desk.ok_with("a", json!({"v": nested(DEPTH_MAX)}));
    assert_eq!(desk.states(), "a:succeeded b:succeeded");
    let mut desk = Desk::start(&book(steps()));
    desk.ok_with("a", json!({"v": nested(DEPTH_MAX + 1)}));
    let why = "output `v`: `outputs.v` is nested deeper than 100 levels";
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Evaluate(why.to_owned())));
}

#[test]
fn an_assert_says_what_does_not_hold() {
    let mut step = assert_that("a", "params.kind == 'b'");
    let desk = Desk::start(&book(vec![step.clone()]));
    let failure = Failure::Assert("`params.kind == 'b'` does not hold".to_owned());
    assert_eq!(*desk.state("a"), StepState::Failed(failure));
    let runbook_core::plan::Body::Action(runbook_core::plan::Action::Assert(checks)) = &mut step.step.body else {
        panic!("no checks")
    };
    checks[0].message = Some(crate::kit::build::template("it is {{ params.kind }}"));
    let desk = Desk::start(&book(vec![step]));
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Assert("it is a".to_owned())));
}

#[test]
fn statuses_are_judged_by_what_is_expected() {
    for (status, fine) in [(200, true), (399, true), (400, false), (199, false), (500, false)] {
        let mut desk = Desk::start(&book(vec![crate::kit::build::http("a")]));
        desk.exits("a", Exit::Status(status));
        assert_eq!(*desk.state("a") == StepState::Succeeded, fine, "{status}");
    }
}
