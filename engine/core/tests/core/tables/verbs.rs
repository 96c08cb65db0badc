//! What operators say: every verb in every state, and what each comes to.

use std::collections::BTreeMap;

use runbook_core::event::{Event, Verb};
use runbook_core::input::Exit;
use runbook_core::plan::{OnFailure, OnInterrupt};
use runbook_core::run::{ServiceState, Stage};
use runbook_core::units::StepId;
use serde_json::json;

use crate::kit::book::{Book, book};
use crate::kit::build::{manual, run};
use crate::kit::desk::Desk;

/// Two steps that can be undone, one that cannot, and one at the end; `b` is made by the caller.
fn chain(change: impl FnOnce(crate::kit::build::Spec) -> crate::kit::build::Spec) -> Book {
    book(vec![run("a").undo(), change(run("b").undo()), run("c")]).always(vec![run("z")])
}

fn plain() -> Book {
    chain(|b| b)
}

fn began(book: &Book) -> Desk {
    let mut desk = Desk::start(book);
    desk.ok(&["a"]);
    desk
}

fn asking() -> Desk {
    let mut asks = plain();
    asks.on_failure = OnFailure::Ask;
    let mut desk = began(&asks);
    desk.fail("b");
    desk
}

/// A run in the given state.
fn state(name: &str) -> Desk {
    let mut desk = match name {
        "starting services" => return Desk::start(&plain().service("db")),
        "waiting for approval" => return began(&chain(|b| b.approval(&["chief"], None))),
        "waiting to repeat" => began(&chain(|b| b.retry(3, 1_000))),
        "waiting for a person" => {
            return began(&book(vec![run("a").undo(), manual("b"), run("c")]).always(vec![run("z")]));
        }
        "interrupted" => began(&chain(|b| b.on_interrupt(OnInterrupt::Ask))),
        "rolling back" | "rolled back" | "stuck" => began(&plain().rolls_back()),
        "asking after a failure" => return asking(),
        "no service" => Desk::start(&plain().service("db")),
        "stopping services" => {
            let mut desk = Desk::start(&plain().service("db"));
            desk.ready("db");
            desk.ok(&["a"]);
            desk
        }
        _ => began(&plain()),
    };
    match name {
        "running" => {}
        "paused" => drop(desk.say(Verb::Pause)),
        "cancelling" => drop(desk.cancel(1)),
        "waiting to repeat" => drop(desk.fail("b")),
        "interrupted" => drop(desk.lose("b")),
        "rolling back" => drop(desk.fail("b")),
        "last steps" => drop(desk.fail("b")),
        "stopping services" => drop(desk.ok(&["b", "c", "z"])),
        "succeeded" => drop(desk.ok(&["b", "c", "z"])),
        "failed" => drop(desk.fail("b").ok(&["z"])),
        "failed at last" => drop(desk.ok(&["b", "c"]).fail("z")),
        "cancelled" => {
            desk.cancel(2);
            desk.exits("b", Exit::Signal(15));
            desk.ok(&["z"]);
        }
        "rolled back" => {
            desk.fail("b");
            desk.ok(&["undo a", "z"]);
        }
        "stuck" => {
            desk.fail("b");
            desk.fail("undo a").ok(&["z"]);
        }
        "no service" => {
            desk.unready("db");
            desk.stopped("db");
        }
        other => panic!("no state `{other}`"),
    }
    desk
}

/// Everything goes well from here on. Where a person is asked what follows on a failure, nothing more is tried.
fn finish(desk: &mut Desk) -> String {
    for _ in 0..100 {
        if desk.run().end().is_some() {
            return desk.end();
        }
        if desk.run().host().is_none() {
            desk.engine_starts();
        }
        if desk.run().paused().is_some() {
            desk.say(Verb::Continue);
        }
        let services: Vec<_> = desk.run().services().clone().into_iter().collect();
        for (service, state) in services {
            match state {
                _ if desk.run().stage() == Stage::Stopping => drop(desk.stopped(service.as_str())),
                ServiceState::Starting => desk.ready(service.as_str()),
                _ => {}
            }
        }
        let questions: Vec<(String, bool)> =
            desk.run().questions().values().map(|it| (it.step.to_string(), it.id.0.starts_with("failure"))).collect();
        for (step, is_failure) in questions {
            if is_failure { drop(desk.cancel(1)) } else { drop(desk.answer_with(&step, |_| {})) }
        }
        let live: Vec<_> = desk.run().live().map(|live| live.attempt.clone()).collect();
        for attempt in live {
            let undo = attempt.phase == runbook_core::event::Phase::Undo;
            let name = if undo { format!("undo {}", attempt.step) } else { attempt.step.to_string() };
            desk.exits(&name, Exit::Code(0));
        }
        desk.pass(1_000);
    }
    panic!("the run does not end: {}", desk.states())
}

