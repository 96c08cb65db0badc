//! `for_each`: what may be said of a loop, and what is seen in it and of it.

use runbook_core::plan::{Body, FailuresMax, ForEach};
use runbook_language::Look;

use crate::load;

fn runbook(steps: &str) -> String {
    format!(
        "schema: runbook/v1
id: test
title: Test
params: {{hosts: {{type: list, default: [a]}}, name: {{type: string, default: x}}}}
steps:
{steps}"
    )
}

/// The codes of all that is wrong.
fn codes(steps: &str) -> Vec<String> {
    let wrong = load(&runbook(steps)).map_or_else(|wrong| wrong, |loaded| loaded.warnings);
    wrong.iter().map(|one| one.code.as_str().to_owned()).collect()
}

const NONE: [&str; 0] = [];

/// The loop `x` of a runbook.
fn each(steps: &str) -> ForEach {
    let plan = load(&runbook(steps)).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    plan.check().expect("the engine takes it");
    let found = plan.written().into_iter().find_map(|step| match &step.body {
        Body::ForEach(each) if step.id.as_str() == "x" => Some(each.as_ref().clone()),
        _ => None,
    });
    found.expect("a loop")
}

#[test]
fn items_run_one_after_the_other_unless_it_is_said() {
    let width = |more: &str| each(&format!("  - {{id: x, for_each: params.hosts, run: y{more}}}\n")).width;
    assert_eq!(width(""), Some(1));
    assert_eq!(width(", parallel: true"), None);
    assert_eq!(width(", max_parallel: 3"), Some(3));
}

#[test]
fn failures_are_a_number_or_a_percentage() {
    let most = |more: &str| each(&format!("  - {{id: x, for_each: params.hosts, run: y{more}}}\n")).failures_max;
    assert_eq!(most(""), FailuresMax::Count(0));
    assert_eq!(most(", max_failures: 2"), FailuresMax::Count(2));
    assert_eq!(most(", max_failures: 25%"), FailuresMax::Percent(25));
    assert_eq!(FailuresMax::Percent(25).of(7), 1, "rounded down");
    for wrong in ["101%", "-1", "some", "2.5", "%"] {
        let found = codes(&format!("  - {{id: x, for_each: params.hosts, run: y, max_failures: '{wrong}'}}\n"));
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
    }
}

#[test]
fn what_is_said_of_the_whole_stays_with_the_loop_and_the_rest_with_an_item() {
    let each = each(
        "  - {id: first, run: y}
  - id: x
    for_each: params.hosts
    if: params.name == 'x'
    approval: {from: [ops]}
    on_failure: continue
    run: y
    env: {HOST: '{{ item }}'}
    retry: {max_attempts: 2}
    locks: ['host/{{ item }}']
    rollback: {run: z}
",
    );
    let [root] = each.body.as_slice() else { panic!("one step") };
    assert!(root.retry.is_some() && root.rollback.is_some() && root.locks.len() == 1);
    assert!(root.needs.is_empty() && root.condition.is_none() && root.approval.is_none() && !root.continue_on_failure);
}

#[test]
fn the_names_of_an_item_exist_in_all_that_is_about_one_item() {
    let with = |key: &str| codes(&format!("  - {{id: x, for_each: params.hosts, run: y, {key}}}\n"));
    assert_eq!(with("env: {A: '{{ item }}{{ index }}'}"), NONE);
    assert_eq!(with("rollback: {run: z, env: {A: '{{ item }}'}}"), NONE);
    assert_eq!(with("as: host, env: {A: '{{ host }}'}"), NONE);
    assert_eq!(with("as: host, env: {A: '{{ item }}'}"), ["RB0116"]);
    // What is asked once knows no item.
    assert_eq!(with("if: item == 1"), ["RB0116"]);
    assert_eq!(with("approval: {from: [ops], message: '{{ item }}'}"), ["RB0116"]);
    assert_eq!(codes("  - {id: x, run: y, env: {A: '{{ item }}'}}\n"), ["RB0116"]);
    assert_eq!(codes("  - {id: x, for_each: item, run: y}\n"), ["RB0116"]);
}

#[test]
fn names_that_are_taken_are_refused() {
    for name in ["params", "steps", "index", "outputs", "failure"] {
        let found = codes(&format!("  - {{id: x, for_each: params.hosts, as: {name}, run: y}}\n"));
        assert_eq!(found, ["RB0104"], "{name}");
    }
    let nested = |outer: &str| {
        codes(&format!(
            "  - {{id: o, for_each: params.hosts{outer}, steps: [{{id: x, for_each: params.hosts, run: y}}]}}\n"
        ))
    };
    assert_eq!(nested(""), ["RB0104"]);
    assert_eq!(nested(", as: host"), NONE);
}

#[test]
fn steps_in_a_loop_are_not_seen_from_outside() {
    let around = |needs: &str, reads: &str| {
        codes(&format!(
            "  - id: o
    for_each: params.hosts
    steps: [{{id: a, run: y, outputs: [v]}}, {{id: b, run: y, env: {{V: '{{{{ steps.a.outputs.v }}}}'}}}}]
  - {{id: z, run: y{needs}, env: {{V: '{{{{ {reads} }}}}'}}}}
"
        ))
    };
    assert_eq!(around("", "steps.o.outputs.results"), NONE);
    assert_eq!(around("", "steps.o.outputs.failed"), NONE);
    assert_eq!(around("", "steps.o.outputs.v"), ["RB0119"]);
    assert_eq!(around("", "steps.a.outputs.v"), ["RB0118"]);
    assert_eq!(around(", needs: [a]", "params.name"), ["RB0113"]);
    assert_eq!(around(", needs: [o]", "params.name"), NONE);
    let inwards = "  - {id: f, run: y}\n  - {id: o, for_each: params.hosts, steps: [{id: a, needs: [f], run: y}]}\n";
    assert_eq!(codes(inwards), ["RB0113"]);
    // What ended before the loop can be read in it.
    let reads = "  - {id: f, run: y, outputs: [v]}
  - {id: o, for_each: params.hosts, run: y, env: {V: '{{ steps.f.outputs.v }}'}}
";
    assert_eq!(codes(reads), NONE);
}

#[test]
fn what_is_known_to_be_no_list_is_refused() {
    assert_eq!(codes("  - {id: x, for_each: params.name, run: y}\n"), ["RB0103"]);
    assert_eq!(codes("  - {id: x, run: y, max_failures: 1}\n"), ["RB0110"]);
    assert_eq!(codes("  - {id: x, run: y, as: host, max_parallel: 2}\n"), ["RB0110", "RB0110"]);
}

#[test]
fn the_words_about_loops() {
    let steps = "  - id: o
    for_each: params.name
    if: item == 'a'
    as: index
    max_failures: 120%
    steps: [{id: a, run: y, outputs: [v]}]
  - {id: z, run: y, needs: [a], env: {V: '{{ steps.a.outputs.v }}'}, max_parallel: 3}
";
    let wrong = load(&runbook(steps)).expect_err("mistakes");
    insta::assert_snapshot!("loops", wrong.to_text(Look::default()));
}
