//! `for_each`.

use runbook_core::Effect;
use runbook_core::event::{BlockReason, Event, Failure, LockScope, Phase};
use runbook_core::input::{Answer, Exit, Input};
use runbook_core::plan::FailuresMax;
use runbook_core::rendered::{Rendered, RenderedSource};
use runbook_core::run::StepState;
use serde_json::{Value, json};

use crate::kit::book::{Book, book};
use crate::kit::build::{Spec, argv, block, manual, run, set};
use crate::kit::desk::Desk;

/// A runbook of this loop and a step `z` behind it, with three hosts.
fn over_hosts(each: Spec) -> Book {
    book(vec![each, run("z")]).param("hosts", json!(["a", "b", "c"]))
}

fn prepared(desk: &Desk, step: &str) -> Rendered {
    desk.run().step(&step.into()).and_then(|step| step.prepared.clone()).expect("a prepared step").action
}

fn words(desk: &Desk, step: &str) -> Vec<String> {
    let Rendered::Argv { argv, .. } = prepared(desk, step) else { panic!("no argv") };
    argv
}

#[test]
fn items_run_one_after_the_other_in_order() {
    let mut desk =
        Desk::start(&over_hosts(argv("x", &["probe", "{{ item }}", "{{ index }}"]).for_each("params.hosts")));
    assert_eq!(desk.states(), "x:running z:pending x-1:running x-2:pending x-3:pending");
    assert_eq!(words(&desk, "x-1"), ["probe", "a", "1"]);
    desk.ok(&["x-1"]);
    assert_eq!(desk.states(), "x:running z:pending x-1:succeeded x-2:running x-3:pending");
    assert_eq!(words(&desk, "x-2"), ["probe", "b", "2"]);
    desk.ok(&["x-2", "x-3"]);
    assert_eq!(desk.states(), "x:succeeded z:running x-1:succeeded x-2:succeeded x-3:succeeded");
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn no_more_items_are_begun_at_once_than_max_parallel() {
    let two = argv("x", &["probe"]).for_each("params.hosts").wide(Some(2));
    let mut desk = Desk::start(&over_hosts(two));
    assert_eq!(desk.states(), "x:running z:pending x-1:running x-2:running x-3:pending");
    desk.ok(&["x-2"]);
    assert_eq!(desk.states(), "x:running z:pending x-1:running x-2:succeeded x-3:running");
    let all = Desk::start(&over_hosts(run("x").for_each("params.hosts").wide(None)).at_once(3));
    assert_eq!(all.states(), "x:running z:pending x-1:running x-2:running x-3:running");
}

#[test]
fn an_item_that_is_a_block_keeps_its_place_until_all_of_it_has_settled() {
    let block = block("x", vec![run("a"), run("b")]).for_each("params.hosts");
    let mut desk = Desk::start(&over_hosts(block));
    desk.ok(&["a-1"]);
    let first = "x-1:running a-1:succeeded b-1:running";
    let rest = "x-2:pending a-2:pending b-2:pending x-3:pending a-3:pending b-3:pending";
    assert_eq!(desk.states(), format!("x:running z:pending {first} {rest}"));
    desk.ok(&["b-1", "a-2", "b-2", "a-3", "b-3", "z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_failed_item_fails_the_loop_and_the_rest_is_not_started() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.hosts").wide(Some(1))));
    desk.ok(&["x-1"]).fail("x-2");
    assert_eq!(desk.states(), "x:failed z:blocked x-1:succeeded x-2:failed x-3:blocked");
    assert_eq!(*desk.state("x"), StepState::Failed(Failure::Steps(vec!["x-2".into()])));
    assert_eq!(*desk.state("x-3"), StepState::Blocked(BlockReason::Failure("x-2".into())));
    assert_eq!(desk.end(), "failed step:x-2");
}

#[test]
fn items_that_run_when_too_many_have_failed_end_by_themselves() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.hosts").wide(Some(2))));
    desk.fail("x-1");
    assert_eq!(desk.states(), "x:running z:pending x-1:failed x-2:running x-3:blocked");
    desk.ok(&["x-2"]);
    assert_eq!(desk.states(), "x:failed z:blocked x-1:failed x-2:succeeded x-3:blocked");
}

