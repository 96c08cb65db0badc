//! `done_when`: what is done already is not done again, and nobody is asked about it.

use runbook_core::event::{Event, Failure, LockScope, Phase};
use runbook_core::input::{Answer, AttemptResult, Exit, Input};
use runbook_core::plan::OnInterrupt::{Ask, Fail, Rerun};
use runbook_core::run::{StepRun, StepState};
use serde_json::json;

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, http, manual, run, set};
use crate::kit::desk::Desk;

const TIMEOUT_MS: u64 = 60_000;

fn looked() -> Spec {
    run("a").probed(TIMEOUT_MS)
}

fn start(step: Spec) -> Desk {
    Desk::start(&book(vec![step, run("b")]))
}

fn step<'d>(desk: &'d Desk, name: &str) -> &'d StepRun {
    desk.run().step(&name.into()).expect("a step")
}

/// Whether it was done already, and how many attempts and looks it took.
fn record(desk: &Desk, name: &str) -> (bool, u32, u32) {
    let step = step(desk, name);
    (step.already_done, step.attempts, step.probes)
}

fn looks(desk: &mut Desk, code: i32) {
    desk.exits("look a", Exit::Code(code));
}

/// A run whose step `a` was begun and lost.
fn lost(step: Spec, change: impl FnOnce(Book) -> Book) -> Desk {
    let mut desk = Desk::start(&change(book(vec![step, run("b")])));
    looks(&mut desk, 1);
    desk.crash();
    desk.lose("a");
    desk
}

#[test]
fn what_is_done_is_not_done_again_and_anything_else_is() {
    let mut done = start(looked());
    assert_eq!(done.live("look a").to_string(), "a.probe.1");
    looks(&mut done, 0);
    assert_eq!((done.states().as_str(), record(&done, "a")), ("a:succeeded b:running", (true, 0, 1)));
    for code in [1, 2, 125] {
        let mut left = start(looked());
        looks(&mut left, code);
        assert_eq!(left.live("a").number, 1);
        left.ok(&["a"]);
        assert_eq!((left.states().as_str(), record(&left, "a")), ("a:succeeded b:running", (false, 1, 1)));
    }
}

#[test]
fn an_expression_says_so_without_a_command() {
    for (source, already, attempts) in [("params.kind == 'b'", false, 1), ("params.kind == 'a'", true, 0)] {
        for act in [run("a"), http("a"), manual("a")] {
            let mut desk = start(act.done_when(source));
            assert_eq!((step(&desk, "a").already_done, step(&desk, "a").attempts), (already, attempts));
            if already {
                assert_eq!(desk.states(), "a:succeeded b:running");
                desk.ok(&["b"]);
                assert_eq!(desk.end(), "succeeded none");
            }
        }
    }
    let desk = start(run("a").done_when("params.none"));
    let StepState::Failed(Failure::Evaluate(why)) = desk.state("a") else { panic!("{}", desk.states()) };
    assert_eq!(why, "`done_when`: `params.none` is not defined");
}

#[test]
fn nobody_is_asked_about_what_is_done() {
    let guarded = || looked().approval(&["chief"], None);
    let mut done = start(guarded());
    assert!(done.run().questions().is_empty());
    looks(&mut done, 0);
    assert_eq!((done.states().as_str(), record(&done, "a")), ("a:succeeded b:running", (true, 0, 1)));

    let mut left = start(guarded());
    looks(&mut left, 1);
    assert_eq!(left.states(), "a:waiting b:pending");
    left.answer("a", Answer::Approve { reason: None });
    // Somebody may have done it while nobody answered.
    looks(&mut left, 0);
    assert_eq!((left.states().as_str(), record(&left, "a")), ("a:succeeded b:running", (true, 0, 2)));

    let desk = start(run("a").approval(&["chief"], None).done_when("params.kind == 'a'"));
    assert_eq!((desk.states().as_str(), desk.run().questions().len()), ("a:succeeded b:running", 0));
}

#[test]
fn each_attempt_is_looked_at_first() {
    let mut desk = start(looked().retry(3, 500));
    looks(&mut desk, 1);
    desk.fail("a").pass(500);
    // It failed, and took effect all the same.
    assert_eq!((desk.is_live("a"), desk.live("look a").number), (false, 2));
    looks(&mut desk, 1);
    desk.fail("a").pass(500);
    looks(&mut desk, 0);
    assert_eq!((desk.states().as_str(), record(&desk, "a")), ("a:succeeded b:running", (true, 2, 3)));
}

