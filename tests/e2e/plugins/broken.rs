//! Plugins that do not do what they should: the step fails and says why, and the engine goes on.

use super::{home, text};
use crate::kit::{end_of, wait_for};

const YAML: &str = "schema: plugin/v1
id: odd
title: Odd
outputs: {type: object, properties: {n: {type: integer}}}
argv: [./odd.sh]
";

const HELLO: &str = "#!/bin/bash\necho '{\"type\":\"hello\",\"protocol\":1}'\nread -r call\n[[ $call =~ \\\"id\\\":\\\"([^\\\"]*)\\\" ]]; id=${BASH_REMATCH[1]}\n";

fn runbook(more: &str) -> String {
    format!(
        "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  - {{id: a, uses: odd{more}}}\nalways:\n  - {{id: z, run: echo z >> lines}}\n"
    )
}

/// What the record says of a call of such a plugin.
fn failure(program: &str, more: &str) -> String {
    let home = home("odd", YAML, program);
    home.write("r.yaml", &runbook(more));
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    // Whatever it did, the rest was done.
    assert_eq!(home.lines("lines"), ["z"]);
    home.wait_until_nothing_is_left();
    home.status()["steps"][0]["detail"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_way_to_break_the_protocol_is_a_clear_failure_of_the_step() {
    let answer = |line: &str| format!("{HELLO}echo \"{}\"\n", line.replace('"', "\\\""));
    let cases = [
        ("#!/bin/bash\nexit 3\n".to_owned(), "the plugin ended without an answer (exit code 3)"),
        ("#!/bin/bash\nkill -9 $$\n".to_owned(), "the plugin ended without an answer (signal 9)"),
        ("#!/bin/bash\necho Traceback: it broke\n".to_owned(), "no message of the protocol: `Traceback: it broke"),
        ("#!/bin/bash\necho '{\"type\":\"hello\",\"protocol\":9}'\n".to_owned(), "speaks version 9 of the protocol"),
        (
            answer(r#"{"type":"result","id":"other.1","outputs":{}}"#),
            "answered the call `other.1`, and was asked `a.1`",
        ),
        (answer(r#"{"type":"result","id":"$id","outputs":{"n":"x"}}"#), "`n` is text, which is not `integer`"),
        (answer(r#"{"type":"result","id":"$id","outputs":{"m":1}}"#), "has `m`, which does not belong there"),
        (answer(r#"{"type":"error","id":"$id","message":"no such channel"}"#), "no such channel"),
        (format!("{HELLO}head -c 3000000 /dev/zero | tr '\\0' x\n"), "said a line of more than 1048576 bytes"),
        ("#!/nonexistent/interpreter\n".to_owned(), "cannot start"),
    ];
    for (program, part) in cases {
        let failure = failure(&program, "");
        assert!(failure.contains(part), "{part}: {failure}");
    }
}

#[test]
fn one_that_hangs_is_ended_with_all_that_it_started() {
    let failure =
        failure(&format!("{HELLO}trap '' TERM\nsleep 300 & sleep 300\n"), ", timeout: 300ms, kill_grace: 100ms");
    assert!(failure.contains("300ms"), "{failure}");
}

#[test]
fn a_flood_of_messages_is_kept_and_costs_the_engine_nothing() {
    let line = r#"{"type":"log","message":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#;
    let program = format!(
        "{HELLO}yes '{line}' | head -n 20000\necho \"{{\\\"type\\\":\\\"result\\\",\\\"id\\\":\\\"$id\\\"}}\"\n"
    );
    let home = home("odd", YAML, &program);
    home.write("r.yaml", &runbook(""));
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let log = std::fs::read_to_string(home.run_folder().expect("a run").join("logs/a.1.out")).expect("a log");
    assert_eq!(log.lines().count(), 20_000);
}

#[test]
fn what_it_leaves_behind_holding_its_output_keeps_nobody_waiting() {
    let program = format!("{HELLO}sleep 300 &\nexit 4\n");
    let home = home("odd", YAML, &program);
    home.write("r.yaml", &runbook(", timeout: 60s"));
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let failure = home.status()["steps"][0]["detail"].as_str().unwrap_or_default().to_owned();
    assert!(failure.contains("ended without an answer (exit code 4)"), "{failure}");
}

#[test]
fn one_that_is_cancelled_is_told_and_may_answer() {
    let program = format!(
        "{HELLO}trap '' TERM\necho up >> lines\nread -r cancel\n[[ $cancel =~ cancel ]] && echo told >> lines\n\
         echo \"{{\\\"type\\\":\\\"error\\\",\\\"id\\\":\\\"$id\\\",\\\"message\\\":\\\"given up\\\"}}\"\n"
    );
    let home = home("odd", YAML, &program);
    home.write("r.yaml", &runbook("").replace("steps:", "cancel_grace: 0s\nsteps:"));
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("the call", || (home.lines("lines") == ["up"]).then_some(()));
    assert_eq!(home.run(&["cancel", "last", "--reason", "drill"]).status.code(), Some(0));
    assert_eq!(end_of(&mut engine), Some(10));
    assert_eq!(home.lines("lines"), ["up", "told", "z"]);
}

#[test]
fn a_failure_can_be_told_from_others_by_its_code_and_polled_through() {
    let program = format!(
        "{HELLO}echo x >> calls\nif [ \"$(wc -l < calls)\" -lt 3 ]; then\n  \
         echo \"{{\\\"type\\\":\\\"error\\\",\\\"id\\\":\\\"$id\\\",\\\"message\\\":\\\"busy\\\",\\\"exit_code\\\":7}}\"\nelse\n  \
         echo \"{{\\\"type\\\":\\\"result\\\",\\\"id\\\":\\\"$id\\\",\\\"outputs\\\":{{\\\"n\\\":3}}}}\"\nfi\n"
    );
    for more in [
        ", retry: {max_attempts: 3, delay: 0s, on: {exit_codes: [7]}}",
        ", until: outputs.n == 3, every: 1ms, timeout: 60s",
    ] {
        let home = home("odd", YAML, &program);
        home.write("r.yaml", &runbook(more));
        let output = home.run(&["exec", "r.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{more}: {}", text(&output.stderr));
        assert_eq!(home.lines("calls").len(), 3);
    }
}
