//! Secrets that programs print: when they are run, what is done when there is no value, and what is kept of it.

use std::process::Output;

use crate::kit::{Home, end_of, wait_for};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// A runbook with one secret, printed by `./token`.
fn runbook(home: &Home, token: &str, steps: &str) {
    home.write("token", &format!("#!/bin/bash\n{token}\n"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(home.path().join("token"), mode).expect("it may be run");
    let head = "schema: runbook/v1\nid: one\ntitle: One\nsecrets: {token: {command: [./token, arg]}}";
    home.write("r.yaml", &format!("{head}\nsteps:\n{steps}"));
}

const USES: &str = "env: {TOKEN: {secret: token}}";

#[test]
fn each_attempt_gets_what_the_program_prints_then() {
    let home = Home::new();
    let token = "echo x >> runs; echo \"$1 $HINT $PWD value-$(wc -l < runs) $(cat)\"";
    let steps = format!(
        "  - {{id: other, run: 'echo nothing'}}
  - {{id: use, run: 'echo \"$TOKEN\" | rev >> seen; [ $(wc -l < seen) = 2 ]', retry: {{max_attempts: 2, delay: 1ms}}, {USES}}}
  - {{id: print, run: 'cat seen | rev'}}\n"
    );
    runbook(&home, token, &steps);
    let output = home.command(&["exec", "r.yaml"]).env("HINT", "mine").output().expect("it runs");
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let of = |number: u32| format!("arg mine {} value-{number} ", home.path().display());
    let seen: Vec<String> = home.lines("seen").iter().map(|line| line.chars().rev().collect()).collect();
    assert_eq!(seen, [of(2), of(3)], "the first run is the look before the start");
    assert_eq!(home.lines("runs").len(), 3, "steps without it run nothing");
    let logs = home.run(&["logs", "last", "print"]);
    let logs = String::from_utf8_lossy(&logs.stdout);
    assert_eq!(logs.lines().filter(|line| line.trim() == "***").count(), 2, "both values are masked later: {logs}");
}

#[test]
fn without_a_value_there_is_no_run_and_what_it_printed_is_not_shown() {
    let home = Home::new();
    for (token, reason) in [
        (
            "echo half-a-value; echo 'gpg: no key for half-a-value' >&2; exit 2",
            "`./token` ended with exit code 2: gpg: no key for ***",
        ),
        ("true", "`./token` printed nothing"),
        ("echo abc", "fewer than 4 bytes"),
    ] {
        runbook(&home, token, &format!("  - {{id: use, run: 'touch ran', {USES}}}\n"));
        let output = home.run(&["exec", "r.yaml"]);
        assert_eq!(code(&output), Some(4), "{token}: {}", said(&output));
        assert!(said(&output).contains("secret `token`") && said(&output).contains(reason), "{}", said(&output));
        assert!(!said(&output).contains("half-a"), "{}", said(&output));
        assert!(home.run_folder().is_none() && !home.path().join("ran").exists());
    }
    let text = "schema: runbook/v1\nid: one\ntitle: One\nsecrets: {token: {command: [no-such-program]}}\nsteps:\n";
    home.write("r.yaml", &format!("{text}  - {{id: use, run: 'touch ran', {USES}}}\n"));
    assert!(said(&home.run(&["exec", "r.yaml"])).contains("no program `no-such-program` in PATH"));
}

#[test]
fn a_program_that_fails_later_fails_the_attempt_and_a_resume_looks_first() {
    let home = Home::new();
    let token = "[ -e broken ] && { echo 'vault is sealed' >&2; exit 2; }; echo the-value";
    let steps = format!(
        "  - {{id: before, run: 'touch broken'}}\n  - {{id: asked, run: 'rm -f broken', approval: {{from: [anyone]}}}}
  - {{id: use, run: 'touch ran', {USES}}}\n"
    );
    runbook(&home, token, &steps);
    assert_eq!(code(&home.run(&["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    home.run(&["approve", "last"]);
    let output = home.run(&["resume", "last"]);
    assert_eq!(code(&output), Some(4), "{}", said(&output));
    assert!(said(&output).contains("exit code 2: vault is sealed"), "{}", said(&output));
    std::fs::remove_file(home.path().join("broken")).expect("it is there");
    let output = home.run(&["resume", "last"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));

    let home = Home::new();
    runbook(
        &home,
        token,
        &format!("  - {{id: before, run: 'touch broken'}}\n  - {{id: use, run: 'touch ran', {USES}}}\n"),
    );
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(code(&output), Some(1), "{}", said(&output));
    assert!(said(&output).contains("vault is sealed") && !home.path().join("ran").exists(), "{}", said(&output));
}

#[test]
fn a_program_that_hangs_holds_nothing_up_and_is_ended_with_the_run() {
    let home = Home::new();
    // The first time it is looked whether there is a value, the second time is the attempt.
    let token = "echo x >> runs; [ $(wc -l < runs) = 1 ] || { echo $$ > pid; exec sleep 1000; }; echo the-value";
    let steps = format!(
        "  - id: both\n    parallel: true\n    steps:\n      - {{id: use, run: 'touch ran', {USES}}}\n      - {{id: other, run: 'touch other'}}\n"
    );
    runbook(&home, token, &steps);
    let text = std::fs::read_to_string(home.path().join("r.yaml")).expect("it is there");
    home.write(
        "r.yaml",
        &text
            .replace("[./token, arg]", "[./token, arg], timeout: 15m")
            .replace("\nsteps", "\ncancel_grace: 1ms\nsteps"),
    );
    let mut engine = home.start(&["exec", "r.yaml"]);
    let pid = wait_for("the program", || home.lines("pid").first().and_then(|pid| pid.parse::<i32>().ok()));
    wait_for("the other step", || home.path().join("other").exists().then_some(()));
    home.run(&["cancel", "last"]);
    assert_eq!(end_of(&mut engine), Some(10));
    let lives = || std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.starts_with(b"sleep"));
    wait_for("its end", || (!lives()).then_some(()));
    assert!(!home.path().join("ran").exists());
}

#[test]
fn a_secret_that_only_the_undo_of_a_child_run_needs_is_looked_for_before_the_start() {
    let book = |id: &str, rest: &str| format!("schema: runbook/v1\nid: {id}\ntitle: T\n{rest}\n");
    let inner = "secrets: {token: {env: TOKEN}}\nsteps:\n  \
        - {id: grant, run: echo grant >> lines, rollback: {run: 'echo \"undo ${#T}\" >> lines', env: {T: {secret: token}}}}";
    let middle = "steps: [{id: deeper, runbook: ./inner.yaml}]";
    let outer = "steps:\n  - {id: below, runbook: ./middle.yaml}\n  - {id: breaks, run: 'exit 1'}";
    let home = Home::new();
    home.write("inner.yaml", &book("inner", inner));
    home.write("middle.yaml", &book("middle", middle));
    for (file, rest, needs) in [
        ("rolls.yaml", format!("on_failure: rollback\n{outer}"), true),
        ("stops.yaml", outer.to_owned(), false),
        (
            "stays.yaml",
            format!("on_failure: rollback\n{}", outer.replace("middle.yaml", "middle.yaml, irreversible: true")),
            false,
        ),
        ("guards.yaml", format!("{outer}\nguards: [{{id: g, run: ok, trip_if: 'false', on_trip: rollback}}]"), true),
    ] {
        home.write(file, &book(file.trim_end_matches(".yaml"), &rest));
        let output = home.run(&["exec", file]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(if needs { 4 } else { 1 }), "{file}: {said}");
        assert_eq!(said.contains("TOKEN"), needs, "{file}: {said}");
        assert_eq!(home.lines("lines").is_empty(), needs, "{file}: {said}");
        let _ = std::fs::remove_file(home.path().join("lines"));
    }
    let output = home.command(&["exec", "rolls.yaml"]).env("TOKEN", "swordfish").output().expect("an end");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(home.lines("lines"), ["grant", "undo 9"]);
}