#[test]
fn as_many_items_may_fail_as_max_failures_says() {
    let each = |failures| run("x").output("got", "{{ outputs.got }}").for_each("params.hosts").may_fail(failures);
    // 34 of a hundred of three are one.
    for failures in [FailuresMax::Count(1), FailuresMax::Percent(34)] {
        let mut desk = Desk::start(&over_hosts(each(failures)));
        desk.ok_with("x-1", json!({"got": 7})).fail("x-2").ok_with("x-3", json!({"got": 9}));
        assert_eq!(desk.outputs("x"), json!({"results": [{"got": 7}, null, {"got": 9}], "failed": [2]}));
        desk.ok(&["z"]);
        assert_eq!(desk.end(), "succeeded none");
        let mut desk = Desk::start(&over_hosts(each(failures)));
        desk.fail("x-1").fail("x-2");
        assert_eq!(desk.states(), "x:failed z:blocked x-1:failed x-2:failed x-3:blocked");
        assert_eq!(*desk.state("x"), StepState::Failed(Failure::Steps(vec!["x-1".into(), "x-2".into()])));
    }
    // 33 of a hundred of three are none.
    let mut desk = Desk::start(&over_hosts(each(FailuresMax::Percent(33))));
    desk.fail("x-1");
    assert_eq!(desk.end(), "failed step:x-1");
}

#[test]
fn a_failure_within_an_item_holds_back_that_item_alone() {
    let block = block("x", vec![run("a"), run("b")]).for_each("params.hosts").wide(Some(2));
    let mut desk = Desk::start(&over_hosts(block.may_fail(FailuresMax::Count(1))));
    desk.fail("a-1");
    let (first, second) = ("x-1:failed a-1:failed b-1:blocked", "x-2:running a-2:running b-2:pending");
    assert_eq!(desk.states(), format!("x:running z:pending {first} {second} x-3:running a-3:running b-3:pending"));
    desk.ok(&["a-2", "b-2", "a-3", "b-3", "z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn an_empty_list_succeeds_with_empty_results() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.none")).param("none", json!([])));
    assert_eq!(desk.states(), "x:succeeded z:running");
    assert_eq!(desk.outputs("x"), json!({"results": [], "failed": []}));
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn what_is_no_list_or_too_long_fails_before_any_item() {
    let failure = |list: Value| {
        let desk = Desk::start(&over_hosts(run("x").for_each("params.hosts")).param("hosts", list));
        assert_eq!(desk.states(), "x:failed z:blocked");
        let StepState::Failed(Failure::Evaluate(text)) = desk.state("x") else { panic!("another failure") };
        text.clone()
    };
    assert_eq!(failure(json!("a")), "`for_each`: `params.hosts` is a text, and not a list");
    assert_eq!(failure(json!(null)), "`for_each`: `params.hosts` is none, and not a list");
    let long = failure(json!(vec![0; 10_001]));
    assert_eq!(long, "`for_each`: the list has 10001 items; at most 10000 can be looped over");
}

#[test]
fn in_an_item_a_step_means_that_of_the_same_item() {
    let reads = argv("b", &["use", "{{ steps.a.outputs.got }}"]);
    let block = block("x", vec![run("a").output("got", "{{ outputs.got }}"), reads]).for_each("params.hosts");
    let mut desk = Desk::start(&over_hosts(block.wide(Some(2))));
    desk.ok_with("a-2", json!({"got": "two"})).ok_with("a-1", json!({"got": "one"}));
    assert_eq!((words(&desk, "b-1")[1].as_str(), words(&desk, "b-2")[1].as_str()), ("one", "two"));
}

