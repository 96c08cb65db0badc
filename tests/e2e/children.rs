//! Child runs with the real binary: runs of their own, which live and end with the run that started them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::processes::{Process, Role};
use crate::kit::{Home, end_of, kill, wait_for};

/// Longer than any test: what is to happen by itself after so long never happens.
const NEVER: &str = "10m";

const PARENT: &str = "schema: runbook/v1
id: outer
title: Outer
on_failure: rollback
params: {fail: {type: boolean, default: false}}
steps:
  - {id: before, run: echo before >> lines, rollback: {run: echo undo-before >> lines}}
  - {id: inner, runbook: ./inner.yaml, with: {service: engine, count: 3, fail: '{{ params.fail }}'}}
  - {id: after, run: 'echo \"after $MADE\" >> lines', env: {MADE: '{{ steps.inner.outputs.made }}'}}
";

const CHILD: &str = "schema: runbook/v1
id: inner
title: Inner
on_failure: rollback
params:
  service: {type: string, required: true}
  count: {type: integer, default: 1}
  fail: {type: boolean, default: false}
steps:
  - id: make
    run: |
      echo \"make $SERVICE $COUNT\" >> lines
      echo \"made=$SERVICE-$COUNT\" >> \"$RUNBOOK_OUTPUT\"
    outputs: [made]
    rollback: {run: echo undo-make >> lines}
  - {id: broken, if: params.fail, run: exit 3}
outputs: {made: '{{ steps.make.outputs.made }}'}
";

/// The runs of a home by their runbook, as their snapshots say.
fn runs(home: &Home) -> BTreeMap<String, Value> {
    let folders = std::fs::read_dir(home.path().join("state/runs")).into_iter().flatten().flatten();
    let status = |folder: PathBuf| -> Option<Value> {
        serde_json::from_slice(&std::fs::read(folder.join("status.json")).ok()?).ok()
    };
    let all = folders.filter_map(|folder| status(folder.path()));
    all.map(|status| (status["runbook"].as_str().expect("an id").to_owned(), status)).collect()
}

