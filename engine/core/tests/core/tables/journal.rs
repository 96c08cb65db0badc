//! Plans and events that do not hold together are refused, in words, and never by a panic.

use runbook_core::input::Input;
use runbook_core::plan::{Body, BrokenPlan, Plan};
use runbook_core::run::Run;
use runbook_core::units::{StepIx, Timestamp};
use runbook_core::{Effect, decide};

use crate::kit::book::book;
use crate::kit::build::{block, run, switch};
use crate::kit::desk::Desk;
use crate::kit::expr::Mini;

fn broken(change: impl FnOnce(&mut Plan)) -> BrokenPlan {
    let inner = block("x", vec![run("a"), run("b")]);
    let choice = switch("s", "params.kind", vec![("a", vec![run("c")])], Some(vec![run("d")]));
    let mut created = book(vec![inner, choice, run("e")]).always(vec![run("z")]).created();
    assert_eq!(created.plan.check(), Ok(()));
    change(&mut created.plan);
    let broken = created.plan.check().expect_err("a broken plan");
    let refused = decide(Run::default(), Input::Launched(Box::new(created)), Timestamp(0), &Mini);
    let refused = refused.expect_err("a launch of it");
    assert_eq!(refused.to_string(), format!("`RunCreated` does not fit: {broken}"));
    broken
}

fn need(plan: &mut Plan, from: &str, to: &str) {
    let to = plan.find(to).expect("a step");
    let from = plan.find(from).expect("a step");
    plan.steps[from.at()].needs.push(to);
}

#[test]
fn plans() {
    let a = || "a".into();
    assert_eq!(broken(|plan| plan.steps[2].id = "a".into()), BrokenPlan::TwiceThere(a()));
    assert_eq!(broken(|plan| plan.steps[1].needs.push(StepIx(99))), BrokenPlan::NotThere(a()));
    assert_eq!(broken(|plan| plan.steps[1].parent = Some(StepIx(99))), BrokenPlan::NotThere(a()));
    assert_eq!(broken(|plan| plan.steps[1].parent = Some(StepIx(2))), BrokenPlan::NotThere(a()));
    assert_eq!(broken(|plan| plan.steps[1].parent = None), BrokenPlan::Misplaced(a()));
    assert_eq!(broken(|plan| plan.steps[1].always = true), BrokenPlan::NotThere("x".into()));
    assert_eq!(broken(|plan| plan.steps[4].case = Some(1)), BrokenPlan::Misplaced("c".into()));
    let twice = |plan: &mut Plan| plan.steps[0].body = block_of(&[1, 2, 1]);
    assert_eq!(broken(twice), BrokenPlan::Misplaced(a()));
    let less = |plan: &mut Plan| plan.steps[0].body = block_of(&[2]);
    assert_eq!(broken(less), BrokenPlan::Misplaced(a()));
    assert_eq!(broken(|plan| need(plan, "e", "z")), BrokenPlan::NotThere("e".into()));
    for (from, to) in [("a", "a"), ("a", "b"), ("x", "e"), ("a", "x"), ("x", "a"), ("c", "e")] {
        assert!(matches!(broken(|plan| need(plan, from, to)), BrokenPlan::Cycle(_)), "{from} {to}");
    }
}

#[test]
fn an_event_of_another_run_is_refused_and_names_both() {
    let mut desk = Desk::start(&book(vec![run("a"), run("b")]));
    desk.ok(&["a"]);
    let mut other = Desk::start(&book(vec![run("a"), run("b")]));
    let ended = &desk.engine.journal.last().expect("a batch").events;
    assert!(other.engine.run.clone().apply(&ended[1], Timestamp(1)).is_err(), "succeeded before it ended");
    other.fail("a");
    let error = other.engine.run.clone().apply(&ended[0], Timestamp(1)).expect_err("it has ended");
    assert!(error.to_string().contains("AttemptEnded") && error.to_string().contains("run is in Ended"), "{error}");
}

#[test]
fn events_are_the_same_after_they_were_written_and_read() {
    let mut desk = Desk::start(
        &book(vec![run("a").retry(2, 10).undo(), run("q").approval(&["chief"], None), run("z")]).rolls_back(),
    );
    desk.fail("a").pass(10).ok(&["a"]).answer_with("q", |_| {});
    desk.ok(&["q"]).fail("z").ok(&["undo a"]);
    let mut run = Run::default();
    for batch in &desk.engine.journal {
        for event in &batch.events {
            let text = serde_json::to_string(event).expect("JSON");
            let again = serde_json::from_str(&text).expect("an event");
            assert_eq!(*event, again);
            run.apply(&again, batch.at).expect("its own history");
        }
    }
    assert!(run == *desk.run());
}

#[test]
fn the_words_of_the_file_system_are_safe() {
    let mut desk =
        Desk::start(&book(vec![crate::kit::build::http("a").until("response.up", 1).undo(), run("z")]).rolls_back());
    assert_eq!(desk.live("a").to_string(), "a.1");
    desk.exits("a", runbook_core::input::Exit::Status(500));
    desk.pass(1);
    assert_eq!(desk.live("a").to_string(), "a.1.2");
    assert!(desk.run().wanted().contains(&Effect::Execute(desk.live("a"))));
}

fn block_of(children: &[u32]) -> Body {
    Body::Block { children: children.iter().copied().map(StepIx).collect(), rescue: vec![], always: vec![] }
}
