//! Services of the environment: nothing starts before they answer, and they stop after `always`.

use runbook_core::Effect;
use runbook_core::event::{BlockReason, Event, Failure};
use runbook_core::input::Exit;
use runbook_core::plan::OnInterrupt;
use runbook_core::run::StepState;
use runbook_core::units::ServiceName;

use crate::kit::book::book;
use crate::kit::build::{http, manual, run, set, wait};
use crate::kit::desk::Desk;

fn runs(desk: &Desk, name: &str) -> bool {
    desk.run().wanted().contains(&Effect::Service(ServiceName::new(name)))
}

#[test]
fn nothing_starts_before_all_answer() {
    let steps = vec![run("a"), set("b", &[("v", "x")]), wait("c", "1s"), manual("d"), run("e").when("false")];
    let mut desk = Desk::start(&book(steps).parallel().service("db").service("api"));
    let pending = "a:pending b:pending c:pending d:pending e:pending";
    assert_eq!(desk.states(), pending);
    assert!(runs(&desk, "db") && runs(&desk, "api"));
    desk.ready("api");
    assert_eq!(desk.states(), pending);
    desk.ready("db");
    assert_eq!(desk.states(), "a:running b:succeeded c:running d:running e:skipped");
}

#[test]
fn after_a_crash_they_are_to_answer_again() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b").retry(2, 10), run("c")]).service("db"));
    desk.ready("db");
    desk.ok(&["a"]).fail("b");
    desk.crash();
    desk.pass(60_000);
    assert_eq!(desk.states(), "a:succeeded b:retrying c:pending");
    desk.ready("db");
    desk.pass(0);
    assert_eq!(desk.states(), "a:succeeded b:running c:pending");
}

#[test]
fn what_ends_meanwhile_starts_nothing_before_they_answer() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b")]).service("db"));
    desk.ready("db");
    desk.crash();
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded b:pending");
    desk.ready("db");
    assert_eq!(desk.states(), "a:succeeded b:running");
}

#[test]
fn an_undo_and_always_wait_for_them_too() {
    let book = book(vec![run("a").undo(), run("b")]).rolls_back().service("db").always(vec![run("x")]);
    let mut desk = Desk::start(&book);
    desk.ready("db");
    desk.ok(&["a"]);
    desk.crash();
    desk.fail("b");
    assert!(desk.run().live().next().is_none());
    desk.ready("db");
    desk.ok(&["undo a"]);
    assert_eq!(desk.states(), "a:succeeded b:failed x:running");
    assert!(runs(&desk, "db"));
    desk.ok(&["x"]);
    assert!(!runs(&desk, "db"), "they stop after `always`");
    assert!(desk.run().end().is_none());
    desk.stopped("db");
    assert_eq!(desk.end(), "rolled_back step:b");
}

#[test]
fn one_that_does_not_come_up_ends_the_run() {
    let book = book(vec![run("a"), run("b").when("always()")]).service("db").service("api").always(vec![run("x")]);
    let mut desk = Desk::start(&book);
    desk.ready("api");
    desk.unready("db");
    assert_eq!(desk.states(), "a:blocked b:blocked x:blocked");
    assert_eq!(*desk.state("a"), StepState::Blocked(BlockReason::Service("db".into())));
    assert!(!runs(&desk, "api") && !runs(&desk, "db"));
    desk.stopped("api");
    desk.stopped("db");
    assert_eq!(desk.end(), "failed service:db");
    assert!(desk.run().rollback().is_none());
}

#[test]
fn one_that_failed_may_be_gone_at_once() {
    let mut desk = Desk::start(&book(vec![wait("w", "1h")]).service("db").service("api"));
    desk.ready("api");
    desk.unready("db");
    assert!(matches!(desk.stopped("db")[..], []) || desk.run().end().is_none());
    desk.stopped("api");
    assert_eq!(desk.end(), "failed service:db");
}

#[test]
fn after_a_crash_one_may_not_come_up_again() {
    // What runs may end; what waits to be repeated or looked at again ends now; what had succeeded cannot be undone.
    let polled = http("p").until("response.up", 10);
    let steps = vec![run("a").undo(), run("r").retry(2, 10), polled, run("l"), run("c")];
    let mut desk = Desk::start(&book(steps).parallel().at_once(9).rolls_back().service("db"));
    desk.ready("db");
    desk.ok(&["a"]).fail("r");
    desk.exits("p", Exit::Status(500));
    desk.crash();
    desk.lose("c");
    desk.unready("db");
    assert_eq!(desk.states(), "a:succeeded r:failed p:failed l:running c:running");
    desk.answer("c", runbook_core::input::Answer::RunAgain { reason: None });
    let failure = Failure::Exit(Exit::Error("the service `db` did not come up".to_owned()));
    assert_eq!(*desk.state("c"), StepState::Failed(failure));
    desk.ok(&["l"]);
    desk.stopped("db");
    assert_eq!(desk.end(), "stuck undo:a");
}

#[test]
fn during_the_rollback_one_may_not_come_up_again() {
    let undoable = run("a").undoing(|undo| undo.retry = run("x").retry(3, 10).step.retry);
    for waiting in [true, false] {
        let mut desk = Desk::start(&book(vec![undoable.clone(), run("b")]).rolls_back().service("db"));
        desk.ready("db");
        desk.ok(&["a"]);
        if waiting {
            desk.fail("b").fail("undo a");
            desk.crash();
        } else {
            desk.crash();
            desk.fail("b");
        }
        desk.unready("db");
        desk.stopped("db");
        assert_eq!(desk.end(), "stuck undo:a");
    }
}

#[test]
fn a_lost_attempt_is_not_run_again_without_its_service() {
    for then in [OnInterrupt::Rerun, OnInterrupt::Fail] {
        let mut desk = Desk::start(&book(vec![run("a").on_interrupt(then).retry(5, 10)]).service("db"));
        desk.ready("db");
        desk.crash();
        desk.lose("a");
        assert_eq!(desk.states(), "a:retrying");
        desk.unready("db");
        desk.stopped("db");
        assert_eq!(desk.end(), "failed service:db");
    }
}

#[test]
fn what_is_told_twice_or_of_others_changes_nothing() {
    let mut desk = Desk::start(&book(vec![run("a")]).service("db"));
    desk.ready("other");
    desk.ready("db");
    desk.ready("db");
    desk.unready("db");
    assert!(desk.stopped("db").is_empty(), "it is wanted");
    let ready = desk.engine.journal.iter().flat_map(|batch| &batch.events);
    assert_eq!(ready.filter(|event| matches!(event, Event::ServiceReady { .. })).count(), 1);
}
