//! Approvals: who, of what, until when.

use runbook_core::event::{Event, Failure};
use runbook_core::input::{Answer, Answered, Exit, Input};
use runbook_core::plan::{Action, DoneWhen, EnvSource};
use runbook_core::run::StepState;
use runbook_core::units::Timestamp;

use crate::kit::book::{Book, book, person};
use crate::kit::build::{Spec, block, manual, run, script};
use crate::kit::desk::Desk;

fn guarded() -> Spec {
    run("a").approval(&["chief", "carl"], Some(60_000))
}

fn asked() -> Desk {
    Desk::start(&book(vec![guarded(), run("b")]))
}

/// Why an answer does not count; nothing changes but that.
fn refused(change: impl FnOnce(&mut Answered)) -> String {
    let mut desk = asked();
    let events = desk.answer_with("a", change);
    assert_eq!(desk.states(), "a:waiting b:pending");
    let [Event::AnswerRefused { reason, .. }] = &events[..] else { panic!("{events:?}") };
    reason.clone()
}

#[test]
fn a_role_or_a_login_name_suffices() {
    for (name, roles, fine) in [
        ("ann", vec!["chief"], true),
        ("carl", vec![], true),
        ("carl", vec!["guest"], true),
        ("ann", vec!["guest", "chief"], true),
        ("ann", vec![], false),
        ("chief", vec!["guest"], true),
        ("Carl", vec![], false),
    ] {
        let mut desk = asked();
        desk.answer_with("a", |letter| {
            letter.by = person(name);
            letter.roles = roles.iter().map(|role| (*role).into()).collect();
        });
        assert_eq!(desk.is_live("a"), fine, "{name} {roles:?}");
    }
}

#[test]
fn approvals_in_parallel_branches_are_two() {
    let branches = vec![run("a").approval(&["chief"], None), run("b").approval(&["chief"], None)];
    let mut desk = Desk::start(&book(vec![block("both", branches).parallel(), run("c")]));
    assert_eq!(desk.states(), "both:running a:waiting b:waiting c:pending");
    desk.answer("b", Answer::Approve { reason: None });
    assert_eq!(desk.states(), "both:running a:waiting b:running c:pending");
    desk.ok(&["b"]);
    assert_eq!(desk.states(), "both:running a:waiting b:succeeded c:pending", "one answer is not both");
    desk.answer("a", Answer::Approve { reason: None });
    desk.ok(&["a"]);
    assert!(desk.is_live("c"));
}

#[test]
fn answers_that_do_not_count() {
    assert_eq!(refused(|letter| letter.roles.clear()), "`ann` holds none of: chief, carl");
    assert_eq!(refused(|letter| letter.digest = None), "it was given for something else");
    assert_eq!(refused(|letter| letter.digest = Some("other".into())), "it was given for something else");
    assert_eq!(refused(|letter| letter.written_at = Timestamp(60_001)), "it came too late");
    for answer in
        [Answer::Confirm { reason: None }, Answer::TookEffect { reason: None }, Answer::RunAgain { reason: None }]
    {
        assert_eq!(refused(|letter| letter.answer = answer), "it is neither an approval nor a rejection");
    }
    // Who may not approve may not reject either.
    let reject = |letter: &mut Answered| {
        letter.answer = Answer::Reject { reason: None };
        letter.roles.clear();
    };
    assert_eq!(refused(reject), "`ann` holds none of: chief, carl");
}

#[test]
fn an_answer_counts_from_when_it_was_written() {
    let mut desk = asked();
    let mut letter = desk.letter("a");
    letter.written_at = Timestamp(60_000);
    desk.engine.now = 90_000;
    desk.crash();
    // Read before any timer.
    desk.tell(Input::Answered(Box::new(letter)));
    assert_eq!(desk.states(), "a:running b:pending");
}

#[test]
fn nobody_answers_in_time() {
    let mut desk = asked();
    desk.pass(59_999);
    assert_eq!(desk.states(), "a:waiting b:pending");
    let letter = desk.letter("a");
    desk.pass(1);
    assert_eq!(desk.states(), "a:failed b:blocked");
    assert_eq!(*desk.state("a"), StepState::Failed(Failure::Expired));
    assert!(desk.tell(Input::Answered(Box::new(letter))).is_empty());
    assert_eq!(desk.end(), "failed rejected:a");
}

#[test]
fn a_rejection_fails_the_step_and_names_itself_as_the_cause() {
    let mut desk = asked();
    desk.answer("a", Answer::Reject { reason: Some("not today".to_owned()) });
    let failure = Failure::Rejected { by: person("ann"), reason: Some("not today".to_owned()) };
    assert_eq!(*desk.state("a"), StepState::Failed(failure));
    assert_eq!(desk.end(), "failed rejected:a");
    assert_eq!(desk.attempts()["a"], 0);
}

