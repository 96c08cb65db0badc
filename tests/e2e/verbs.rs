//! What operators say: while an engine has the run, while none has, after the end, and when the engine is killed over it.

use serde_json::Value;

use crate::kit::pty::Terminal;
use crate::kit::{Home, end_of, wait_for};

/// `b` fails until there is a file `ok`, and waits in `hold` while there is a file `hold`.
const CHAIN: &str = "schema: runbook/v1\nid: chain\ntitle: Chain\nsteps:\n  \
    - {id: a, run: echo a >> lines, rollback: {run: echo undo a >> lines}}\n  \
    - {id: hold, run: 'while [ -e hold ]; do sleep 0.02; done'}\n  \
    - {id: b, run: 'echo b >> lines; test -e ok', outputs: {size: '{{ stdout }}'}}\n  \
    - {id: c, run: echo c >> lines, rollback: {run: echo undo c >> lines}}\n\
    always:\n  - {id: z, run: echo z >> lines}\n";

fn home() -> Home {
    let home = Home::new();
    home.write("r.yaml", CHAIN);
    home
}

fn said(home: &Home, args: &[&str]) -> (Option<i32>, String) {
    let output = home.run(args);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Says it with a reason; it must end with that code.
#[track_caller]
fn say(home: &Home, args: &[&str], code: i32) -> String {
    let args: Vec<&str> = args.iter().copied().chain(["--reason", "it has to be"]).collect();
    let (ended, text) = said(home, &args);
    assert_eq!(ended, Some(code), "{args:?}: {text}");
    text
}

fn step_state(status: &Value, id: &str) -> String {
    let steps = status["steps"].as_array().expect("steps");
    let step = steps.iter().find(|step| step["id"] == id).expect("a step");
    step["state"].as_str().expect("a state").to_owned()
}

#[test]
fn a_failed_run_goes_on_after_its_end() {
    let home = home();
    assert_eq!(said(&home, &["exec", "r.yaml"]).0, Some(1));
    assert_eq!(home.lines("lines"), ["a", "b", "z"]);
    home.write("ok", "");
    say(&home, &["retry", "last"], 0);
    assert_eq!(home.lines("lines"), ["a", "b", "z", "b", "c", "z"]);
    let status = home.status();
    assert_eq!((&status["state"], &status["exit_code"]), (&"succeeded".into(), &0.into()));
    assert_eq!(status["told"][0]["reason"], "it has to be");
    say(&home, &["rollback", "last", "--to", "a"], 2);
    assert_eq!(home.lines("lines")[6..], ["undo c", "z"]);
    say(&home, &["rollback", "last"], 2);
    assert_eq!(home.lines("lines")[8..], ["undo a", "z"]);
    assert!(say(&home, &["rollback", "last"], 4).contains("nothing to undo"));
}

#[test]
fn what_makes_no_sense_is_refused_and_a_reason_is_needed() {
    let home = home();
    home.run(&["exec", "r.yaml"]);
    let before = home.status();
    assert_eq!(said(&home, &["retry", "last"]).0, Some(64));
    assert_eq!(said(&home, &["retry", "last", "--reason", "  "]).0, Some(64));
    assert!(say(&home, &["skip", "last", "a"], 4).contains("`a` has succeeded already"));
    assert!(say(&home, &["mark-done", "last", "b"], 4).contains("`b` hands on `size`"));
    assert!(say(&home, &["skip", "last", "none"], 4).contains("no step `none`"));
    assert!(say(&home, &["pause", "last"], 4).contains("has ended"));
    assert_eq!(home.status()["told"], before["told"], "nothing is written about it");
    say(&home, &["mark-done", "last", "b", "--output", "size=3"], 0);
    assert_eq!(home.lines("lines"), ["a", "b", "z", "c", "z"]);
}

#[test]
fn a_living_engine_takes_verbs_at_once() {
    let home = home();
    home.write("hold", "");
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("`hold`", || {
        (home.lines("lines") == ["a"] && step_state(&home.status(), "hold") == "running").then_some(())
    });
    assert!(say(&home, &["pause", "last"], 0).contains("paused"));
    assert!(say(&home, &["skip", "last", "hold"], 4).contains("`hold` is running"));
    assert!(say(&home, &["pause", "last"], 4).contains("paused already"));
    say(&home, &["skip", "last", "b"], 0);
    say(&home, &["take", "last"], 0);
    std::fs::remove_file(home.path().join("hold")).expect("a file");
    wait_for("the end of `hold`", || (step_state(&home.status(), "hold") == "succeeded").then_some(()));
    let status = home.status();
    assert_eq!((&status["state"], &status["engine"]), (&"paused".into(), &true.into()));
    assert_eq!(status["told"].as_array().map(Vec::len), Some(5), "the refused ones too: {}", status["told"]);
    say(&home, &["continue", "last"], 0);
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("lines"), ["a", "c", "z"]);
}

#[test]
fn without_an_engine_a_verb_is_kept_or_makes_the_command_the_engine() {
    let home = home();
    home.write("hold", "");
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("`hold`", || {
        (home.lines("lines") == ["a"] && step_state(&home.status(), "hold") == "running").then_some(())
    });
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    assert!(say(&home, &["pause", "last"], 0).contains("resume"));
    std::fs::remove_file(home.path().join("hold")).expect("a file");
    // Paused before anything else starts.
    assert_eq!(said(&home, &["resume", "last", "--exit-when-waiting"]).0, Some(6));
    assert_eq!(home.lines("lines"), ["a"]);
    assert_eq!(home.status()["paused_by"], home.status()["started_by"]);
    say(&home, &["rollback", "last"], 2);
    assert_eq!(home.lines("lines"), ["a", "undo a", "z"]);
}

