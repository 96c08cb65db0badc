//! A run of a part of the steps: what is left out is skipped.

use runbook_core::event::SkipReason;
use runbook_core::plan::{NoPart, PartKind};
use runbook_core::run::StepState;

use crate::kit::book::{Book, book};
use crate::kit::build::{block, run, switch};
use crate::kit::desk::Desk;

fn nested() -> Book {
    let x = block("x", vec![run("a"), run("b"), run("c")]).rescue(vec![run("r")]).always(vec![run("z")]);
    book(vec![run("first"), x, run("last")]).always(vec![run("end")])
}

#[test]
fn only_one_step_runs_and_always_does() {
    let mut desk = Desk::start(&nested().part(PartKind::Only, "b"));
    assert_eq!(
        desk.states(),
        "first:skipped x:running a:skipped b:running c:pending r:pending z:pending last:pending end:pending"
    );
    assert_eq!(*desk.state("a"), StepState::Skipped(SkipReason::LeftOut));
    desk.ok(&["b", "z", "end"]);
    assert_eq!(
        desk.states(),
        "first:skipped x:succeeded a:skipped b:succeeded c:skipped r:skipped z:succeeded last:skipped end:succeeded"
    );
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_block_runs_with_all_within_it() {
    let mut desk = Desk::start(&nested().part(PartKind::Only, "x"));
    desk.ok(&["a", "b", "c", "z", "end"]);
    assert_eq!(*desk.state("last"), StepState::Skipped(SkipReason::LeftOut));
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn from_a_step_on_what_is_written_before_it_is_left_out() {
    let mut desk = Desk::start(&nested().part(PartKind::From, "b"));
    desk.ok(&["b", "c", "z", "last", "end"]);
    assert_eq!(
        desk.states(),
        "first:skipped x:succeeded a:skipped b:succeeded c:succeeded r:skipped z:succeeded last:succeeded end:succeeded"
    );
    // Also where it would wait for what is left out, or runs beside it.
    let steps = vec![run("late").needs(&["early"]), run("named").needs(&["late"]), run("early").needs(&[])];
    let mut desk = Desk::start(&book(steps).part(PartKind::From, "named"));
    assert_eq!(desk.states(), "late:pending named:pending early:running");
    desk.ok(&["early"]);
    assert_eq!(desk.states(), "late:skipped named:running early:succeeded");
}

#[test]
fn the_rescue_of_a_block_that_is_entered_is_there_for_what_runs() {
    let mut desk = Desk::start(&nested().part(PartKind::Only, "b"));
    desk.fail("b").ok(&["r", "z", "end"]);
    assert_eq!(*desk.state("c"), StepState::Skipped(SkipReason::LeftOut), "also after a failure");
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_failed_part_fails_the_run_and_undoes_what_ran() {
    let mut made = book(vec![run("a").undo(), run("b").undo(), run("c")]).rolls_back();
    made = made.part(PartKind::From, "b");
    let mut desk = Desk::start(&made);
    desk.ok(&["b"]).fail("c").ok(&["undo b"]);
    assert_eq!(desk.undone(), ["b"]);
    assert_eq!(desk.end(), "rolled_back step:c");
}

#[test]
fn a_step_in_a_branch_that_is_not_taken_does_not_run() {
    let made = book(vec![switch("w", "params.kind", vec![("a", vec![run("a")]), ("b", vec![run("b")])], None)]);
    let mut desk = Desk::start(&made.part(PartKind::Only, "b"));
    desk.ok(&[]);
    assert_eq!(*desk.state("b"), StepState::Skipped(SkipReason::Branch));
    assert_eq!(*desk.state("a"), StepState::Skipped(SkipReason::LeftOut));
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_deadline_is_there_for_a_part_too() {
    let made = book(vec![run("a"), run("b")]).deadline("late", 1_000, None, vec![run("page")]);
    assert_eq!(made.plan().part(PartKind::Only, "page"), Err(NoPart::Beside("page".into())));
    let mut desk = Desk::start(&made.part(PartKind::Only, "b"));
    desk.pass(1_000);
    assert!(desk.is_live("page"), "{}", desk.states());
    desk.ok(&["page", "b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn an_engine_that_dies_leaves_out_the_same_steps() {
    let mut desk = Desk::start(&nested().part(PartKind::Only, "b"));
    desk.crash();
    assert_eq!(*desk.state("a"), StepState::Skipped(SkipReason::LeftOut));
    desk.lose("b");
    assert!(desk.is_live("b") || !desk.run().questions().is_empty());
}

#[test]
fn what_names_no_part_says_why() {
    let plan = nested().plan();
    let error = |step: &str| plan.part(PartKind::Only, step).unwrap_err();
    assert_eq!(error("nope"), NoPart::Unknown("nope".to_owned()));
    assert_eq!(error("end"), NoPart::Always("end".into()));
    assert_eq!(error("r"), NoPart::Section("r".into(), "x".into()));
    assert_eq!(error("z"), NoPart::Section("z".into(), "x".into()));
    let repeated = book(vec![block("each", vec![run("in_it")]).for_each("params.hosts")]).plan();
    assert_eq!(repeated.part(PartKind::Only, "in_it"), Err(NoPart::InLoop("in_it".into(), "each".into())));
    assert!(repeated.part(PartKind::Only, "each").is_ok());
}
