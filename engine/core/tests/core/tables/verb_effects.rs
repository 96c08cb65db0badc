//! What follows from what operators say, one matter in each test.

use std::collections::BTreeMap;

use runbook_core::event::{Event, QuestionKind, Verb};
use runbook_core::input::{Answer, Exit, Input, VerbAsked};
use runbook_core::plan::OnFailure;
use runbook_core::run::StepState;
use runbook_core::units::Timestamp;
use serde_json::json;

use crate::kit::book::{Book, book, person};
use crate::kit::build::{block, http, run};
use crate::kit::desk::Desk;

fn retry(step: &str) -> Verb {
    Verb::Retry { step: Some(step.into()), downstream: false }
}

fn retry_all() -> Verb {
    Verb::Retry { step: None, downstream: false }
}

fn skip(step: &str) -> Verb {
    Verb::Skip { step: step.into() }
}

fn done(step: &str, outputs: &[(&str, &str)]) -> Verb {
    let outputs: BTreeMap<_, _> = outputs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    Verb::MarkDone { step: step.into(), outputs }
}

fn asks(book: Book) -> Book {
    Book { on_failure: OnFailure::Ask, ..book }
}

fn why(desk: &Desk, verb: &Verb) -> String {
    desk.run().verb_refusal(verb).unwrap_or_else(|| panic!("{verb:?} makes sense: {}", desk.states()))
}

#[test]
fn a_retry_counts_attempts_on_and_max_attempts_anew() {
    let mut desk = Desk::start(&asks(book(vec![run("a").retry(2, 0)])));
    desk.fail("a").pass(0).fail("a");
    desk.say(retry("a"));
    assert_eq!(desk.live("a").to_string(), "a.3");
    desk.fail("a").pass(0);
    assert_eq!(desk.live("a").to_string(), "a.4");
    desk.fail("a");
    assert!(!desk.is_live("a"), "two attempts are two attempts");
}

