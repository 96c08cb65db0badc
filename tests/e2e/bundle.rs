//! Bundles: what is in one, and who notices that it was altered.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::kit::Home;

const RUNBOOK: &str = "schema: runbook/v1\nid: r\ntitle: R\nsecrets: {token: {file: token}}\nsteps:\n  \
                       - {id: a, run: 'echo it is $TOKEN', env: {TOKEN: {secret: token}}}\n";

/// A home with a run that has ended, which printed a secret, and its bundle.
fn bundled() -> Home {
    let home = Home::new();
    home.write("r.yaml", RUNBOOK);
    home.write("token", "sesame-opens\n");
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(home.run(&["bundle", "last", "-o", "b.tar.gz"]).status.code(), Some(0));
    home
}

fn verified(home: &Home, file: &str) -> (Option<i32>, Value) {
    let output = home.run(&["verify", file, "--output", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), report["records"][0].clone())
}

/// What `tar` makes of a bundle: a folder.
fn unpacked(home: &Home) -> std::path::PathBuf {
    let folder = home.path().join("unpacked");
    fs::create_dir(&folder).expect("a folder");
    let tar = Command::new("tar").args(["-xzf", "b.tar.gz", "-C", "unpacked"]).current_dir(home.path()).status();
    assert!(tar.expect("tar").success());
    fs::read_dir(&folder).expect("a folder").flatten().next().expect("the run").path()
}

#[test]
fn a_bundle_has_all_of_a_run_and_no_secret() {
    let home = bundled();
    let run = unpacked(&home);
    let sums = Command::new("sha256sum").args(["-c", "MANIFEST"]).current_dir(&run).output().expect("sha256sum");
    assert!(sums.status.success(), "{sums:?}");
    let named: Vec<String> = String::from_utf8_lossy(&sums.stdout).lines().map(str::to_owned).collect();
    let files =
        ["environment.json", "logs/a.1.err", "logs/a.1.out", "record.jsonl", "report.html", "report.md", "status.json"];
    assert_eq!(named, files.map(|file| format!("{file}: OK")));
    for file in files {
        let text = fs::read_to_string(run.join(file)).expect("a file");
        assert!(!text.contains("sesame"), "{file}: {text}");
    }
    assert_eq!(
        fs::read(run.join("record.jsonl")).expect("a record"),
        fs::read(home.run_folder().expect("a run").join("record.jsonl")).expect("a record")
    );
    // Far from the state folder, and the same bytes each time.
    let elsewhere = Home::new();
    fs::copy(home.path().join("b.tar.gz"), elsewhere.path().join("b.tar.gz")).expect("copied");
    let (code, report) = verified(&elsewhere, "b.tar.gz");
    assert_eq!((code, &report["valid"], &report["state"]), (Some(0), &true.into(), &"succeeded".into()), "{report}");
    assert_eq!(home.run(&["bundle", "last", "-o", "again.tar.gz"]).status.code(), Some(0));
    let bytes = |name: &str| fs::read(home.path().join(name)).expect("a bundle");
    assert_eq!(bytes("b.tar.gz"), bytes("again.tar.gz"));
    assert_eq!(home.run(&["bundle", "last", "-o", "b.tar.gz"]).status.code(), Some(4), "nothing is written over");
}

#[test]
fn an_altered_bundle_is_told() {
    let home = bundled();
    let run = unpacked(&home);
    let told = |what: &str| {
        // Only the files, as in a bundle.
        let mut tar = Command::new("tar");
        tar.args(["-czf", "c.tar.gz", "--no-recursion", "-C", "unpacked"]).args(names(&run));
        let packed = tar.current_dir(home.path()).status();
        assert!(packed.expect("tar").success());
        let (code, report) = verified(&home, "c.tar.gz");
        assert_eq!(code, Some(1));
        assert!(report["findings"].to_string().contains(what), "{what}: {report}");
    };
    fs::write(run.join("logs/a.1.out"), "it is fine\n").expect("written");
    told("logs/a.1.out was altered");
    fs::write(run.join("more"), "").expect("written");
    told("more is not in MANIFEST");
    fs::remove_file(run.join("status.json")).expect("removed");
    told("status.json is missing");
    fs::remove_file(run.join("record.jsonl")).expect("removed");
    told("it holds no record");

    let bytes = fs::read(home.path().join("b.tar.gz")).expect("a bundle");
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut altered = bytes.clone();
        altered[at] ^= 4;
        fs::write(home.path().join("d.tar.gz"), altered).expect("written");
        // The name of the program that packed, and the like, count for nothing.
        if at > 9 {
            assert_eq!(verified(&home, "d.tar.gz").0, Some(1), "byte {at}");
        }
    }
    fs::write(home.path().join("e.tar.gz"), &bytes[..bytes.len() / 2]).expect("written");
    assert_eq!(verified(&home, "e.tar.gz").0, Some(1));
}

