//! `for_each`, as a person sees it: items that run once, in spite of everything.

use std::time::{Duration, Instant};

use crate::kit::Home;

fn said(home: &Home, args: &[&str], code: i32) -> String {
    let output = home.run(args);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    text
}

/// Each item adds its own line, two at once; the seventh fails where `fails` says so.
fn runbook(items: usize, fails: bool) -> String {
    let items: Vec<String> = (1..=items).map(|number| format!("h{number}")).collect();
    let test = if fails { "[ \"$HOST\" != h7 ]" } else { "true" };
    format!(
        "schema: runbook/v1
id: fleet
title: Fleet
params: {{hosts: {{type: list, default: [{}]}}}}
steps:
  - id: restart
    for_each: params.hosts
    as: host
    max_parallel: 2
    max_failures: 10%
    steps:
      - {{id: stop, run: 'echo \"stop $HOST\" >> lines', env: {{HOST: '{{{{ host }}}}'}}}}
      - {{id: begin, run: 'echo \"begin $HOST\" >> lines; {test}', env: {{HOST: '{{{{ host }}}}'}}}}
  - id: report
    run: echo \"failed $FAILED\" >> lines
    env: {{FAILED: '{{{{ steps.restart.outputs.failed }}}}'}}
",
        items.join(", ")
    )
}

#[test]
fn an_engine_killed_in_a_loop_repeats_no_item_and_leaves_none_out() {
    const ITEMS: usize = 20;
    let mut expected: Vec<String> =
        (1..=ITEMS).flat_map(|it| [format!("stop h{it}"), format!("begin h{it}")]).collect();
    expected.push("failed []".to_owned());
    expected.sort();
    for round in 0..4 {
        let home = Home::new();
        home.write("r.yaml", &runbook(ITEMS, false));
        home.kill_engines(1 + round, |_| Some(5 + round));
        let mut lines = home.lines("lines");
        lines.sort();
        assert_eq!(lines, expected, "round {round}");
    }
}

#[test]
fn a_failed_item_is_named_and_the_rest_goes_on() {
    let home = Home::new();
    home.write("r.yaml", &runbook(20, true));
    let text = said(&home, &["exec", "r.yaml", "--output", "plain"], 0);
    for part in ["restart begins, for 20 items", "begin-7 failed", ": 20 items, 1 failed"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    assert_eq!(home.lines("lines").last().map(String::as_str), Some("failed [7]"));
    let shown = said(&home, &["show", "last"], 0);
    assert!(shown.contains("20 of 20 done, 1 failed") && shown.contains("begin-20"), "{shown}");
    let status: serde_json::Value =
        serde_json::from_str(&said(&home, &["status", "last", "--output", "json"], 0)).expect("JSON");
    assert_eq!(status["steps"][0]["each"], serde_json::json!({"items": 20, "done": 20, "failed": 1}));
    // The items stand behind their loop, and before what follows it.
    assert_eq!((&status["steps"][3]["id"], &status["steps"][61]["id"]), (&"begin-1".into(), &"report".into()));
    said(&home, &["logs", "last", "begin-7"], 0);
    said(&home, &["report", "last"], 0);
}

#[test]
fn the_approval_of_a_loop_shows_the_items_and_what_is_done_for_each() {
    let home = Home::new();
    let text = "schema: runbook/v1
id: wipe
title: Wipe
params: {hosts: {type: list, default: [db1, db2]}}
steps:
  - id: wipe
    for_each: params.hosts
    approval: {from: [anyone]}
    argv: [echo, 'wipe {{ item }}']
    rollback: {run: 'echo fill \"$HOST\"', env: {HOST: '{{ item }}'}}
";
    home.write("r.yaml", text);
    let asked = said(&home, &["exec", "r.yaml", "--exit-when-waiting", "--output", "plain"], 6);
    for part in ["repeats for 2 items:", "2. db2", "echo 'wipe ‹item›'", "how it would be undone for each item"] {
        assert!(asked.contains(part), "{part:?} is missing in\n{asked}");
    }
    said(&home, &["approve", "last"], 0);
    let done = said(&home, &["resume", "last", "--output", "plain"], 0);
    assert!(done.contains("wipe-2 succeeded"), "{done}");
}

#[test]
fn a_plan_shows_a_loop_once() {
    let home = Home::new();
    home.write("r.yaml", &runbook(3, false));
    let text = said(&home, &["plan", "r.yaml"], 0);
    insta::assert_snapshot!(&text[text.find("├─ restart").expect("the steps")..]);
    let plan: serde_json::Value =
        serde_json::from_str(&said(&home, &["plan", "r.yaml", "--output", "json"], 0)).expect("JSON");
    assert_eq!(plan["steps"][0]["for_each"]["over"], "params.hosts");
    assert_eq!(plan["steps"][1]["parent"], "restart");
}

/// Ten thousand items: the run, its journal and all views of it stay quick and short.
#[test]
fn ten_thousand_items_are_no_burden() {
    let home = Home::new();
    let list: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let text = format!(
        "schema: runbook/v1
id: many
title: Many
steps:
  - {{id: list, set: {{all: [{}]}}}}
  - id: x
    for_each: steps.list.outputs.all
    assert: [{{that: item != 7777, message: 'it is {{{{ item }}}}'}}]
    max_failures: 1
",
        list.join(", ")
    );
    home.write("r.yaml", &text);
    let started = Instant::now();
    said(&home, &["exec", "r.yaml"], 0);
    let ran = started.elapsed();
    let started = Instant::now();
    let shown = said(&home, &["show", "last"], 0);
    let looked = started.elapsed();
    assert!(shown.lines().count() < 40 && shown.contains("x-7778") && shown.contains("9999 more items"), "{shown}");
    assert!(shown.contains("10000 of 10000 done, 1 failed"), "{shown}");
    // Far more than it takes: what grows with the square of the list would take hours.
    assert!(ran < Duration::from_secs(300) && looked < Duration::from_secs(60), "{ran:?} {looked:?}");
}
