//! `ask`: values from people, in the terminal and from elsewhere.

use std::process::Output;

use serde_json::json;

use crate::kit::Home;
use crate::kit::pty::Terminal;

const ASKS: &str = "schema: runbook/v1
id: asks
title: Asks
steps:
  - id: details
    ask:
      prompt: What is known?
      fields:
        ticket: {type: string, required: true, description: Of the incident.}
        hosts: {type: integer, required: true}
        side: {type: string, enum: [left, right], default: left}
        pause: {type: duration}
  - id: use
    run: echo \"$TICKET $HOSTS $SIDE [$PAUSE]\" >> lines
    env:
      TICKET: \"{{ steps.details.outputs.ticket }}\"
      HOSTS: \"{{ steps.details.outputs.hosts + 1 }}\"
      SIDE: \"{{ steps.details.outputs.side }}\"
      PAUSE: \"{{ steps.details.outputs.pause | default('none') }}\"
";

fn asked() -> Home {
    let home = Home::new();
    home.write("r.yaml", ASKS);
    let output = home.run(&["exec", "r.yaml", "--exit-when-waiting"]);
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    for part in ["What is known?", "ticket: a text (Of the incident.)", "side: `left` or `right`; left where", "answer"]
    {
        assert!(said(&output).contains(part), "{part:?} is missing in\n{}", said(&output));
    }
    home
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn values_are_given_by_name_and_wrong_ones_leave_the_question_open() {
    let home = asked();
    for (args, part) in [
        (&["hosts=many", "ticket=a"][..], "`hosts` cannot be used: `many` is not a whole number"),
        (&["hosts=3"], "`ticket` is missing: a text"),
        (&["hosts=3", "ticket=a", "side=up"], "`up` is none of `left`, `right`"),
        (&["hosts=3", "ticket=a", "nope=1"], "`nope` is not asked for"),
        // No terminal, nothing given: that is no answer.
        (&[], "`ticket` is missing"),
    ] {
        let output = home.run(&[&["answer", "last", "details"], args].concat());
        assert_eq!(output.status.code(), Some(4), "{args:?} {}", said(&output));
        assert!(said(&output).contains(part) && said(&output).contains("still open"), "{}", said(&output));
    }
    for (args, code) in [
        (&["answer", "last", "--done"][..], 4),
        (&["approve", "last"], 4),
        (&["answer", "last", "details", "x=1", "--done"], 64),
    ] {
        assert_eq!(home.run(args).status.code(), Some(code), "{args:?}");
    }
    let output = home.run(&["answer", "last", "hosts=3", "ticket=INC 7 \"x\""]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = home.run(&["resume", "last"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("details answered by "), "{}", said(&output));
    assert_eq!(home.lines("lines"), ["INC 7 \"x\" 4 left [none]"]);
    let outputs = home.status()["steps"][0]["outputs"].clone();
    assert_eq!(outputs, json!({"ticket": "INC 7 \"x\"", "hosts": 3, "side": "left", "pause": null}));
}

#[test]
fn they_are_typed_one_after_the_other_where_the_runbook_runs() {
    let home = Home::new();
    home.write("r.yaml", ASKS);
    let mut terminal = Terminal::open(home.command(&["exec", "r.yaml"]));
    terminal.until("ticket (a text; /reject or /later): ");
    terminal.type_line("INC-7");
    terminal.until("hosts (a whole number; /reject or /later): ");
    terminal.type_line("many");
    terminal.until("`many` is not a whole number");
    terminal.until("hosts (");
    terminal.type_line("3");
    terminal.until("Enter for left");
    terminal.type_line("");
    terminal.until("pause (");
    terminal.type_line("90s");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_eq!(home.lines("lines"), ["INC-7 4 left [1m30s]"]);
}

#[test]
fn who_answers_without_values_is_asked_at_the_terminal() {
    let home = asked();
    let mut terminal = Terminal::open(home.command(&["answer", "last"]));
    terminal.until("ticket (a text): ");
    terminal.type_line("INC-8");
    terminal.until("hosts (a whole number): ");
    terminal.type_line("1");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_eq!(home.run(&["resume", "last"]).status.code(), Some(0));
    assert_eq!(home.lines("lines"), ["INC-8 2 left [none]"]);
}

#[test]
fn a_refusal_fails_the_step() {
    let home = asked();
    assert_eq!(home.run(&["reject", "last", "--reason", "nobody knows"]).status.code(), Some(0));
    let output = home.run(&["resume", "last"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("nobody knows"), "{}", said(&output));
}
