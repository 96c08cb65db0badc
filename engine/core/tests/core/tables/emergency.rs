//! Approvals when nobody answers: others may, too, and somebody may break the glass.

use runbook_core::event::{Event, QuestionKind};
use runbook_core::input::{Answer, Answered, Input};
use runbook_core::units::Timestamp;

use crate::kit::book::{Book, book, person};
use crate::kit::build::{Spec, run};
use crate::kit::desk::Desk;

fn guarded() -> Spec {
    run("a").approval(&["chief"], Some(60_000))
}

/// After a minute the boss may answer, too.
fn escalating() -> Desk {
    Desk::start(&book(vec![guarded().escalates_to(&["boss"]), run("b")]))
}

fn boss(letter: &mut Answered) {
    (letter.by, letter.roles) = (person("eve"), ["boss".into()].into());
}

fn refused(events: &[Event]) -> &str {
    let [Event::AnswerRefused { reason, .. }] = events else { panic!("{events:?}") };
    reason
}

#[test]
fn when_nobody_answers_others_may_too() {
    let mut desk = escalating();
    assert_eq!(refused(&desk.answer_with("a", boss)), "`eve` holds none of: chief", "not before its time");
    desk.pass(60_000);
    assert_eq!(desk.states(), "a:waiting b:pending", "it stays open");
    // A crash does not forget it, and nothing is escalated twice.
    desk.crash();
    assert_eq!(desk.states(), "a:waiting b:pending");
    desk.engine.now += 1;
    desk.answer_with("a", boss);
    assert_eq!(desk.states(), "a:running b:pending");
}

#[test]
fn those_asked_first_may_still_answer_after_an_escalation() {
    let mut desk = escalating();
    desk.pass(60_000);
    desk.engine.now += 59_000;
    desk.answer_with("a", |_| ());
    assert_eq!(desk.states(), "a:running b:pending");
}

#[test]
fn a_second_timeout_rejects() {
    let mut desk = escalating();
    desk.pass(60_000);
    desk.pass(59_999);
    assert_eq!(desk.states(), "a:waiting b:pending");
    desk.pass(1);
    assert_eq!(desk.end(), "failed rejected:a");
}

#[test]
fn those_asked_later_have_the_whole_time_however_long_no_engine_was_there() {
    let mut desk = escalating();
    desk.engine.now = 500_000;
    desk.crash();
    desk.pass(0);
    let question = desk.question("a");
    assert_eq!(desk.run().questions()[&question].due, Some(Timestamp(560_000)));
    assert_eq!(desk.states(), "a:waiting b:pending");
}

#[test]
fn an_answer_written_after_the_time_and_read_before_anything_else_escalates_first() {
    let mut desk = escalating();
    let mut letter = desk.letter("a");
    boss(&mut letter);
    letter.written_at = Timestamp(60_001);
    desk.engine.now = 90_000;
    let events = desk.tell(Input::Answered(Box::new(letter)));
    assert!(matches!(&events[..2], [Event::QuestionEscalated { .. }, Event::QuestionAnswered { .. }]), "{events:?}");
    assert_eq!(desk.states(), "a:running b:pending");
}

#[test]
fn who_is_asked_later_cannot_have_answered_before() {
    let mut desk = escalating();
    let mut letter = desk.letter("a");
    boss(&mut letter);
    letter.written_at = Timestamp(59_000);
    desk.pass(60_000);
    assert_eq!(refused(&desk.tell(Input::Answered(Box::new(letter)))), "`eve` holds none of: chief");
}

/// Three people other than the starter are needed, and the boss may break the glass.
fn fragile() -> Desk {
    let step = guarded().several(3, true);
    Desk::start(&Book { break_glass: vec!["boss".into()], ..book(vec![step, run("b")]) })
}

fn breaks(letter: &mut Answered) {
    boss(letter);
    letter.answer = Answer::BreakGlass { reason: "the site burns".to_owned() };
}

#[test]
fn breaking_the_glass_counts_as_all_who_would_have_to_agree() {
    let mut desk = fragile();
    let events = desk.answer_with("a", breaks);
    let [Event::QuestionAnswered { answer: Answer::BreakGlass { reason }, by, .. }, ..] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((reason.as_str(), by), ("the site burns", &person("eve")));
    assert_eq!(desk.states(), "a:running b:pending");
    let mut desk = fragile();
    desk.answer_with("a", |letter| {
        breaks(letter);
        letter.by = person("starter");
    });
    assert_eq!(desk.states(), "a:running b:pending", "also who started the run, if the role is theirs");
}

#[test]
fn the_glass_is_broken_only_by_those_who_may_with_a_reason_for_what_they_saw() {
    type Change = fn(&mut Answered);
    let changes: [(Change, &str); 4] = [
        (|letter| letter.roles = ["chief".into()].into(), "`eve` holds none of: boss, who may break the glass"),
        (
            |letter| letter.answer = Answer::BreakGlass { reason: " ".to_owned() },
            "the glass is broken only with a reason",
        ),
        (|letter| letter.digest = None, "it was given for something else"),
        (|letter| letter.written_at = Timestamp(60_001), "it came too late"),
    ];
    for (change, reason) in changes {
        let mut desk = fragile();
        let events = desk.answer_with("a", |letter| {
            breaks(letter);
            change(letter);
        });
        assert_eq!(refused(&events), reason);
        assert_eq!(desk.states(), "a:waiting b:pending");
    }
}

#[test]
fn without_a_word_of_the_environment_nobody_breaks_the_glass() {
    let mut desk = escalating();
    let events = desk.answer_with("a", breaks);
    assert_eq!(refused(&events), "nobody may break the glass in this environment");
    let question = desk.question("a");
    assert!(matches!(desk.run().questions()[&question].kind, QuestionKind::Approval { .. }));
    assert_eq!(desk.states(), "a:waiting b:pending");
}
