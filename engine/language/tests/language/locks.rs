//! `locks`.

use runbook_core::plan::{Lock, Template};

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
