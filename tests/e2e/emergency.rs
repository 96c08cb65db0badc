//! An approval that nobody gives: it is escalated, or somebody breaks the glass, and nobody overlooks that.

use std::process::Output;

use crate::kit::{Home, end_of, wait_for};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn runbook(approval: &str) -> String {
    format!(
        "schema: runbook/v1\nid: careful\ntitle: Careful\nsteps:\n  - id: act\n    run: echo ran >> lines\n    \
         approval: {{{approval}}}\n"
    )
}

fn environment(break_glass: &str) -> String {
    format!("schema: environment/v1\nid: site\ntitle: Site\nroles: {{boss: [anyone]}}\n{break_glass}\n")
}

#[test]
fn breaking_the_glass_is_allowed_by_the_environment_alone_and_told_everywhere() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("runbooks/environments")).expect("a folder");
    home.write("r.yaml", &runbook("from: [nobody_here], min: 2, exclude_initiator: true"));
    home.write("runbook.toml", "environment = \"site\"\n");
    home.write("runbooks/environments/site.yaml", &environment(""));
    let refused = home.run(&["exec", "r.yaml"]);
    assert_eq!(refused.status.code(), Some(4), "nobody could answer: {}", said(&refused));

    home.write("runbooks/environments/site.yaml", &environment("break_glass: [boss]"));
    let plan = said(&home.run(&["plan", "r.yaml"]));
    assert!(plan.contains("by boss alone (--break-glass)"), "{plan}");
    let left = home.run(&["exec", "r.yaml", "--exit-when-waiting"]);
    assert_eq!(left.status.code(), Some(6), "{}", said(&left));
    // Never without saying so, nor without a reason.
    let plain = home.run(&["approve", "last", "act"]);
    assert!(said(&plain).contains("nobody_here"), "{}", said(&plain));
    let without = home.run(&["approve", "last", "act", "--break-glass"]);
    assert_eq!(without.status.code(), Some(64), "{}", said(&without));
    std::fs::read_dir(home.run_folder().expect("a run").join("inbox")).expect("the inbox").flatten().for_each(|file| {
        std::fs::remove_file(file.path()).expect("the plain approval is taken back");
    });
    let broken = home.run(&["approve", "last", "act", "--break-glass", "--reason", "the site burns"]);
    assert_eq!(broken.status.code(), Some(0), "{}", said(&broken));
    assert!(home.lines("lines").is_empty());
    let resumed = home.run(&["resume", "last", "--output", "plain"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", said(&resumed));
    assert_eq!(home.lines("lines"), ["ran"]);

    let loud = "BREAK GLASS";
    for args in [&["show", "last"][..], &["report", "last"], &["audit", "--since", "1d"]] {
        let said = said(&home.run(args));
        assert!(said.contains(loud) && said.contains("the site burns"), "{args:?}: {said}");
    }
    assert!(said(&resumed).contains(loud), "{}", said(&resumed));
}

#[test]
fn without_a_word_of_the_environment_there_is_no_glass_to_break() {
    let home = Home::new();
    home.write("r.yaml", &runbook("from: [anyone]"));
    assert_eq!(home.run(&["exec", "r.yaml", "--exit-when-waiting"]).status.code(), Some(6));
    let refused = home.run(&["approve", "last", "--break-glass", "--reason", "in a hurry"]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("nobody may break the glass in this environment"), "{}", said(&refused));
    assert!(said(&refused).contains("break_glass: [ROLE]"), "{}", said(&refused));
}

#[test]
fn an_approval_that_nobody_gives_is_escalated_and_answered_by_those_named() {
    let home = Home::new();
    home.write("r.yaml", &runbook("from: [nobody_here], timeout: 2s, on_timeout: escalate, escalate_to: [anyone]"));
    let mut engine = home.start(&["exec", "r.yaml"]);
    let escalated =
        || home.run_folder().is_some().then(|| home.run(&["status", "last", "--output", "json"])).map(|it| said(&it));
    wait_for("the escalation", || {
        escalated().filter(|text| text.contains("\"escalated\":true") || text.contains("\"escalated\": true"))
    });
    let shown = said(&home.run(&["status", "last"]));
    assert!(shown.contains("ESCALATED"), "{shown}");
    let answer = home.run(&["approve", "last", "act"]);
    assert_eq!(answer.status.code(), Some(0), "{}", said(&answer));
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("lines"), ["ran"]);
    let told = said(&home.run(&["report", "last"]));
    assert!(told.contains("escalated"), "{told}");
}