#[test]
fn a_retry_asks_for_the_approval_again_and_old_answers_do_not_count() {
    let mut desk = Desk::start(&asks(book(vec![run("a").approval(&["chief"], None)])));
    let old = desk.letter("a");
    desk.answer_with("a", |_| {});
    desk.fail("a");
    desk.say(retry("a"));
    assert_eq!(desk.states(), "a:waiting");
    assert!(desk.tell(Input::Answered(Box::new(old))).is_empty(), "it was given for the attempts before");
    desk.answer_with("a", |_| {});
    desk.ok(&["a"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_retry_takes_with_it_what_was_blocked_and_what_looked_at_the_failure() {
    let steps = vec![run("a"), run("b"), run("told").when("failure()").needs(&["a"]), run("far").needs(&[])];
    let mut desk = Desk::start(&asks(book(steps)));
    desk.ok(&["far"]).fail("a").ok(&["told"]);
    assert_eq!(desk.states(), "a:failed b:blocked told:succeeded far:succeeded");
    desk.say(retry_all());
    assert_eq!(desk.states(), "a:running b:pending told:pending far:succeeded");
    desk.ok(&["a", "b"]);
    assert_eq!(desk.states(), "a:succeeded b:succeeded told:skipped far:succeeded");
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_retry_of_one_step_runs_it_whatever_failed_elsewhere() {
    let mut desk = Desk::start(&asks(book(vec![run("a"), run("b"), run("c").needs(&["b"])]).parallel()));
    desk.fail("a").fail("b");
    desk.say(retry("b"));
    desk.ok(&["b"]);
    // What did not start is held back by the other failure.
    assert_eq!(desk.states(), "a:failed b:succeeded c:blocked");
    desk.say(skip("a"));
    desk.ok(&["c"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn what_had_succeeded_before_it_started_over_is_undone_all_the_same() {
    let steps = vec![run("a").undo(), run("b").undo()];
    let mut desk = Desk::start(&book(steps));
    desk.ok(&["a", "b"]);
    desk.say(Verb::Retry { step: Some("a".into()), downstream: true });
    desk.engine_starts();
    desk.fail("a");
    assert_eq!(desk.states(), "a:failed b:blocked");
    desk.say(Verb::Rollback { to: None });
    desk.engine_starts();
    desk.ok(&["undo b", "undo a"]);
    assert_eq!(desk.end(), "rolled_back step:a");
}

#[test]
fn a_block_is_entered_again_for_the_step_in_it_that_failed() {
    let steps = vec![block("around", vec![run("a"), run("b"), run("c")]), run("d")];
    let mut desk = Desk::start(&asks(book(steps)));
    desk.ok(&["a"]).fail("b");
    assert_eq!(desk.states(), "around:failed a:succeeded b:failed c:blocked d:blocked");
    desk.say(retry("around"));
    assert_eq!(desk.states(), "around:running a:succeeded b:running c:pending d:pending");
    desk.ok(&["b", "c", "d"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn what_runs_and_builds_on_a_step_keeps_it_from_starting_over() {
    let mut desk = Desk::start(&book(vec![run("a"), run("told").when("failure()")]));
    desk.fail("a");
    assert!(why(&desk, &retry("a")).contains("`told`, which builds on `a`, is running"));
    let mut desk = Desk::start(&book(vec![run("a").keep_going(), run("b"), run("c")]));
    desk.fail("a").ok(&["b"]);
    assert!(why(&desk, &retry("a")).contains("`c`, which builds on `a`, is running"));
    desk.ok(&["c"]);
    assert!(why(&desk, &retry("a")).contains("`retry a --downstream`"));
}

#[test]
fn a_step_is_skipped_when_its_turn_comes() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b"), run("c")]));
    desk.say(skip("b"));
    assert_eq!(desk.states(), "a:running b:pending c:pending", "`c` still waits for `a`");
    desk.crash();
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded b:skipped c:running");
}

#[test]
fn a_step_that_is_marked_done_hands_on_what_is_said_and_is_undone() {
    let steps = vec![run("a").output("x", "{{ outputs.x }}").undo(), run("b")];
    let mut desk = Desk::start(&asks(book(steps)));
    desk.fail("a");
    assert!(why(&desk, &done("a", &[])).contains("`a` hands on `x`: say what with `--output NAME=VALUE`"));
    assert!(why(&desk, &done("a", &[("x", "1"), ("y", "2")])).contains("declares no output `y`"));
    desk.say(done("a", &[("x", "1")]));
    assert_eq!((desk.outputs("a"), desk.states().as_str()), (json!({"x": "1"}), "a:succeeded b:running"));
    desk.fail("b");
    desk.say(Verb::Rollback { to: None });
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back step:b");
}

#[test]
fn a_pause_holds_attempts_retries_polls_and_undos_but_no_answers() {
    let poll = http("p").until("response.up", 100).needs(&[]);
    let steps = vec![run("a").retry(2, 50), run("b").needs(&[]).approval(&["chief"], None), poll];
    let mut desk = Desk::start(&book(steps));
    desk.say(Verb::Pause);
    desk.fail("a");
    desk.exits("p", Exit::Status(500));
    desk.answer_with("b", |_| {});
    desk.pass(10_000);
    assert_eq!(desk.states(), "a:retrying b:queued p:running");
    assert!(desk.run().wanted().is_empty(), "nothing is going on");
    desk.crash();
    assert!(desk.run().wanted().is_empty() && desk.run().paused().is_some());
    desk.say(Verb::Continue);
    desk.pass(0);
    assert!(desk.is_live("a") && desk.is_live("b"));
    assert_eq!(desk.live("p").poll, 2);
    let mut desk = Desk::start(&book(vec![run("a").undo(), run("b")]).rolls_back());
    desk.ok(&["a"]);
    desk.say(Verb::Pause);
    desk.fail("b");
    assert!(desk.run().wanted().is_empty(), "not even the rollback begins");
    desk.cancel(1);
    desk.ok(&["undo a"]);
    assert_eq!(desk.end(), "rolled_back cancelled", "whoever cancels wants the run to end");
}

#[test]
fn a_message_that_is_read_twice_counts_once() {
    let mut desk = Desk::start(&book(vec![run("a")]));
    let (by, reason, written_at) = (person("starter"), "why".to_owned(), Timestamp(0));
    let message = Some("m".to_owned());
    let asked = VerbAsked { verb: Verb::Pause, by, reason, written_at, message };
    assert_eq!(desk.tell(Input::Verb(Box::new(asked.clone()))).len(), 1);
    desk.say(Verb::Continue);
    desk.crash();
    assert!(desk.tell(Input::Verb(Box::new(asked))).is_empty());
    assert!(desk.run().paused().is_none());
}

#[test]
fn on_failure_ask_asks_once_all_has_settled() {
    let mut desk = Desk::start(&asks(book(vec![run("a"), run("b")]).parallel()));
    desk.fail("a");
    assert!(desk.run().questions().is_empty(), "`b` may end first");
    desk.ok(&["b"]);
    let question = desk.run().questions().values().next().expect("a question").clone();
    assert_eq!((question.kind, question.step.as_str()), (QuestionKind::Failure, "a"));
    let refused = desk.answer("a", Answer::Confirm { reason: None });
    assert!(matches!(&refused[..], [Event::AnswerRefused { reason, .. }] if reason.contains("verb")), "{refused:?}");
}

#[test]
fn on_failure_ask_of_a_step_asks_for_its_failure_alone() {
    let ask = |mut spec: crate::kit::build::Spec| {
        spec.step.ask_on_failure = true;
        spec
    };
    let steps = || vec![run("u").undo(), block("around", vec![ask(run("a")), run("b")]), run("c")];
    let mut desk = Desk::start(&book(steps()).rolls_back());
    desk.ok(&["u"]).fail("a");
    assert_eq!(desk.run().questions().len(), 1);
    desk.say(skip("a"));
    desk.fail("b");
    assert!(desk.run().questions().is_empty(), "the runbook says what follows on this one");
    desk.ok(&["undo u"]);
    assert_eq!(desk.end(), "rolled_back step:b");
    // Nothing more is tried: then the runbook's own rule says what follows.
    let mut desk = Desk::start(&book(steps()).rolls_back());
    desk.ok(&["u"]).fail("a");
    desk.cancel(1);
    desk.ok(&["undo u"]);
    assert_eq!(desk.end(), "rolled_back step:a");
}

#[test]
fn whoever_takes_a_run_over_answers_for_it() {
    let mut desk = Desk::start(&book(vec![run("a")]));
    let name = |desk: &Desk| desk.run().responsible().map(|by| by.name.clone());
    assert_eq!(name(&desk).as_deref(), Some("starter"));
    let (by, reason, written_at) = (person("ann"), "why".to_owned(), Timestamp(0));
    let message = Some("1".to_owned());
    desk.tell(Input::Verb(Box::new(VerbAsked { verb: Verb::Take, by, reason, written_at, message })));
    assert_eq!(name(&desk).as_deref(), Some("ann"));
    assert_eq!(desk.run().created().expect("a run").by.name, "starter");
}

#[test]
fn a_failure_that_counts_as_done_is_retried_only_by_name() {
    let mut desk = Desk::start(&asks(book(vec![run("a").keep_going().needs(&[]), run("b").needs(&[])])));
    desk.fail("a").fail("b");
    desk.say(retry_all());
    assert_eq!(desk.states(), "a:failed b:running");
    desk.say(retry("a"));
    assert_eq!(desk.states(), "a:running b:running");
    assert!(matches!(desk.state("a"), StepState::Running));
}

#[test]
fn what_a_block_does_after_a_failure_starts_over_with_the_failed_step() {
    let around = || block("around", vec![run("a"), run("b")]).rescue(vec![run("r")]).always(vec![run("f")]);
    let mut desk = Desk::start(&asks(book(vec![around(), run("c")])));
    desk.fail("a").fail("r").ok(&["f"]);
    assert_eq!(desk.states(), "around:failed a:failed b:blocked r:failed f:succeeded c:blocked");
    desk.say(retry_all());
    assert_eq!(desk.states(), "around:running a:running b:pending r:pending f:pending c:pending");
    desk.ok(&["a", "b"]);
    assert_eq!(desk.states(), "around:running a:succeeded b:succeeded r:skipped f:running c:pending");
    desk.ok(&["f", "c"]);
    assert_eq!(desk.end(), "succeeded none");
    // Where the rescue helped there is nothing to retry, but by name once the block is over.
    let mut desk = Desk::start(&book(vec![around()]));
    desk.fail("a");
    assert!(why(&desk, &retry("a")).contains("`around`, which builds on `a`, is running"));
    desk.ok(&["r", "f"]);
    assert_eq!(desk.end(), "succeeded none");
    assert!(why(&desk, &retry_all()).contains("nothing has failed"));
}

#[test]
fn a_step_that_a_person_skipped_stays_so_when_what_it_builds_on_starts_over() {
    let mut desk = Desk::start(&asks(book(vec![run("a"), run("b"), run("c")])));
    desk.say(skip("b"));
    desk.ok(&["a"]).fail("c");
    assert_eq!(desk.states(), "a:succeeded b:skipped c:failed");
    desk.say(Verb::Retry { step: Some("a".into()), downstream: true });
    desk.ok(&["a"]);
    assert_eq!(desk.states(), "a:succeeded b:skipped c:running");
    desk.fail("c");
    desk.say(Verb::Retry { step: Some("b".into()), downstream: true });
    assert_eq!(desk.states(), "a:succeeded b:running c:pending");
}

#[test]
fn who_started_the_run_alone_has_it_do_something() {
    let mut desk = Desk::start(&asks(book(vec![run("a"), run("b")])));
    let mut said = 0;
    let mut say = |who: &str, verb: Verb| {
        said += 1;
        let (by, reason, written_at, message) = (person(who), "why".to_owned(), Timestamp(0), Some(said.to_string()));
        let events = desk.tell(Input::Verb(Box::new(VerbAsked { verb, by, reason, written_at, message })));
        matches!(events[0], Event::VerbTaken { .. })
    };
    for verb in [skip("b"), retry_all(), done("b", &[]), Verb::Rollback { to: None }, Verb::Continue] {
        assert!(!say("ann", verb));
    }
    assert!(say("starter", Verb::Pause) && !say("ann", Verb::Continue) && say("starter", Verb::Continue));
    assert!(say("ann", Verb::Pause) && !say("bob", Verb::Continue) && say("ann", Verb::Continue));
    assert!(say("ann", Verb::Take) && !say("ann", skip("b")), "a hand-over is no change of rights");
    assert_eq!(desk.run().responsible().map(|who| who.name.as_str()), Some("ann"));
}

#[test]
fn deadlines_go_on_while_a_person_is_asked_about_a_failure_and_can_be_skipped() {
    let late = |book: Book| {
        asks(book.deadline("late", 1_000, None, vec![run("call")]).deadline("later", 2_000, None, vec![run("boss")]))
    };
    let mut desk = Desk::start(&late(book(vec![run("a"), run("b")])));
    desk.fail("a").pass(1_000);
    assert!(desk.is_live("call"), "{}", desk.states());
    assert!(why(&desk, &retry("call")).contains("beside"));
    desk.ok(&["call"]);
    desk.say(skip("later"));
    desk.pass(1_000);
    assert!(!desk.is_live("boss"));
    desk.say(retry("a"));
    desk.ok(&["a", "b"]);
    assert_eq!(desk.states(), "a:succeeded b:succeeded late:succeeded call:succeeded later:skipped boss:skipped");
    assert_eq!(desk.end(), "succeeded none");
}
