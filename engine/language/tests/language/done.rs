//! `done_when`: where it may stand, and what may be read of a step that may be done already.

use runbook_core::plan::{DoneWhen, Step};
use runbook_language::Look;

use crate::load;

fn runbook(steps: &str) -> String {
    format!("schema: runbook/v1\nid: test\ntitle: Test\nsteps:\n{steps}")
}

fn wrong(steps: &str) -> String {
    load(&runbook(steps)).map_or_else(|wrong| wrong.to_text(Look::default()), |_| String::new())
}

fn first(steps: &str) -> Step {
    load(&runbook(steps)).expect("valid").plan.steps.remove(0)
}

#[test]
fn it_is_an_expression_or_a_script_that_looks() {
    let step = first("  - {id: a, run: x, done_when: \"environment.x == 1\"}\n");
    assert!(matches!(step.done_when, Some(DoneWhen::Holds(it)) if it.source == "environment.x == 1"));
    let step = first("  - {id: a, manual: x, done_when: {run: look, shell: sh, timeout: 5s, env: {A: b}}}\n");
    let probe = step.probe().expect("a probe");
    assert_eq!((probe.timeout_ms, probe.kill_grace_ms), (5_000, 10_000));
    let step = first("  - {id: a, argv: [x], done_when: {run: look}}\n");
    assert_eq!(step.probe().expect("a probe").timeout_ms, 60_000);
    // In a loop it is about one item.
    let step = first("  - {id: a, for_each: '[1, 2]', run: x, done_when: item == 1}\n");
    assert!(step.done_when.is_none());
}

#[test]
fn what_cannot_be_done_when_is_said() {
    let steps = [
        "  - {id: a, wait: 5s, done_when: 'true'}\n",
        "  - {id: a, steps: [{id: b, run: x}], done_when: 'true'}\n",
        "  - {id: a, run: x, done_when: {http: y}}\n",
        "  - {id: a, run: x, done_when: {run: '', timeout: 0s}}\n",
        "  - {id: a, run: x, done_when: [y]}\n",
        "  - {id: a, run: x, done_when: exit_code == 0}\n",
        "  - {id: a, run: x, done_when: failure()}\n",
    ];
    insta::assert_snapshot!("done_when", steps.map(wrong).join("\n"));
}

#[test]
fn an_output_that_needs_an_attempt_may_be_missing() {
    let reads = |outputs: &str, done_when: &str, read: &str| {
        wrong(&format!(
            "  - {{id: a, run: x, outputs: {outputs}, done_when: {done_when}}}\n  - {{id: b, argv: [x, \"{{{{ {read} }}}}\"]}}\n"
        ))
    };
    let (holds, script) = ("'true'", "{run: look}");
    let plain = "steps.a.outputs.v";
    for (outputs, done_when, read) in [
        ("[v]", script, plain),
        ("{v: '{{ outputs.v }}'}", script, plain),
        ("{v: '{{ params }}'}", holds, plain),
        ("{v: fixed}", holds, plain),
        ("{v: \"{{ stdout | default('') }}\"}", holds, plain),
        ("[v]", holds, "steps.a.outputs.v | default('')"),
        ("{v: '{{ stdout }}'}", script, "steps.a.outputs.v | default('')"),
    ] {
        assert_eq!(reads(outputs, done_when, read), "", "{outputs} {done_when} {read}");
    }
    let found = [
        reads("[v]", holds, plain),
        reads("{v: '{{ stdout }}'}", script, plain),
        reads("{v: {w: ['{{ exit_code }}']}}", script, "steps.a.outputs.v if steps.a.succeeded else ''"),
    ];
    insta::assert_snapshot!("outputs_when_done", found.join("\n"));
}
