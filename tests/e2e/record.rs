//! The sealed record: what is left of a run, whoever is killed, and who notices that it was altered.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::kit::chance::Chance;
use crate::kit::{Home, end_of, wait_for};

const STEPS: &str = "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  - {id: a, run: echo one >> lines}\n  \
                     - {id: b, run: echo two >> lines}\n";

/// A home with one run that has ended.
fn ended() -> (Home, PathBuf) {
    let home = Home::new();
    home.write("r.yaml", STEPS);
    assert_eq!(home.run(&["exec", "r.yaml"]).status.code(), Some(0));
    let record = home.run_folder().expect("a run").join("record.jsonl");
    (home, record)
}

fn names(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.run_folder().expect("a run")).expect("its folder").flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn verified(home: &Home, what: &str) -> (Option<i32>, Value) {
    let output = home.run(&["verify", what, "--output", "json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn a_run_that_has_ended_is_a_sealed_record_that_every_command_reads() {
    let (home, record) = ended();
    assert!(names(&home).iter().all(|name| !name.starts_with("journal")), "{:?}", names(&home));
    let before = fs::read(&record).expect("a record");
    for (args, code) in [
        (&["show", "last"][..], 0),
        (&["status", "last"], 0),
        (&["logs", "last"], 0),
        (&["runs"], 0),
        (&["attach", "last"], 0),
        (&["resume", "last"], 0),
        (&["cancel", "last"], 4),
        (&["verify", "last"], 0),
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(fs::read(&record).expect("a record"), before);
    // Without the snapshot, the record alone tells.
    fs::remove_file(home.run_folder().expect("a run").join("status.json")).expect("removed");
    assert_eq!(home.status()["state"], "succeeded");
    let listed = home.run(&["runs", "--output", "json"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("\"succeeded\""));
    // And far from its folder.
    let elsewhere = Home::new();
    fs::copy(&record, elsewhere.path().join("taken.jsonl")).expect("copied");
    let (code, report) = verified(&elsewhere, "taken.jsonl");
    assert_eq!((code, &report["valid"], &report["records"][0]["state"]), (Some(0), &true.into(), &"succeeded".into()));
    assert!(!elsewhere.path().join("state").exists(), "no state folder is made for it");
}

#[test]
fn an_altered_record_is_named_with_its_line() {
    let (home, record) = ended();
    let text = fs::read_to_string(&record).expect("a record");
    // When it started is not what it was.
    let at = text.lines().position(|line| line.contains("\"number\":1")).expect("an attempt") as u64 + 1;
    let altered = |(number, line): (u64, &str)| match number {
        number if number == at => line.replacen("\"at\":1", "\"at\":2", 1),
        _ => line.to_owned(),
    };
    fs::write(&record, (1..).zip(text.split_inclusive('\n')).map(altered).collect::<String>()).expect("written");
    let (code, report) = verified(&home, "last");
    let finding = &report["records"][0]["findings"][0];
    assert_eq!((code, &finding["line"], &finding["kind"]), (Some(1), &at.into(), &"chain".into()), "{report}");
    let said = home.run(&["verify", "last"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(&format!("  line {at}: its hash is ")), "{said}");
    let shown = home.run(&["show", "last"]);
    assert!(String::from_utf8_lossy(&shown.stderr).contains("warning: the last snapshot is shown"), "{shown:?}");
}

#[test]
fn a_run_that_has_not_ended_is_not_sealed() {
    let home = Home::new();
    home.write("r.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps: [{id: a, manual: Turn the key.}]\n");
    assert_eq!(home.run(&["exec", "r.yaml", "--exit-when-waiting"]).status.code(), Some(6));
    let (code, report) = verified(&home, "last");
    let findings = report["records"][0]["findings"].as_array().expect("findings");
    assert_eq!((code, findings.len(), &findings[0]["kind"]), (Some(1), 1, &"not_sealed".into()), "{report}");

    let mut engine = home.start(&["resume", "last"]);
    wait_for("the engine", || (home.status()["engine_pid"].as_u64() == Some(engine.id().into())).then_some(()));
    assert_eq!(home.run(&["verify", "last"]).status.code(), Some(8), "an engine has it");
    assert_eq!(home.run(&["answer", "last", "--done"]).status.code(), Some(0));
    assert_eq!(end_of(&mut engine), Some(0));
    assert_eq!(verified(&home, "last").0, Some(0));
}

#[test]
fn an_engine_killed_while_it_seals_leaves_everything() {
    const ROUNDS: usize = 40;
    let mut chance = Chance::new();
    let mut unsealed = 0;
    for round in 0..ROUNDS {
        let home = Home::new();
        home.write("r.yaml", STEPS);
        let mut engine = home.start(&["exec", "r.yaml"]);
        // From the last step's line on, some loops more or fewer: from before the end to after the seal.
        wait_for("the last step", || (home.lines("lines").len() == 2).then_some(()));
        let folder = home.run_folder().expect("a run");
        let unfinished = [".record.jsonl", "record.jsonl", "journal.old"][round % 3];
        let mut left = chance.below(400);
        wait_for("the moment", || {
            if folder.join(unfinished).exists() || folder.join("record.jsonl").exists() {
                left = left.saturating_sub(399);
            }
            left = left.saturating_sub(1);
            let is_over = engine.try_wait().expect("a child").is_some();
            (left == 0 || is_over).then_some(())
        });
        let _ = engine.kill();
        engine.wait().expect("an end");
        unsealed += usize::from(!folder.join("record.jsonl").exists() || folder.join("journal").exists());
        for command in ["show", "status"] {
            let output = home.run(&[command, "last", "--output", "json"]);
            let status: Value = serde_json::from_slice(&output.stdout).expect("a status");
            assert!(output.stderr.is_empty(), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(status["run"].as_str(), folder.file_name().and_then(|name| name.to_str()), "round {round}");
        }
        let resumed = home.run(&["resume", "last"]);
        assert_eq!(resumed.status.code(), Some(0), "round {round}: {}", String::from_utf8_lossy(&resumed.stderr));
        assert_eq!(home.lines("lines"), ["one", "two"], "round {round}: nothing is repeated");
        let (code, report) = verified(&home, "last");
        assert_eq!(code, Some(0), "round {round}: {report}");
        let left: Vec<String> = names(&home).into_iter().filter(|name| name.contains("journal")).collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
    }
    assert!(unsealed > 0, "some engine must die before it has sealed");
}

// Made for this test with `openssl genpkey -algorithm ed25519`.
const SECRET: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIApTtP36E64jyo78c8tLi55tC4Etl0GNgqnJPUMnHXbx\n\
                      -----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA/uymEYBJrPqcgTSpV8O1e7Th5zXuYI+O2BJPX23R5jo=\n\
                      -----END PUBLIC KEY-----\n";

fn let_read(home: &Home, name: &str, mode: u32) {
    fs::set_permissions(home.path().join(name), fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_record_is_signed_when_it_is_sealed_and_by_hand() {
    let (home, record) = ended();
    home.write("key.pem", SECRET);
    home.write("key.pub", PUBLIC);
    let unsigned = home.run(&["verify", "last", "--key", "key.pub"]);
    assert_eq!(unsigned.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unsigned.stdout).contains("segment 1 is not signed"), "{unsigned:?}");

    let_read(&home, "key.pem", 0o644);
    let exposed = home.run(&["seal", "last", "--sign", "key.pem"]);
    assert_eq!(exposed.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&exposed.stderr).contains("hint: chmod 600"), "{exposed:?}");
    let_read(&home, "key.pem", 0o600);
    assert_eq!(home.run(&["seal", "last", "--sign", "key.pem"]).status.code(), Some(0));
    assert_eq!(home.run(&["verify", "last", "--key", "key.pub"]).status.code(), Some(0));
    let signature = record.with_extension("1.sig");
    let mut bytes = fs::read(&signature).expect("a signature");
    bytes[7] ^= 1;
    fs::write(&signature, bytes).expect("written");
    assert_eq!(home.run(&["verify", "last", "--key", "key.pub"]).status.code(), Some(1));
    assert_eq!(home.run(&["verify", "last"]).status.code(), Some(0), "without a key only the chain is verified");

    // With the key in the project, every record is signed; without it, nothing begins.
    home.write("runbook.toml", "[record]\nsign = \"key.pem\"\n");
    assert_eq!(home.run(&["exec", "r.yaml"]).status.code(), Some(0));
    let output = home.run(&["verify", "last", "--key", "key.pub", "--output", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["records"][0]["signatures"][0]["verified"], true, "{report}");
    let_read(&home, "key.pem", 0o640);
    let runs = || home.run(&["runs", "--output", "json"]).stdout;
    let before = runs();
    assert_eq!(home.run(&["exec", "r.yaml"]).status.code(), Some(4));
    assert_eq!(runs(), before);
}

#[test]
fn only_what_has_ended_can_be_sealed() {
    let home = Home::new();
    home.write("r.yaml", "schema: runbook/v1\nid: r\ntitle: R\nsteps: [{id: a, manual: Turn the key.}]\n");
    assert_eq!(home.run(&["exec", "r.yaml", "--exit-when-waiting"]).status.code(), Some(6));
    assert_eq!(home.run(&["seal", "last"]).status.code(), Some(4));
}

#[test]
fn a_record_that_cannot_be_written_is_sealed_later() {
    let home = Home::new();
    // What stands where the record is to be written makes that fail, as a full disk does.
    let step = r#"{id: a, run: 'mkdir "$(dirname "$RUNBOOK_OUTPUT")/../.record.jsonl"'}"#;
    home.write("r.yaml", &format!("schema: runbook/v1\nid: r\ntitle: R\nsteps: [{step}]\n"));
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(0), "it ended as it ended");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the record is not sealed"), "{output:?}");
    assert_eq!(home.status()["state"], "succeeded");
    assert_eq!(home.run(&["seal", "last"]).status.code(), Some(20));
    fs::remove_dir(home.run_folder().expect("a run").join(".record.jsonl")).expect("removed");
    assert_eq!(home.run(&["seal", "last"]).status.code(), Some(0));
    assert_eq!(verified(&home, "last").0, Some(0));
}
