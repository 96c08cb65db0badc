//! Locks: taken before anything of a run or step begins, waited for or refused, held until it is over.

use runbook_core::Effect;
use runbook_core::event::{BlockReason, Event, Failure, LockHolder, LockScope, Phase, Timer, Verb};
use runbook_core::input::Input;
use runbook_core::plan::OnFailure;
use runbook_core::run::{LockState, StepState};
use runbook_core::units::Timestamp;

use crate::kit::book::book;
use crate::kit::build::{block, run, set};
use crate::kit::desk::Desk;

fn scope(name: &str) -> LockScope {
    match (name, name.strip_prefix("undo ")) {
        ("run", _) => LockScope::Run,
        (_, Some(step)) => LockScope::Step(step.into(), Phase::Undo),
        (step, None) => LockScope::Step(step.into(), Phase::Do),
    }
}

fn holder(run: &str) -> Option<LockHolder> {
    let (since, state) = (Timestamp(7), "/state".to_owned());
    Some(LockHolder { run: run.to_owned(), runbook: "other".to_owned(), user: "ann".to_owned(), since, state })
}

fn take(desk: &mut Desk, name: &str) -> Vec<Event> {
    assert!(wants(desk, name), "`{name}` does not want its locks");
    desk.tell(Input::LocksTaken(scope(name)))
}

fn held_by(desk: &mut Desk, name: &str, lock: &str, by: &str) -> Vec<Event> {
    assert!(wants(desk, name), "`{name}` does not want its locks");
    desk.tell(Input::LockHeld { scope: scope(name), name: lock.to_owned(), holder: holder(by) })
}

fn wants(desk: &Desk, name: &str) -> bool {
    desk.run().wanted().contains(&Effect::Locks(scope(name)))
}

fn is_held(desk: &Desk, name: &str) -> bool {
    desk.run().locks().any(|(it, locks)| it == scope(name) && locks.state == LockState::Held)
}

#[test]
fn nothing_of_a_run_begins_before_its_locks_are_held_and_they_are_until_its_end() {
    let book = book(vec![run("a").undo(), set("s", &[("v", "x")]), run("b")]).rolls_back().lock("x", 0).service("db");
    let mut desk = Desk::start(&book.always(vec![run("z")]));
    assert!(!desk.run().wanted().iter().any(|effect| matches!(effect, Effect::Service(_))), "not even a service");
    assert_eq!(desk.states(), "a:pending s:pending b:pending z:pending");
    take(&mut desk, "run");
    desk.ready("db");
    desk.ok(&["a"]).fail("b");
    desk.ok(&["undo a"]);
    assert!(is_held(&desk, "run"));
    desk.ok(&["z"]);
    assert!(is_held(&desk, "run") && wants(&desk, "run"));
    desk.stopped("db");
    assert_eq!(desk.end(), "rolled_back step:b");
    assert!(!wants(&desk, "run"));
}

#[test]
fn a_run_that_does_not_wait_is_refused_and_not_even_always_runs() {
    let book = book(vec![run("a"), run("b").when("always()")]).rolls_back().lock("x", 0).service("db");
    let mut desk = Desk::start(&book.always(vec![run("z")]));
    held_by(&mut desk, "run", "x", "other");
    let blocked = StepState::Blocked(BlockReason::Lock("x".to_owned()));
    assert!(["a", "b", "z"].iter().all(|step| *desk.state(step) == blocked), "{}", desk.states());
    desk.stopped("db");
    assert_eq!(desk.end(), "failed lock:x");
}

#[test]
fn a_run_waits_as_long_as_it_says_whoever_holds_the_lock_by_then() {
    let mut desk = Desk::start(&book(vec![run("a")]).lock("x", 1_000).lock("y", 0));
    assert_eq!(held_by(&mut desk, "run", "x", "one").len(), 1);
    assert_eq!(held_by(&mut desk, "run", "x", "one").len(), 0, "the same holder is told once");
    desk.pass(900);
    assert_eq!(held_by(&mut desk, "run", "x", "two").len(), 1);
    desk.crash();
    held_by(&mut desk, "run", "x", "two");
    desk.pass(99);
    assert_eq!(desk.states(), "a:pending");
    desk.pass(1);
    assert_eq!(desk.end(), "failed lock:x");
}

