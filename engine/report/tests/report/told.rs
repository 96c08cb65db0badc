//! What a report tells, as data.

use runbook_core::input::Answer;
use runbook_report::Report;

use crate::kit::{Fate, Sim};

pub(crate) const DEPLOY: &str = "schema: runbook/v1
id: deploy
title: Deploy a version
severity: P1
tags: [change]
sla: {acknowledge: 2m, install: 1m, resolve: 10m, review: 1h}
on_failure: rollback
params:
  target: {type: string}
steps:
  - {id: prepare, run: ./prepare, outputs: [image], rollback: {run: ./clean}}
  - id: install
    run: ./install
    approval: {from: [operators], timeout: 10m, message: \"May | it <go>?\"}
    retry: {max_attempts: 3, delay: 5s}
    rollback: {run: ./install --previous}
  - {id: mail, run: ./mail, irreversible: true}
  - {id: weekend, if: params.target == 'weekend', run: ./weekend}
  - {id: verify, run: ./verify}
  - {id: announce, run: ./announce}
always:
  - {id: note, run: ./note}
";

pub(crate) fn approve() -> Answer {
    Answer::Approve { reason: Some("looks | good".to_owned()) }
}

/// Approved after 70 s, installed at the second attempt, verified in vain, undone as far as that goes.
pub(crate) fn rolled_back() -> Sim {
    Sim::new(DEPLOY)
        .fate("prepare.1", Fate::Hands(1_500, "image", serde_json::json!("v<2> | `tick`")))
        .fate("install.1", Fate::Ends(2_000, 3))
        .fate("verify.1", Fate::Ends(1_000, 1))
        .answer("approve:install", 70_000, approve())
        .ended()
}

fn what(report: &Report) -> Vec<&str> {
    report.timeline.iter().map(|entry| entry.what.as_str()).collect()
}

fn target(report: &Report, name: &str) -> (Option<u64>, Option<bool>) {
    let found = report.targets.iter().find(|target| target.name == name).expect("a target");
    (found.took_ms, found.is_met)
}

#[test]
fn everything_that_was_decided_is_in_the_timeline() {
    let report = rolled_back().report();
    insta::assert_snapshot!(what(&report).join("\n"));
    let people: Vec<_> =
        report.timeline.iter().filter_map(|entry| Some((&*entry.what, &*entry.by.as_ref()?.name))).collect();
    assert_eq!(people, [("run of `deploy` started", "mia"), ("`install` approved by ann: looks | good", "ann")]);
    assert_eq!(report.timeline[0].at, "2025-11-14T09:13:20.000Z");
}

#[test]
fn targets_count_from_the_start_to_what_reaches_them() {
    let report = rolled_back().report();
    // The first answer of a person: 1.5 s of `prepare`, then 70 s of thought.
    assert_eq!(target(&report, "acknowledge"), (Some(71_500), Some(true)));
    // The end of the step by that name: two attempts with a pause.
    assert_eq!(target(&report, "install"), (Some(71_500 + 2_000 + 5_000 + 1_000), Some(false)));
    // What is rolled back has resolved nothing.
    assert_eq!(target(&report, "resolve"), (None, Some(false)));
    // No step has that name: nothing can be said.
    assert_eq!(target(&report, "review"), (None, None));
}

#[test]
fn a_run_that_is_not_over_has_open_targets_until_they_are_missed() {
    // Nobody answers the question, which is open for ten minutes.
    let mut sim = Sim::new(DEPLOY);
    sim = sim.fate("prepare.1", Fate::Hands(1_500, "image", serde_json::json!("v2")));
    let sim = sim.stop_at_question();
    let report = sim.report();
    assert_eq!((report.ending.is_over, report.ending.state.as_str()), (false, "waiting"));
    assert_eq!(target(&report, "acknowledge"), (None, None), "61.5 s of 2 m");
    assert_eq!(target(&report, "install"), (None, Some(false)), "61.5 s of 1 m");
    assert_eq!(report.questions[0].outcome, "open");
    assert!(report.summary.contains("It is not over: after 1m 01s it is waiting."), "{}", report.summary);
}

#[test]
fn success_resolves_and_a_cancelled_run_names_who() {
    let sim = Sim::new(DEPLOY).fate("prepare.1", Fate::Hands(1, "image", serde_json::json!("v2")));
    let report = sim.answer("approve:install", 1_000, approve()).ended().report();
    assert_eq!(report.ending.state, "succeeded");
    assert_eq!(target(&report, "resolve"), (Some(report.ending.took_ms), Some(true)));
    assert_eq!(report.rollback, None);

    let mut sim = Sim::new(DEPLOY).fate("prepare.1", Fate::Hands(1, "image", serde_json::json!("v2")));
    sim.cancel_at = Some("mail");
    let report = sim.answer("approve:install", 1_000, approve()).ended().report();
    assert_eq!(report.ending.cause.as_deref(), Some("cancelled by tom"));
    assert!(what(&report).contains(&"the run is cancelled"), "{:?}", what(&report));
}

#[test]
fn failed_attempts_have_their_reasons_and_the_ends_of_their_logs() {
    let report = rolled_back().report();
    let failed: Vec<_> =
        report.failed_attempts.iter().map(|one| (&*one.attempt, &*one.why, one.log.is_some())).collect();
    assert_eq!(failed, [("install.1", "exit code 3", true), ("verify.1", "exit code 1", false)]);
}

#[test]
fn what_was_undone_and_what_could_not_be_is_told() {
    let way = rolled_back().report().rollback.expect("a rollback");
    assert_eq!(way.undone, ["install", "prepare"], "dependents first");
    assert_eq!(way.irreversible, ["mail"]);

    let stuck = Sim::new(DEPLOY)
        .fate("prepare.1", Fate::Hands(1, "image", serde_json::json!("v2")))
        .fate("install.undo.1", Fate::Ends(10, 9))
        .fate("verify.1", Fate::Ends(10, 1))
        .answer("approve:install", 1_000, approve())
        .ended()
        .report();
    let way = stuck.rollback.expect("a rollback");
    assert_eq!((way.undone.len(), way.failed, way.left), (0, vec!["install".to_owned()], vec!["prepare".to_owned()]));
    assert_eq!(stuck.ending.state, "stuck");
    assert!(stuck.failed_attempts.iter().any(|one| one.attempt == "install.undo.1" && one.is_undo));
}

#[test]
fn an_interruption_is_told_with_its_answer() {
    let report = Sim::new(DEPLOY)
        .fate("prepare.1", Fate::Lost)
        .answer("interrupt:prepare.1", 30_000, Answer::RunAgain { reason: Some("it left nothing".to_owned()) })
        .fate("prepare.2", Fate::Hands(1, "image", serde_json::json!("v2")))
        .answer("approve:install", 1_000, approve())
        .ended()
        .report();
    let question = &report.questions[0];
    assert_eq!((&*question.kind, &*question.outcome, question.took_ms), ("interrupted", "run again", Some(30_000)));
    assert_eq!(question.answers[0].reason.as_deref(), Some("it left nothing"));
    assert!(report.failed_attempts[0].is_interrupted, "{:?}", report.failed_attempts);
    let told = what(&report);
    assert!(told.contains(&"`prepare` is to run again: it left nothing"), "{told:?}");
    assert!(told.contains(&"attempt 2 of `prepare` starts"), "{told:?}");
}

#[test]
fn approvals_say_who_could_who_did_and_how_long_it_took() {
    let report = rolled_back().report();
    let question = &report.questions[0];
    assert_eq!((&*question.kind, &*question.outcome, question.took_ms), ("approval", "approved", Some(70_000)));
    assert_eq!(
        (question.from.join(","), question.answers[0].roles.join(",")),
        ("operators".into(), "anyone,operators".into())
    );
    assert_eq!(question.digest.as_ref().map(String::len), Some(64));
    let late = Sim::new(DEPLOY).fate("prepare.1", Fate::Hands(1, "image", serde_json::json!("v2"))).ended().report();
    assert_eq!((&*late.questions[0].outcome, late.ending.exit_code), ("expired", Some(7)));
    assert!(late.summary.contains("1 question expired."), "{}", late.summary);
}
