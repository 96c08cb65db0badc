//! Guards: a probe that looks again and again beside the steps, and ends or pauses the run when it finds what must not
//! be so.

use runbook_core::Effect;
use runbook_core::event::{BlockReason, Event, Failure, StopReason, Verb};
use runbook_core::input::{AttemptResult, Exit};
use runbook_core::plan::OnTrip;
use runbook_core::run::{Doing, StepState};
use serde_json::json;

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, block, child, http, manual, run, wait};
use crate::kit::desk::Desk;

/// A guard `g` beside steps: it trips when the second look in a row finds an exit code that is not 0.
fn guarded(steps: Vec<Spec>, on_trip: OnTrip) -> Book {
    book(steps).guard(run("g").timeout(500), "exit_code != 0", 2, on_trip)
}

/// The guard looks, `ms` after the last look.
fn looks(desk: &mut Desk, ms: u64, exit: Exit) -> Vec<Event> {
    desk.pass(ms);
    desk.exits("g", exit)
}

fn is_tripped(desk: &Desk) -> bool {
    matches!(desk.state("g"), StepState::Failed(Failure::Tripped(_)))
}

#[test]
fn it_looks_again_and_again_as_long_as_the_steps_go_on_and_then_has_succeeded() {
    let mut desk = Desk::start(&guarded(vec![run("a")], OnTrip::Stop).at_once(1));
    for look in 1..=20 {
        assert_eq!((desk.live("g").number, desk.live("g").poll), (1, look));
        looks(&mut desk, 0, Exit::Code(0));
        desk.pass(1_000);
    }
    assert!(desk.is_live("a"), "a guard takes no place");
    looks(&mut desk, 0, Exit::Code(0));
    desk.ok(&["a"]);
    assert_eq!((desk.end(), desk.state("g").clone()), ("succeeded none".to_owned(), StepState::Succeeded));
}

