//! `locks`.

use runbook_core::plan::{Lock, Template};

use runbook_language::Look;

use crate::load;

fn found(head: &str, step: &str) -> Vec<String> {
    let text = format!(
        "schema: runbook/v1\nid: t\ntitle: T\nparams: {{p: {{type: string, default: x}}}}\n{head}\n\
         steps:\n  - {{id: a, run: x}}\n  - {{id: b, run: x{step}}}\n"
    );
    let wrong = load(&text).map_or_else(|wrong| wrong, |loaded| loaded.warnings);
    wrong.iter().map(|one| format!("{} {}", one.code.as_str(), one.message)).collect()
}

#[test]
fn they_are_names_or_names_with_a_wait() {
    let text = "schema: runbook/v1\nid: t\ntitle: T\nlocks: [one, {name: two, wait: 5m}]\n\
                steps: [{id: a, run: x, locks: [\"{{ run.id }}\"]}]\n";
    let plan = load(text).expect("it is fine").plan;
    let lock = |name: &str, wait_ms| Lock { name: Template::text(name), wait_ms };
    assert_eq!(plan.locks, [lock("one", None), lock("two", Some(300_000))]);
    assert!(matches!(plan.steps[0].locks[0].name, Template::Text(_) | Template::Value(_)));
}

#[test]
fn what_cannot_be_a_lock_is_said_with_its_place() {
    let of_document = |locks: &str| found(&format!("locks: {locks}"), "");
    let of_step = |locks: &str| found("", &format!(", locks: {locks}"));
    let none: [&str; 0] = [];
    assert_eq!(of_document("['a/{{ params.p }}']"), none);
    assert_eq!(of_step("['{{ steps.a.exit_code }}']"), none);
    for of in [&of_document as &dyn Fn(&str) -> Vec<String>, &of_step] {
        assert_eq!(of("[]"), ["RB0111 there are no locks in it"]);
        assert_eq!(of("[a, b, a]"), ["RB0104 the lock `a` is there twice"]);
        assert_eq!(of("['']"), ["RB0104 a lock needs a name"]);
        assert_eq!(of("[{name: a, wait: 0s}]"), ["RB0104 it must be longer than nothing"]);
        assert_eq!(of("[{wait: 5m}]").len(), 1);
        assert_eq!(of("[7]").len(), 1);
        assert_eq!(of("[{name: a, timeout: 5m}]").len(), 1);
    }
    assert_eq!(of_document("['{{ steps.a.exit_code }}']").len(), 1, "a run has no steps yet");
}

/// A block `b` with the steps `c` and `d` in it, beside a step `a` and a block `e` with the step `f`.
fn beside(a: &str, b: &str, d: &str, e: &str) -> Vec<String> {
    let text = format!(
        "schema: runbook/v1\nid: t\ntitle: T\nparallel: true\nparams: {{p: {{type: string, default: x}}}}\nsteps:\n  \
         - {{id: a, run: x{a}}}\n  - id: b\n    {b}\n    steps:\n      - {{id: c, run: x}}\n      \
         - {{id: d, run: x{d}}}\n  - id: e\n    {e}\n    steps: [{{id: f, run: x}}]\n"
    );
    let wrong = load(&text).map_or_else(|wrong| wrong, |loaded| loaded.warnings);
    wrong.iter().map(|one| format!("{} {}", one.code.as_str(), one.message)).collect()
}

#[test]
fn a_lock_that_can_never_be_free_is_found() {
    let wrong = |step: &str, lock: &str| vec![format!("RB0137 `{step}` would wait for the lock `{lock}` for ever")];
    let none: [&str; 0] = [];
    let (x, any) = (", locks: [x]", "if: 'true'");
    // Directly, through another step, as a block, and where the block in the way lies in another.
    assert_eq!(beside(x, "locks: [x]", ", needs: [c, a]", any), wrong("a", "x"));
    assert_eq!(beside(x, "locks: [{name: x, wait: 5m}]", ", needs: [c, e]", "needs: [a]"), wrong("a", "x"));
    assert_eq!(beside("", "locks: [x]", ", needs: [e]", "locks: [x]"), wrong("e", "x"));
    assert_eq!(beside("", "locks: [x]", ", needs: [f]", "locks: [x]"), wrong("e", "x"));
    let same = "\"{{ params.p }}\"";
    let lock = format!("locks: [{same}]");
    assert_eq!(beside(&format!(", {lock}"), &lock, ", needs: [a]", any), wrong("a", "{{ params.p }}"));

    // It comes before the block, or after it; it is another lock, or one that the block does not hold; another may do.
    assert_eq!(beside(x, "needs: [a]\n    locks: [x]", ", needs: [c, a]", any), none);
    assert_eq!(beside(", needs: [b], locks: [x]", "locks: [x]", "", any), none);
    assert_eq!(beside(", locks: [y]", "locks: [x]", ", needs: [c, a]", any), none);
    assert_eq!(beside(x, any, ", needs: [c, a], locks: [x]", any), none);
    assert_eq!(beside(x, "locks: [x]", ", needs: {any: 1, of: [a, e]}", any), none);
    // Nobody knows whether these are one.
    assert_eq!(beside(", locks: [\"{{ params.p }}\"]", "locks: [x]", ", needs: [a]", any), none);
}

#[test]
fn what_is_held_around_both_is_in_nobodys_way() {
    let steps = "steps:\n      - {id: a, run: x, locks: [x]}\n      - id: b\n        needs: []\n        locks: [x]\n        \
                 steps: [{id: c, run: x, needs: [a]}]\n";
    let head = "schema: runbook/v1\nid: t\ntitle: T\n";
    let wrong = |text: &str| load(text).map_or_else(|wrong| wrong.to_text(Look::default()), |_| String::new());
    assert_eq!(wrong(&format!("{head}steps:\n  - id: all\n    locks: [x]\n    {steps}")), "");
    assert_eq!(wrong(&format!("{head}locks: [x]\nsteps:\n  - id: all\n    {steps}")), "");
    insta::assert_snapshot!("never_free", wrong(&format!("{head}steps:\n  - id: all\n    {steps}")));
}
