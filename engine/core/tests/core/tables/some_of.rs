//! `needs: {any: 2, of: [a, b, c]}`: so many of several suffice.

use runbook_core::event::{BlockReason, Verb};
use runbook_core::run::StepState;

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, block, run};
use crate::kit::desk::Desk;

/// Three steps at once, and one for which two of them suffice.
fn race(change: impl Fn(Spec) -> Spec) -> Book {
    let start = |id| change(run(id).needs(&[]));
    book(vec![start("a"), start("b"), start("c"), run("j").needs(&["a", "b", "c"]).any(2)])
}

/// The same, but what fails holds back only what builds on it.
fn contained() -> Book {
    let apart = |id: &str, inner: &str| block(id, vec![run(inner)]).needs(&[]).keep_going();
    let join = run("j").needs(&["a", "b", "c"]).any(2);
    book(vec![apart("x", "a"), apart("y", "b"), apart("z", "c"), join])
}

#[test]
fn a_step_starts_as_soon_as_so_many_are_done_and_the_others_go_on() {
    let mut desk = Desk::start(&race(|step| step));
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "a:running b:succeeded c:running j:pending");
    desk.ok(&["c"]);
    assert_eq!(desk.states(), "a:running b:succeeded c:succeeded j:running");
    desk.ok(&["j"]);
    assert_eq!(desk.states(), "a:running b:succeeded c:succeeded j:succeeded");
    assert!(desk.run().end().is_none(), "the run waits for what still runs");
    desk.ok(&["a"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn what_is_skipped_or_may_fail_counts_as_done() {
    let mut desk = Desk::start(&race(|step| if step.step.id.as_str() == "a" { step.when("false") } else { step }));
    assert_eq!(desk.states(), "a:skipped b:running c:running j:pending");
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "a:skipped b:succeeded c:running j:running");
    let mut desk = Desk::start(&race(Spec::keep_going));
    desk.fail("a").fail("c");
    assert_eq!(desk.states(), "a:failed b:running c:failed j:running");
}

#[test]
fn as_soon_as_so_many_cannot_be_done_it_is_blocked() {
    let mut desk = Desk::start(&contained());
    desk.fail("b");
    assert!(matches!(desk.state("j"), StepState::Pending));
    desk.fail("c");
    let StepState::Blocked(BlockReason::Ancestor(by)) = desk.state("j") else { panic!("{}", desk.states()) };
    assert_eq!(by.as_str(), "b");
    assert!(desk.is_live("a"), "nothing waits for that");
    desk.ok(&["a"]);
    assert_eq!(desk.end(), "succeeded none", "the failures count as done, and the run ends");
}

#[test]
fn what_fails_later_is_no_matter_of_it() {
    let mut desk = Desk::start(&contained());
    desk.ok(&["a", "b"]);
    desk.fail("c");
    assert_eq!(desk.states(), "x:succeeded a:succeeded y:succeeded b:succeeded z:failed c:failed j:running");
    desk.ok(&["j"]);
    assert_eq!(desk.end(), "succeeded none");
    // Nor does what builds on it see a failure.
    let mut book = contained();
    book.main.push(run("k").needs(&["j"]));
    book.main.push(run("f").needs(&["j"]).when("failure()"));
    let mut desk = Desk::start(&book);
    desk.fail("c").ok(&["a", "b", "j", "k"]);
    assert!(matches!(desk.state("f"), StepState::Skipped(_)));
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_failure_that_fails_the_run_holds_it_back_all_the_same() {
    let mut desk = Desk::start(&race(|step| step));
    desk.ok(&["a"]).fail("b");
    assert_eq!(desk.states(), "a:succeeded b:failed c:running j:pending");
    desk.ok(&["c"]);
    assert_eq!(desk.states(), "a:succeeded b:failed c:succeeded j:blocked");
    assert_eq!(desk.end(), "failed step:b");
}

#[test]
fn undoing_goes_against_the_order_in_which_steps_ended() {
    let mut book = race(Spec::undo).rolls_back();
    book.main[3] = run("j").needs(&["a", "b", "c"]).any(2).undo();
    book.main.push(run("z").needs(&["j", "c"]));
    let mut desk = Desk::start(&book);
    desk.ok(&["a", "b", "j", "c"]).fail("z");
    desk.ok(&["undo c", "undo j", "undo b", "undo a"]);
    assert_eq!(
        (desk.undone(), desk.end().as_str()),
        (["c", "j", "b", "a"].map(str::to_owned).to_vec(), "rolled_back step:z")
    );
}

#[test]
fn what_is_done_after_a_step_was_skipped_with_its_block_changes_nothing_of_it() {
    // `b` is skipped when one of the two that it needs has failed, and the other one goes on.
    let apart = |id: &str, inner: &str| block(id, vec![run(inner)]).needs(&[]).keep_going();
    let within = run("b").needs(&["a", "c"]).any(1);
    let around = block("x", vec![within]).needs(&["s"]).when("false");
    let last = run("z").needs(&["b", "c"]);
    let book = book(vec![apart("y", "a"), apart("w", "c"), run("s").needs(&[]), around, last]);
    let mut desk = Desk::start(&book);
    desk.fail("a").ok(&["s"]);
    assert_eq!(desk.states(), "y:failed a:failed w:running c:running s:succeeded x:skipped b:skipped z:pending");
    // That `a` has failed is handed on by what was skipped. The desk checks that it stays so.
    desk.ok(&["c"]);
    let StepState::Blocked(BlockReason::Ancestor(by)) = desk.state("z") else { panic!("{}", desk.states()) };
    assert_eq!(by.as_str(), "a");
}

#[test]
fn who_looks_at_failures_starts_as_soon_as_so_many_cannot_be_done() {
    for (condition, after) in [("failure()", "running"), ("always()", "running"), ("true", "blocked")] {
        let mut book = contained();
        book.main[3] = run("j").needs(&["a", "b", "c"]).any(2).when(condition);
        let mut desk = Desk::start(&book);
        desk.fail("b");
        assert!(matches!(desk.state("j"), StepState::Pending));
        desk.fail("c");
        assert_eq!(desk.state("j").word(), after, "{condition}: {}", desk.states());
        assert!(desk.is_live("a"), "nothing waits for that");
    }
}

#[test]
fn what_ran_thanks_to_a_step_starts_over_with_it_although_another_was_done_since() {
    let mut book = contained();
    book.main[3] = run("j").needs(&["a", "b", "c"]).any(1);
    book.main.extend([run("s").needs(&[]), run("k").needs(&["j", "s"])]);
    let mut desk = Desk::start(&book);
    desk.fail("a").ok(&["b", "j", "c"]);
    desk.say(Verb::Retry { step: Some("b".into()), downstream: true });
    // It may build on `c` now. That `a` has failed is no matter of it, nor of who waits for it.
    assert_eq!((desk.state("j").word(), desk.state("k").word()), ("running", "pending"), "{}", desk.states());
    desk.ok(&["b", "j", "s", "k"]);
    assert_eq!(desk.end(), "succeeded none");
    // What was done in time suffices, and stays so.
    let mut desk = Desk::start(&book);
    desk.fail("a").ok(&["b", "c"]);
    desk.ok(&["j"]);
    desk.say(Verb::Retry { step: Some("b".into()), downstream: true });
    assert_eq!((desk.state("j").word(), desk.state("k").word()), ("succeeded", "pending"), "{}", desk.states());
    assert!(desk.is_live("b"));
    desk.ok(&["s", "k", "b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn what_ran_thanks_to_a_block_starts_over_when_that_is_open_again() {
    let apart = |id: &str, inner: &str| block(id, vec![run(inner)]).needs(&[]).keep_going();
    let join = run("j").needs(&["x", "b"]).any(1);
    let after = [run("s").needs(&[]), run("k").needs(&["j", "s"])];
    let steps = [apart("x", "a"), apart("y", "b"), join].into_iter().chain(after);
    let mut desk = Desk::start(&book(steps.collect()));
    // That `x` has failed counts as done.
    desk.fail("b").fail("a").ok(&["j"]);
    desk.say(Verb::Retry { step: Some("a".into()), downstream: true });
    assert_eq!(desk.states(), "x:running a:running y:failed b:failed j:pending s:running k:pending");
    desk.ok(&["a", "j", "s", "k"]);
    assert_eq!(desk.end(), "succeeded none");
}
