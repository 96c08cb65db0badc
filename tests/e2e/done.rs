//! `done_when`, as a person sees it: nobody does, or is asked about, what is done already.

use crate::kit::{Home, kill, wait_for};

fn said(home: &Home, args: &[&str], code: i32) -> String {
    let output = home.run(args);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    text
}

const INSTALL: &str = r#"schema: runbook/v1
id: install
title: Install
on_failure: rollback
params: {version: {type: string, required: true}}
steps:
  - id: install
    approval: {from: [anyone]}
    run: |
      echo "install $VERSION" >> lines
      echo "$VERSION" > installed
      echo "version=new" >> "$RUNBOOK_OUTPUT"
    done_when:
      run: |
        [ "$(cat installed)" = "$WANTED" ]
        echo "version=$WANTED" >> "$RUNBOOK_OUTPUT"
      env: {WANTED: "{{ params.version }}"}
    outputs: [version]
    rollback: {run: 'echo "undo $VERSION" >> lines; rm installed'}
  - id: open
    run: echo "at $AT" >> lines; [ "$AT" != broken ]
    env: {AT: "{{ steps.install.outputs.version }}"}
"#;

#[test]
fn what_is_done_is_not_done_again_and_nobody_is_asked_about_it() {
    let home = Home::new();
    home.write("r.yaml", INSTALL);
    said(&home, &["exec", "r.yaml", "-p", "version=1.4", "--exit-when-waiting"], 6);
    said(&home, &["approve", "last"], 0);
    said(&home, &["resume", "last"], 0);
    assert_eq!(home.lines("lines"), ["install 1.4", "at new"]);
    let text = said(&home, &["exec", "r.yaml", "-p", "version=1.4", "--output", "plain"], 0);
    for part in ["done_when of install started", "install already done", "1 succeeded, 1 already done"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    assert_eq!(home.lines("lines"), ["install 1.4", "at new", "at 1.4"]);
    let status = home.status();
    let install = &status["steps"][0];
    assert_eq!(
        (&install["state"], &install["already_done"], &install["attempts"]),
        (&"succeeded".into(), &true.into(), &0.into())
    );
    assert!(said(&home, &["show", "last"], 0).contains("already done"));
    assert!(said(&home, &["report", "last"], 0).contains("`install` was already done"));
    said(&home, &["logs", "last", "install.probe.1"], 0);
    assert!(said(&home, &["verify", "last"], 0).contains("sealed"));
}

#[test]
fn what_was_there_before_the_run_is_not_undone() {
    let home = Home::new();
    home.write("r.yaml", INSTALL);
    home.write("installed", "broken\n");
    said(&home, &["exec", "r.yaml", "-p", "version=broken"], 2);
    assert_eq!(home.lines("lines"), ["at broken"]);
    assert_eq!(home.lines("installed"), ["broken"]);
}

#[test]
fn a_lost_attempt_that_took_effect_needs_nobody_to_say_so() {
    for took_effect in [true, false] {
        let home = Home::new();
        let effect = if took_effect { "touch there;" } else { "" };
        let text = format!(
            "schema: runbook/v1\nid: lost\ntitle: Lost\nsteps:\n  - {{id: a, run: '{effect} echo $$ > pid; exec sleep 1000', done_when: {{run: test -e there}}}}\n"
        );
        home.write("r.yaml", &text);
        let mut engine = home.start(&["exec", "r.yaml"]);
        let pid = wait_for("the command", || home.lines("pid").first()?.parse::<i32>().ok());
        let supervisor = wait_for("the supervisor", || home.supervisor_pid());
        engine.kill().expect("a kill");
        kill(supervisor);
        kill(pid);
        engine.wait().expect("an end");
        wait_for("the end of the command", || is_gone(pid).then_some(()));
        if took_effect {
            let text = said(&home, &["resume", "last", "--exit-when-waiting", "--output", "plain"], 0);
            assert!(text.contains("a already done"), "{text}");
        } else {
            said(&home, &["resume", "last", "--exit-when-waiting"], 6);
            assert_eq!(home.status()["questions"][0]["kind"], "interrupted");
            said(&home, &["cancel", "last"], 10);
        }
    }
}

/// Whether a process is over.
fn is_gone(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

const FLEET: &str = r#"schema: runbook/v1
id: fleet
title: Fleet
params: {version: {type: string, required: true}}
steps:
  - {id: here, run: exit 1, done_when: {run: '[ "$VERSION" = 1.4 ]'}}
  - {id: there, run: exit 1, done_when: params.version == '1.5'}
  - {id: broken, run: exit 1, done_when: {run: no-such-program}}
  - {id: slow, run: exit 1, done_when: {run: sleep 1000, timeout: 100ms}}
  - {id: later, run: exit 1, done_when: steps.here.already_done}
  - {id: never, if: params.version == '2', run: exit 1, done_when: {run: touch never}}
  - {id: each, for_each: '[1, 2]', run: exit 1, done_when: {run: touch never}}
  - {id: plain, run: exit 1}
"#;

#[test]
fn a_plan_can_tell_what_is_done_already() {
    let home = Home::new();
    home.write("r.yaml", FLEET);
    let plan = ["plan", "r.yaml", "-p", "version=1.4", "--probe"];
    let plain = |text: String| text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let text = plain(said(&home, &plan, 0));
    for part in [
        "here (already done)",
        "done when `[ \"$VERSION\" = 1.4 ]` says so: it is run",
        "done when params.version == '1.5': it is not run",
        "not known, it ended with exit code 127",
        "not known, it did not end within 100ms",
        "not known, it reads what other steps come to",
        "not known, it is asked for each item",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&said(&home, &[&plan[..], &["--output", "json"]].concat(), 0)).expect("JSON");
    let states: Vec<&str> = json["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|it| it["done_when"]["probed"]["state"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(states, ["done", "not_done", "unknown", "unknown", "unknown", "", "unknown", ""]);
    assert!(home.lines("never").is_empty() && home.run_folder().is_none(), "nothing else was started");
    assert!(!home.path().join("never").exists());
    // Without `--probe` nothing runs at all.
    assert!(plain(said(&home, &["plan", "r.yaml"], 0)).contains("done when `no-such-program` says so run"));
    assert!(said(&home, &["plan", "r.yaml", "--probe"], 4).contains("params that are missing: `version`"));
    std::fs::create_dir(home.path().join("environments")).expect("a folder");
    home.write("environments/serves.yaml", SERVES);
    let refused =
        said(&home, &["--runbooks", ".", "plan", "r.yaml", "-p", "version=1", "--probe", "--env", "serves"], 4);
    assert!(refused.contains("the environment `serves` starts db for each run"), "{refused}");
}

const SERVES: &str = r#"schema: environment/v1
id: serves
services:
  db: {argv: [sleep, "1"], ready: {http: "http://127.0.0.1:{{ service.port }}/"}}
"#;