#[test]
fn a_look_that_does_not_say_is_a_failed_attempt() {
    for exit in [Exit::Code(126), Exit::Code(127), Exit::Signal(9), Exit::Error("no such shell".to_owned())] {
        let mut desk = start(looked());
        desk.exits("look a", exit.clone());
        let StepState::Failed(Failure::Evaluate(why)) = desk.state("a") else { panic!("{}", desk.states()) };
        assert_eq!(*why, format!("`done_when` does not say whether it is done: {exit}"));
        assert_eq!(record(&desk, "a"), (false, 0, 1), "nothing was done");
    }
    let mut late = start(looked());
    late.pass(TIMEOUT_MS);
    late.exits("look a", Exit::Code(0));
    assert_eq!(late.states(), "a:failed b:blocked");

    let mut again = start(looked().retry(2, 500).approval(&["chief"], None));
    looks(&mut again, 127);
    assert_eq!(again.states(), "a:retrying b:pending");
    again.pass(500);
    looks(&mut again, 1);
    assert_eq!(again.states(), "a:waiting b:pending", "it is asked about as ever");
    again.answer("a", Answer::Approve { reason: None });
    looks(&mut again, 127);
    assert_eq!(again.states(), "a:failed b:blocked", "two of two");
}

#[test]
fn an_interrupted_attempt_is_looked_at_before_a_person_is_asked() {
    for (then, left) in [(Ask, "a:running b:pending"), (Fail, "a:failed b:blocked"), (Rerun, "a:running b:pending")] {
        let mut done = lost(looked().on_interrupt(then), |book| book);
        assert!(done.run().questions().is_empty());
        looks(&mut done, 0);
        assert_eq!((done.states().as_str(), record(&done, "a")), ("a:succeeded b:running", (true, 1, 2)), "{then:?}");

        let mut not = lost(looked().on_interrupt(then), |book| book);
        looks(&mut not, 1);
        assert_eq!(not.states(), left, "{then:?}");
        assert_eq!(not.run().questions().len(), usize::from(then == Ask));
        if then == Rerun {
            assert_eq!(not.live("a").number, 2, "and it is not looked at twice");
        }
        // What says nothing is as good as nothing.
        let mut unknown = lost(looked().on_interrupt(then), |book| book);
        looks(&mut unknown, 127);
        assert_eq!(unknown.run().questions().len(), usize::from(then == Ask));
    }
    let mut asked = lost(looked().on_interrupt(Ask), |book| book);
    looks(&mut asked, 1);
    asked.answer("a", Answer::RunAgain { reason: None });
    assert_eq!(asked.live("a").number, 2);
}

#[test]
fn what_an_interrupted_attempt_left_running_may_go_on_if_it_is_done() {
    let mut desk = start(looked().on_interrupt(Ask));
    looks(&mut desk, 1);
    desk.crash();
    desk.lose_with("a", &["sleep 71"], Err("no file"));
    looks(&mut desk, 1);
    let message = desk.run().questions()[&desk.question("a")].message.clone().expect("a message");
    assert!(message.starts_with("processes of it still run: 100 `sleep 71`\n"), "{message}");
}

#[test]
fn what_was_done_before_is_never_undone_and_what_was_proved_done_is() {
    let undone = |mut desk: Desk| {
        desk.fail("b");
        let due = desk.run().rollback().map(|it| it.order.len());
        if due == Some(1) {
            desk.ok(&["undo a"]);
        }
        (desk.undone(), desk.end())
    };
    let mut before = Desk::start(&book(vec![looked().undo(), run("b")]).rolls_back());
    looks(&mut before, 0);
    assert_eq!(undone(before), (vec![], "rolled_back step:b".to_owned()));

    let mut proved = lost(looked().undo().on_interrupt(Ask), Book::rolls_back);
    looks(&mut proved, 0);
    assert_eq!(undone(proved), (vec!["a".to_owned()], "rolled_back step:b".to_owned()));

    // What cannot be undone and was there before stands in nobody's way.
    let mut there = Desk::start(&book(vec![looked().irreversible(), run("b")]).rolls_back());
    looks(&mut there, 0);
    assert_eq!(undone(there), (vec![], "rolled_back step:b".to_owned()));
    // Nor is there anything to undo where it only failed to look.
    let mut blind = Desk::start(&book(vec![looked().also_failed()]).rolls_back());
    looks(&mut blind, 127);
    assert_eq!((blind.undone(), blind.end()), (vec![], "rolled_back step:a".to_owned()));
}

#[test]
fn an_interrupted_look_is_repeated() {
    let mut desk = start(looked());
    desk.crash();
    desk.lose("look a");
    assert_eq!((desk.live("look a").number, desk.run().questions().len()), (2, 0));
    looks(&mut desk, 0);
    assert_eq!(record(&desk, "a"), (true, 0, 2));

    let mut both = lost(looked().on_interrupt(Ask), |book| book);
    both.crash();
    both.lose_with("look a", &["sleep 71"], Ok(json!({})));
    assert!(both.run().questions().is_empty());
    both.lose("look a");
    assert_eq!(both.live("look a").number, 3);
    looks(&mut both, 1);
    assert_eq!(both.run().questions().len(), 1);
}

