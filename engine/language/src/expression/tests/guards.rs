//! Where a step is known to have succeeded, and where a name may be missing.

use super::super::analyse_expression;

/// The uses of outputs of step `a`: whether guarded by its success, and whether defaulted.
fn uses(text: &str) -> Vec<(bool, bool)> {
    let analysis = analyse_expression(text).unwrap();
    let outputs = analysis.uses.iter().filter(|name| name.path.get(2).is_some_and(|part| part == "outputs"));
    outputs.map(|name| (name.guards.contains("a"), name.defaulted)).collect()
}

#[test]
fn guards_hold_where_the_step_is_known_to_have_succeeded() {
    let output = "steps.a.outputs.x";
    for (text, guarded) in [
        ("OUT", false),
        ("steps.a.succeeded and OUT", true),
        ("OUT and steps.a.succeeded", false),
        ("steps.a.succeeded or OUT", false),
        ("not steps.a.succeeded or OUT", true),
        ("not (not steps.a.succeeded) and OUT", true),
        ("OUT if steps.a.succeeded else 0", true),
        ("0 if steps.a.succeeded else OUT", false),
        ("0 if not steps.a.succeeded else OUT", true),
        ("steps.b.succeeded and steps.a.succeeded and OUT > 1", true),
        ("steps.b.succeeded and OUT", false),
        ("(steps.a.succeeded or params.x) and OUT", false),
        ("(steps.a.succeeded or steps.a.succeeded and params.x) and OUT", true),
        ("(steps.a.succeeded and params.x) and (OUT | trim) == ''", true),
        ("steps.a.failed and OUT", false),
        ("not steps.a.skipped and OUT", false),
        ("steps.a.succeeded | default(false) and OUT", true),
        ("steps.a.succeeded | default(true) and OUT", false),
        ("steps['a'].succeeded and OUT", true),
        ("steps.a.succeeded and [1, {'k': OUT}][params.i] == 1", true),
        ("not (steps.a.succeeded and params.x) or OUT", true),
        ("(not steps.a.succeeded or params.x) and OUT", false),
        ("(not steps.a.succeeded and params.x) or OUT", false),
    ] {
        assert_eq!(uses(&text.replace("OUT", output)), [(guarded, false)], "{text}");
    }
}

#[test]
fn defaults_cover_what_stands_straight_under_them() {
    let output = "steps.a.outputs.x";
    for (text, defaulted) in [
        ("OUT", false),
        ("OUT | default(1)", true),
        ("OUT.deeper['k'] | default(1)", true),
        ("OUT[params.i].z | default(1)", true),
        ("OUT | first | default(1)", false),
        ("OUT | trim | default('')", false),
        ("(OUT ~ 'x') | default('')", false),
        ("params.x | default(OUT)", false),
        ("OUT is defined", true),
        ("OUT is not defined", true),
        ("OUT is undefined", true),
        ("OUT is none", false),
        ("steps.a.outputs is defined and OUT", true),
    ] {
        assert_eq!(uses(&text.replace("OUT", output)).pop(), Some((false, defaulted)), "{text}");
    }
    let behind = [
        ("OUT is defined and OUT == 1", true),
        ("OUT is undefined or OUT == 1", true),
        ("OUT is defined or OUT == 1", false),
    ];
    for (text, defaulted) in behind {
        assert_eq!(uses(&text.replace("OUT", output)), [(false, true), (false, defaulted)], "{text}");
    }
    assert_eq!(uses("steps.a.outputs.y is defined and steps.a.outputs.x"), [(false, true), (false, false)]);
}

#[test]
fn a_condition_says_which_steps_succeeded_if_it_holds() {
    for (text, steps) in [
        ("steps.a.succeeded", &["a"][..]),
        ("steps.a.succeeded and (steps.b.succeeded or params.x)", &["a"]),
        ("steps.a.succeeded and steps.b.succeeded", &["a", "b"]),
        ("steps.a.succeeded or steps.b.succeeded", &[]),
        ("not steps.a.succeeded", &[]),
        ("always()", &[]),
    ] {
        let assured: Vec<String> = analyse_expression(text).unwrap().assures.into_iter().collect();
        assert_eq!(assured, steps, "{text}");
    }
}
