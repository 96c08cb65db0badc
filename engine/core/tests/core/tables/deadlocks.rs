//! Steps of one run that wait for each other because of a lock.

use runbook_core::Effect;
use runbook_core::event::{Event, Failure, LockScope, Phase};
use runbook_core::input::{Exit, Input};
use runbook_core::run::StepState;

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, block, run};
use crate::kit::desk::Desk;

fn scope(name: &str) -> LockScope {
    LockScope::Step(name.into(), Phase::Do)
}

fn wants(desk: &Desk, name: &str) -> bool {
    desk.run().wanted().contains(&Effect::Locks(scope(name)))
}

fn take(desk: &mut Desk, name: &str) -> Vec<Event> {
    assert!(wants(desk, name), "`{name}` does not want its locks: {}", desk.states());
    desk.tell(Input::LocksTaken(scope(name)))
}

#[track_caller]
fn gave_up(desk: &Desk, step: &str, lock: &str, cycle: &[&str]) {
    let steps = cycle.iter().map(|step| (*step).into()).collect();
    let failure = Failure::LockCycle { name: lock.to_owned(), steps };
    assert_eq!(*desk.state(step), StepState::Failed(failure), "{}", desk.states());
}

/// A block holds a lock, and in it a step needs one outside of it that waits for this lock.
fn needed_outside() -> Book {
    let outer = block("outer", vec![run("first"), run("inner").needs(&["first", "other"])]).lock("x", None);
    let before = run("before");
    book(vec![before, run("other").lock("x", Some(600_000)).needs(&["before"]), outer, run("after")]).parallel()
}

#[test]
fn what_is_needed_in_a_block_and_waits_for_its_lock_gives_up_at_once() {
    let mut desk = Desk::start(&needed_outside());
    take(&mut desk, "outer");
    desk.ok(&["first"]);
    assert_eq!(desk.states(), "before:running other:pending outer:running first:succeeded inner:pending after:running");
    desk.ok(&["before"]);
    gave_up(&desk, "other", "x", &["other", "outer", "inner"]);
    desk.ok(&["after"]);
    assert_eq!(desk.end(), "failed step:other");
    let told = match desk.state("other") {
        StepState::Failed(failure) => failure.to_string(),
        state => format!("{state:?}"),
    };
    assert_eq!(
        told,
        "the lock `x` can never be free: these steps wait for each other: other -> outer -> inner -> other"
    );
}

#[test]
fn it_is_the_same_after_a_crash() {
    let mut desk = Desk::start(&needed_outside());
    take(&mut desk, "outer");
    desk.crash();
    desk.ok(&["before"]);
    assert!(!wants(&desk, "other"), "what had the lock goes first");
    gave_up(&desk, "other", "x", &["other", "outer", "inner"]);
}

#[test]
fn whoever_needs_one_of_several_waits_as_long_as_another_may_do() {
    let inner = run("inner").needs(&["other", "slow"]).any(1);
    let steps = vec![run("slow"), block("outer", vec![inner]).lock("x", None), run("other").lock("x", None)];
    let mut desk = Desk::start(&book(steps).parallel());
    take(&mut desk, "outer");
    assert_eq!(desk.states(), "slow:running outer:running inner:pending other:queued");
    let mut sooner = desk.clone();
    sooner.ok(&["slow"]).ok(&["inner"]);
    take(&mut sooner, "other");
    sooner.ok(&["other"]);
    assert_eq!(sooner.end(), "succeeded none");
    desk.fail("slow");
    assert_eq!(desk.states(), "slow:failed outer:blocked inner:blocked other:blocked", "it is blocked as ever");
}

/// Two blocks that take two locks in a different order.
fn crossed(wait: Option<u64>) -> Vec<Spec> {
    let one = vec![run("a"), run("b").lock("y", wait)];
    let two = vec![run("c"), run("d").lock("x", wait).keep_going()];
    vec![block("one", one).lock("x", None), block("two", two).lock("y", None)]
}

