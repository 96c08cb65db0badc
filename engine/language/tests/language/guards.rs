//! `guards`.

use runbook_core::plan::{Beside, Body, Guard, OnInterrupt, OnTrip};

use crate::load;

/// What is wrong with a guard beside the steps `a` and `b`, in short.
fn found(guard: &str, steps: &str) -> Vec<String> {
    let text = format!(
        "schema: runbook/v1\nid: t\ntitle: T\nparams: {{p: {{type: string, default: x}}}}\nsteps:\n  \
         - {{id: a, run: x, outputs: [o]}}\n  - {{id: b, run: x{steps}}}\nguards:\n  - {{id: g, {guard}}}\n"
    );
    let wrong = load(&text).map_or_else(|wrong| wrong, |loaded| loaded.warnings);
    wrong.iter().map(|one| format!("{} {}", one.code.as_str(), one.message)).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn it_becomes_a_probe_beside_the_steps() {
    let text = "schema: runbook/v1\nid: t\ntitle: T\nsteps: [{id: a, run: x}]\nalways: [{id: z, run: x}]\nguards:\n  \
                - {id: g, argv: [x], trip_if: exit_code != 0, on_trip: stop}\n  \
                - {id: h, http: {url: 'http://h/'}, every: 5s, timeout: 2s, trip_if: response.status != 200, trip_after: 3, on_trip: rollback}\n";
    let plan = load(text).expect("it is fine").plan;
    plan.check().expect("the engine takes it");
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["a", "g", "h", "z"]);
    let first = plan.steps[1].guard().expect("a guard");
    assert_eq!((first.every_ms, first.trip_after, first.on_trip), (30_000, 1, OnTrip::Stop));
    assert_eq!((plan.steps[1].timeout_ms, plan.steps[1].on_interrupt), (Some(10_000), OnInterrupt::Rerun));
    assert!(plan.steps[1].needs.is_empty() && matches!(plan.steps[1].body, Body::Action(_)));
    let Some(Beside::Guard(second)) = &plan.steps[2].beside else { panic!("a guard") };
    let Guard { every_ms, trip_after, on_trip, .. } = **second;
    assert_eq!((every_ms, trip_after, on_trip, plan.steps[2].timeout_ms), (5_000, 3, OnTrip::Rollback, Some(2_000)));
}

#[test]
fn it_has_one_probe_and_says_when_it_trips_and_what_follows() {
    let of = |guard: &str| found(guard, "");
    for on_trip in ["stop", "rollback", "pause"] {
        assert_eq!(of(&format!("run: x, trip_if: exit_code != 0, on_trip: {on_trip}")), NONE);
    }
    assert_eq!(of("trip_if: 'true', on_trip: stop"), ["RB0109 a guard needs an action"]);
    assert_eq!(
        of("run: x, argv: [x], trip_if: exit_code != 0, on_trip: stop"),
        ["RB0109 a guard has one action, and this has `run` and `argv`"]
    );
    assert_eq!(of("run: x, on_trip: stop"), ["RB0102 a guard needs `trip_if`"]);
    assert_eq!(of("run: x, trip_if: exit_code != 0"), ["RB0102 a guard needs `on_trip`"]);
    assert_eq!(of("run: x, trip_if: exit_code != 0, on_trip: retry"), ["RB0104 unknown value `retry`"]);
    assert_eq!(
        of("run: x, every: 500ms, trip_if: exit_code != 0, on_trip: stop"),
        ["RB0104 a guard looks once a second at most"]
    );
    assert_eq!(of("run: x, trip_after: 0, trip_if: exit_code != 0, on_trip: stop").len(), 1);
    assert_eq!(
        of("argv: [x], shell: sh, trip_if: exit_code != 0, on_trip: stop"),
        ["RB0110 `shell` makes no sense with `argv`"]
    );
    assert_eq!(
        of("run: x, retry: {max_attempts: 2}, trip_if: exit_code != 0, on_trip: stop"),
        ["RB0101 unknown key `retry`"]
    );
    assert_eq!(
        found(
            "run: x, trip_if: exit_code != 0, on_trip: stop}\n  - {id: a, run: x, trip_if: 'true', on_trip: stop",
            ""
        ),
        ["RB0108 the id `a` is taken"]
    );
}

#[test]
fn what_trips_it_reads_the_look_and_what_the_steps_came_to() {
    let trip_if = |probe: &str, trip_if: &str| found(&format!("{probe}, trip_if: \"{trip_if}\", on_trip: stop"), "");
    assert_eq!(trip_if("run: x", "exit_code > 1 or stdout | trim == 'bad' or stderr != ''"), NONE);
    assert_eq!(trip_if("http: {url: 'http://h/'}", "response.status != 200"), NONE);
    assert_eq!(trip_if("run: x", "steps.a.succeeded and exit_code != 0"), NONE);
    assert_eq!(trip_if("run: x", "steps.a.outputs.o | default('') == 'x'"), NONE);
    assert_eq!(
        trip_if("run: x", "steps.a.outputs.o == 'x'"),
        ["RB0120 the output may be missing: a guard does not wait for `a`"]
    );
    assert_eq!(trip_if("run: x", "response.status != 200"), ["RB0116 there is no `response` here"]);
    assert_eq!(trip_if("run: x", "steps.g.succeeded").len(), 1);
}

#[test]
fn its_probe_is_computed_when_the_run_begins_and_no_step_reads_it() {
    assert_eq!(found("argv: ['{{ params.p }}'], trip_if: exit_code != 0, on_trip: stop", ""), NONE);
    assert_eq!(
        found("argv: ['{{ steps.a.exit_code }}'], trip_if: exit_code != 0, on_trip: stop", ""),
        ["RB0118 a guard begins with the run: no step has ended when this is computed"]
    );
    let guard = "run: x, trip_if: exit_code != 0, on_trip: stop";
    assert_eq!(found(guard, ", if: steps.g.succeeded"), ["RB0118 `g` is the guard `g`, which runs beside the steps"]);
    assert_eq!(found(guard, ", needs: [g]"), ["RB0113 `g` runs beside the steps, as a part of `g`"]);
}