#[test]
fn it_is_ended_when_it_looks_while_the_last_step_settles() {
    let mut desk = Desk::start(&guarded(vec![run("a")], OnTrip::Stop));
    desk.ok(&["a"]);
    assert!(desk.run().end().is_none());
    assert!(desk.run().wanted().contains(&Effect::Stop { attempt: desk.live("g"), force: false }));
    // What it finds now is no matter.
    desk.exits("g", Exit::Signal(15));
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn it_trips_after_so_many_looks_in_a_row() {
    let mut desk = Desk::start(&guarded(vec![run("a"), run("b")], OnTrip::Stop));
    let bad = Exit::Code(1);
    looks(&mut desk, 0, bad.clone());
    looks(&mut desk, 1_000, Exit::Code(0));
    looks(&mut desk, 1_000, bad.clone());
    assert!(!is_tripped(&desk), "not in a row");
    let events = looks(&mut desk, 1_000, bad);
    let trips = events.iter().filter(|event| matches!(event, Event::GuardTripped { then: OnTrip::Stop, .. })).count();
    assert!(trips == 1 && is_tripped(&desk), "{events:?}");
}

#[test]
fn stop_ends_what_runs_as_the_first_request_to_cancel_does_and_fails_the_run() {
    let steps = vec![run("a").undo(), wait("w", "1h").needs(&[]), manual("m").needs(&[]), run("b").when("always()")];
    let mut desk = Desk::start(&guarded(steps, OnTrip::Stop).grace(10_000).always(vec![run("z")]));
    looks(&mut desk, 0, Exit::Code(1));
    looks(&mut desk, 1_000, Exit::Code(1));
    assert_eq!(desk.states(), "a:running w:cancelled m:cancelled b:blocked g:failed z:pending");
    desk.pass(9_999);
    assert!(desk.run().live().all(|live| live.doing == Doing::Executing), "it may end by itself");
    desk.pass(1);
    let why = |doing: Doing| matches!(doing, Doing::Stopping { why: StopReason::Cancel, .. });
    assert!(desk.run().live().all(|live| why(live.doing)));
    desk.exits("a", Exit::Signal(15));
    assert_eq!(*desk.state("b"), StepState::Blocked(BlockReason::Guard("g".into())));
    desk.ok(&["z"]);
    assert_eq!((desk.end(), desk.undone().len()), ("failed step:g".to_owned(), 0));
}

#[test]
fn after_a_stop_the_runbook_says_whether_it_is_rolled_back() {
    let mut desk = Desk::start(&guarded(vec![run("a").undo(), run("b")], OnTrip::Stop).rolls_back());
    desk.ok(&["a"]);
    looks(&mut desk, 0, Exit::Code(1));
    looks(&mut desk, 1_000, Exit::Code(1));
    desk.ok(&["b", "undo a"]);
    assert_eq!(desk.end(), "rolled_back step:g");
}

#[test]
fn rollback_undoes_whatever_the_runbook_says_of_failures() {
    let mut desk = Desk::start(&guarded(vec![run("a").undo(), run("b")], OnTrip::Rollback));
    desk.ok(&["a"]);
    looks(&mut desk, 0, Exit::Code(1));
    looks(&mut desk, 1_000, Exit::Code(1));
    desk.exits("b", Exit::Signal(15));
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back step:g");
}

#[test]
fn a_probe_that_tells_nothing_is_neither_fine_nor_the_contrary() {
    let book = book(vec![run("a")]).guard(http("g"), "response.json.errors != 0", 2, OnTrip::Stop);
    let mut desk = Desk::start(&book);
    let answer = |errors: u64| {
        let locals = [("response".to_owned(), json!({"status": 200, "json": {"errors": errors}}))].into();
        AttemptResult { exit: Exit::Status(200), locals, ..AttemptResult::default() }
    };
    desk.ends("g", answer(7));
    looks(&mut desk, 1_000, Exit::Error("connection refused".to_owned()));
    assert!(!is_tripped(&desk));
    let events = &desk.engine.journal.last().expect("a batch").events;
    assert!(
        matches!(&events[..], [Event::PollMissed { found, trips: 1, .. }] if found.starts_with("nobody knows (connection refused)")),
        "{events:?}"
    );
    desk.pass(1_000);
    desk.ends("g", answer(7));
    assert!(is_tripped(&desk), "what was found before still counts");
}

#[test]
fn no_answer_can_be_what_trips_it() {
    let mut desk = Desk::start(&book(vec![run("a")]).guard(http("g"), "response.status != 200", 1, OnTrip::Stop));
    desk.exits("g", Exit::Error("connection refused".to_owned()));
    assert!(is_tripped(&desk));
    // So can a probe that does not come to an end, or a signal.
    for book in [guarded(vec![run("a")], OnTrip::Stop), guarded(vec![run("a")], OnTrip::Stop)] {
        let mut desk = Desk::start(&book);
        desk.pass(500);
        assert!(desk.run().wanted().contains(&Effect::Stop { attempt: desk.live("g"), force: false }));
        desk.exits("g", Exit::Signal(15));
        looks(&mut desk, 1_000, Exit::Signal(9));
        assert!(is_tripped(&desk), "{}", desk.states());
    }
}

#[test]
fn its_timeout_bounds_each_look() {
    let mut desk = Desk::start(&guarded(vec![run("a")], OnTrip::Stop));
    for _ in 0..5 {
        desk.pass(400);
        looks(&mut desk, 0, Exit::Code(0));
        desk.pass(1_000);
    }
    desk.pass(499);
    assert!(desk.run().wanted().contains(&Effect::Execute(desk.live("g"))));
    assert!(!desk.run().wanted().contains(&Effect::Stop { attempt: desk.live("g"), force: false }));
    desk.pass(1);
    assert!(desk.run().wanted().contains(&Effect::Stop { attempt: desk.live("g"), force: false }));
}

#[test]
fn it_may_read_what_the_steps_came_to() {
    let book = book(vec![run("a"), run("b")]).guard(run("g"), "steps.a.succeeded", 1, OnTrip::Stop);
    let mut desk = Desk::start(&book);
    looks(&mut desk, 0, Exit::Code(0));
    desk.ok(&["a"]);
    assert!(!is_tripped(&desk));
    looks(&mut desk, 1_000, Exit::Code(0));
    assert!(is_tripped(&desk));
}

#[test]
fn it_looks_while_a_person_is_asked_and_after_a_failure_elsewhere() {
    let steps = vec![run("a").approval(&["chief"], None), run("b").needs(&[]), run("c").needs(&[])];
    let mut desk = Desk::start(&guarded(steps, OnTrip::Stop));
    desk.fail("b");
    looks(&mut desk, 0, Exit::Code(1));
    looks(&mut desk, 1_000, Exit::Code(1));
    assert!(is_tripped(&desk));
    desk.exits("c", Exit::Code(0));
    assert_eq!(desk.end(), "failed step:b", "the first failure is the cause");
}

#[test]
fn a_crash_is_no_look_and_changes_no_count() {
    let mut desk = Desk::start(&guarded(vec![run("a")], OnTrip::Stop));
    looks(&mut desk, 0, Exit::Code(1));
    desk.crash();
    desk.pass(1_000);
    // A look that was lost with all is made again.
    desk.lose("g");
    assert_eq!((desk.live("g").number, desk.live("g").poll), (2, 1));
    looks(&mut desk, 0, Exit::Code(0));
    looks(&mut desk, 1_000, Exit::Code(1));
    desk.crash();
    looks(&mut desk, 1_000, Exit::Code(1));
    assert!(is_tripped(&desk));
}

#[test]
fn a_request_to_cancel_ends_it() {
    let mut desk = Desk::start(&guarded(vec![run("a")], OnTrip::Stop));
    desk.cancel(1);
    assert!(desk.run().wanted().contains(&Effect::Stop { attempt: desk.live("g"), force: false }));
    desk.exits("g", Exit::Code(1));
    desk.exits("a", Exit::Signal(15));
    assert_eq!((desk.end(), desk.state("g").word()), ("cancelled cancelled".to_owned(), "cancelled"));
}

#[test]
fn one_that_cannot_begin_fails_the_run_before_anything_starts() {
    let broken = run("g").env("X", "{{ params.nothing }}");
    let desk = Desk::start(&book(vec![run("a"), run("b")]).guard(broken, "false", 1, OnTrip::Stop));
    assert_eq!((desk.end(), desk.attempts()["a"]), ("failed step:g".to_owned(), 0));
}

#[test]
fn what_blocks_do_at_their_end_is_done_after_a_stop() {
    let steps = vec![block("c", vec![run("a")]).always(vec![run("y")])];
    let mut desk = Desk::start(&guarded(steps, OnTrip::Stop));
    looks(&mut desk, 0, Exit::Code(1));
    looks(&mut desk, 1_000, Exit::Code(1));
    desk.exits("a", Exit::Signal(15));
    desk.ok(&["y"]);
    assert_eq!(desk.end(), "failed step:g");
}

#[test]
fn in_a_pause_it_looks_on_and_when_it_trips_the_pause_is_over() {
    let mut desk = Desk::start(&guarded(vec![run("a"), run("b")], OnTrip::Stop));
    desk.say(Verb::Pause);
    looks(&mut desk, 0, Exit::Code(1));
    assert!(desk.run().paused().is_some());
    looks(&mut desk, 1_000, Exit::Code(1));
    assert!(is_tripped(&desk) && desk.run().paused().is_none());
    desk.ok(&["a"]);
    assert_eq!(*desk.state("b"), StepState::Blocked(BlockReason::Guard("g".into())));
    assert_eq!(desk.end(), "failed step:g");
}

#[test]
fn a_retry_after_it_tripped_goes_on_with_the_steps_and_it_looks_anew() {
    let mut desk = Desk::start(&guarded(vec![run("a"), run("b")], OnTrip::Stop));
    looks(&mut desk, 0, Exit::Code(1));
    looks(&mut desk, 1_000, Exit::Code(1));
    desk.ok(&["a"]);
    assert_eq!(desk.end(), "failed step:g");
    desk.say(Verb::Retry { step: None, downstream: false });
    desk.engine_starts();
    assert_eq!(desk.states(), "a:succeeded b:running g:running");
    looks(&mut desk, 0, Exit::Code(1));
    assert!(!is_tripped(&desk), "the count starts anew");
    looks(&mut desk, 1_000, Exit::Code(0));
    desk.ok(&["b"]);
    assert_eq!((desk.end(), desk.state("g").clone()), ("succeeded none".to_owned(), StepState::Succeeded));
}

#[test]
fn it_may_pause_the_run_and_what_runs_goes_on_to_its_end() {
    let steps = vec![run("a").undo(), child("c").needs(&[]), wait("w", "1h").needs(&[]), run("b").needs(&["a"])];
    let mut desk = Desk::start(&guarded(steps, OnTrip::Pause).rolls_back());
    looks(&mut desk, 0, Exit::Code(1));
    let events = looks(&mut desk, 1_000, Exit::Code(1));
    let [Event::PollMissed { trips: 0, .. }, Event::GuardTripped { then: OnTrip::Pause, found, .. }] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(found, "`exit_code != 0` holds (exit code 1)");
    let by = desk.run().paused().map(|by| by.name.clone());
    assert_eq!((by.as_deref(), desk.run().paused_because()), (Some("the guard `g`"), Some(found.as_str())));
    let is_held = |effect: &Effect| matches!(effect, Effect::HoldChild { paused: true, .. });
    assert!(desk.run().wanted().iter().any(is_held), "what it started is held with it");
    assert!(desk.run().cancel().is_none());
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded c:running w:running b:pending g:running");
    desk.crash();
    assert!(desk.run().paused().is_some());
    desk.say(Verb::Continue);
    assert!(desk.run().paused().is_none() && desk.is_live("b"));
}

#[test]
fn in_a_pause_its_looks_count_for_nothing_and_after_that_it_may_pause_the_run_again() {
    let mut desk = Desk::start(&guarded(vec![run("a")], OnTrip::Pause));
    // A person pauses it: a look before that does not count any more.
    looks(&mut desk, 0, Exit::Code(1));
    desk.say(Verb::Pause);
    for _ in 0..3 {
        let events = looks(&mut desk, 1_000, Exit::Code(1));
        assert!(matches!(&events[..], [Event::PollMissed { trips: 0, .. }]), "{events:?}");
    }
    assert_eq!(desk.run().paused().map(|by| by.name.as_str()), Some("starter"));
    for _ in 0..2 {
        desk.say(Verb::Continue);
        looks(&mut desk, 1_000, Exit::Code(1));
        assert!(desk.run().paused().is_none(), "it counts from zero");
        looks(&mut desk, 1_000, Exit::Code(1));
        assert!(desk.run().paused().is_some());
    }
    desk.say(Verb::Continue);
    desk.ok(&["a"]);
    assert_eq!((desk.end(), desk.state("g").clone()), ("succeeded none".to_owned(), StepState::Succeeded));
}

#[test]
fn a_pause_by_one_guard_is_over_when_another_one_stops_the_run() {
    let book = guarded(vec![run("a"), run("b")], OnTrip::Stop).guard(run("h"), "exit_code != 0", 1, OnTrip::Pause);
    let mut desk = Desk::start(&book);
    desk.exits("h", Exit::Code(1));
    assert!(desk.run().paused().is_some());
    looks(&mut desk, 0, Exit::Code(1));
    looks(&mut desk, 1_000, Exit::Code(1));
    assert!(is_tripped(&desk) && desk.run().paused().is_none());
}