#[test]
fn a_look_takes_a_place_and_holds_the_locks_but_not_for_a_question() {
    let mut narrow = Desk::start(&book(vec![manual("m").probed(TIMEOUT_MS), run("b").needs(&[])]).at_once(1));
    assert_eq!(narrow.states(), "m:running b:queued");
    narrow.exits("look m", Exit::Code(1));
    assert_eq!(narrow.states(), "m:running b:running");

    let take = |desk: &mut Desk| {
        let scope = LockScope::Step("a".into(), Phase::Do);
        desk.tell(Input::LocksTaken(scope))
    };
    let mut locked = start(looked().lock("x", None));
    assert_eq!(locked.states(), "a:queued b:pending");
    take(&mut locked);
    assert_eq!(locked.live("look a").number, 1);

    let mut guarded = start(looked().lock("x", None).approval(&["chief"], None));
    looks(&mut guarded, 1);
    assert_eq!(guarded.run().locks().count(), 0);
    guarded.answer("a", Answer::Approve { reason: None });
    assert_eq!(guarded.states(), "a:queued b:pending");
    take(&mut guarded);
    assert_eq!(guarded.live("look a").number, 2);
}

#[test]
fn a_step_that_was_looked_at_is_held_back_like_any_other() {
    let mut desk = Desk::start(&book(vec![looked(), run("b").needs(&[])]));
    desk.fail("b");
    assert_eq!(desk.states(), "a:running b:failed");
    looks(&mut desk, 1);
    assert_eq!(desk.states(), "a:blocked b:failed");
    for (level, code, end) in [(1, 1, "a:blocked b:cancelled"), (1, 0, "a:succeeded b:cancelled")] {
        let mut desk = Desk::start(&book(vec![looked(), run("b").needs(&[])]));
        desk.cancel(level);
        looks(&mut desk, code);
        desk.cancel(3);
        desk.exits("b", Exit::Signal(9));
        assert_eq!(desk.states(), end);
    }
    let mut cut = start(looked());
    cut.cancel(2);
    cut.exits("look a", Exit::Signal(15));
    assert_eq!((cut.states().as_str(), cut.end()), ("a:cancelled b:blocked", "cancelled cancelled".to_owned()));
}

#[test]
fn a_cancelled_run_still_looks_where_something_may_have_to_be_undone() {
    let mut desk = lost(looked().undo().on_interrupt(Ask), Book::rolls_back);
    desk.cancel(1);
    looks(&mut desk, 0);
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back cancelled");
    let mut plain = lost(looked().on_interrupt(Ask), |book| book);
    plain.cancel(1);
    looks(&mut plain, 1);
    assert_eq!(plain.end(), "cancelled cancelled", "nobody is asked");
}

#[test]
fn what_a_look_hands_back_counts_for_the_outputs() {
    let step = || looked().output("v", "{{ outputs.v }}").output("kind", "{{ params.kind }}");
    let reads = || set("r", &[("w", "{{ steps.a.outputs.v }}")]);
    let mut desk = Desk::start(&book(vec![step(), reads()]));
    let outputs = json!({"v": "5"}).as_object().expect("an object").clone().into_iter().collect();
    desk.ends("look a", AttemptResult { exit: Exit::Code(0), outputs, ..AttemptResult::default() });
    assert_eq!((desk.outputs("a"), desk.outputs("r")), (json!({"v": "5", "kind": "a"}), json!({"w": "5"})));

    let mut without = Desk::start(&book(vec![step(), reads()]));
    looks(&mut without, 0);
    assert_eq!(without.outputs("a"), json!({"kind": "a"}));
    let StepState::Failed(Failure::Evaluate(why)) = without.state("r") else { panic!("{}", without.states()) };
    assert!(why.ends_with(": `a` was already done, and `done_when` did not hand that back"), "{why}");
}

#[test]
fn it_can_be_read_whether_a_step_was_already_done() {
    let mut desk = Desk::start(&book(vec![looked(), run("b").when("steps.a.already_done")]));
    let events = desk.exits("look a", Exit::Code(0));
    assert!(events.iter().any(|event| matches!(event, Event::StepSucceeded { already_done: true, .. })));
    assert_eq!(desk.states(), "a:succeeded b:running");
}

#[test]
fn a_look_at_what_was_lost_that_does_not_say_counts_against_nothing() {
    let mut desk = lost(looked().retry(2, 100), |book| book);
    looks(&mut desk, 127);
    desk.answer("a", Answer::DidNot { reason: None });
    assert_eq!(desk.states(), "a:retrying b:pending", "one attempt has failed, and two may");
}
