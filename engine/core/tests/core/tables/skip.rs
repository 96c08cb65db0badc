//! A skipped step counts as done.

use runbook_core::event::SkipReason;
use runbook_core::run::StepState;
use serde_json::json;

use crate::kit::book::book;
use crate::kit::build::{block, run, switch};
use crate::kit::desk::Desk;

#[test]
fn along_a_chain() {
    let mut desk = Desk::start(&book(vec![run("a").when("false"), run("b"), run("c").when("false"), run("d")]));
    assert_eq!(desk.states(), "a:skipped b:running c:pending d:pending");
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "a:skipped b:succeeded c:skipped d:running");
    assert_eq!(*desk.state("a"), StepState::Skipped(SkipReason::Condition));
    desk.ok(&["d"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn in_a_diamond() {
    let left = run("left").when("steps.a.failed").needs(&["a"]);
    let mut desk =
        Desk::start(&book(vec![run("a"), left, run("right").needs(&["a"]), run("z").needs(&["left", "right"])]));
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded left:skipped right:running z:pending");
    desk.ok(&["right", "z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_skipped_block_skips_all_within() {
    let inner = block("inner", vec![run("b1"), run("b2").when("always()")]);
    let book = book(vec![block("outer", vec![run("a"), inner, run("c")]).when("false"), run("d")]);
    let mut desk = Desk::start(&book);
    assert_eq!(desk.states(), "outer:skipped a:skipped inner:skipped b1:skipped b2:skipped c:skipped d:running");
    assert_eq!(*desk.state("b2"), StepState::Skipped(SkipReason::Parent("outer".into())));
    desk.ok(&["d"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_need_into_a_skipped_block_counts_as_done() {
    let book = book(vec![block("x", vec![run("a")]).when("false"), run("b").needs(&["a"])]);
    let mut desk = Desk::start(&book);
    desk.ok(&["b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn branches_that_are_not_taken() {
    let cases = || vec![("a", vec![run("a1"), run("a2")]), ("b", vec![block("b1", vec![run("b2")]), run("b3")])];
    for (value, default, taken) in [
        (json!("a"), true, "s:running a1:running a2:pending b1:skipped b2:skipped b3:skipped d:skipped z:pending"),
        (json!("b"), true, "s:running a1:skipped a2:skipped b1:running b2:running b3:pending d:skipped z:pending"),
        (json!("c"), true, "s:running a1:skipped a2:skipped b1:skipped b2:skipped b3:skipped d:running z:pending"),
        (json!("c"), false, "s:failed a1:blocked a2:blocked b1:blocked b2:blocked b3:blocked z:blocked"),
    ] {
        let default = default.then(|| vec![run("d")]);
        let book = book(vec![switch("s", "params.kind", cases(), default), run("z")]).param("kind", value);
        assert_eq!(Desk::start(&book).states(), taken);
    }
}

#[test]
fn a_case_is_compared_as_text() {
    for (value, case) in [(json!(3), "3"), (json!(true), "true"), (json!(null), "")] {
        let book = book(vec![switch("s", "params.kind", vec![(case, vec![run("x")])], None)]).param("kind", value);
        let mut desk = Desk::start(&book);
        desk.ok(&["x"]);
        assert_eq!(desk.end(), "succeeded none");
    }
}

#[test]
fn a_branch_without_steps_is_done_at_once() {
    let book = book(vec![switch("s", "params.kind", vec![("a", vec![]), ("b", vec![run("x")])], None), run("z")]);
    let mut desk = Desk::start(&book);
    assert_eq!(desk.states(), "s:succeeded x:skipped z:running");
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_value_without_a_case_says_so() {
    let desk = Desk::start(&book(vec![switch("s", "'q'", vec![("a", vec![run("x")])], None)]));
    assert_eq!(*desk.state("s"), StepState::Failed(runbook_core::event::Failure::NoCase("q".to_owned())));
    assert_eq!(desk.end(), "failed step:s");
}

#[test]
fn a_condition_without_a_value_fails_the_step() {
    for step in [run("a").when("params.none"), run("a").when("'text'"), switch("a", "params.none", vec![], None)] {
        let desk = Desk::start(&book(vec![step, run("b")]));
        assert_eq!(desk.states(), "a:failed b:blocked");
        assert_eq!(desk.end(), "failed step:a");
    }
}
