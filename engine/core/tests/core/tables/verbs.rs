//! What operators say: every verb in every state, and what each comes to.

use std::collections::BTreeMap;

use runbook_core::event::{Event, QuestionId, QuestionKind, Verb};
use runbook_core::input::{Answer, Answered, Exit, Input};
use runbook_core::plan::{OnFailure, OnInterrupt};
use runbook_core::run::{ServiceState, Stage};
use runbook_core::units::{Role, StepId, Timestamp};
use serde_json::json;

use crate::kit::book::{Book, book, person};
use crate::kit::build::{Spec, ask, manual, run};
use crate::kit::desk::Desk;

/// Two steps that can be undone, one that cannot, and one at the end; `b` is made by the caller.
fn chain(change: impl FnOnce(Spec) -> Spec) -> Book {
    chain_with(change(run("b").undo()))
}

fn chain_with(b: Spec) -> Book {
    book(vec![run("a").undo(), b, run("c")]).always(vec![run("z")])
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
        "waiting for a person" => return began(&chain_with(manual("b"))),
        "waiting for values" => return began(&chain_with(ask("b", &["x"]))),
        "paused at an approval" => began(&chain(|b| b.approval(&["chief"], None))),
        "interrupted undo" => began(
            &book(vec![run("a").undoing(|undo| undo.on_interrupt = OnInterrupt::Ask), run("b"), run("c")])
                .always(vec![run("z")])
                .rolls_back(),
        ),
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
        "paused" | "paused at an approval" => drop(desk.say(Verb::Pause)),
        "cancelling" => drop(desk.cancel(1)),
        "waiting to repeat" => drop(desk.fail("b")),
        "interrupted" => drop(desk.lose("b")),
        "rolling back" => drop(desk.fail("b")),
        "interrupted undo" => {
            desk.fail("b");
            desk.lose("undo a");
        }
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

/// What a person may answer with `approve`, `reject` and `answer`, whatever is asked.
fn answers() -> [(&'static str, Answer); 7] {
    let values = BTreeMap::from([("x".to_owned(), json!("a"))]);
    [
        ("approve", Answer::Approve { reason: None }),
        ("reject", Answer::Reject { reason: None }),
        ("done", Answer::Confirm { reason: None }),
        ("values", Answer::Values { values, reason: None }),
        ("took-effect", Answer::TookEffect { reason: None }),
        ("did-not", Answer::DidNot { reason: None }),
        ("run-again", Answer::RunAgain { reason: None }),
    ]
}

/// Answers what is asked, and goes on to the end. Where nothing is asked, the answer is to a question that was or will be: `-`.
fn effect_of(state_name: &str, answer: Answer) -> String {
    let mut desk = state(state_name);
    let asked = desk.run().questions().values().next().cloned();
    let digest = asked.as_ref().and_then(|question| match &question.kind {
        QuestionKind::Approval { digest, .. } => Some(digest.clone()),
        _ => None,
    });
    let is_asked = asked.is_some();
    let answered = Answered {
        question: asked.map_or_else(|| QuestionId::approval(&"b".into(), 0), |question| question.id),
        answer,
        by: person("ann"),
        roles: [Role::new("chief")].into(),
        digest,
        written_at: Timestamp(desk.engine.now),
    };
    let before = desk.states();
    let events = desk.tell(Input::Answered(Box::new(answered)));
    match events.as_slice() {
        [] if !is_asked => return "-".to_owned(),
        [Event::AnswerRefused { reason, .. }] => {
            assert_eq!(desk.states(), before);
            return format!("- {reason}");
        }
        [Event::QuestionAnswered { .. }, ..] => {}
        _ => panic!("{state_name}: {events:?}"),
    }
    desk.crash();
    let end = finish(&mut desk);
    format!("{end}{}", traces(&desk))
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

const STATES: [&str; 21] = [
    "starting services",
    "running",
    "paused",
    "waiting for approval",
    "paused at an approval",
    "waiting for a person",
    "waiting for values",
    "waiting to repeat",
    "interrupted",
    "asking after a failure",
    "cancelling",
    "rolling back",
    "interrupted undo",
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
        let answered: Vec<_> = answers().into_iter().map(|(name, answer)| (name, effect_of(state, answer))).collect();
        // Where nothing is asked one line says so.
        match answered.iter().all(|(_, effect)| *effect == "-") {
            true => table += "  (answers)    -\n",
            false => answered.iter().for_each(|(name, effect)| table += &format!("  {name:12} {effect}\n")),
        }
    }
    assert_eq!(table, include_str!("verbs.txt"), "how often a, b, c and z ran follows on the end:\n{table}");
}

#[test]
fn what_may_be_said_in_place_of_an_answer_is_what_the_table_allows() {
    let instead = |desk: &Desk| {
        let verbs = desk.run().verbs_instead(&"b".into());
        verbs.iter().map(|verb| verb.word().to_owned()).collect::<Vec<_>>().join(" ")
    };
    for name in STATES.iter().chain(&["no service"]) {
        let desk = state(name);
        let outputs = BTreeMap::new();
        let all = [Verb::Skip { step: "b".into() }, Verb::MarkDone { step: "b".into(), outputs }];
        let allowed = all.iter().filter(|verb| desk.run().verb_refusal(verb).is_none());
        assert_eq!(instead(&desk), allowed.map(Verb::word).collect::<Vec<_>>().join(" "), "{name}");
    }
    assert_eq!(instead(&state("waiting for approval")), "skip mark-done");
    assert_eq!(instead(&state("waiting for a person")), "");
    let asks = began(&chain(|b| b.approval(&["chief"], None).output("size", "x")));
    let named = BTreeMap::from([("size".to_owned(), json!("VALUE"))]);
    assert!(asks.run().verbs_instead(&"b".into()).contains(&Verb::MarkDone { step: "b".into(), outputs: named }));
}
