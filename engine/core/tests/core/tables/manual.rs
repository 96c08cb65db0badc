//! `manual`: a person does it and says so.

use runbook_core::event::{Event, Failure};
use runbook_core::input::Answer;
use runbook_core::run::StepState;

use crate::kit::book::book;
use crate::kit::build::{manual, run};
use crate::kit::desk::Desk;

#[test]
fn anybody_may_confirm_it() {
    let mut desk = Desk::start(&book(vec![manual("m").output("v", "done"), run("b")]));
    assert_eq!(desk.question("m").0, "manual:m.1");
    desk.answer_with("m", |letter| letter.roles.clear());
    assert_eq!(desk.states(), "m:succeeded b:running");
    assert_eq!(desk.outputs("m"), serde_json::json!({"v": "done"}));
}

#[test]
fn who_rejects_it_fails_it_for_good() {
    let mut desk = Desk::start(&book(vec![manual("m").retry(3, 10)]));
    desk.answer("m", Answer::Reject { reason: None });
    assert!(matches!(desk.state("m"), StepState::Failed(Failure::Rejected { .. })));
    assert_eq!(desk.end(), "failed step:m", "7 is for approvals");
}

#[test]
fn its_time_may_pass_and_it_may_be_asked_again() {
    let mut desk = Desk::start(&book(vec![manual("m").timeout(1_000).retry(2, 10)]));
    desk.pass(1_000);
    assert_eq!(desk.states(), "m:retrying");
    desk.pass(10);
    assert_eq!(desk.question("m").0, "manual:m.2");
    desk.pass(1_000);
    assert_eq!(*desk.state("m"), StepState::Failed(Failure::Expired));
    assert_eq!(desk.end(), "failed step:m");
}

#[test]
fn who_rejects_it_makes_the_run_go_back_like_any_failure() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), manual("m")]).rolls_back());
    desk.ok(&["a"]);
    desk.answer("m", Answer::Reject { reason: None });
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back step:m");
}

#[test]
fn an_approval_of_a_manual_step_that_is_refused_is_still_a_refused_approval() {
    let mut desk = Desk::start(&book(vec![manual("m").approval(&["chief"], None)]));
    desk.answer("m", Answer::Reject { reason: None });
    assert_eq!(desk.end(), "failed rejected:m");
}

#[test]
fn other_answers_do_not_count() {
    for answer in [Answer::Approve { reason: None }, Answer::TookEffect { reason: None }] {
        let mut desk = Desk::start(&book(vec![manual("m")]));
        let events = desk.answer("m", answer);
        assert!(matches!(events[..], [Event::AnswerRefused { .. }]));
        assert_eq!(desk.states(), "m:running");
    }
}

#[test]
fn it_goes_on_after_a_crash() {
    let mut desk = Desk::start(&book(vec![manual("m").timeout(1_000)]));
    desk.pass(600);
    desk.crash();
    assert_eq!(desk.timers()[0].0, 1_000);
    // Nothing was lost: there is no command.
    assert!(desk.lose("m").is_empty());
    desk.answer_with("m", |_| {});
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_run_that_will_be_rolled_back_does_not_wait_for_people() {
    let mut desk = Desk::start(&book(vec![manual("m"), run("b")]).parallel().rolls_back());
    desk.fail("b");
    assert_eq!(desk.states(), "m:cancelled b:failed");
    assert_eq!(desk.end(), "rolled_back step:b");
    // One that just stops lets people end what they do.
    let mut desk = Desk::start(&book(vec![manual("m"), run("b")]).parallel());
    desk.fail("b");
    assert_eq!(desk.states(), "m:running b:failed");
    desk.answer_with("m", |_| {});
    assert_eq!(desk.end(), "failed step:b");
}

#[test]
fn a_person_who_is_called_because_of_the_failure_is_asked() {
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b"), manual("m").when("failure()")]).rolls_back());
    desk.ok(&["a"]).fail("b");
    assert_eq!(desk.states(), "a:succeeded b:failed m:running");
    desk.answer_with("m", |_| {});
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back step:b");
}