#[test]
fn a_run_that_is_cancelled_while_it_waits_never_begins() {
    let book = book(vec![run("a")]).lock("x", 1_000).service("db").always(vec![run("z")]);
    let mut desk = Desk::start(&book);
    held_by(&mut desk, "run", "x", "other");
    desk.cancel(1);
    assert_eq!(desk.states(), "a:blocked z:blocked");
    desk.stopped("db");
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn after_a_crash_nothing_starts_before_the_locks_are_held_again() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b")]).lock("x", 0));
    take(&mut desk, "run");
    desk.crash();
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded b:pending");
    held_by(&mut desk, "run", "x", "other");
    assert!(desk.run().lost_locks(Timestamp(desk.engine.now)).is_some(), "it is left as it is");
    desk.pass(3_600_000);
    assert_eq!(desk.states(), "a:succeeded b:pending");
    take(&mut desk, "run");
    desk.ok(&["b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_step_holds_its_locks_over_all_attempts_until_it_settles() {
    let mut desk = Desk::start(&book(vec![run("a").lock("{{ params.kind }}", None).retry(2, 10), run("b")]));
    let asked = desk.run().locks().next().expect("locks").1.wishes[0].name.clone();
    assert_eq!((desk.states().as_str(), asked.as_str()), ("a:queued b:pending", "a"));
    take(&mut desk, "a");
    desk.fail("a");
    assert!(is_held(&desk, "a") && desk.states().starts_with("a:retrying"));
    desk.pass(10);
    desk.ok(&["a"]);
    assert!(!wants(&desk, "a") && desk.is_live("b"));
}

#[test]
fn a_step_that_does_not_get_its_lock_fails_and_never_started() {
    let steps = || vec![run("a").lock("x", Some(500)).retry(3, 10).undo().also_failed(), run("b")];
    let mut desk = Desk::start(&book(steps()).rolls_back());
    held_by(&mut desk, "a", "x", "other");
    desk.pass(500);
    let failure = Failure::Lock { name: "x".to_owned(), holder: holder("other").map(Box::new) };
    assert_eq!(*desk.state("a"), StepState::Failed(failure));
    assert_eq!((desk.attempts()["a"], desk.undone().len()), (0, 0));
    assert_eq!(desk.end(), "rolled_back step:a");
}

#[test]
fn a_block_holds_its_locks_for_all_in_it_and_what_it_holds_is_not_asked_again() {
    let inner = vec![run("a").lock("x", None), run("b").lock("y", None)];
    let mut desk = Desk::start(&book(vec![block("all", inner).lock("x", None), run("c")]));
    assert_eq!(desk.states(), "all:queued a:pending b:pending c:pending");
    take(&mut desk, "all");
    assert!(desk.is_live("a"), "{}", desk.states());
    desk.ok(&["a"]);
    take(&mut desk, "b");
    desk.ok(&["b"]);
    assert!(!wants(&desk, "all") && desk.is_live("c"));
}

#[test]
fn what_the_run_holds_a_step_need_not_wait_for() {
    let mut desk = Desk::start(&book(vec![run("a").lock("x", None)]).lock("x", 0));
    take(&mut desk, "run");
    assert!(desk.is_live("a"));
}

#[test]
fn steps_of_one_run_with_one_lock_run_one_after_the_other() {
    let steps = vec![run("a").lock("x", None), run("b").lock("x", None), run("c").lock("y", None)];
    let mut desk = Desk::start(&book(steps).parallel());
    take(&mut desk, "a");
    take(&mut desk, "c");
    assert!(!wants(&desk, "b"), "it is not asked for, so it cannot be refused");
    desk.crash();
    assert!(!wants(&desk, "b"), "what had the lock goes first");
    take(&mut desk, "a");
    desk.ok(&["a"]);
    take(&mut desk, "b");
    assert!(desk.is_live("b"));
}

#[test]
fn a_step_that_waits_for_a_lock_takes_no_place() {
    let steps = vec![run("a").lock("x", Some(9_000)), run("b")];
    let mut desk = Desk::start(&book(steps).parallel().at_once(1));
    held_by(&mut desk, "a", "x", "other");
    assert!(desk.is_live("b"));
    take(&mut desk, "a");
    assert_eq!(desk.states(), "a:queued b:running");
    desk.ok(&["b"]);
    assert!(desk.is_live("a"));
}

#[test]
fn an_undo_takes_the_locks_of_its_step_anew_and_waits_ten_minutes_at_least() {
    let mut desk = Desk::start(&book(vec![run("a").lock("x", None).undo(), run("b")]).rolls_back());
    take(&mut desk, "a");
    desk.ok(&["a"]).fail("b");
    held_by(&mut desk, "undo a", "x", "other");
    desk.pass(599_999);
    assert!(wants(&desk, "undo a"));
    take(&mut desk, "undo a");
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back step:b");

    let mut desk = Desk::start(&book(vec![run("a").lock("x", None).undo(), run("b")]).rolls_back());
    take(&mut desk, "a");
    desk.ok(&["a"]).fail("b");
    held_by(&mut desk, "undo a", "x", "other");
    desk.pass(600_000);
    assert_eq!(desk.end(), "stuck undo:a");
}

#[test]
fn a_lock_without_a_name_fails_its_step() {
    let mut desk = Desk::start(&book(vec![run("a").lock("{{ params.none }}", None)]).param("none", "".into()));
    assert!(matches!(desk.state("a"), StepState::Failed(Failure::Evaluate(_))), "{:?}", desk.state("a"));
    desk.pass(0);
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn who_resumes_again_waits_anew() {
    let mut desk = Desk::start(&book(vec![run("a")]).lock("x", 0));
    take(&mut desk, "run");
    desk.crash();
    held_by(&mut desk, "run", "x", "other");
    assert!(desk.run().lost_locks(Timestamp(desk.engine.now)).is_some());
    desk.crash();
    assert!(desk.run().lost_locks(Timestamp(desk.engine.now)).is_none(), "nobody has asked yet");
    take(&mut desk, "run");
    assert!(desk.is_live("a"));
}

/// A run, or a step of one with a service, waits for a lock when the engine dies; the next one comes, or its service answers,
/// when the time to wait is over.
fn overslept(name: &str) -> Desk {
    let made = match name {
        "run" => book(vec![run("a")]).lock("x", 500),
        _ => book(vec![run("a").lock("x", Some(500))]).service("db"),
    };
    let mut desk = Desk::start(&made);
    if name != "run" {
        desk.ready("db");
    }
    held_by(&mut desk, name, "x", "other");
    desk.engine.now += 499;
    desk.crash();
    desk.engine.now += 1;
    if name != "run" {
        assert!(!wants(&desk, name), "it asks with its service");
        desk.ready("db");
    }
    desk.tell(Input::Due(Timer::Lock(scope(name))));
    desk.pass(0);
    desk
}

#[test]
fn after_a_crash_nothing_gives_up_because_of_who_held_its_lock_before() {
    for name in ["run", "a"] {
        let mut desk = overslept(name);
        take(&mut desk, name);
        assert!(desk.is_live("a"), "{}", desk.states());

        let mut desk = overslept(name);
        let told = held_by(&mut desk, name, "x", "other");
        assert!(matches!(told[..], [Event::LockAwaited { until: Timestamp(until), .. }] if until <= desk.engine.now));
        desk.pass(0);
        let is_over = matches!(desk.state("a"), StepState::Failed(_) | StepState::Blocked(BlockReason::Lock(_)));
        assert!(is_over, "it has waited as long as it says: {}", desk.states());
    }
}

/// The order is that of the first time, so that nothing waits for each other that did not before.
#[test]
fn after_a_crash_what_begins_asks_once_the_services_answer_and_what_had_its_locks_at_once() {
    let wait = Some(9_000);
    let one = block("one", vec![run("a").lock("y", wait)]).lock("x", wait);
    let two = block("two", vec![run("b").lock("x", wait)]).lock("y", wait);
    let mut desk = Desk::start(&book(vec![run("c").lock("z", wait), one, two]).parallel().service("db"));
    desk.ready("db");
    take(&mut desk, "c");
    assert!(wants(&desk, "one") && wants(&desk, "two"));
    desk.crash();
    assert!(wants(&desk, "c"), "it runs");
    // With its lock before `one` has begun, `two` would have what `a` in it needs first.
    assert!(!wants(&desk, "one") && !wants(&desk, "two"));
    take(&mut desk, "c");
    desk.ready("db");
    take(&mut desk, "one");
    assert!(!wants(&desk, "two"), "`a` lies in a block that holds a lock, and goes first");
    take(&mut desk, "a");
    desk.ok(&["a"]);
    take(&mut desk, "two");
    take(&mut desk, "b");
    desk.ok(&["b", "c"]);
    desk.stopped("db");
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_block_that_is_open_again_asks_after_a_crash_like_what_begins() {
    let wait = Some(9_000);
    let inner = block("two", vec![run("t").needs(&["s"])]).lock("x", wait);
    let mut made = book(vec![run("s").lock("x", wait), block("one", vec![inner]).lock("y", wait)]);
    made.on_failure = OnFailure::Ask;
    let mut desk = Desk::start(&made.parallel().service("db"));
    desk.ready("db");
    take(&mut desk, "s");
    take(&mut desk, "one");
    desk.fail("s");
    desk.say(Verb::Retry { step: None, downstream: false });
    desk.crash();
    // With the lock of `one`, `two` would come before `s`, for which `t` in it waits.
    assert!(!wants(&desk, "s") && !wants(&desk, "one"));
    desk.ready("db");
    take(&mut desk, "s");
    take(&mut desk, "one");
    desk.ok(&["s"]);
    take(&mut desk, "two");
    desk.ok(&["t"]);
    desk.stopped("db");
    assert_eq!(desk.end(), "succeeded none");
}
