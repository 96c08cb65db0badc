//! `timeout`, and how a command is ended: TERM, then KILL.

use runbook_core::Effect;
use runbook_core::event::Failure;
use runbook_core::input::Exit;
use runbook_core::run::StepState;

use crate::kit::book::book;
use crate::kit::build::run;
use crate::kit::desk::Desk;

/// How the command of `a` is being ended: not, asked to, or killed.
fn stop(desk: &Desk) -> Option<bool> {
    let stop = |effect: &Effect| match effect {
        Effect::Stop { force, .. } => Some(*force),
        _ => None,
    };
    desk.run().wanted().iter().find_map(stop)
}

#[test]
fn it_bounds_one_attempt() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500).retry(2, 5_000)]));
    desk.pass(499);
    assert_eq!(stop(&desk), None);
    desk.pass(1);
    assert_eq!(stop(&desk), Some(false));
    desk.exits("a", Exit::Signal(15));
    assert_eq!(desk.states(), "a:retrying");
    // Delays are outside of it.
    desk.pass(5_499);
    assert_eq!(stop(&desk), None);
    desk.pass(1);
    assert_eq!(stop(&desk), Some(false));
    desk.exits("a", Exit::Signal(15));
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Timeout(500)));
}

#[test]
fn term_then_kill_after_the_grace() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500)]));
    desk.pass(500 + 999);
    assert_eq!(stop(&desk), Some(false));
    desk.pass(1);
    assert_eq!(stop(&desk), Some(true));
    assert!(desk.timers().is_empty());
    desk.exits("a", Exit::Signal(9));
    assert_eq!(desk.end(), "failed step:a");
}

#[test]
fn a_command_that_ends_by_itself_is_not_overdue() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500), run("b")]));
    desk.ok(&["a"]).pass(10_000);
    assert_eq!(desk.states(), "a:succeeded b:running");
}

#[test]
fn the_wait_for_an_approval_is_outside() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500).approval(&["chief"], None)]));
    desk.pass(60_000).answer_with("a", |_| {});
    desk.pass(499);
    assert_eq!(stop(&desk), None);
    desk.pass(1);
    assert_eq!(stop(&desk), Some(false));
}

#[test]
fn a_status_that_was_left_behind_counts_past_the_timeout() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500)]));
    desk.engine.now += 9_000;
    desk.crash();
    desk.ok(&["a"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_live_command_that_is_overdue_is_ended_on_resume() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500)]));
    desk.engine.now += 9_000;
    desk.crash();
    desk.pass(0);
    assert_eq!(stop(&desk), Some(false));
}

#[test]
fn how_it_is_ended_outlives_a_crash() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500)]));
    desk.pass(700);
    desk.crash();
    assert_eq!(stop(&desk), Some(false));
    desk.pass(799);
    assert_eq!(stop(&desk), Some(false));
    desk.pass(1);
    assert_eq!(stop(&desk), Some(true));
    // Lost while it was being ended: it has ended.
    desk.crash();
    desk.lose("a");
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Timeout(500)));
}

#[test]
fn timers_that_fire_early_or_late_change_nothing() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500).retry(2, 100), run("b").needs(&[])]));
    let timers: Vec<_> = desk.timers().into_iter().map(|(_, timer)| timer).collect();
    for timer in &timers {
        assert!(desk.tell(runbook_core::input::Input::Due(timer.clone())).is_empty(), "{timer:?} was early");
    }
    desk.fail("a").pass(100);
    desk.engine.now = 590;
    for timer in &timers {
        assert!(desk.tell(runbook_core::input::Input::Due(timer.clone())).is_empty(), "{timer:?} was late");
    }
}

#[test]
fn what_is_overdue_stays_so_when_a_cancel_kills_it() {
    let mut desk = Desk::start(&book(vec![run("a").timeout(500)]));
    desk.pass(500);
    desk.cancel(3);
    assert_eq!(stop(&desk), Some(true));
    desk.exits("a", Exit::Signal(9));
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Timeout(500)));
    assert_eq!(desk.end(), "cancelled cancelled");
}