#[test]
fn of_two_that_hold_what_the_other_waits_for_the_last_gives_up_and_lets_the_first_go_on() {
    for wait in [None, Some(600_000)] {
        let mut desk = Desk::start(&book(crossed(wait)).parallel());
        take(&mut desk, "one");
        take(&mut desk, "two");
        desk.ok(&["a"]);
        assert!(!wants(&desk, "b"), "it is not asked for, so it cannot be refused");
        assert_eq!(desk.states(), "one:running a:succeeded b:queued two:running c:running d:pending");
        desk.ok(&["c"]);
        gave_up(&desk, "d", "x", &["d", "one", "b", "two"]);
        take(&mut desk, "b");
        desk.ok(&["b"]);
        assert_eq!(desk.end(), "succeeded none");
    }
}

#[test]
fn two_that_do_not_meet_do_not_fail() {
    let mut desk = Desk::start(&book(crossed(None)).parallel());
    take(&mut desk, "one");
    desk.ok(&["a"]);
    take(&mut desk, "b");
    desk.ok(&["b"]);
    take(&mut desk, "two");
    desk.ok(&["c"]);
    take(&mut desk, "d");
    desk.ok(&["d"]);
    assert_eq!(desk.end(), "succeeded none");

    let mut desk = Desk::start(&book(crossed(None)).parallel());
    take(&mut desk, "two");
    desk.ok(&["c"]);
    take(&mut desk, "d");
    desk.ok(&["d"]);
    take(&mut desk, "one");
    desk.ok(&["a"]);
    take(&mut desk, "b");
    desk.ok(&["b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn within_a_block_that_holds_another_lock_a_step_waits_for_one_of_the_same_run() {
    let blocked = block("one", vec![run("a").lock("y", None)]).lock("x", None);
    let mut desk = Desk::start(&book(vec![run("z").lock("y", None), blocked]).parallel());
    take(&mut desk, "z");
    take(&mut desk, "one");
    assert!(!wants(&desk, "a"), "{}", desk.states());
    desk.ok(&["z"]);
    take(&mut desk, "a");
    desk.ok(&["a"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn who_waits_for_two_locks_is_in_nobodys_way_while_another_holds_one_of_them() {
    // Else `b`, and so `one`, would wait for `z`, which waits for `one`.
    let one = block("one", vec![run("a"), run("b").lock("y", None)]).lock("x", None);
    let z = run("z").lock("x", None).lock("y", None).needs(&["first"]);
    let mut desk = Desk::start(&book(vec![run("first"), z, one]).parallel());
    take(&mut desk, "one");
    desk.ok(&["first"]).ok(&["a"]);
    take(&mut desk, "b");
    desk.ok(&["b"]);
    take(&mut desk, "z");
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_look_before_an_approval_is_repeated_without_the_locks() {
    let step = run("a").lock("x", None).retry(2, 10).probed(60_000).approval(&["chief"], None);
    let mut desk = Desk::start(&book(vec![step]));
    let _ = desk.exits("look a", Exit::Code(127));
    assert_eq!(desk.states(), "a:retrying");
    desk.pass(10);
    assert_eq!(desk.live("look a").number, 2);
    let _ = desk.exits("look a", Exit::Code(1));
    assert_eq!(desk.states(), "a:waiting", "now a person is asked");
}

#[test]
fn what_was_held_before_a_crash_counts_as_held_until_it_is_held_again() {
    let wait = Some(600_000);
    // `z` would have `x` before `b`, but for `y`, which it cannot have yet.
    let two = block("two", vec![run("z").lock("x", wait).lock("y", wait)]).lock("w", wait);
    let one = block("one", vec![run("a"), run("b").lock("x", wait)]).lock("y", wait);
    let mut desk = Desk::start(&book(vec![two, one]).parallel());
    take(&mut desk, "one");
    take(&mut desk, "two");
    desk.ok(&["a"]);
    desk.crash();
    assert_eq!(desk.states(), "two:running z:queued one:running a:succeeded b:queued", "nobody waits in a circle");
    take(&mut desk, "one");
    take(&mut desk, "two");
    take(&mut desk, "b");
    desk.ok(&["b"]);
    take(&mut desk, "z");
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}