/// All files below a folder, from the folder around it.
fn names(run: &std::path::Path) -> Vec<String> {
    let name = run.file_name().and_then(|name| name.to_str()).expect("a name");
    let list = |folder: &str| {
        let entries = fs::read_dir(run.join(folder)).expect("a folder").flatten();
        entries
            .filter(|entry| entry.path().is_file())
            .map(|entry| entry.file_name().into_string().expect("text"))
            .collect::<Vec<_>>()
    };
    let logs = list("logs").into_iter().map(|log| format!("logs/{log}"));
    list("").into_iter().chain(logs).map(|file| format!("{name}/{file}")).collect()
}

#[test]
fn a_run_that_goes_on_is_bundled_as_far_as_it_went() {
    let home = Home::new();
    home.write("r.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps: [{id: a, manual: Turn the key.}]\n");
    assert_eq!(home.run(&["exec", "r.yaml", "--exit-when-waiting"]).status.code(), Some(6));
    let output = home.run(&["bundle", "last", "-o", "b.tar.gz"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not sealed"), "{output:?}");
    let (code, report) = verified(&home, "b.tar.gz");
    assert_eq!((code, &report["findings"][0]["kind"]), (Some(1), &"not_sealed".into()), "{report}");
}

#[test]
fn a_bundle_has_the_child_runs_and_they_are_verified_with_it() {
    let home = Home::new();
    let outer = |id: &str, other: &str| {
        format!("schema: runbook/v1\nid: {id}\ntitle: R\nsteps: [{{id: of_{id}, runbook: ./{other}.yaml}}]\n")
    };
    home.write("a.yaml", &outer("a", "b"));
    home.write("b.yaml", &outer("b", "c"));
    home.write("c.yaml", "schema: runbook/v1\nid: c\ntitle: R\nsteps: [{id: said, run: echo innermost}]\n");
    assert_eq!(home.run(&["exec", "a.yaml"]).status.code(), Some(0));
    let output = home.run(&["bundle", "last", "-o", "b.tar.gz"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    let children = unpacked(&home).join("children");
    let ids: Vec<_> = fs::read_dir(&children).expect("a folder").flatten().map(|entry| entry.path()).collect();
    assert_eq!(ids.len(), 2);
    let said = ids.iter().filter_map(|run| fs::read_to_string(run.join("logs/said.1.out")).ok());
    assert_eq!(said.collect::<Vec<_>>(), ["innermost\n"]);
    assert!(ids.iter().all(|run| run.join("record.jsonl").exists() && run.join("report.html").exists()));

    let output = home.run(&["verify", "b.tar.gz", "--output", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = report["records"].as_array().expect("a list").iter().map(|record| {
        assert!(record["valid"] == true && !record["head"].as_str().unwrap_or_default().is_empty(), "{record}");
        record["runbook"].as_str().expect("an id")
    });
    let of: Vec<&str> = of.collect();
    assert_eq!(
        (of[0], of.len(), of.contains(&"b"), of.contains(&"c")),
        ("a", 3, true, true),
        "the run itself is first"
    );

    // A child whose records are gone is told of.
    let gone = ids.iter().find(|run| run.join("logs/said.1.out").exists()).and_then(|run| run.file_name()).expect("c");
    fs::remove_dir_all(home.path().join("state/runs").join(gone)).expect("removed");
    let output = home.run(&["bundle", "last", "-o", "c.tar.gz"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = format!("of child run {} there is nothing any more", gone.display());
    assert!(output.status.success() && told.contains(&wanted), "{told}");
}
