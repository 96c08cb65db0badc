//! `exec --only` and `--from`: a run of a part of the steps; `--step`: one after the other, each asked about.

use std::process::Output;

use crate::kit::Home;
use crate::kit::pty::Terminal;

const BOOK: &str = "schema: runbook/v1
id: deploy
title: Deploy
secrets: {token: {env: NOT_THERE}}
steps:
  - {id: fetch, run: 'echo fetch >> lines; echo file=a.tar >> \"$RUNBOOK_OUTPUT\"', outputs: [file], env: {T: {secret: token}}}
  - {id: approve, approval: {from: [nobody_here]}, run: echo approve >> lines}
  - id: install
    steps:
      - {id: stop, run: echo stop >> lines}
      - {id: copy, run: 'echo copy $FILE >> lines', env: {FILE: \"{{ steps.fetch.outputs.file | default('b.tar') }}\"}}
  - {id: verify, run: echo verify >> lines}
always:
  - {id: tell, run: echo tell >> lines}
outputs: {file: \"{{ steps.fetch.outputs.file }}\"}
";

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn home(book: &str) -> Home {
    let home = Home::new();
    home.write("r.yaml", book);
    home
}

#[test]
fn what_is_left_out_is_skipped_needs_nothing_and_the_record_says_so() {
    let home = home(BOOK);
    assert_eq!(home.run(&["exec", "r.yaml"]).status.code(), Some(4), "all of it could not begin");
    let output = home.run(&["exec", "r.yaml", "--from", "copy", "--output", "plain"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("of `deploy`, from step `copy` on, started by"), "{}", said(&output));
    assert_eq!(home.lines("lines"), ["copy b.tar", "verify", "tell"]);
    let status = home.status();
    let fetch = &status["steps"][0];
    assert_eq!(
        (&fetch["state"], &fetch["detail"]),
        (&"skipped".into(), &"left out: the run is of a part of the steps".into())
    );
    let shown = said(&home.run(&["show", "last"]));
    assert!(shown.contains("part: from step `copy` on"), "{shown}");
    assert_eq!(home.run(&["verify", "last"]).status.code(), Some(0));
}

#[test]
fn only_a_step_runs_with_what_runs_in_any_case() {
    let home = home(BOOK);
    for (step, lines) in [("stop", &["stop", "tell"][..]), ("install", &["stop", "copy b.tar", "tell"])] {
        std::fs::remove_file(home.path().join("lines")).ok();
        let output = home.run(&["exec", "r.yaml", "--only", step]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(home.lines("lines"), lines);
    }
}

#[test]
fn what_reads_an_output_that_is_left_out_is_refused_before_there_is_a_run() {
    let home = home(&BOOK.replace(" | default('b.tar')", ""));
    let output = home.run(&["exec", "r.yaml", "--only", "copy"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("`fetch` is left out of this run") && text.contains("steps.fetch.outputs.file"), "{text}");
    assert!(text.contains("default(…)") && text.contains("a part of the runbook, by `copy`"), "{text}");
    assert!(home.run_folder().is_none());
    // Who does not run reads nothing.
    assert_eq!(home.run(&["exec", "r.yaml", "--only", "stop"]).status.code(), Some(0));
}

#[test]
fn a_step_that_names_no_part_is_refused_with_what_does() {
    let book = "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  - {id: a, steps: [{id: b, run: ':'}], rescue: [{id: c, run: ':'}]}\n  \
                - {id: d, for_each: '[1]', steps: [{id: e, run: ':'}]}\nalways:\n  - {id: f, run: ':'}\n";
    let home = home(book);
    for (step, part) in [
        ("x", "the steps are a, b, c, d"),
        ("c", "lies in `rescue` or `always` of `a`"),
        ("e", "lies in the loop `d`"),
        ("f", "belongs to `always`, which runs in any case"),
    ] {
        let output = home.run(&["exec", "r.yaml", "--only", step]);
        assert_eq!(output.status.code(), Some(64), "{step}: {}", said(&output));
        assert!(said(&output).contains(part), "{step}: {}", said(&output));
    }
    assert_eq!(home.run(&["exec", "r.yaml", "--only", "a", "--from", "b"]).status.code(), Some(64));
    assert!(home.run_folder().is_none());
}

#[test]
fn an_engine_killed_in_a_part_goes_on_with_that_part() {
    let book = "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  - {id: a, run: echo a >> lines}\n  - {id: b, manual: look}\n  \
                - {id: c, run: echo c >> lines}\n  - {id: d, run: echo d >> lines}\n";
    let home = home(book);
    assert_eq!(home.run(&["exec", "r.yaml", "--from", "b", "--exit-when-waiting"]).status.code(), Some(6));
    home.write("r.yaml", "nothing");
    home.run(&["answer", "last", "--done"]);
    assert_eq!(home.run(&["resume", "last"]).status.code(), Some(0));
    assert_eq!(home.lines("lines"), ["c", "d"]);
}

#[test]
fn a_dry_run_of_a_part_shows_what_is_left_out() {
    let home = home(BOOK);
    let output = home.run(&["exec", "r.yaml", "--from", "install", "--dry-run"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.matches("(left out)").count(), 2, "{text}");
    assert!(home.run_folder().is_none());
}

const STEPPED: &str = "schema: runbook/v1
id: stepped
title: Stepped
on_failure: rollback
deadlines:
  - {id: soon, after: 1ms, steps: [{id: beside, run: echo beside >> beside}]}
steps:
  - {id: a, run: echo a >> lines, rollback: {run: echo undo-a >> lines}}
  - {id: value, set: {x: 1}}
  - {id: each, for_each: '[1, 2]', run: 'echo \"each $I\" >> lines', env: {I: '{{ item }}'}}
  - {id: child, runbook: ./inner.yaml}
  - {id: last, run: echo last >> lines, approval: {from: [anyone], message: All of it.}}
";

const INNER: &str = "schema: runbook/v1
id: inner
title: Inner
steps:
  - {id: innermost, runbook: ./innermost.yaml}
  - {id: deep, run: echo deep >> lines}
";

/// What the run waits for: the step and the message of its question.
fn asked(home: &Home) -> (String, String) {
    let status: serde_json::Value =
        serde_json::from_slice(&home.run(&["status", "last", "--output", "json"]).stdout).expect("JSON");
    assert_eq!(status["questions"].as_array().map(Vec::len), Some(1), "{status:#}");
    let text = |key: &str| status["questions"][0][key].as_str().unwrap_or_default().to_owned();
    (text("step"), text("message"))
}

#[test]
fn step_by_step_each_is_asked_about_those_of_loops_and_child_runs_too() {
    let home = home(STEPPED);
    home.write("inner.yaml", INNER);
    let innermost =
        "schema: runbook/v1\nid: innermost\ntitle: Innermost\nsteps:\n  - {id: deepest, run: echo deepest >> lines}\n";
    home.write("innermost.yaml", innermost);
    let mut output = home.run(&["exec", "r.yaml", "--step", "--exit-when-waiting", "--output", "plain"]);
    let why = "asked before each step (--step)";
    for (step, message) in
        [("a", why), ("each-1", why), ("each-2", why), ("deepest", why), ("deep", why), ("last", "All of it.")]
    {
        assert_eq!(output.status.code(), Some(6), "{step}: {}", said(&output));
        assert_eq!(asked(&home), (step.to_owned(), message.to_owned()));
        let approved = home.run(&["approve", "last", step]);
        assert_eq!(approved.status.code(), Some(0), "{}", said(&approved));
        output = home.run(&["resume", "last", "--exit-when-waiting", "--output", "plain"]);
    }
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(home.lines("lines"), ["a", "each 1", "each 2", "deepest", "deep", "last"]);
    assert_eq!(home.lines("beside"), ["beside"], "what runs beside the steps waits for nobody");
    assert_eq!(home.run(&["verify", "last"]).status.code(), Some(0));
}

#[test]
fn step_by_step_a_no_is_a_rejection() {
    let home = home(STEPPED);
    home.write("inner.yaml", &INNER.replace("  - {id: innermost, runbook: ./innermost.yaml}\n", ""));
    assert_eq!(home.run(&["exec", "r.yaml", "--step", "--exit-when-waiting"]).status.code(), Some(6));
    assert_eq!(home.run(&["approve", "last"]).status.code(), Some(0));
    assert_eq!(home.run(&["resume", "last", "--exit-when-waiting"]).status.code(), Some(6));
    assert_eq!(home.run(&["reject", "last", "--reason", "enough"]).status.code(), Some(0));
    let output = home.run(&["resume", "last"]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert_eq!(home.lines("lines"), ["a", "undo-a"]);
    let key = home.run(&["exec", "r.yaml", "--step", "--key", "k"]);
    assert_eq!(key.status.code(), Some(64), "{}", said(&key));
}

#[test]
fn step_by_step_a_step_can_be_passed_over_at_the_terminal() {
    let home = Home::new();
    let steps = "steps:\n  - {id: a, run: echo a >> lines}\n  - {id: b, run: echo b >> lines, outputs: [size]}\n  - {id: c, run: echo c >> lines}\n";
    home.write("r.yaml", &format!("schema: runbook/v1\nid: r\ntitle: R\n{steps}"));
    let mut terminal = Terminal::open(home.command(&["exec", "r.yaml", "--step"]));
    terminal.until("approve / reject [reason] / skip / mark-done / later: ");
    terminal.type_line("skip");
    terminal.until("reason: ");
    terminal.type_line("not needed");
    terminal.until("may step `b` run?");
    terminal.until("approve / reject [reason] / skip / later: ");
    terminal.type_line("skip as well");
    terminal.until("may step `c` run?");
    terminal.until("later: ");
    terminal.type_line("approve");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_eq!(home.lines("lines"), ["c"]);
    let status = home.status();
    assert_eq!(status["told"][0]["verb"], "skip a");
    assert_eq!((&status["told"][0]["reason"], &status["told"][1]["reason"]), (&"not needed".into(), &"as well".into()));
}
