//! One engine hosts a run: in the background too, after a crash another one, and never two; and of two answers one counts.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::kit::{Home, end_of, kill, wait_for};

/// Adds a line, then goes on when there is a file `go`.
const LONG: &str = "schema: runbook/v1\nid: long\ntitle: Long\nsteps:\n  \
    - {id: one, run: echo one >> lines}\n  \
    - {id: two, run: 'echo two >> lines; until [ -e go ]; do sleep 0.02; done'}\n  \
    - {id: three, run: echo three >> lines}\n";

#[test]
fn a_detached_run_survives_its_engine_and_has_one_at_a_time() {
    let home = Home::new();
    home.write("r.yaml", LONG);
    let output = home.run(&["exec", "r.yaml", "--detach"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let id = String::from_utf8(output.stdout).expect("an id").trim().to_owned();
    let two = || (home.lines("lines") == ["one", "two"]).then_some(());
    wait_for("the second step", two);

    let refused = home.run(&["resume", &id]);
    assert_eq!(refused.status.code(), Some(8));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("an engine has this run already"), "{said}");
    assert!(said.contains(&format!("runbook attach {id}")), "it says what to do instead: {said}");

    let first = engine_pid(&home);
    kill(first);
    wait_for("no engine", || (home.status()["engine"] == false).then_some(()));
    let said = home.run(&["status", "last"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("no engine") && said.contains("runbook resume"), "{said}");

    let mut second = home.start(&["resume", "last"]);
    wait_for("the second engine", || (engine_pid(&home) == second.id().cast_signed()).then_some(()));
    assert_eq!(home.run(&["resume", "last"]).status.code(), Some(8));
    home.write("go", "");
    assert_eq!(end_of(&mut second), Some(0));
    assert_eq!(home.lines("lines"), ["one", "two", "three"]);
    home.wait_until_nothing_is_left();
}

fn engine_pid(home: &Home) -> i32 {
    home.status()["engine_pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default()
}

#[test]
fn of_many_who_resume_at_once_one_is_the_engine() {
    let home = Home::new();
    home.write("r.yaml", LONG);
    let mut engine = home.start(&["exec", "r.yaml"]);
    wait_for("the second step", || (home.lines("lines") == ["one", "two"]).then_some(()));
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    let mut all: Vec<Child> = (0..5).map(|_| home.start(&["resume", "last"])).collect();
    wait_for("four that are refused", || {
        let over = all.iter_mut().filter_map(|one| one.try_wait().expect("a child"));
        let codes: Vec<Option<i32>> = over.map(|status| status.code()).collect();
        assert!(codes.iter().all(|code| *code == Some(8)), "{codes:?}");
        (codes.len() == 4).then_some(())
    });
    home.write("go", "");
    let codes: Vec<Option<i32>> = all.iter_mut().map(end_of).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(home.lines("lines"), ["one", "two", "three"]);
}

#[test]
fn of_two_answers_at_once_exactly_one_counts() {
    const ROUNDS: usize = 10;
    for round in 0..ROUNDS {
        let home = Home::new();
        home.write(
            "r.yaml",
            "schema: runbook/v1\nid: gate\ntitle: Gate\nsteps:\n  \
             - {id: open, run: echo open >> lines, approval: {from: [anyone]}}\n",
        );
        let mut command = home.command(&["exec", "r.yaml", "--output", "json"]);
        command.stdout(std::fs::File::create(home.path().join("events")).expect("a file")).stderr(Stdio::null());
        let mut engine = command.spawn().expect("the program starts");
        wait_for("the run", || home.run_folder().filter(|run| run.join("status.json").exists()));
        wait_for("the question", || (home.status()["questions"][0]["step"] == "open").then_some(()));
        // Two who agree, then two who do not.
        let second = if round % 2 == 0 { "approve" } else { "reject" };
        let mut both = [home.start(&["approve", "last"]), home.start(&[second, "last"])];
        for one in &mut both {
            end_of(one);
        }
        let code = end_of(&mut engine);

        let events: Vec<Value> =
            home.lines("events").iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let of_kind = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert_eq!(of_kind("question_answered"), 1, "round {round}: {events:#?}");
        let lines = home.lines("lines").len();
        match code {
            Some(0) => assert_eq!((lines, of_kind("attempt_started")), (1, 1)),
            Some(7) if second == "reject" => assert_eq!((lines, of_kind("attempt_started")), (0, 0)),
            other => panic!("round {round}: {other:?}"),
        }
    }
}
