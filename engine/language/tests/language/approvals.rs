//! Approvals that escalate, and environments in which the glass may be broken.

use runbook_language::{Diagnostics, Look, SourceFile, load_environment};

use crate::load;

fn wrong(approval: &str) -> String {
    let step = format!("steps: [{{id: a, run: x, approval: {{from: [anyone], {approval}}}}}]\n");
    let text = format!("schema: runbook/v1\nid: test\ntitle: Test\n{step}");
    load(&text).map_or_else(|wrong| wrong.to_text(Look::default()), |_| String::new())
}

#[test]
fn an_escalation_says_when_and_to_whom() {
    assert_eq!(wrong("timeout: 5m, on_timeout: escalate, escalate_to: [boss, eve]"), "");
    let approvals = [
        "timeout: 5m, on_timeout: escalate",
        "timeout: 5m, escalate_to: [boss]",
        "timeout: 5m, on_timeout: escalate, escalate_to: []",
        "on_timeout: escalate, escalate_to: [boss]",
    ];
    insta::assert_snapshot!("escalations", approvals.map(wrong).join("\n"));
}

#[test]
fn who_may_break_the_glass_is_somebody() {
    let load = |list: &str| {
        let text = format!("schema: environment/v1\nid: test\nbreak_glass: {list}\n");
        let loaded = load_environment(&SourceFile::new("e.yaml", text.as_str()))?;
        crate::agree::accepted(&text);
        Ok::<_, Diagnostics>(loaded)
    };
    let names: Vec<String> =
        load("[boss, eve]").expect("valid").break_glass().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["boss", "eve"]);
    let wrong = ["[]", "['']"].map(|list| load(list).expect_err("nobody").to_text(Look::default()));
    insta::assert_snapshot!("break_glass", wrong.join("\n"));
}
