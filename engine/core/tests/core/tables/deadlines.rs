//! Deadlines: steps that run beside the others once so much time has passed.

use runbook_core::Effect;
use runbook_core::event::{BlockReason, Event, Failure, SkipReason, Timer};
use runbook_core::input::Exit;
use runbook_core::run::{StepState, UndoState};

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, argv, block, manual, run, wait};
use crate::kit::desk::Desk;

/// Two steps with a deadline after 5 seconds.
fn with(unless: Option<&str>, steps: Vec<Spec>) -> Book {
    book(vec![run("a"), run("b")]).deadline("late", 5_000, unless, steps)
}

fn comes(desk: &Desk) -> bool {
    desk.timers().iter().any(|(at, timer)| *at == 5_000 && matches!(timer, Timer::Deadline(_)))
}

#[test]
fn it_passes_once_at_its_time_beside_the_steps() {
    let mut desk = Desk::start(&with(None, vec![run("x"), run("y")]));
    assert!(comes(&desk));
    desk.pass(4_999);
    assert_eq!(desk.states(), "a:running b:pending late:pending x:pending y:pending");
    desk.pass(1);
    assert_eq!(desk.states(), "a:running b:pending late:running x:running y:pending");
    desk.ok(&["x", "y"]);
    assert!(!comes(&desk));
    desk.pass(60_000);
    assert_eq!(desk.attempts()["x"], 1);
    desk.ok(&["a", "b"]);
    assert_eq!((desk.end(), desk.attempts()["x"]), ("succeeded none".to_owned(), 1));
}

#[test]
fn it_does_not_pass_when_its_unless_holds_then() {
    let mut desk = Desk::start(&with(Some("steps.a.succeeded"), vec![run("x")]));
    desk.ok(&["a"]).pass(5_000);
    assert_eq!(*desk.state("late"), StepState::Skipped(SkipReason::Unless));
    assert_eq!(*desk.state("x"), StepState::Skipped(SkipReason::Parent("late".into())));
    // Of a step that has not ended nothing is so yet.
    let mut desk = Desk::start(&with(Some("steps.a.succeeded or steps.a.failed"), vec![run("x")]));
    desk.pass(5_000);
    assert!(desk.is_live("x"));
}

#[test]
fn it_passes_when_nobody_knows_whether_its_unless_holds() {
    let mut desk = Desk::start(&with(Some("params.nothing"), vec![run("x")]));
    desk.pass(5_000);
    let events = desk.engine.journal.iter().flat_map(|batch| &batch.events);
    let trouble = events.filter_map(|event| match event {
        Event::DeadlinePassed { trouble, .. } => Some(trouble.clone().unwrap_or_default()),
        _ => None,
    });
    let trouble: Vec<String> = trouble.collect();
    assert!(trouble.len() == 1 && trouble[0].starts_with("`unless`: "), "{trouble:?}");
    assert!(desk.is_live("x"));
}

#[test]
fn it_is_skipped_when_all_steps_have_settled_before() {
    let mut desk = Desk::start(&with(None, vec![run("x")]));
    desk.ok(&["a", "b"]);
    assert_eq!(desk.end(), "succeeded none");
    assert_eq!(*desk.state("late"), StepState::Skipped(SkipReason::InTime));
}

#[test]
fn once_all_steps_have_settled_only_what_runs_of_it_is_waited_for() {
    let steps = vec![run("x").retry(3, 100), run("y")];
    let mut desk = Desk::start(&with(None, steps));
    desk.pass(5_000).ok(&["a", "b"]);
    assert!(desk.run().end().is_none() && desk.is_live("x"));
    // It is not repeated either.
    desk.fail("x");
    assert_eq!(desk.end(), "succeeded none");
    assert_eq!(*desk.state("x"), StepState::Failed(Failure::Exit(Exit::Code(1))));

    let mut desk = Desk::start(&with(None, vec![run("x"), run("y")]));
    desk.pass(5_000).ok(&["a", "b", "x"]);
    assert_eq!(*desk.state("y"), StepState::Blocked(BlockReason::Over));
    assert_eq!((desk.end(), desk.state("late").word()), ("succeeded none".to_owned(), "blocked"));

    // What waits, for a time or for a person, waits no more.
    let repeated = || run("x").retry(2, 9_000);
    for step in [wait("x", "1s"), manual("x"), run("x").approval(&["chief"], None), repeated()] {
        let fails = step.step.retry.is_some();
        let mut desk = Desk::start(&with(None, vec![step, run("y")]));
        desk.pass(5_000);
        if fails {
            desk.fail("x");
        }
        desk.ok(&["a", "b"]);
        assert_eq!(desk.end(), "succeeded none", "{}", desk.states());
        assert!(matches!(desk.state("x"), StepState::Cancelled | StepState::Blocked(_)), "{}", desk.states());
        assert_eq!(desk.attempts()["y"], 0);
    }
}