fn retry(step: Option<&str>, downstream: bool) -> Verb {
    Verb::Retry { step: step.map(StepId::new), downstream }
}

fn done(step: &str, outputs: &[(&str, &str)]) -> Verb {
    let outputs: BTreeMap<_, _> = outputs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    Verb::MarkDone { step: step.into(), outputs }
}

/// Says it, and goes on to the end: `-` where it makes no sense, else how the run ends and what ran, was undone or skipped.
fn effect(state_name: &str, verb: &str) -> String {
    let mut desk = state(state_name);
    let said = match verb {
        "retry" => retry(None, false),
        "retry b" => retry(Some("b"), false),
        "retry a+" => retry(Some("a"), true),
        "skip b" => Verb::Skip { step: "b".into() },
        "skip c" => Verb::Skip { step: "c".into() },
        "mark-done b" => done("b", &[]),
        "mark-done a" => done("a", &[]),
        "pause" => Verb::Pause,
        "continue" => Verb::Continue,
        "rollback" => Verb::Rollback { to: None },
        "rollback a" => Verb::Rollback { to: Some("a".into()) },
        "take" => Verb::Take,
        "cancel" => {
            if desk.cancel(1).is_empty() {
                return "-".to_owned();
            }
            let end = finish(&mut desk);
            return format!("{end}{}", traces(&desk));
        }
        other => panic!("no verb `{other}`"),
    };
    let refusal = desk.run().verb_refusal(&said);
    let has_ended = desk.run().end().is_some();
    let events = desk.say(said);
    match (&refusal, events.as_slice()) {
        (Some(_), []) if has_ended => return "-".to_owned(),
        (Some(why), [Event::VerbRefused(it)]) if *why == it.why => return "-".to_owned(),
        (None, [Event::VerbTaken { .. }, ..]) => {}
        _ => panic!("{verb} while {state_name}: {refusal:?} and {events:?}"),
    }
    // A crash here changes nothing.
    desk.crash();
    let end = finish(&mut desk);
    format!("{end}{}", traces(&desk))
}

fn traces(desk: &Desk) -> String {
    let attempts = desk.attempts();
    let runs: String = ["a", "b", "c", "z"].iter().map(|step| attempts[*step].to_string()).collect();
    let undone = desk.undone().concat();
    format!(" {runs}{}", if undone.is_empty() { String::new() } else { format!(" undone {undone}") })
}

const STATES: [&str; 18] = [
    "starting services",
    "running",
    "paused",
    "waiting for approval",
    "waiting for a person",
    "waiting to repeat",
    "interrupted",
    "asking after a failure",
    "cancelling",
    "rolling back",
    "last steps",
    "stopping services",
    "succeeded",
    "failed",
    "failed at last",
    "cancelled",
    "rolled back",
    "stuck",
];

const VERBS: [&str; 13] = [
    "retry",
    "retry b",
    "retry a+",
    "skip b",
    "skip c",
    "mark-done b",
    "mark-done a",
    "pause",
    "continue",
    "rollback",
    "rollback a",
    "take",
    "cancel",
];

#[test]
fn every_verb_in_every_state() {
    let mut table = String::new();
    for state in STATES.iter().chain(&["no service"]) {
        table += &format!("{state}\n");
        for verb in VERBS {
            table += &format!("  {verb:12} {}\n", effect(state, verb));
        }
    }
    assert_eq!(table, include_str!("verbs.txt"), "how often a, b, c and z ran follows on the end:\n{table}");
}