#[test]
fn a_rejection_in_always_is_the_cause_also_after_a_failure() {
    let ends = |answer: Option<Answer>, main_fails: bool| {
        let asked = run("x").approval(&["chief"], Some(60_000));
        let mut desk = Desk::start(&book(vec![run("b")]).always(vec![asked]));
        desk.exits("b", Exit::Code(i32::from(main_fails)));
        match answer {
            Some(answer) => drop(desk.answer("x", answer)),
            None => drop(desk.pass(60_000)),
        }
        desk.end()
    };
    let no = || Answer::Reject { reason: None };
    assert_eq!(ends(Some(no()), false), "failed rejected:x");
    assert_eq!(ends(None, false), "failed rejected:x");
    assert_eq!(ends(Some(no()), true), "failed rejected:x");
    let mut desk = Desk::start(&book(vec![run("b")]).always(vec![manual("y")]));
    desk.ok(&["b"]);
    desk.answer("y", no());
    assert_eq!(desk.end(), "failed always:y", "no approval");
}

#[test]
fn a_rejection_that_is_no_matter_is_no_cause() {
    let mut desk = Desk::start(&book(vec![guarded().keep_going(), run("b")]));
    desk.answer("a", Answer::Reject { reason: None });
    desk.ok(&["b"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn an_answer_that_is_read_twice_counts_once() {
    let mut desk = asked();
    let letter = desk.letter("a");
    assert!(!desk.tell(Input::Answered(Box::new(letter.clone()))).is_empty());
    assert!(desk.tell(Input::Answered(Box::new(letter))).is_empty());
}

#[test]
fn one_approval_covers_all_automatic_attempts() {
    let mut desk = Desk::start(&book(vec![guarded().retry(3, 10)]));
    desk.answer_with("a", |_| {});
    desk.fail("a").pass(10).fail("a").pass(10).ok(&["a"]);
    assert_eq!(desk.end(), "succeeded none");
    let asked = desk.engine.journal.iter().flat_map(|batch| &batch.events);
    assert_eq!(asked.filter(|event| matches!(event, Event::QuestionAsked { .. })).count(), 1);
}

#[test]
fn a_crash_neither_approves_nor_forgets() {
    let mut desk = asked();
    let before = desk.letter("a");
    desk.pass(10_000);
    desk.crash();
    assert_eq!(desk.states(), "a:waiting b:pending");
    assert_eq!(desk.timers()[0].0, 60_000, "the time goes on");
    assert_eq!(desk.letter("a").digest, before.digest);
    desk.tell(Input::Answered(Box::new(before)));
    assert_eq!(desk.states(), "a:running b:pending");
}

#[test]
fn what_is_approved_may_wait_for_a_place() {
    let book = book(vec![run("z"), guarded()]).parallel().at_once(1);
    let mut desk = Desk::start(&book);
    desk.answer_with("a", |_| {});
    assert_eq!(desk.states(), "z:running a:queued");
    desk.ok(&["z", "a"]);
    assert_eq!(desk.end(), "succeeded none");
}

#[test]
fn what_needs_no_place_starts_with_the_answer() {
    let mut desk = Desk::start(&book(vec![run("z"), manual("m").approval(&["chief"], None)]).parallel().at_once(1));
    desk.answer_with("m", |_| {});
    assert_eq!(desk.states(), "z:running m:running");
}

#[test]
fn a_question_is_withdrawn_after_a_failure_and_answers_come_to_nothing() {
    let mut desk = Desk::start(&book(vec![guarded(), run("b")]).parallel());
    let letter = desk.letter("a");
    desk.fail("b");
    assert_eq!(desk.states(), "a:blocked b:failed");
    assert!(desk.tell(Input::Answered(Box::new(letter))).is_empty());
    assert_eq!(desk.end(), "failed step:b");
}

/// The digest under which `a` is asked about.
fn digest(book: &Book) -> String {
    let mut desk = Desk::start(book);
    if desk.run().live().next().is_some() {
        desk.exits("look a", Exit::Code(1));
    }
    desk.letter("a").digest.expect("an approval").to_string()
}

#[test]
fn an_approval_is_bound_to_all_that_will_run() {
    let step = || run("a").approval(&["chief"], None).env("X", "{{ params.kind }}");
    let base = digest(&book(vec![step()]));
    assert_eq!(base, digest(&book(vec![step()])), "the same is the same");
    assert_eq!(base, digest(&book(vec![step(), run("later")])), "other steps are no matter");
    let text = |text: &str| {
        let mut step = step();
        let runbook_core::plan::Body::Action(Action::Run(script)) = &mut step.step.body else { panic!() };
        script.text = text.to_owned();
        step
    };
    let looks = |text: &str, value: &str| {
        let mut step = run("a").approval(&["chief"], None).probed(1_000);
        let Some(DoneWhen::Probe(probe)) = &mut step.step.done_when else { panic!() };
        let Action::Run(script) = &mut probe.action else { panic!() };
        script.text = text.to_owned();
        script.env.insert("V".to_owned(), EnvSource::Template(crate::kit::build::template(value)));
        step
    };
    let others = [
        ("text", book(vec![text("rm -r /")])),
        ("value", book(vec![step()]).param("kind", "b".into())),
        ("undo", book(vec![step().undo()])),
        ("another undo", book(vec![step().undo_with(script("other"))])),
        ("variable", book(vec![step().env("Y", "1")])),
        ("what says that it is done", book(vec![step().done_when("params.kind == 'c'")])),
        ("something else that says so", book(vec![step().done_when("params.kind == 'd'")])),
        ("a command that says so", book(vec![looks("look", "{{ params.kind }}")])),
        ("another command", book(vec![looks("rm -r /", "{{ params.kind }}")])),
        ("another value of it", book(vec![looks("look", "f")])),
    ];
    let mut seen = vec![("base", base)];
    for (what, other) in others {
        let digest = digest(&other);
        assert!(seen.iter().all(|(_, known)| *known != digest), "{what} is not covered: {seen:?}");
        seen.push((what, digest));
    }
}

#[test]
fn the_approval_of_a_block_is_bound_to_the_steps_within() {
    use crate::kit::build::block;
    let within = |step: Spec| book(vec![block("a", vec![step]).approval(&["chief"], None)]);
    let base = digest(&within(run("x")));
    assert_ne!(base, digest(&within(run("x").when("true"))));
    assert_ne!(base, digest(&within(run("x").undo())));
    assert_ne!(base, digest(&within(run("y"))));
}

#[test]
fn a_message_without_a_value_fails_the_step() {
    let mut step = guarded();
    if let Some(approval) = &mut step.step.approval {
        approval.message = Some(crate::kit::build::template("{{ params.none }}"));
    }
    let desk = Desk::start(&book(vec![step]));
    assert!(matches!(desk.state("a"), StepState::Failed(Failure::Evaluate(_))));
}

/// A run whose only step needs so many people.
fn needing(min: u32, exclude_initiator: bool) -> Desk {
    let step = guarded().several(min, exclude_initiator);
    Desk::start(&book(vec![step, run("b")]))
}

fn approves(desk: &mut Desk, name: &str) -> Vec<Event> {
    desk.answer_with("a", |letter| letter.by = person(name))
}

#[test]
fn several_distinct_people_must_approve() {
    let mut desk = needing(2, false);
    assert!(matches!(&approves(&mut desk, "ann")[..], [Event::ApprovalGiven { .. }]));
    assert_eq!(desk.states(), "a:waiting b:pending");
    // A crash forgets nobody.
    desk.crash();
    let question = desk.question("a");
    let names: Vec<String> = desk.run().approved_by(&question).map(|by| by.name.clone()).collect();
    assert_eq!(names, ["ann"]);
    approves(&mut desk, "bob");
    assert_eq!(desk.states(), "a:running b:pending");
}

#[test]
fn who_approves_twice_counts_once() {
    let mut desk = needing(3, false);
    let letter = desk.letter("a");
    desk.tell(Input::Answered(Box::new(letter.clone())));
    // The same message read again changes nothing; another one is refused.
    assert!(desk.tell(Input::Answered(Box::new(letter))).is_empty());
    desk.engine.now += 1;
    let events = approves(&mut desk, "ann");
    let [Event::AnswerRefused { reason, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(reason, "`ann` has approved already, and other people must");
    approves(&mut desk, "bob");
    assert_eq!(desk.states(), "a:waiting b:pending");
    approves(&mut desk, "cid");
    assert_eq!(desk.states(), "a:running b:pending");
}

#[test]
fn the_rejection_of_one_is_enough() {
    let mut desk = needing(3, true);
    approves(&mut desk, "ann");
    // Who started the run may say no.
    desk.answer_with("a", |letter| {
        (letter.by, letter.answer) = (person("starter"), Answer::Reject { reason: None });
    });
    assert_eq!(desk.end(), "failed rejected:a");
}

#[test]
fn who_started_the_run_may_be_excluded() {
    let mut desk = needing(1, true);
    let events = approves(&mut desk, "starter");
    let [Event::AnswerRefused { reason, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(reason, "`starter` started the run, and somebody else must approve");
    approves(&mut desk, "ann");
    assert_eq!(desk.states(), "a:running b:pending");
    let mut desk = needing(1, false);
    approves(&mut desk, "starter");
    assert_eq!(desk.states(), "a:running b:pending", "unless it says so, that person may");
}

#[test]
fn each_of_several_must_have_seen_the_same() {
    let mut desk = needing(2, false);
    approves(&mut desk, "ann");
    let events = desk.answer_with("a", |letter| (letter.by, letter.digest) = (person("bob"), Some("other".into())));
    assert!(matches!(&events[..], [Event::AnswerRefused { .. }]));
    desk.pass(60_000);
    assert_eq!(desk.end(), "failed rejected:a", "too few in time");
}