#[test]
fn what_its_blocks_do_at_their_end_is_done_also_then() {
    let steps = vec![block("c", vec![wait("x", "1h")]).always(vec![run("z")])];
    let mut desk = Desk::start(&with(None, steps));
    desk.pass(5_000).ok(&["a", "b"]);
    assert!(desk.run().end().is_none() && desk.is_live("z"), "{}", desk.states());
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn its_failure_does_not_fail_the_run_and_holds_back_only_its_own_steps() {
    let mut desk = Desk::start(&with(None, vec![run("x"), run("y")]).rolls_back());
    desk.pass(5_000).fail("x");
    assert_eq!(desk.states(), "a:running b:pending late:failed x:failed y:blocked");
    desk.ok(&["a", "b"]);
    assert_eq!(desk.end(), "succeeded none");
    // Nor does a refusal.
    let mut desk = Desk::start(&with(None, vec![run("x").approval(&["chief"], Some(1_000))]));
    desk.pass(6_000).ok(&["a", "b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn it_passes_and_goes_on_after_a_failure_as_long_as_something_runs() {
    let book =
        book(vec![run("a"), run("b"), run("c")]).parallel().deadline("late", 5_000, None, vec![run("x"), run("y")]);
    let mut desk = Desk::start(&book);
    desk.fail("a").pass(5_000).ok(&["x"]);
    assert!(desk.is_live("y"), "{}", desk.states());
    desk.ok(&["y", "b", "c"]);
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn it_passes_while_a_person_is_asked() {
    let book = book(vec![run("a").approval(&["chief"], None)]).deadline("late", 5_000, None, vec![run("x")]);
    let mut desk = Desk::start(&book);
    desk.pass(5_000).ok(&["x"]);
    assert_eq!(desk.states(), "a:waiting late:succeeded x:succeeded");
}

#[test]
fn it_has_places_of_its_own() {
    let book = book(vec![run("a"), run("b")]).parallel().at_once(1);
    let steps = || vec![block("c", vec![run("x"), run("y")]).parallel()];
    let mut desk = Desk::start(&book.deadline("late", 5_000, None, steps()));
    desk.pass(5_000);
    assert_eq!(desk.states(), "a:running b:queued late:running c:running x:running y:queued");
    desk.ok(&["x", "a"]);
    assert_eq!(desk.states(), "a:succeeded b:running late:running c:running x:succeeded y:running");
}

#[test]
fn a_request_to_cancel_ends_it_and_after_one_it_does_not_pass() {
    let mut desk = Desk::start(&with(None, vec![run("x"), run("y")]));
    desk.pass(5_000);
    desk.cancel(1);
    desk.ok(&["x"]);
    assert_eq!(*desk.state("y"), StepState::Blocked(BlockReason::Cancelled));
    desk.pass(10_000);
    desk.exits("a", Exit::Signal(15));
    assert_eq!(desk.end(), "cancelled cancelled");

    let mut desk = Desk::start(&with(None, vec![run("x")]));
    desk.cancel(1);
    assert!(!comes(&desk));
    desk.pass(6_000).exits("a", Exit::Signal(15));
    assert_eq!((desk.end(), desk.attempts()["x"]), ("cancelled cancelled".to_owned(), 0));
}

#[test]
fn what_it_did_is_undone_where_it_has_a_rollback() {
    let mut desk = Desk::start(&with(None, vec![run("x").undo(), run("y")]).rolls_back());
    desk.pass(5_000).ok(&["x", "y"]).fail("a");
    desk.ok(&["undo x"]);
    assert_eq!((desk.end(), desk.undone()), ("rolled_back step:a".to_owned(), vec!["x".to_owned()]));
    assert_eq!(desk.run().step(&"y".into()).map(|it| it.undo.state.clone()), Some(UndoState::None));
}

#[test]
fn it_passes_late_when_the_engine_was_gone_and_never_twice() {
    let mut desk = Desk::start(&with(Some("steps.a.succeeded"), vec![run("x"), run("y")]));
    desk.engine.now = 90_000;
    desk.crash();
    desk.pass(0);
    assert!(desk.is_live("x"));
    desk.ok(&["x"]);
    desk.crash();
    desk.pass(0);
    assert_eq!((desk.attempts()["x"], desk.is_live("y")), (1, true));
    // Not when what it was to wait for has come meanwhile.
    let mut desk = Desk::start(&with(Some("steps.a.succeeded"), vec![run("x")]));
    desk.ok(&["a"]);
    desk.engine.now = 90_000;
    desk.crash();
    desk.pass(0);
    assert_eq!(*desk.state("late"), StepState::Skipped(SkipReason::Unless));
}

#[test]
fn it_waits_for_what_all_commands_need() {
    let mut desk = Desk::start(&with(None, vec![run("x")]).service("db"));
    desk.pass(9_000);
    assert_eq!(desk.states(), "a:pending b:pending late:pending x:pending");
    desk.ready("db");
    desk.pass(0);
    assert!(desk.is_live("x") && desk.is_live("a"));
}

#[test]
fn two_of_them_go_on_beside_each_other_and_may_read_each_other() {
    let second = vec![argv("y", &["echo", "{{ steps.x.succeeded }}"])];
    let book = with(None, vec![run("x"), run("z")]).deadline("later", 6_000, Some("steps.z.succeeded"), second);
    let mut desk = Desk::start(&book);
    desk.pass(5_000).ok(&["x"]).pass(1_000);
    assert_eq!(desk.run().action_of(&desk.live("y")).map(|it| it.summary()), Some("echo true".to_owned()));
}

#[test]
fn what_runs_of_it_is_ended_after_the_grace_also_where_nothing_else_runs() {
    let made = book(vec![manual("a")]).deadline("late", 5_000, None, vec![run("x")]).grace(1_000);
    let mut desk = Desk::start(&made);
    desk.pass(5_000);
    desk.cancel(1);
    assert_eq!(desk.states(), "a:cancelled late:running x:running");
    let is_ended = |desk: &Desk| desk.run().wanted().iter().any(|it| matches!(it, Effect::Stop { .. }));
    desk.pass(999);
    assert!(!is_ended(&desk));
    desk.pass(1);
    assert!(is_ended(&desk));
}
