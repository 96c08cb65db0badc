//! `deadlines`.

use runbook_core::plan::{Beside, Body, Template};
use runbook_core::units::StepIx;

use crate::load;

/// What is wrong with a deadline `late` beside the steps `a` and `b`, in short.
fn found(deadline: &str, steps: &str) -> Vec<String> {
    let text = format!(
        "schema: runbook/v1\nid: t\ntitle: T\nparams: {{p: {{type: duration, default: 5m}}}}\nsteps:\n  \
         - {{id: a, run: x, outputs: [o]}}\n  - {{id: b, run: x{steps}}}\ndeadlines:\n  - {{id: late, {deadline}}}\n  \
         - {{id: later, after: 9m, steps: [{{id: y, run: x, outputs: [o]}}]}}\n"
    );
    let wrong = load(&text).map_or_else(|wrong| wrong, |loaded| loaded.warnings);
    wrong.iter().map(|one| format!("{} {}", one.code.as_str(), one.message)).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn it_becomes_a_block_beside_the_steps() {
    let text = "schema: runbook/v1\nid: t\ntitle: T\nsteps: [{id: a, run: x}]\nalways: [{id: z, run: x}]\n\
                deadlines: [{id: late, after: 5m, unless: steps.a.succeeded, steps: [{id: x, run: x}, {id: y, run: x}]}]\n";
    let plan = load(text).expect("it is fine").plan;
    plan.check().expect("the engine takes it");
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["a", "late", "x", "y", "z"]);
    let deadline = plan.steps[1].deadline().expect("a deadline");
    assert_eq!(deadline.after, Template::text("5m"));
    assert_eq!(deadline.unless.as_ref().map(|unless| unless.source.as_str()), Some("steps.a.succeeded"));
    assert!(matches!(&plan.steps[1].body, Body::Block { children, .. } if *children == [StepIx(2), StepIx(3)]));
    assert_eq!((&plan.steps[2].beside, &plan.steps[3].beside), (&Some(Beside::Within), &Some(Beside::Within)));
    assert_eq!((&plan.steps[0].beside, &plan.steps[4].beside), (&None, &None));
    assert_eq!(plan.steps[3].needs, [StepIx(2)], "one after the other");
}

#[test]
fn its_time_is_a_duration_or_computed_before_the_start() {
    let after = |after: &str| found(&format!("after: {after}, steps: [{{id: x, run: x}}]"), "");
    assert_eq!(after("'{{ params.p }}'"), NONE);
    assert_eq!(after("5"), ["RB0106 `5` has no unit; write `5s`, `5m` or `5h`"]);
    assert_eq!(after("0s"), ["RB0104 it must be longer than nothing"]);
    assert_eq!(after("'{{ steps.a.exit_code }}'"), ["RB0118 no step has ended when this is evaluated"]);
    assert_eq!(found("steps: [{id: x, run: x}]", ""), ["RB0102 a deadline needs `after`"]);
    assert_eq!(found("after: 5m", ""), ["RB0102 a deadline needs `steps`"]);
    assert_eq!(found("after: 5m, steps: []", ""), ["RB0111 there are no steps in it"]);
    let key = found("after: 5m, steps: [{id: x, run: x}], on_failure: continue", "");
    assert_eq!(key, ["RB0101 unknown key `on_failure`"]);
    assert_eq!(found("after: 5m, steps: [{id: a, run: x}]", ""), ["RB0108 the id `a` is taken"]);
}

#[test]
fn it_reads_of_steps_what_is_known_and_no_step_reads_it() {
    let unless = |unless: &str| found(&format!("after: 5m, unless: {unless}, steps: [{{id: x, run: x}}]"), "");
    assert_eq!(unless("steps.b.succeeded or steps.a.failed"), NONE);
    assert_eq!(unless("steps.a.outputs.o | default('') == 'x'"), NONE);
    assert_eq!(unless("steps.y.succeeded"), NONE, "another deadline");
    assert_eq!(
        unless("steps.a.outputs.o == 'x'"),
        ["RB0120 the output may be missing: a deadline does not wait for `a`"]
    );
    assert_eq!(unless("steps.x.succeeded"), ["RB0118 `x` may not have ended when `late` starts"]);
    let of_other = found("after: 5m, steps: [{id: x, argv: [x, '{{ steps.y.outputs.o }}']}]", "");
    assert_eq!(of_other, ["RB0120 the output may be missing: a deadline does not wait for `y`"]);
    let inside = "after: 5m, steps: [{id: x, run: x, outputs: [o]}, {id: z, argv: [x, '{{ steps.x.outputs.o }}']}]";
    assert_eq!(found(inside, ""), NONE);
    let of_step = found("after: 5m, steps: [{id: x, run: x}]", ", if: steps.x.succeeded");
    assert_eq!(of_step, ["RB0118 `x` belongs to the deadline `late`, which runs beside the steps"]);
}

#[test]
fn nothing_waits_for_it_and_it_for_nothing() {
    let of_step = found("after: 5m, steps: [{id: x, run: x}]", ", needs: [x]");
    assert_eq!(of_step, ["RB0113 `x` runs beside the steps, as a part of `late`"]);
    let of_deadline = found("after: 5m, steps: [{id: x, run: x, needs: [a]}]", "");
    assert_eq!(of_deadline, ["RB0113 `a` does not belong to this deadline"]);
}
