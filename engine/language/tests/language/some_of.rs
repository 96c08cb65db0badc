//! `needs: {any: 2, of: [a, b, c]}`: what may be said, and what may be read then.

use runbook_language::Look;

use crate::load;

fn wrong(steps: &str) -> String {
    let text = format!("schema: runbook/v1\nid: test\ntitle: Test\nsteps:\n{steps}");
    load(&text).map_or_else(|wrong| wrong.to_text(Look::default()), |_| String::new())
}

/// Three steps behind a common one, and a step to which two of the three suffice, which reads.
fn reads(what: &str) -> String {
    let start = |id: &str| format!("  - {{id: {id}, needs: [first], run: x, outputs: [v]}}\n");
    let join = format!(
        "  - {{id: j, needs: {{any: 2, of: [a, b, c]}}, argv: [x, \"{{{{ {what} }}}}\"]}}\n  - {{id: after, run: x}}\n"
    );
    wrong(&format!("  - {{id: first, run: x, outputs: [v]}}\n{}{}{}{join}", start("a"), start("b"), start("c")))
}

#[test]
fn so_many_of_several_steps_suffice() {
    let text = "schema: runbook/v1\nid: test\ntitle: Test\nsteps:\n  - {id: a, run: x}\n  - {id: b, needs: [], run: x}\n  - {id: j, needs: {any: 1, of: [a, b]}, run: x}\n";
    let step = &load(text).expect("valid").plan.steps[2];
    assert_eq!((step.needs.len(), step.needs_any), (2, Some(1)));
}

#[test]
fn what_has_ended_before_all_of_them_has_ended_and_each_of_them_may_not_have() {
    for fine in [
        "steps.first.outputs.v",
        "steps.a.succeeded",
        "steps.a.outputs.v | default('')",
        "steps.a.outputs.v if steps.a.succeeded else steps.b.outputs.v | default('')",
    ] {
        assert_eq!(reads(fine), "", "{fine}");
    }
    insta::assert_snapshot!("reads", reads("steps.a.outputs.v"));
    // What only one of them builds on may not have ended.
    let text = "  - {id: first, run: x}\n  - {id: a, run: x}\n  - {id: b, needs: [], run: x}\n  - {id: j, needs: {any: 1, of: [a, b]}, run: x, if: steps.first.succeeded}\n";
    assert!(wrong(text).contains("`first` may not have ended when `j` starts"), "{}", wrong(text));
    let all = text.replace("any: 1", "any: 2");
    assert_eq!(wrong(&all), "");
}

#[test]
fn what_can_never_be_is_said() {
    let two = "  - {id: a, run: x}\n  - {id: b, needs: [], run: x}\n";
    let needs = [
        "{any: 3, of: [a, b]}",
        "{any: 0, of: [a, b]}",
        "{any: 1, of: []}",
        "{any: 1}",
        "{any: 1, of: [a, c]}",
        "{any: 1, of: [a, j]}",
        "a",
    ];
    let found = needs.map(|needs| wrong(&format!("{two}  - {{id: j, needs: {needs}, run: x}}\n")));
    insta::assert_snapshot!("needs", found.join("\n"));
}
