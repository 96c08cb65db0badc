//! `prune`: what is over and old goes, nothing else.

use std::path::Path;

use serde_json::Value;

use crate::kit::pty::Terminal;
use crate::kit::{Home, end_of, wait_for};

const ONE: &str = "schema: runbook/v1\nid: one\ntitle: One\nsteps:\n  - {id: a, run: 'true'}\n";

fn told(home: &Home, args: &[&str], code: i32) -> String {
    let output = home.run(args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    format!("{out}{err}")
}

fn runs(home: &Home) -> Vec<String> {
    let output = home.run(&["runs", "--output", "json"]);
    let runs: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    runs.as_array().expect("a list").iter().map(|run| run["runbook"].as_str().unwrap_or("?").to_owned()).collect()
}

/// Runs `one`, and the same with tags.
fn home() -> Home {
    let home = Home::new();
    home.write("one.yaml", ONE);
    home.write("audit.yaml", &ONE.replace("id: one", "id: audited\ntags: [drill, audit]"));
    home.write("drill.yaml", &ONE.replace("id: one", "id: drilled\ntags: [drill]"));
    for file in ["one.yaml", "audit.yaml", "drill.yaml"] {
        told(&home, &["exec", file], 0);
    }
    home
}

#[test]
fn what_is_old_goes_and_tags_keep_it_longer() {
    let home = home();
    home.write("runbook.toml", "[retention]\ndefault = \"90d\"\ntags = {audit = \"7y\", drill = \"1ms\"}\n");
    let shown = told(&home, &["prune", "--dry-run"], 0);
    assert!(shown.contains("drilled") && !shown.contains("audited") && shown.contains("1 run, "), "{shown}");
    assert_eq!(runs(&home), ["drilled", "audited", "one"], "nothing was removed");
    let shown = told(&home, &["prune", "--keep", "1ms", "--yes"], 0);
    assert!(shown.contains("removed: 2 runs"), "{shown}");
    assert_eq!(runs(&home), ["audited"]);
    let left = std::fs::read_dir(home.path().join("state/runs")).expect("the runs").count();
    assert_eq!(left, 1, "nothing of them is left");
    let shown = told(&home, &["audit", "--event", "pruned", "--output", "json"], 0);
    let found: Value = serde_json::from_str(&shown).expect("JSON");
    let acts = found["acts"].as_array().expect("a list");
    let of: std::collections::BTreeSet<&str> = acts.iter().filter_map(|act| act["runbook"].as_str()).collect();
    assert_eq!((acts.len(), of), (2, ["drilled", "one"].into()), "{shown}");
    assert!(acts[0]["reason"].as_str().is_some_and(|why| why.contains("kept for 1ms; the head of its record was ")));
}

#[test]
fn nothing_is_removed_without_a_yes_or_a_period() {
    let home = home();
    assert!(told(&home, &["prune"], 64).contains("hint: `--keep 90d`"));
    assert!(told(&home, &["prune", "--keep", "90"], 64).contains("is not a period"));
    assert!(told(&home, &["prune", "--keep", "1ms"], 4).contains("nothing is removed without a yes"));
    assert!(told(&home, &["prune", "--keep", "1d", "--yes"], 0).contains("no run is older"));
    assert_eq!(runs(&home).len(), 3);
    for (typed, left) in [("no", 3), ("yes", 0)] {
        let mut terminal = Terminal::open(home.command(&["prune", "--keep", "1ms"]));
        terminal.until("type `yes`: ");
        terminal.type_line(typed);
        assert_eq!(terminal.end(), 0, "{}", terminal.text());
        assert_eq!(runs(&home).len(), left, "{typed}");
    }
}

#[test]
fn a_run_that_is_not_over_is_never_removed() {
    let home = Home::new();
    home.write("asks.yaml", &ONE.replace("run: 'true'", "run: 'true', approval: {from: [anyone]}"));
    told(&home, &["exec", "asks.yaml", "--exit-when-waiting"], 6);
    let mut engine = home.start(&["exec", "asks.yaml", "--output", "plain"]);
    wait_for("the second run", || {
        let output = home.run(&["runs", "--only", "waiting", "--output", "json"]);
        let waiting: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (waiting.as_array().map(Vec::len) == Some(1)).then_some(())
    });
    let output = home.run(&["prune", "--keep", "1ms", "--yes", "--output", "json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&found["runs"], &found["removed"]), (&serde_json::json!([]), &false.into()));
    assert_eq!(found["left_out"][0]["why"], "an engine has it");
    assert_eq!(runs(&home).len(), 2);
    told(&home, &["cancel", "last"], 0);
    end_of(&mut engine);
}

#[test]
fn what_a_removal_that_was_cut_short_left_goes_with_the_next() {
    let home = home();
    let runs = home.path().join("state/runs");
    let first = std::fs::read_dir(&runs).expect("the runs").flatten().next().expect("a run").path();
    let aside = runs.join(format!(".removed-{}", first.file_name().and_then(|name| name.to_str()).expect("a name")));
    std::fs::rename(&first, &aside).expect("a rename");
    assert!(is_gone(&home, &aside, false));
    told(&home, &["prune", "--keep", "1ms", "--yes"], 0);
    assert!(is_gone(&home, &aside, true));
}

/// Whether a folder that is no run any more is there or gone, and no command takes it for a run.
fn is_gone(home: &Home, aside: &Path, gone: bool) -> bool {
    let listed = told(home, &["runs", "--limit", "0"], 0);
    !listed.contains("removed") && !listed.contains("damaged") && aside.exists() != gone
}