#[test]
fn an_engine_that_is_killed_over_a_verb_takes_it_once() {
    for round in 0..12 {
        let home = home();
        home.run(&["exec", "r.yaml"]);
        home.write("ok", "");
        let mut engine = home.start(&["retry", "last", "--reason", "again"]);
        // Another moment in each round: at once, when the verb is durable, after so many steps.
        let is_taken = || {
            let status =
                home.run_folder().map(|run| std::fs::read_to_string(run.join("status.json")).unwrap_or_default());
            status.is_some_and(|status| status.contains("\"verb\":\"retry\""))
        };
        wait_for("progress", || {
            let ended = engine.try_wait().expect("a child").is_some();
            let is_there = match round % 5 {
                0 => true,
                1 => is_taken(),
                more => home.lines("lines").len() > more + 1,
            };
            (ended || is_there).then_some(())
        });
        let _ = engine.kill();
        engine.wait().expect("an end");
        let told = home.status()["told"].as_array().map_or(0, Vec::len);
        if told == 0 {
            say(&home, &["retry", "last"], 0);
        } else {
            assert_eq!(said(&home, &["resume", "last"]).0, Some(0));
        }
        assert_eq!(home.lines("lines"), ["a", "b", "z", "b", "c", "z"], "round {round}");
    }
}

#[test]
fn a_rollback_that_is_stuck_goes_on() {
    let home = Home::new();
    let text =
        CHAIN.replace("echo undo a >> lines", "test -e mended").replace("steps:", "on_failure: rollback\nsteps:");
    home.write("r.yaml", &text);
    assert_eq!(said(&home, &["exec", "r.yaml"]).0, Some(5));
    say(&home, &["retry", "last"], 5);
    home.write("mended", "");
    say(&home, &["retry", "last", "a"], 2);
    assert!(say(&home, &["retry", "last"], 4).contains("rolled back"));
    assert_eq!(said(&home, &["exec", "r.yaml"]).0, Some(2));
    std::fs::remove_file(home.path().join("mended")).expect("a file");
    assert_eq!(said(&home, &["exec", "r.yaml"]).0, Some(5));
    say(&home, &["mark-done", "last", "a"], 2);
}

#[test]
fn every_verb_is_in_the_record_the_report_and_the_audit() {
    let home = home();
    home.write("hold", "");
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("`hold`", || {
        (home.lines("lines") == ["a"] && step_state(&home.status(), "hold") == "running").then_some(())
    });
    for verb in ["pause", "continue", "take"] {
        say(&home, &[verb, "last"], 0);
    }
    say(&home, &["skip", "last", "c"], 0);
    say(&home, &["skip", "last", "a"], 4);
    std::fs::remove_file(home.path().join("hold")).expect("a file");
    assert_eq!(end_of(&mut engine), Some(1));
    say(&home, &["retry", "last", "b"], 1);
    say(&home, &["mark-done", "last", "b", "--output", "size=3"], 0);
    say(&home, &["rollback", "last"], 2);
    assert_eq!(said(&home, &["verify", "last"]).0, Some(0), "each end is sealed");
    let audit = home.run(&["audit", "--output", "json"]);
    let audit: Value = serde_json::from_slice(&audit.stdout).expect("JSON");
    let acts: Vec<String> = audit["acts"]
        .as_array()
        .expect("acts")
        .iter()
        .map(|act| {
            assert!(act["by"]["name"].is_string() && act["at"].is_string(), "{act}");
            let reason =
                act["reason"].as_str().map_or("", |reason| if reason == "it has to be" { "why" } else { "refusal" });
            format!("{} {} {reason}", act["event"].as_str().unwrap_or(""), act["step"].as_str().unwrap_or(""))
                .replace("  ", " ")
        })
        .collect();
    let expected = [
        "started ",
        "paused why",
        "continued why",
        "took_over why",
        "skipped c why",
        "refused a refusal",
        "retried b why",
        "marked_done b why",
        "rolled_back why",
    ];
    assert_eq!(acts, expected);
    let report = home.run(&["report", "last"]);
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    let lines: Vec<&str> = report.lines().filter(|line| line.contains("it has to be")).collect();
    assert_eq!(lines.len(), 7, "{report}");
    assert!(report.contains("goes on after its end"), "{report}");
}

#[test]
fn on_failure_ask_asks_in_the_terminal_for_a_verb_and_its_reason() {
    let home = Home::new();
    home.write("r.yaml", &CHAIN.replace("steps:", "on_failure: ask\nsteps:"));
    let mut terminal = Terminal::open(home.command(&["exec", "r.yaml"]));
    terminal.until("retry / skip / rollback / cancel / later: ");
    home.write("ok", "");
    terminal.type_line("retry");
    terminal.until("reason: ");
    terminal.type_line("it is there now");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_eq!(home.lines("lines"), ["a", "b", "b", "c", "z"]);
}

#[test]
fn on_failure_ask_waits_without_a_terminal_and_lists_the_commands() {
    let home = Home::new();
    home.write("r.yaml", &CHAIN.replace("steps:", "on_failure: ask\nsteps:"));
    assert_eq!(said(&home, &["exec", "r.yaml", "--exit-when-waiting"]).0, Some(6));
    let status = String::from_utf8_lossy(&home.run(&["status", "last"]).stdout).into_owned();
    for part in
        ["the run failed at step `b`", "runbook retry ", "runbook skip ", "--output size=VALUE", "runbook cancel "]
    {
        assert!(status.contains(part), "{part:?} is missing in\n{status}");
    }
    say(&home, &["cancel", "last"], 1);
    assert_eq!(home.lines("lines"), ["a", "b", "z"]);
}
