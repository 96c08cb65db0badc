//! How runs are started: once under a key, by however many.

use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use crate::kit::{Home, end_of, wait_for};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// A runbook with one param whose steps are given.
fn runbook(home: &Home, id: &str, steps: &str) {
    let head = format!("schema: runbook/v1\nid: {id}\ntitle: One\nparams: {{target: {{type: string, default: db}}}}");
    home.write(&format!("{id}.yaml"), &format!("{head}\nsteps:\n{steps}"));
}

/// The runs there are.
fn runs(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path().join("state/runs")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The log of the one key there is.
fn key_file(home: &Home) -> PathBuf {
    let mut entries = fs::read_dir(home.path().join("state/keys")).expect("the keys").flatten();
    entries.next().expect("a key").path()
}

#[test]
fn twenty_that_start_at_once_under_one_key_start_one_run() {
    let home = Home::new();
    runbook(&home, "r", "  - {id: work, run: echo done >> lines}\n");
    let start = |number: u32| {
        let mut args = vec!["exec", "r.yaml", "--key", "alert 4711"];
        args.extend((number.is_multiple_of(2)).then_some("--detach"));
        home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let all: Vec<_> = (0..20).map(start).collect();
    let all: Vec<Output> = all.into_iter().map(|one| one.wait_with_output().expect("an end")).collect();
    let found = runs(&home);
    assert_eq!(found.len(), 1, "{found:?}");
    for (number, output) in all.iter().enumerate() {
        // Who looks at a run that has not ended says so.
        let fits = if number.is_multiple_of(2) { code(output) == Some(0) } else { matches!(code(output), Some(0 | 6)) };
        assert!(fits, "{number}: {:?} {}", code(output), said(output));
        if number.is_multiple_of(2) {
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), found[0]);
        }
    }
    wait_for("the end", || (home.status()["state"] == "succeeded").then_some(()));
    assert_eq!(home.lines("lines"), ["done"]);
}

#[test]
fn the_same_key_shows_the_run_and_its_exit_code() {
    let home = Home::new();
    runbook(&home, "r", "  - {id: work, run: echo done >> lines; exit 3}\n");
    let args = ["exec", "r.yaml", "--key", "k"];
    assert_eq!(code(&home.run(&args)), Some(1));
    // What the file says now is no matter: the key stands for the run that was started.
    runbook(&home, "r", "  - {id: work, run: echo other >> lines}\n");
    let again = home.run(&args);
    assert_eq!(code(&again), Some(1), "{}", said(&again));
    let id = runs(&home).pop().expect("a run");
    assert!(said(&again).contains("nothing was started") && said(&again).contains(&id), "{}", said(&again));
    assert!(said(&again).contains("failed"), "{}", said(&again));
    let json = home.run(&["exec", "r.yaml", "--key", "k", "--output", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((&json["run"], &json["state"]), (&id.as_str().into(), &"failed".into()));
    assert_eq!((home.lines("lines").len(), runs(&home).len()), (1, 1));
    let shown = home.run(&["show", "last"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("\n  key: k\n"), "{shown:?}");
    // Another key, or none, is another run.
    assert_eq!(code(&home.run(&["exec", "r.yaml", "--key", "l"])), Some(0));
    assert_eq!(code(&home.run(&["exec", "r.yaml"])), Some(0));
    assert_eq!((home.lines("lines").len(), runs(&home).len()), (3, 3));
}

#[test]
fn a_key_of_something_else_is_refused() {
    let home = Home::new();
    runbook(&home, "r", "  - {id: work, run: 'true'}\n");
    runbook(&home, "other", "  - {id: work, run: 'true'}\n");
    fs::create_dir_all(home.path().join("runbooks/environments")).expect("a folder");
    home.write("runbooks/environments/place.yaml", "schema: environment/v1\nid: place\ntitle: Place\n");
    assert_eq!(code(&home.run(&["exec", "r.yaml", "--key", "k", "-p", "target=a"])), Some(0));
    for (args, why) in [
        (&["r.yaml", "-p", "target=b"][..], "with other params"),
        (&["r.yaml"], "with other params"),
        (&["other.yaml", "-p", "target=a"], "of the runbook `r`, not `other`"),
        (&["r.yaml", "-p", "target=a", "--env", "place"], "with no environment, not the environment `place`"),
    ] {
        let output = home.run(&[&["exec", "--key", "k"], args].concat());
        assert_eq!(code(&output), Some(8), "{args:?} {}", said(&output));
        assert!(said(&output).contains(why) && said(&output).contains("hint: runbook show"), "{}", said(&output));
    }
    assert_eq!(code(&home.run(&["exec", "--key", "k", "r.yaml", "-p", "target=a"])), Some(0));
    assert_eq!(runs(&home).len(), 1);
    assert_eq!(code(&home.run(&["exec", "r.yaml", "--key", ""])), Some(64));
}

#[test]
fn a_start_that_is_killed_before_there_is_a_run_or_is_refused_leaves_the_key_free() {
    let home = Home::new();
    home.write("token", "#!/bin/bash\n[ -e hangs ] && { touch asked; exec sleep 1000; }\ncat value\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(home.path().join("token"), mode).expect("it may be run");
    home.write("hangs", "");
    let head = "schema: runbook/v1\nid: r\ntitle: R\nsecrets: {token: {command: [./token], timeout: 10m}}\nsteps:\n";
    home.write(
        "r.yaml",
        &format!("{head}  - {{id: use, run: echo done >> lines, env: {{TOKEN: {{secret: token}}}}}}\n"),
    );
    let args = ["exec", "r.yaml", "--key", "k"];
    let mut first = home.start(&args);
    wait_for("the look for the secret", || home.path().join("asked").exists().then_some(()));
    assert_eq!(fs::read_to_string(key_file(&home)).expect("the key").lines().count(), 1, "reserved, and not begun");
    // Who comes meanwhile waits, and is the one when the first has died.
    let mut second = home.command(&args).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut told = String::new();
    let lines = second.stderr.take().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(lines), &mut told).expect("a line");
    assert!(told.contains("waiting for it"), "{told}");
    fs::remove_file(home.path().join("hangs")).expect("it is there");
    first.kill().expect("a kill");
    first.wait().expect("an end");
    // There is no value yet: refused, and free again.
    assert_eq!(end_of(&mut second), Some(4));
    assert_eq!((runs(&home).len(), home.lines("lines").len()), (0, 0));
    home.write("value", "a-long-secret");
    let third = home.run(&args);
    assert_eq!((code(&third), runs(&home).len()), (Some(0), 1), "{}", said(&third));
    assert_eq!(code(&home.run(&args)), Some(0));
    assert_eq!(home.lines("lines"), ["done"]);
}

#[test]
fn a_crash_just_after_the_first_event_leaves_a_key_that_has_its_run() {
    let home = Home::new();
    runbook(&home, "r", "  - {id: work, run: echo done >> lines, approval: {from: [anyone]}}\n");
    let args = ["exec", "r.yaml", "--key", "k", "--exit-when-waiting"];
    assert_eq!(code(&home.run(&args)), Some(6));
    let text = fs::read_to_string(key_file(&home)).expect("the key");
    let reserved = text.lines().next().expect("a line");
    fs::write(key_file(&home), format!("{reserved}\n")).expect("as it was before");
    let again = home.run(&args);
    assert_eq!((code(&again), runs(&home).len()), (Some(6), 1), "{}", said(&again));
    assert!(said(&again).contains("no engine: runbook resume"), "{}", said(&again));
}