fn home(parent: &str, child: &str) -> Home {
    let home = Home::new();
    home.write("outer.yaml", parent);
    home.write("inner.yaml", child);
    home
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_child_run_gets_its_params_and_hands_back_what_it_made() {
    let home = home(PARENT, CHILD);
    let output = home.run(&["exec", "outer.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(home.lines("lines"), ["before", "make engine 3", "after engine-3"]);
    let runs = runs(&home);
    let (outer, inner) = (&runs["outer"], &runs["inner"]);
    assert_eq!(outer["steps"][1]["child"], inner["run"]);
    assert_eq!((&inner["parent"]["run"], &inner["parent"]["step"]), (&outer["run"], &"inner".into()));
    assert_eq!(inner["outputs"]["made"], "engine-3");
    // Who says `last` means what they have started; the list shows both, and the one says which the other is.
    assert_eq!(home.status()["run"], outer["run"]);
    let shown = |run: &Value| text(&home.run(&["show", run["run"].as_str().expect("an id")]).stdout);
    assert!(shown(outer).contains(inner["run"].as_str().expect("an id")), "{}", shown(outer));
    assert!(shown(inner).contains(outer["run"].as_str().expect("an id")), "{}", shown(inner));
    home.wait_until_nothing_is_left();
}

#[test]
fn a_child_run_that_fails_undoes_itself_and_then_its_parent_does() {
    let home = home(PARENT, CHILD);
    let output = home.run(&["exec", "outer.yaml", "-p", "fail=true"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert_eq!(home.lines("lines"), ["before", "make engine 3", "undo-make", "undo-before"]);
    let cause = home.status()["cause"].as_str().expect("a cause").to_owned();
    let inner = runs(&home)["inner"]["run"].as_str().expect("an id").to_owned();
    assert_eq!(cause, format!("step `inner` failed: the child run {inner} was rolled back: `broken` failed"));
    home.wait_until_nothing_is_left();
}

#[test]
fn an_edited_file_changes_no_child_run_in_flight() {
    let parent = PARENT.replace("echo before >> lines,", "'echo before >> lines; sleep 1',");
    let home = home(&parent, CHILD);
    let mut engine = home.start(&["exec", "outer.yaml"]);
    wait_for("the first step", || (!home.lines("lines").is_empty()).then_some(()));
    home.write("inner.yaml", "nothing that is valid");
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(home.lines("lines"), ["before", "make engine 3", "after engine-3"]);
}

#[test]
fn an_approval_in_a_child_run_is_given_to_the_child() {
    let asks = "schema: runbook/v1\nid: inner\ntitle: Inner\nsteps:\n  \
        - {id: ask, run: echo asked >> lines, approval: {from: [anyone]}}\n";
    let parent = "schema: runbook/v1\nid: outer\ntitle: Outer\nsteps:\n  - {id: inner, runbook: ./inner.yaml}\n";
    for (verb, code, lines) in [("approve", 0, &["asked"][..]), ("reject", 7, &[])] {
        let home = home(parent, asks);
        home.write("runbook.toml", "[roles]\nanyone = [\"anyone\"]\n");
        let output = home.run(&["exec", "outer.yaml", "--exit-when-waiting"]);
        assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
        let inner = runs(&home)["inner"]["run"].as_str().expect("an id").to_owned();
        let shown = text(&home.run(&["status", "last"]).stdout);
        assert!(shown.contains(&format!("runbook approve {}", &inner[..10])), "{shown}");
        let answer = home.run(&[verb, &inner]);
        assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stderr));
        let output = home.run(&["resume", "last"]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert_eq!(home.lines("lines"), lines);
        home.wait_until_nothing_is_left();
    }
}

#[test]
fn a_secret_of_the_child_run_reaches_only_the_child_run() {
    let child = "schema: runbook/v1\nid: inner\ntitle: Inner\nsecrets: {token: {env: TOKEN}}\nsteps:\n  \
        - {id: use, run: 'echo \"child ${#OWN} ${TOKEN:-none}\" >> lines', env: {OWN: {secret: token}}}\n";
    let parent = "schema: runbook/v1\nid: outer\ntitle: Outer\nsteps:\n  \
        - {id: look, run: 'echo \"parent ${TOKEN:-none}\" >> lines'}\n  - {id: inner, runbook: ./inner.yaml}\n";
    let home = home(parent, child);
    let output = home.run(&["exec", "outer.yaml"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("TOKEN"), "{}", text(&output.stderr));
    assert!(home.run_folder().is_none(), "a run that is known not to get far does not begin");
    let output = home.command(&["exec", "outer.yaml"]).env("TOKEN", "swordfish").output().expect("an end");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(home.lines("lines"), ["parent none", "child 9 none"]);
}

/// A child run with a tree of processes in it, and a run around it.
fn home_with_tree(grace: &str) -> Home {
    let child = format!(
        "schema: runbook/v1\nid: inner\ntitle: Inner\ncancel_grace: {grace}\non_failure: rollback\nsteps:\n  \
         - {{id: first, run: 'true', rollback: {{run: echo undo-first >> lines}}}}\n  \
         - id: tree\n    kill_grace: 1s\n    run: |\n      sh -c 'sleep 300 & setsid sleep 300' &\n      \
         setsid sh -c 'trap \"\" TERM; exec sleep 301' &\n      sleep 300\n"
    );
    let parent = "schema: runbook/v1\nid: outer\ntitle: Outer\non_failure: rollback\nsteps:\n  \
        - {id: before, run: 'true', rollback: {run: echo undo-before >> lines}}\n  \
        - {id: inner, runbook: ./inner.yaml}\n  - {id: after, run: echo after >> lines}\n";
    home(parent, &child)
}

fn wait_for_tree(home: &Home) {
    home.wait_for_processes("sleep 300", 3 + 1);
    home.wait_for_processes("sleep 301", 1);
}

fn assert_cancelled(home: &Home) {
    let commands: Vec<_> = home.processes().into_iter().filter(|one| one.command.contains("sleep")).collect();
    assert!(commands.is_empty(), "the run is over and these run on: {commands:#?}");
    home.wait_until_nothing_is_left();
    assert_eq!(home.lines("lines"), ["undo-first", "undo-before"]);
    assert_eq!((&runs(home)["inner"]["exit_code"], &runs(home)["outer"]["exit_code"]), (&10.into(), &10.into()));
}

#[test]
fn cancel_reaches_through_at_each_level_and_nothing_is_left() {
    for (flags, grace) in [(&[][..], "1s"), (&["--now"][..], NEVER), (&["--kill"][..], NEVER)] {
        let home = home_with_tree(grace);
        let mut engine = home.start(&["exec", "outer.yaml"]);
        wait_for_tree(&home);
        let cancel = home.run(&[&["cancel", "last", "--reason", "drill"], flags].concat());
        assert_eq!(cancel.status.code(), Some(0), "{}", text(&cancel.stderr));
        assert_eq!(end_of(&mut engine), Some(10), "{flags:?}");
        assert_cancelled(&home);
    }
}

/// The engine of the child run: a command of the parent.
fn child_engine(home: &Home) -> Option<Process> {
    home.processes().into_iter().find(|one| one.command.contains("__child"))
}

#[test]
fn cancel_ends_a_child_run_whose_engine_or_whose_parent_is_lost() {
    for lose_parent in [true, false] {
        let home = home_with_tree("1s");
        let mut engine = home.start(&["exec", "outer.yaml"]);
        wait_for_tree(&home);
        if lose_parent {
            engine.kill().expect("a kill");
        } else {
            child_engine(&home).expect("an engine").send(Signal::KILL);
        }
        let cancel = home.run(&["cancel", "last"]);
        let code = end_of(&mut engine);
        let code = if lose_parent { cancel.status.code() } else { code };
        assert_eq!(code, Some(10), "{}", text(&cancel.stderr));
        assert_cancelled(&home);
    }
}

#[test]
fn a_step_that_is_overdue_ends_its_child_run() {
    let home = home_with_tree("100ms");
    let parent = std::fs::read_to_string(home.path().join("outer.yaml")).expect("a file");
    home.write("outer.yaml", &parent.replace("runbook: ./inner.yaml", "runbook: ./inner.yaml, timeout: 2s"));
    let output = home.run(&["exec", "outer.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(home.status()["cause"].as_str().expect("a cause").contains("took longer than 2s"));
    home.wait_until_nothing_is_left();
    assert_eq!(home.lines("lines"), ["undo-first", "undo-before"]);
}

/// A child run of steps that are not idempotent, within another, within the run.
fn appending(home: &Home, steps: usize) {
    let nested = |id: &str, child: &str| {
        format!(
            "schema: runbook/v1\nid: {id}\ntitle: T\nsteps:\n  - {{id: begin, run: echo {id} >> lines}}\n  \
             - {{id: inner, runbook: ./{child}.yaml}}\n  - {{id: end, run: echo {id} >> lines}}\n"
        )
    };
    let mut last = "schema: runbook/v1\nid: inner\ntitle: T\nsteps:\n".to_owned();
    for number in 0..steps {
        last.push_str(&format!("  - {{id: s{number}, run: 'echo {number} >> lines; sleep 0.02'}}\n"));
    }
    home.write("outer.yaml", &nested("outer", "middle"));
    home.write("middle.yaml", &nested("middle", "inner"));
    home.write("inner.yaml", &last);
}

fn expected(steps: usize) -> Vec<String> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let numbers = (0..steps).map(|number| number.to_string());
    names(&["outer", "middle"]).into_iter().chain(numbers).chain(names(&["middle", "outer"])).collect()
}

#[test]
fn engines_killed_at_any_moment_repeat_nothing_and_ask_nothing() {
    const STEPS: usize = 8;
    for round in 0..16 {
        let home = Home::new();
        appending(&home, STEPS);
        let mut engine = home.start(&["exec", "outer.yaml"]);
        wait_for("the run", || runs(&home).contains_key("outer").then_some(()));
        for (blow, at) in [(round, round % 5), (round / 2 + 1, 3 + round % 7)] {
            wait_for("progress", || {
                let ended = engine.try_wait().expect("a child").is_some();
                (ended || home.lines("lines").len() >= at).then_some(())
            });
            let engines = home.processes().into_iter().filter(|one| one.command.contains("__child"));
            let engines: Vec<Process> = engines.collect();
            // The engine of the parent, one of a child, all of them: commands and supervisors live on.
            if blow % 3 != 1 {
                engine.kill().expect("a kill");
                engine.wait().expect("an end");
            }
            if blow % 3 != 0 {
                engines.iter().take(1 + blow % 2).for_each(|engine| engine.send(Signal::KILL));
            }
            if blow % 3 != 1 {
                engine = home.start(&["resume", "last"]);
            }
        }
        let code = end_of(&mut engine);
        let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
        assert_eq!(outcome.status.code(), Some(0), "round {round}: {code:?} {}", text(&outcome.stderr));
        assert_eq!(home.lines("lines"), expected(STEPS), "round {round}");
        assert!(runs(&home).values().all(|run| run["state"] == "succeeded"), "round {round}");
        assert_eq!(runs(&home).len(), 3, "no child run is started twice");
        home.wait_until_nothing_is_left();
    }
}

#[test]
fn when_supervisors_are_killed_the_child_run_goes_on_and_only_its_own_record_is_asked() {
    for round in 0..6 {
        let home = home(
            "schema: runbook/v1\nid: outer\ntitle: T\nsteps:\n  - {id: inner, runbook: ./inner.yaml}\n  \
             - {id: end, run: echo end >> lines}\n",
            "schema: runbook/v1\nid: inner\ntitle: T\nsteps:\n  - {id: fast, run: echo fast >> lines}\n  \
             - {id: slow, run: 'echo slow >> lines; exec sleep 300'}\n",
        );
        let mut engine = home.start(&["exec", "outer.yaml"]);
        home.wait_for_processes("sleep 300", 1);
        if round % 2 == 0 {
            // Everything, as if the power failed but for the boot.
            home.strike();
        } else {
            for process in home.processes().into_iter().filter(|one| one.role == Role::Supervisor) {
                process.send(Signal::KILL);
            }
            home.processes()
                .into_iter()
                .filter(|one| one.command.contains("__supervise"))
                .for_each(|one| kill(one.pid.as_raw_nonzero().get()));
            engine.kill().expect("a kill");
            home.processes()
                .into_iter()
                .filter(|one| one.command.contains("__child"))
                .for_each(|one| one.send(Signal::KILL));
            home.processes()
                .into_iter()
                .filter(|one| one.command.contains("sleep 300"))
                .for_each(|one| one.send(Signal::KILL));
        }
        engine.wait().expect("an end");
        let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
        assert_eq!(outcome.status.code(), Some(6), "{}", text(&outcome.stderr));
        let runs_now = runs(&home);
        assert_eq!(runs_now["outer"]["questions"], Value::Array(vec![]), "its parent has nothing to ask");
        let question = &runs_now["inner"]["questions"][0];
        assert_eq!((&question["step"], &question["kind"]), (&"slow".into(), &"interrupted".into()));
        let inner = runs_now["inner"]["run"].as_str().expect("an id").to_owned();
        assert_eq!(home.run(&["answer", &inner, "--took-effect"]).status.code(), Some(0));
        let outcome = home.run(&["resume", "last"]);
        assert_eq!(outcome.status.code(), Some(0), "round {round}: {}", text(&outcome.stderr));
        assert_eq!(home.lines("lines"), ["fast", "slow", "end"]);
        home.wait_until_nothing_is_left();
    }
}

#[test]
fn a_child_run_that_somebody_resumes_by_hand_counts_for_its_parent() {
    let home = Home::new();
    appending(&home, 6);
    let mut engine = home.start(&["exec", "outer.yaml"]);
    wait_for("progress", || (home.lines("lines").len() >= 4).then_some(()));
    home.strike();
    engine.wait().expect("an end");
    let inner = runs(&home)["inner"]["run"].as_str().expect("an id").to_owned();
    let resumed = home.run(&["resume", &inner, "--exit-when-waiting"]);
    if resumed.status.code() == Some(6) {
        assert_eq!(home.run(&["answer", &inner, "--took-effect"]).status.code(), Some(0));
        assert_eq!(home.run(&["resume", &inner]).status.code(), Some(0));
    }
    let outcome = home.run(&["resume", "last"]);
    assert_eq!(outcome.status.code(), Some(0), "{}", text(&outcome.stderr));
    assert_eq!(home.lines("lines"), expected(6));
}

/// The page of the guide is valid as it stands.
#[test]
fn the_guide_is_valid() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/child-runs.md")).expect("a page");
    let home = Home::new();
    let blocks = page.split("```yaml\n").skip(1).map(|part| part.split("```").next().unwrap_or_default());
    for text in blocks {
        let id = text.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id");
        home.write(&format!("{id}.yaml"), text);
    }
    let output = home.run(&["--runbooks", ".", "validate", "."]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let plan = text(&home.run(&["--runbooks", ".", "plan", "trading-halted"]).stdout);
    for part in ["runbook  restart-service", "├─ restart", "its steps are those above"] {
        assert!(plan.contains(part), "{part:?} is missing in\n{plan}");
    }
}
