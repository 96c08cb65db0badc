//! What a person is shown before they answer, and what a snapshot holds.

use serde_json::Value;

use crate::kit::Home;

fn asked(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_question_shows_the_values_that_the_script_gets_and_not_only_its_text() {
    let home = Home::new();
    home.write(
        "r.yaml",
        "schema: runbook/v1
id: wipe
title: Wipe
params: {target: {type: string, required: true}, note: {type: string, default: quiet}}
env: {MODE: destroy}
steps:
  - id: wipe
    approval: {from: [anyone]}
    run: echo rm -rf \"$TARGET\" $MODE
    rollback: {argv: [echo, back]}
",
    );
    let text = asked(&home, &["exec", "r.yaml", "-p", "target=/production/db", "--exit-when-waiting"]);
    let status = String::from_utf8_lossy(&home.run(&["status", "last"]).stdout).into_owned();
    for text in [text, status] {
        let (action, undo) = text.split_once("how it would be undone").unwrap_or_else(|| panic!("no undo in\n{text}"));
        for part in ["with TARGET=/production/db\n", "with MODE=destroy\n", "can also read NOTE\n"] {
            assert!(action.contains(part), "{part:?} is missing in\n{text}");
        }
        assert!(undo.contains("with NOTE=quiet\n"), "a program reads its variables unseen:\n{text}");
    }
    assert_eq!(home.status()["questions"][0]["given"]["shown"]["TARGET"]["value"], "/production/db");
}

#[test]
fn long_outputs_are_cut_in_the_snapshot_and_whole_for_the_steps() {
    let home = Home::new();
    let mut text = "schema: runbook/v1\nid: long\ntitle: Long\nsteps:\n".to_owned();
    for number in 0..8 {
        text.push_str(&format!(
            "  - id: s{number}\n    run: |\n      {{ printf big=; head -c 600000 /dev/zero | tr '\\0' x; echo; }} > \"$RUNBOOK_OUTPUT\"\n    outputs: [big]\n"
        ));
    }
    text.push_str("  - {id: whole, assert: [\"steps.s7.outputs.big | length == 600000\"]}\n");
    home.write("r.yaml", &text);
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let snapshot = std::fs::metadata(home.run_folder().expect("a run").join("status.json")).expect("a snapshot").len();
    assert!(snapshot < 64 * 1024, "it has {snapshot} bytes");
    let shown: Value = serde_json::from_slice(&home.run(&["show", "last", "--output", "json"]).stdout).expect("JSON");
    let step = &shown["steps"][0];
    assert_eq!(step["outputs"]["big"].as_str().map(str::len), Some(4096));
    assert_eq!(step["outputs_cut"]["big"], 600_000);
    let text = String::from_utf8_lossy(&home.run(&["show", "last"]).stdout).into_owned();
    assert!(text.contains("x… (cut: it has 600000 bytes)"), "{text}");
}

#[test]
fn a_question_shows_what_may_say_that_it_is_done_already() {
    let home = Home::new();
    home.write(
        "r.yaml",
        "schema: runbook/v1
id: wipe
title: Wipe
params: {target: {type: string, default: /data}}
parallel: true
steps:
  - {id: simple, approval: {from: [anyone]}, run: echo wipe, done_when: params.target == '/none'}
  - id: looks
    approval: {from: [anyone]}
    run: echo wipe
    done_when: {run: '! test -e \"$TARGET/$KIND\"; exit 1', env: {KIND: '{{ params.target }}.db'}}
  - id: each
    for_each: \"['x', 'y']\"
    approval: {from: [anyone]}
    run: echo wipe
    done_when: params.target == '/nowhere'
",
    );
    let text = asked(&home, &["exec", "r.yaml", "--exit-when-waiting"]);
    let status = String::from_utf8_lossy(&home.run(&["status", "last"]).stdout).into_owned();
    let parts = [
        "  unless: params.target == '/none' (then it counts as done)\n",
        "  unless this ends with exit code 0 (then it counts as done):\n    runs, by bash:\n      │ ! test -e \"$TARGET/$KIND\"; exit 1\n    with KIND=/data.db\n    with TARGET=/data\n",
        "  unless for each item (`each`): params.target == '/nowhere' (then it counts as done)\n",
    ];
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
        assert!(status.contains(part), "{part:?} is missing in\n{status}");
    }
    let status = home.status();
    let questions = status["questions"].as_array().expect("questions");
    let about = |step: &str| questions.iter().find(|question| question["step"] == step).expect("it is asked about");
    assert_eq!(about("simple")["unless"]["holds"], "params.target == '/none'");
    assert_eq!(about("looks")["unless"]["probe"]["action"]["run"]["env"]["KIND"]["value"], "/data.db");
    assert_eq!(about("each")["body"][0]["unless"]["holds"], "params.target == '/nowhere'");
}

#[test]
fn an_undo_in_a_question_shows_values_and_words_and_no_template() {
    let home = Home::new();
    home.write(
        "r.yaml",
        "schema: runbook/v1
id: tell
title: Tell
params: {channel: {type: string, default: ops}}
parallel: true
steps:
  - {id: open, needs: [], run: 'echo id=T-7 >> \"$RUNBOOK_OUTPUT\"', outputs: [id]}
  - id: post
    needs: [open]
    approval: {from: [anyone]}
    run: 'echo notice=n1 >> \"$RUNBOOK_OUTPUT\"'
    outputs: [notice]
    rollback: {argv: [echo, '{{ outputs.notice }}', 'in {{ params.channel }} for {{ steps.open.outputs.id }}: {{ outputs.notice | upper }}', \"of {{ {'a': {'id': outputs.notice}} | tojson }} {{ '}}' ~ outputs.notice }}\"]}
  - id: each
    needs: [open]
    for_each: \"['x', 'y']\"
    approval: {from: [anyone]}
    run: echo
    rollback: {argv: [echo, 'back {{ item }}']}
",
    );
    let text = asked(&home, &["exec", "r.yaml", "--exit-when-waiting"]);
    let status = String::from_utf8_lossy(&home.run(&["status", "last"]).stdout).into_owned();
    for text in [text, status] {
        let undo = "runs: echo '‹notice of this step›' 'in ops for T-7: ‹computed from notice of this step›' 'of ‹computed from notice of this step› ‹computed from notice of this step›'\n";
        for part in [undo, "runs: echo 'back ‹item›'\n"] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
        assert!(!text.contains("{{") && !text.contains("tojson"), "{text}");
    }
    let status = home.status().to_string();
    assert!(!status.contains("{{") && !status.contains("tojson"), "{status}");
}
