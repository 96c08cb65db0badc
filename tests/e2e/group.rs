//! A state folder that a group shares: with real users, honest ones here, and one who is not in [`hostile`].

mod hostile;

use std::os::unix::fs::MetadataExt as _;

use crate::kit::users::{Office, said};
use crate::kit::{end_of, wait_for};

/// Two people other than who starts it must agree.
pub(super) const BOOK: &str = "schema: runbook/v1
id: careful
title: Careful
steps:
  - {id: before, run: 'echo secret-of-the-log; echo \"word=from-an-output\" >> \"$RUNBOOK_OUTPUT\"', outputs: [word]}
  - id: act
    approval: {from: [boss], min: 2, exclude_initiator: true}
    run: touch \"$HOME/ran\"
";

pub(super) fn office(book: &str) -> Option<Office> {
    let office = Office::open()?;
    office.write("r.yaml", book);
    office.write("runbook.toml", "[roles]\nboss = [\"ann\", \"bob\", \"cid\"]\n");
    Some(office)
}

pub(super) fn code(output: &std::process::Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn the_folder_lets_members_in_and_each_run_is_its_owners_alone() {
    let Some(office) = office(BOOK) else { return };
    assert_eq!(code(&office.run("ann", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    let run = office.id();
    let mode = |path: &str| {
        let about = std::fs::metadata(office.state().join(path)).expect(path);
        (format!("{:o}", about.mode() & 0o7777), about.uid(), about.gid())
    };
    let shared = format!("shared/{run}");
    for (path, expected) in [
        ("", ("2750".to_owned(), 0, 7000)),
        ("runs", ("3770".to_owned(), 0, 7000)),
        ("shared", ("3730".to_owned(), 0, 7000)),
        (&shared, ("2750".to_owned(), 7001, 7000)),
        (&format!("{shared}/inbox"), ("3730".to_owned(), 7001, 7000)),
        (&format!("{shared}/status.json"), ("640".to_owned(), 7001, 7000)),
        (&format!("{shared}/bell"), ("620".to_owned(), 7001, 7000)),
    ] {
        assert_eq!(mode(path), expected, "{path}");
    }
    assert!(mode(&format!("runs/{run}")).0.ends_with("700"));
    let said_by = |user: &str| said(&office.run(user, &["runs"]));
    assert!(said_by("bob").contains(&run) && said_by("bob").contains("ann"), "{}", said_by("bob"));
    assert!(said_by("root").contains(&run));
    assert!(!said_by("out").contains(&run) && said_by("out").contains("Permission denied"), "{}", said_by("out"));
    assert!(!office.can("out", &format!("cat state/{shared}/status.json")));
    assert!(!office.can("out", &format!("echo > state/{shared}/inbox/x.json")));
    // What is one's own is found without a name; what is not needs one.
    assert!(said(&office.run("bob", &["approve", "last"])).contains("you have started no run"));
}

#[test]
fn members_with_the_role_approve_the_run_of_another_and_the_record_names_them() {
    let Some(office) = office(BOOK) else { return };
    let mut engine = office.start("ann", &["exec", "r.yaml"]);
    let run = office.id();
    let status = office.asks("bob", &run);
    assert_eq!((status["engine"].as_bool(), status["state"].as_str()), (Some(true), Some("waiting")));
    let shown = said(&office.run("bob", &["status", &run]));
    assert!(shown.contains("touch \"$HOME/ran\"") && shown.contains("runbook approve"), "{shown}");
    let first = said(&office.run("bob", &["approve", &run, "--reason", "seen"]));
    assert!(first.contains("1 of 2 approved"), "{first}");
    let by_ann = said(&office.run("ann", &["approve", &run]));
    assert!(by_ann.contains("did not count"), "{by_ann}");
    let by_mal = said(&office.run("mal", &["approve", &run]));
    assert!(by_mal.contains("did not count"), "no role: {by_mal}");
    assert!(!office.path().join("ann/ran").exists());
    let second = said(&office.run("cid", &["approve", &run]));
    assert!(second.contains("taken"), "{second}");
    assert_eq!(end_of(&mut engine), Some(0));
    assert!(office.path().join("ann/ran").exists(), "it ran as ann");
    let shown = said(&office.run("ann", &["show", &run]));
    assert!(shown.contains("approved by bob") && shown.contains("cid"), "{shown}");
    let seen = office.status("bob", &run).expect("the end is published");
    assert_eq!(seen["state"], "succeeded");
}

#[test]
fn answers_wait_for_the_engine_and_only_the_owner_can_start_one() {
    let Some(office) = office(BOOK) else { return };
    assert_eq!(code(&office.run("ann", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    let run = office.id();
    for user in ["bob", "cid"] {
        let stored = said(&office.run(user, &["approve", &run]));
        assert!(stored.contains("stored; no engine has this run") && stored.contains("# as ann"), "{stored}");
    }
    for user in ["bob", "root"] {
        let refused = office.run(user, &["resume", &run]);
        assert_eq!(code(&refused), Some(4), "{}", said(&refused));
        assert!(said(&refused).contains("belongs to `ann`"), "{}", said(&refused));
    }
    let shown = said(&office.run("ann", &["status", "last"]));
    assert!(shown.contains("an answer to this is stored"), "{shown}");
    assert_eq!(code(&office.run("ann", &["resume", "last"])), Some(0));
}

#[test]
fn what_is_not_published_is_refused_with_who_can() {
    let Some(office) = office(BOOK) else { return };
    assert_eq!(code(&office.run("ann", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    let run = office.id();
    for verb in ["show", "logs", "report", "bundle", "verify", "seal"] {
        for user in ["bob", "root"] {
            let refused = office.run(user, &[verb, &run]);
            let text = said(&refused);
            assert_eq!(code(&refused), Some(4), "{verb}: {text}");
            assert!(text.contains("belongs to `ann`, who alone can read its record and its logs"), "{verb}: {text}");
        }
    }
    let published = said(&office.run("bob", &["status", &run, "--output", "json"]));
    assert!(!published.contains("from-an-output"), "{published}");
    assert!(said(&office.run("ann", &["status", &run, "--output", "json"])).contains("from-an-output"));
    // Nor by hand: not one file of it.
    let read =
        said(&office.shell("bob", &format!("cat state/runs/{run}/* ; ls state/runs/{run}")).output().expect("sh"));
    assert!(!read.contains("secret-of-the-log") && read.contains("Permission denied"), "{read}");
    assert!(!office.can("bob", "grep -r secret-of-the-log state"), "nowhere");
    let listed = said(&office.run("bob", &["stats"]));
    assert!(listed.contains("1 run of other users"), "{listed}");
}

#[test]
fn any_member_can_end_a_run_and_the_record_says_who() {
    let Some(office) = office(BOOK) else { return };
    let mut engine = office.start("ann", &["exec", "r.yaml"]);
    let run = office.id();
    office.asks("mal", &run);
    let asked = said(&office.run("mal", &["cancel", &run, "--reason", "fire"]));
    assert!(asked.contains("cancelled"), "{asked}");
    assert_eq!(end_of(&mut engine), Some(10));
    let shown = said(&office.run("ann", &["report", &run]));
    assert!(shown.contains("mal") && shown.contains("fire"), "{shown}");
}

#[test]
fn any_member_can_pause_a_run_and_take_it_over_but_only_its_owner_has_it_do_more() {
    let Some(office) = office(BOOK) else { return };
    let mut engine = office.start("ann", &["exec", "r.yaml"]);
    let run = office.id();
    office.asks("bob", &run);
    for verb in ["pause", "take"] {
        let taken = office.run("bob", &[verb, &run, "--reason", "my shift"]);
        assert_eq!(code(&taken), Some(0), "{}", said(&taken));
    }
    let refused = office.run("mal", &["continue", &run, "--reason", "mine"]);
    assert!(code(&refused) == Some(4) && said(&refused).contains("only `ann`"), "{}", said(&refused));
    for args in [&["rollback", &run][..], &["skip", &run, "a"], &["retry", &run]] {
        assert_eq!(code(&office.run("bob", &[args, &["--reason", "x"]].concat())), Some(4), "{args:?}");
    }
    assert_eq!(code(&office.run("bob", &["continue", &run, "--reason", "done"])), Some(0));
    assert_eq!(code(&office.run("ann", &["cancel", &run])), Some(0));
    assert_eq!(end_of(&mut engine), Some(10));
    let report = said(&office.run("ann", &["report", &run]));
    assert!(report.contains("bob") && report.contains("my shift"), "{report}");
}

#[test]
fn a_request_to_end_a_run_without_an_engine_is_stored_for_its_owner() {
    let Some(office) = office(BOOK) else { return };
    assert_eq!(code(&office.run("ann", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    let run = office.id();
    for user in ["bob", "root"] {
        let asked = office.run(user, &["cancel", &run]);
        assert_eq!(code(&asked), Some(0), "{}", said(&asked));
        assert!(said(&asked).contains("only `ann` can go on with it"), "{}", said(&asked));
    }
    assert_eq!(code(&office.run("ann", &["resume", &run])), Some(10));
}

#[test]
fn a_run_that_the_group_could_not_approve_does_not_begin() {
    let Some(office) = office(BOOK) else { return };
    office.write("runbook.toml", "[roles]\nboss = [\"ann\", \"bob\", \"out\"]\n");
    let refused = office.run("ann", &["exec", "r.yaml"]);
    assert_eq!(code(&refused), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("only `bob` of the group `ops` can give it"), "{}", said(&refused));
    // Who starts it makes the difference: for bob there is only ann, for root there are both.
    assert_eq!(code(&office.run("bob", &["exec", "r.yaml"])), Some(4));
    office.write("r.yaml", &BOOK.replace(", min: 2", ""));
    assert_eq!(code(&office.run("bob", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    // A state folder of one user has only that one.
    let alone = office.command("bob", &["exec", "r.yaml"]).env("RUNBOOK_STATE", office.path().join("bob/own")).output();
    assert_eq!(alone.expect("it runs").status.code(), Some(4));
}

#[test]
fn a_key_counts_for_each_member() {
    let Some(office) = office("schema: runbook/v1\nid: k\ntitle: K\nsteps:\n  - {id: a, run: 'true'}\n") else {
        return;
    };
    for user in ["ann", "bob", "ann"] {
        assert_eq!(code(&office.run(user, &["exec", "r.yaml", "--key", "alert-1"])), Some(0));
    }
    let runs = std::fs::read_dir(office.state().join("runs")).expect("runs").count();
    assert_eq!(runs, 2);
    // Who takes the place of another's keys keeps nobody from starting without noticing.
    assert!(office.can("mal", "mkdir -m 777 state/keys/7003"));
    let refused = office.run("cid", &["exec", "r.yaml", "--key", "alert-1"]);
    assert!(code(&refused) != Some(0) && said(&refused).contains("another user has made it"), "{}", said(&refused));
}

#[test]
fn runs_of_a_child_ask_the_group_too() {
    let book = "schema: runbook/v1\nid: outer\ntitle: O\nsteps:\n  - {id: a, runbook: ./inner.yaml}\n";
    let Some(office) = office(book) else { return };
    office.write("inner.yaml", &BOOK.replace("id: careful", "id: inner").replace(", min: 2", ""));
    let mut engine = office.start("ann", &["exec", "r.yaml"]);
    let run = wait_for("the parent", || {
        let rows = office.run("bob", &["runs", "--output", "json"]);
        let rows: serde_json::Value = serde_json::from_slice(&rows.stdout).ok()?;
        let outer = rows.as_array()?.iter().find(|row| row["runbook"] == "outer")?;
        Some(outer["run"].as_str()?.to_owned())
    });
    office.asks("bob", &run);
    let taken = said(&office.run("bob", &["approve", &run]));
    assert!(taken.contains("taken"), "{taken}");
    assert_eq!(end_of(&mut engine), Some(0));
}
