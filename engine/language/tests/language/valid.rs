//! What is valid, and the plan that it becomes.

use runbook_core::plan::{OnFailure, OnInterrupt};
use runbook_language::{SourceFile, load_runbook};

use crate::{EVERY_KEY, environment, load};

#[test]
fn every_key_becomes_a_plan() {
    let loaded = load_runbook(&SourceFile::new("every-key.yaml", EVERY_KEY), Some(&environment()))
        .unwrap_or_else(|wrong| panic!("{}", wrong.to_text(Default::default())));
    assert_eq!(loaded.warnings.to_string(), "");
    loaded.plan.check().expect("the engine takes it");
    insta::assert_snapshot!("every_key", serde_json::to_string_pretty(&loaded.plan).expect("a plan has a JSON form"));
}

#[test]
fn line_ends_and_marks_of_other_editors_change_nothing() {
    let plan = |text: &str| load(text).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    let expected = plan(EVERY_KEY);
    assert_eq!(plan(&EVERY_KEY.replace('\n', "\r\n")), expected);
    assert_eq!(plan(&format!("\u{feff}{EVERY_KEY}")), expected);
}

#[test]
fn aliases_repeat_values() {
    let text = "schema: runbook/v1
id: test
title: Test
steps:
  - {id: a, run: x, retry: &often {max_attempts: 3, delay: 2s}}
  - {id: b, run: x, retry: *often}
";
    let plan = load(text).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    assert!(plan.steps[0].retry.is_some());
    assert_eq!(plan.steps[0].retry, plan.steps[1].retry);
}

#[test]
fn what_is_not_written_has_a_default() {
    let text = "schema: runbook/v1
id: test
title: Test
steps:
  - {id: a, run: x, retry: {max_attempts: 2}, until: exit_code == 0, rollback: {run: y}}
  - {id: b, http: {url: 'https://example.org'}}
  - {id: c, http: {url: 'https://example.org', method: POST}}
  - {id: d, argv: [x], needs: []}
";
    let plan = load(text).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    assert_eq!((plan.max_parallel, plan.on_failure, plan.cancel_grace_ms), (16, OnFailure::Stop, 10_000));
    let [a, b, c, d] = plan.steps.as_slice() else { panic!("four steps") };
    assert_eq!(a.title, "a");
    assert_eq!(a.kill_grace_ms, 10_000);
    assert_eq!(
        a.retry.as_ref().map(|retry| (retry.delay_ms, retry.exponential, retry.delay_max_ms)),
        Some((1_000, false, None))
    );
    assert_eq!(a.until.as_ref().map(|until| until.every_ms), Some(5_000));
    assert_eq!(a.rollback.as_ref().map(|undo| (undo.also_failed, undo.on_interrupt)), Some((false, OnInterrupt::Ask)));
    let after = [a, b, c, d].map(|step| step.on_interrupt);
    assert_eq!(after, [OnInterrupt::Ask, OnInterrupt::Rerun, OnInterrupt::Ask, OnInterrupt::Ask]);
    let needs: Vec<usize> = plan.steps.iter().map(|step| step.needs.len()).collect();
    assert_eq!(needs, [0, 1, 1, 0]);
}
