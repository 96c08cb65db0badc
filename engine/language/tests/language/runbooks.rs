//! Runbooks that run other runbooks: what is checked across files, and where it is said.

use std::collections::BTreeMap;

use runbook_core::plan::{Action, Body, Plan};
use runbook_language::{Diagnostics, FoundPlugin, Library, Look, Missing, NoLibrary, SourceFile, load_runbook_with};

/// Files by name; a step names a file without its ending.
struct Shelf(BTreeMap<&'static str, String>);

impl Library for Shelf {
    fn find(&self, name: &str, _: &SourceFile) -> Result<SourceFile, Missing> {
        let text = self.0.get(name).ok_or_else(|| Missing { message: format!("no `{name}`"), help: None })?;
        Ok(SourceFile::new(format!("{name}.yaml"), text.clone()))
    }

    fn plugin(&self, name: &str, from: &SourceFile) -> Result<FoundPlugin, Missing> {
        NoLibrary.plugin(name, from)
    }
}

fn book(id: &str, body: &str) -> String {
    format!("schema: runbook/v1\nid: {id}\ntitle: T\n{body}\n")
}

const RESTART: &str = "params:
  service: {type: string, required: true}
  tries: {type: integer, default: 3}
  size: {type: string, enum: [small, large]}
  grace: {type: duration}
steps: [{id: a, run: x, outputs: [made]}]
outputs: {made: '{{ steps.a.outputs.made }}'}";

/// Loads the first of these files, each with what follows its head.
fn load(files: &[(&'static str, &str)]) -> Result<Plan, Diagnostics> {
    let shelf = Shelf(files.iter().map(|(name, body)| (*name, book(name, body))).collect());
    let (first, _) = files[0];
    let file = SourceFile::new(format!("{first}.yaml"), shelf.0[first].clone());
    load_runbook_with(&file, None, &shelf).map(|loaded| {
        crate::agree::accepted(file.text());
        loaded.plan.check().expect("the engine takes it");
        loaded.plan
    })
}

/// `file line text code` of all that is wrong.
fn found(files: &[(&'static str, &str)]) -> Vec<String> {
    let Err(found) = load(files) else { return vec![] };
    found.to_json().iter().map(|one| format!("{} {} {} {}", one.file, one.line, one.text, one.code)).collect()
}

fn with(step: &str) -> Vec<String> {
    found(&[("outer", &format!("steps:\n  - {{id: b, runbook: restart{step}}}")), ("restart", RESTART)])
}

#[test]
fn params_are_held_against_those_of_the_other_runbook() {
    let none: [&str; 0] = [];
    assert_eq!(with(", with: {service: engine, tries: 2, size: small, grace: 5m}"), none);
    assert_eq!(with(", with: {service: \"{{ run.id }}\", tries: \"{{ run.id }}\"}"), none, "known only in the run");
    assert_eq!(with(""), ["outer.yaml 5 restart RB0155"]);
    assert_eq!(with(", with: {service: engine, servce: x}"), ["outer.yaml 5 servce RB0155"]);
    assert_eq!(with(", with: {service: 5}"), ["outer.yaml 5 5 RB0131"]);
    assert_eq!(with(", with: {service: engine, tries: many}"), ["outer.yaml 5 many RB0131"]);
    assert_eq!(with(", with: {service: engine, size: medium}"), ["outer.yaml 5 medium RB0131"]);
    assert_eq!(with(", with: {service: engine, grace: 5}"), ["outer.yaml 5 5 RB0131"]);
    assert_eq!(with(", with: {service: \"{{ params.nope }}\"}").len(), 1);
}

#[test]
fn keys_that_mean_nothing_for_a_child_run_are_refused() {
    let fine =
        ", with: {service: x}, timeout: 5m, retry: {max_attempts: 2}, approval: {from: [anyone]}, rollback: {run: y}";
    assert_eq!(with(fine), [""; 0]);
    for wrong in ["on_interrupt: rerun", "read_only: true", "until: 'true'", "outputs: [made]", "env: {A: b}", "dir: /"]
    {
        assert_eq!(with(&format!(", with: {{service: x}}, {wrong}")).len(), 1, "{wrong}");
    }
    assert_eq!(found(&[("outer", "steps:\n  - {id: b, run: x, with: {service: y}}")]), ["outer.yaml 5 with RB0110"]);
}

#[test]
fn only_what_the_other_runbook_hands_on_can_be_read() {
    let read = |what: &str| {
        let outer = format!(
            "steps:\n  - {{id: b, runbook: restart, with: {{service: x}}}}\n  - {{id: c, argv: [echo, '{{{{ {what} }}}}']}}"
        );
        found(&[("outer", &outer), ("restart", RESTART)])
    };
    assert_eq!(read("steps.b.outputs.made"), [""; 0]);
    assert_eq!(read("steps.b.exit_code"), [""; 0]);
    assert_eq!(read("steps.b.outputs.mde"), ["outer.yaml 6 steps.b.outputs.mde RB0119"]);
}

#[test]
fn what_a_runbook_hands_on_is_there_when_it_has_succeeded() {
    let outputs = |step: &str| {
        let body = format!(
            "steps:\n  - {{id: a, run: x, outputs: [made]{step}}}\noutputs: {{made: '{{{{ steps.a.outputs.made }}}}'}}"
        );
        found(&[("outer", &body)])
    };
    assert_eq!(outputs(""), [""; 0]);
    for step in [", if: 1 == 1", ", on_failure: continue"] {
        assert_eq!(outputs(step), ["outer.yaml 6 steps.a.outputs.made RB0120"], "{step}");
    }
    let unknown = "steps: [{id: a, run: x}]\noutputs: {made: '{{ steps.b.outputs.made }}', Bad: 1}";
    assert_eq!(found(&[("outer", unknown)]), ["outer.yaml 5 steps.b.outputs.made RB0117", "outer.yaml 5 Bad RB0107"]);
}

#[test]
fn mistakes_of_another_file_are_reported_with_that_file_and_once() {
    let twice = "steps:\n  - {id: b, runbook: inner}\n  - {id: c, runbook: inner}";
    let inner = "steps:\n  - {id: a, rn: x}";
    assert_eq!(
        found(&[("outer", twice), ("inner", inner)]),
        [
            "outer.yaml 5 inner RB0152",
            "outer.yaml 6 inner RB0152",
            "inner.yaml 5 {id: a, rn: x} RB0109",
            "inner.yaml 5 rn RB0101",
        ]
    );
}

#[test]
fn a_way_back_to_itself_is_named() {
    let files = [
        ("outer", "steps:\n  - {id: b, runbook: middle}"),
        ("middle", "steps:\n  - {id: b, runbook: inner}"),
        ("inner", "steps:\n  - {id: b, runbook: outer}"),
    ];
    let wrong = load(&files).expect_err("it never ends");
    insta::assert_snapshot!("recursion", wrong.to_text(Look::default()));
    // Also where the outermost is none of them.
    let files = [("start", "steps:\n  - {id: b, runbook: outer}"), files[0], files[1], files[2]];
    let wrong = load(&files).expect_err("it never ends");
    let circle = wrong.iter().find(|one| one.code.as_str() == "RB0153").expect("a circle");
    assert_eq!(circle.message, "this runbook would run itself: outer -> middle -> inner -> outer");
}

#[test]
fn ten_levels_are_fine_and_eleven_are_too_deep() {
    const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let chain = |names: &[&'static str]| {
        let body = |at: usize| match names.get(at + 1) {
            Some(next) => format!("steps:\n  - {{id: s, runbook: {next}}}"),
            None => "steps:\n  - {id: s, run: x}".to_owned(),
        };
        let bodies: Vec<String> = (0..names.len()).map(body).collect();
        let files: Vec<(&'static str, &str)> = names.iter().copied().zip(bodies.iter().map(String::as_str)).collect();
        found(&files)
    };
    assert_eq!(chain(&NAMES[..11]), [""; 0]);
    assert_eq!(chain(&NAMES), ["a.yaml 5 b RB0154"]);
}

#[test]
fn a_runbook_that_many_name_is_in_the_plan_once() {
    let body = |next: &str| format!("steps:\n  - {{id: s, runbook: {next}}}\n  - {{id: t, runbook: {next}}}");
    let files = [("a", body("b")), ("b", body("c")), ("c", body("d")), ("d", "steps:\n  - {id: s, run: x}".to_owned())];
    let files: Vec<(&'static str, &str)> = files.iter().map(|(name, body)| (*name, body.as_str())).collect();
    let plan = load(&files).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(plan.runbooks.len(), 3);
    let call = plan.calls().next().expect("a call");
    let child = plan.child(&call.plan).expect("its plan");
    assert_eq!((child.about.id.as_str(), child.runbooks.len()), ("b", 2));
    child.check().expect("it stands for itself");
    assert!(matches!(child.steps[0].body, Body::Action(_)));
}

#[test]
fn a_child_run_is_undone_by_rolling_it_back_unless_something_else_is_written() {
    let undo_of = |step: &str, always: bool, child: &str| -> Option<bool> {
        let step = format!("  - {{id: s, runbook: child{step}}}\n");
        let body = match always {
            false => format!("steps:\n{step}"),
            true => format!("steps:\n  - {{id: a, run: x}}\nalways:\n{step}"),
        };
        let none = "steps: [{id: a, run: x}]";
        let plan = load(&[
            ("outer", &body),
            ("child", child),
            ("none", none),
            ("some", "steps: [{id: a, run: x, rollback: {run: y}}]"),
        ]);
        let plan = plan.unwrap_or_else(|wrong| panic!("{wrong}"));
        let undo = plan.step(plan.find("s").expect("a step")).rollback.clone();
        undo.map(|undo| undo.action == Action::UndoRunbook && undo.also_failed)
    };
    let undoable = "steps: [{id: a, run: x, rollback: {run: y}}]";
    for (step, always, child, expected) in [
        ("", false, undoable, Some(true)),
        // That it cannot be undone is found out by its rollback, too.
        ("", false, "steps: [{id: a, run: x, irreversible: true}]", Some(true)),
        ("", false, "steps: [{id: a, runbook: some}]", Some(true)),
        // Nothing in it could be undone.
        ("", false, "steps: [{id: a, run: x}]", None),
        ("", false, "steps: [{id: a, runbook: none}]", None),
        // The step says something else.
        (", rollback: {run: z}", false, undoable, Some(false)),
        (", irreversible: true", false, undoable, None),
        // What `always` does is never undone.
        ("", true, undoable, None),
    ] {
        assert_eq!(undo_of(step, always, child), expected, "{step} {always} {child}");
    }
}