#[test]
fn in_a_loop_within_a_loop_both_items_are_there() {
    let inner = argv("y", &["copy", "{{ host }}", "{{ item }}", "{{ index }}"]).for_each("host.files");
    let outer = block("x", vec![inner]).for_each("params.hosts").called("host");
    let hosts = json!([{"name": "a", "files": ["f", "g"]}, {"name": "b", "files": ["h"]}]);
    let mut desk = Desk::start(&over_hosts(outer).param("hosts", hosts));
    assert_eq!(words(&desk, "y-1-1")[2..], ["f", "1"]);
    desk.ok(&["y-1-1"]);
    assert_eq!(words(&desk, "y-1-2")[2..], ["g", "2"]);
    desk.ok(&["y-1-2"]);
    assert_eq!(words(&desk, "y-2-1"), ["copy", r#"{"files":["h"],"name":"b"}"#, "h", "1"]);
    desk.ok(&["y-2-1", "z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn the_condition_is_asked_once_and_a_skipped_loop_has_no_items() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.hosts").when("false")));
    assert_eq!(desk.states(), "x:skipped z:running");
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn the_run_goes_on_after_a_loop_that_may_fail() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.hosts").keep_going()));
    desk.fail("x-1").ok(&["z"]);
    assert_eq!(desk.states(), "x:failed z:succeeded x-1:failed x-2:blocked x-3:blocked");
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn the_approval_of_a_loop_is_asked_once_and_holds_for_these_items() {
    let each = argv("x", &["probe", "{{ item }}"]).for_each("params.hosts").approval(&["chief"], None);
    let mut desk = Desk::start(&over_hosts(each.clone()));
    assert_eq!(desk.states(), "x:waiting z:pending");
    assert_eq!(prepared(&desk, "x"), Rendered::Items(vec!["a".into(), "b".into(), "c".into()]));
    let digest = |each: Spec, hosts: Value| {
        let desk = Desk::start(&over_hosts(each).param("hosts", hosts));
        desk.letter("x").digest.expect("a digest")
    };
    let same = digest(each.clone(), json!(["a", "b", "c"]));
    assert_eq!(same, digest(each.clone(), json!(["a", "b", "c"])));
    assert_ne!(same, digest(each.clone(), json!(["a", "b", "d"])), "other items");
    assert_ne!(same, digest(each.clone().undo(), json!(["a", "b", "c"])), "another undo of an item");
    let other = argv("x", &["wipe", "{{ item }}"]).for_each("params.hosts").approval(&["chief"], None);
    assert_ne!(same, digest(other, json!(["a", "b", "c"])), "another action");
    desk.answer("x", Answer::Approve { reason: None });
    desk.ok(&["x-1", "x-2", "x-3", "z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_rejected_approval_of_a_loop_or_within_one_gives_its_own_end() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.hosts").approval(&["chief"], None)));
    desk.answer("x", Answer::Reject { reason: None });
    assert_eq!((desk.states().as_str(), desk.end().as_str()), ("x:failed z:blocked", "failed rejected:x"));
    let inner = block("x", vec![run("a").approval(&["chief"], None)]).for_each("params.hosts");
    let mut desk = Desk::start(&over_hosts(inner.clone()));
    desk.answer("a-1", Answer::Reject { reason: None });
    assert_eq!(desk.end(), "failed rejected:a-1");
    // Within `max_failures` it is no matter of the run.
    let mut desk = Desk::start(&over_hosts(inner.may_fail(FailuresMax::Count(1))));
    desk.answer("a-1", Answer::Reject { reason: None });
    for step in ["a-2", "a-3"] {
        desk.answer(step, Answer::Approve { reason: None });
        desk.ok(&[step]);
    }
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn each_item_is_undone_for_itself_against_the_order() {
    let each = run("x").undo().env("HOST", "{{ item }}").for_each("params.hosts");
    let mut desk = Desk::start(&over_hosts(each).rolls_back());
    desk.ok(&["x-1", "x-2", "x-3"]).fail("z").ok(&["undo x-3", "undo x-2", "undo x-1"]);
    assert_eq!(desk.undone(), ["x-3", "x-2", "x-1"]);
    assert_eq!(desk.end(), "rolled_back step:z");
    let Rendered::Run { env, .. } = prepared(&desk, "x-2") else { panic!("no script") };
    assert_eq!(env["HOST"], RenderedSource::Value("b".to_owned()));
}

#[test]
fn a_request_to_cancel_leaves_the_rest_of_the_items_unstarted() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.hosts")));
    desk.ok(&["x-1"]).cancel(1);
    desk.ok(&["x-2"]);
    assert_eq!(desk.states(), "x:blocked z:blocked x-1:succeeded x-2:succeeded x-3:blocked");
    assert_eq!(*desk.state("x-3"), StepState::Blocked(BlockReason::Cancelled));
    assert_eq!(desk.end(), "cancelled cancelled");
}

#[test]
fn an_engine_that_dies_in_a_loop_goes_on_with_the_item_that_ran() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.hosts")));
    desk.ok(&["x-1"]);
    desk.crash();
    let attempt = desk.live("x-2");
    assert!(desk.run().wanted().contains(&Effect::Execute(attempt)));
    desk.ok(&["x-2", "x-3", "z"]);
    assert_eq!(desk.end(), "succeeded none");
    assert_eq!(desk.attempts().values().sum::<u32>(), 4, "each once");
}

#[test]
fn a_loop_of_the_always_steps_runs_after_a_failure() {
    let always = vec![run("x").for_each("params.hosts").wide(None)];
    let mut desk = Desk::start(&over_hosts(run("w")).always(always));
    desk.fail("w").ok(&["x-1", "x-2", "x-3"]);
    assert_eq!(desk.end(), "failed step:w");
}

#[test]
fn a_loop_in_a_rescue_runs_when_something_failed() {
    let rescue = vec![run("x").for_each("params.hosts")];
    let mut desk = Desk::start(&over_hosts(block("b", vec![run("a")]).rescue(rescue)));
    desk.fail("a").ok(&["x-1", "x-2", "x-3", "z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn each_item_has_its_own_locks() {
    let each = run("x").lock("host/{{ item }}", None).for_each("params.hosts").wide(Some(2));
    let mut desk = Desk::start(&over_hosts(each));
    let scope = |step: &str| LockScope::Step(step.into(), Phase::Do);
    let names = |desk: &Desk| -> Vec<String> {
        desk.run().locks().flat_map(|(_, locks)| locks.wishes.iter().map(|wish| wish.name.clone())).collect()
    };
    assert_eq!(names(&desk), ["host/a", "host/b"]);
    desk.tell(Input::LocksTaken(scope("x-1")));
    desk.tell(Input::LocksTaken(scope("x-2")));
    desk.ok(&["x-1"]);
    assert_eq!(names(&desk), ["host/b", "host/c"]);
    desk.tell(Input::LocksTaken(scope("x-3")));
    desk.ok(&["x-2", "x-3", "z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn an_item_is_retried_for_itself() {
    let mut desk = Desk::start(&over_hosts(run("x").retry(2, 100).for_each("params.hosts")));
    desk.fail("x-1");
    assert_eq!(desk.states(), "x:running z:pending x-1:retrying x-2:pending x-3:pending");
    desk.pass(100).ok(&["x-1", "x-2", "x-3"]);
    assert_eq!(desk.attempts()["x-1"], 2);
}

#[test]
fn items_that_a_person_does_are_asked_one_after_the_other() {
    let mut desk = Desk::start(&over_hosts(manual("x").for_each("params.hosts")));
    for step in ["x-1", "x-2", "x-3"] {
        desk.answer(step, Answer::Confirm { reason: None });
    }
    desk.ok(&["z"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn a_loop_cannot_be_entered_twice_by_a_changed_journal() {
    let mut desk = Desk::start(&over_hosts(run("x").for_each("params.hosts")));
    let entered = Event::LoopEntered { step: "x".into(), items: vec![], failures_max: 0 };
    let mut run = desk.run().clone();
    assert!(run.apply(&entered, runbook_core::units::Timestamp(0)).is_err());
    desk.exits("x-1", Exit::Code(0));
}

/// Without the checks of the kit, which look at every step after each decision; were the work for one item to grow with the
/// list, this would take minutes.
#[test]
fn ten_thousand_items_are_decided_in_one_go() {
    let list: Vec<u32> = (0..10_000).collect();
    let each = set("x", &[("twice", "{{ item }}")]).for_each("params.hosts");
    let created = over_hosts(each).param("hosts", json!(list)).created();
    let mut run = runbook_core::run::Run::default();
    let mut events = 0;
    let inputs = [Input::Launched(Box::new(created)), Input::EngineStarted(crate::kit::book::host(1))];
    for input in inputs {
        let decided = runbook_core::decide(run, input, runbook_core::units::Timestamp(1), &crate::kit::expr::Mini);
        let decided = decided.expect("a decision");
        (run, events) = (decided.run, events + decided.events.len());
    }
    let x = run.step(&"x".into()).expect("a step");
    assert_eq!(x.outputs["results"][9_999], json!({"twice": 9_999}));
    // The loop and the run; four for each item: what it does, its start, its end, its success.
    assert_eq!(events, 40_006);
}
