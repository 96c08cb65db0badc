//! A member of the group who wants more than that: to speak for others, to silence them, or to read what is not theirs.

use std::process::Child;

use super::{code, office};
use crate::kit::users::{Office, said};
use crate::kit::{end_of, wait_for};

/// One yes of bob suffices.
const BOOK: &str = "schema: runbook/v1
id: wanted
title: Wanted
steps:
  - id: act
    approval: {from: [bob]}
    run: touch \"$HOME/ran\"
";

/// The runbook as run by ann, who waits for bob.
struct Scene {
    office: Office,
    run: String,
    engine: Child,
}

impl Scene {
    fn open() -> Option<Self> {
        let office = office(BOOK)?;
        let engine = office.start("ann", &["exec", "r.yaml"]);
        let run = office.id();
        office.asks("bob", &run);
        Some(Self { office, run, engine })
    }

    fn inbox(&self) -> String {
        format!("state/shared/{}/inbox", self.run)
    }

    /// An answer as this program writes it, in the words of the run of somebody else.
    fn forged(&self) -> String {
        let status = self.office.status("mal", &self.run).expect("it is published");
        let question = &status["questions"][0];
        serde_json::json!({
            "version": 1,
            "run": self.run,
            "message": {"answer": {
                "question": question["id"],
                "answer": {"approve": {"reason": null}},
                "digest": question["digest"],
            }},
            "by": {"uid": 7002, "name": "bob"},
        })
        .to_string()
    }

    /// What was put there had no effect, and an honest answer has.
    fn holds(mut self) -> Office {
        assert!(self.engine.try_wait().expect("a child").is_none(), "the engine goes on");
        assert!(!self.office.path().join("ann/ran").exists(), "nobody who may has approved");
        let honest = self.office.run("bob", &["approve", &self.run]);
        assert_eq!(code(&honest), Some(0), "{}", said(&honest));
        assert_eq!(end_of(&mut self.engine), Some(0));
        assert!(self.office.path().join("ann/ran").exists());
        self.office
    }

    /// Waits until the engine has looked into the inbox and found it empty.
    fn is_emptied(&self) {
        let folder = self.office.path().join(self.inbox());
        wait_for("an empty inbox", || {
            let files = std::fs::read_dir(&folder).ok()?.flatten();
            let left = files.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir())).count();
            (left == 0).then_some(())
        });
    }
}

#[test]
fn what_a_file_says_of_its_writer_counts_for_nothing() {
    let Some(scene) = Scene::open() else { return };
    scene.office.write("forged", &scene.forged());
    // Well formed, so it is taken as what it is: an answer of mal, who may not give it.
    assert!(scene.office.can("mal", &format!("cat forged > {}/01BOB.json", scene.inbox())));
    scene.is_emptied();
    assert!(!scene.office.can("mal", &format!("cat forged > {0}/a.json; chown 7002 {0}/a.json", scene.inbox())));
    scene.is_emptied();
    scene.holds();
}

#[test]
fn an_answer_to_another_run_is_none_wherever_it_is_moved() {
    let Some(scene) = Scene::open() else { return };
    // The same runbook once more, so that the digest is the same; bob agrees to that of mal alone.
    let office = &scene.office;
    assert_eq!(code(&office.run("mal", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    let rows = office.run("mal", &["runs", "--output", "json"]);
    let rows: serde_json::Value = serde_json::from_slice(&rows.stdout).expect("JSON");
    let own = rows.as_array().expect("a list").iter().find(|row| row["started_by"] == "mal").expect("a run of mal");
    let own = own["run"].as_str().expect("an id");
    assert_eq!(code(&office.run("bob", &["approve", own])), Some(0));
    // Mal owns the folder that the answer lies in, and so may move it, although it is bob's.
    assert!(office.can("mal", &format!("mv state/shared/{own}/inbox/*.json {}/", scene.inbox())));
    scene.is_emptied();
    scene.holds();
}

#[test]
fn an_inbox_that_leads_to_that_of_another_run_gets_no_answer() {
    let Some(scene) = Scene::open() else { return };
    let office = &scene.office;
    assert_eq!(code(&office.run("mal", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    let listed = said(&office.run("mal", &["show", "last", "--output", "json"]));
    let own: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let own = own["run"].as_str().expect("an id").to_owned();
    let folder = format!("state/shared/{own}");
    assert!(office.can("mal", &format!("rmdir {folder}/inbox && ln -s ../{}/inbox {folder}/inbox", scene.run)));
    let refused = office.run("bob", &["approve", &own]);
    assert!(code(&refused) != Some(0), "{}", said(&refused));
    assert!(office.can("mal", &format!("mv {folder} {folder}.old && ln -s {} {folder}", scene.run)));
    let refused = office.run("bob", &["approve", &own]);
    assert!(code(&refused) != Some(0), "{}", said(&refused));
    scene.holds();
}

#[test]
fn links_pipes_folders_and_strange_names_stop_nothing() {
    let Some(scene) = Scene::open() else { return };
    scene.office.write("forged", &scene.forged());
    let script = format!(
        "cd {}
        ln -s ../../../../forged a.json; ln -s /dev/zero b.json; ln -s loop.json loop.json
        mkfifo c.json; mkfifo .new-d
        grep -q version ../../../../forged || exit 1
        cat ../../../../forged > e.json; ln e.json f.json
        cat ../../../../forged > '..json'; cat ../../../../forged > .json; cat ../../../../forged > \"$(printf 'a\\nb\\033[2J.json')\"
        cat ../../../../forged > \"$(printf 'x\\377.json')\"; echo > -rf.json
        mkdir g.json; mkdir h.json; echo > h.json/full
        truncate -s 1G i.json
        printf '{{' > j.json; echo null > k.json; cat ../../../../forged > l.json; chmod 666 l.json
        ! ln ../../../../bob.json m.json
        ",
        scene.inbox()
    );
    // In a place where all can read it, as bob's own folder could be.
    scene.office.write("bob.json", &scene.forged());
    std::os::unix::fs::chown(scene.office.path().join("bob.json"), Some(7002), Some(7000)).expect("bob's");
    assert!(scene.office.can("mal", &script));
    let left = || {
        let folder = scene.office.path().join(scene.inbox());
        let files = std::fs::read_dir(folder).expect("the inbox").flatten();
        let names = files.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir())).map(|it| it.file_name());
        // What looks unfinished is left: up to a number, it is no harm.
        names.filter(|name| name.as_encoded_bytes().first() != Some(&b'.')).collect::<Vec<_>>()
    };
    wait_for("an inbox without what is named like an answer", || {
        left().into_iter().all(|name| name.to_str().is_none()).then_some(())
    });
    scene.holds();
}

#[test]
fn a_file_that_changes_while_it_is_read_and_one_who_rings_without_end_stop_nothing() {
    let Some(scene) = Scene::open() else { return };
    scene.office.write("forged", &scene.forged());
    let script = format!(
        "cd state/shared/{}; while [ -e \"$HOME\"/on ]; do \
         head -c 40 ../../../forged > inbox/a.json; cat ../../../forged >> inbox/a.json; rm -f inbox/a.json; \
         echo ring > bell; done 2> /dev/null",
        scene.run
    );
    std::fs::write(scene.office.path().join("mal/on"), "").expect("a file");
    let mut busy = scene.office.shell("mal", &script).spawn().expect("it runs");
    let folder = scene.office.path().join(scene.inbox());
    // Often enough that the engine has seen it in all states.
    for _ in 0..50 {
        wait_for("a file", || folder.join("a.json").exists().then_some(()));
        wait_for("none", || (!folder.join("a.json").exists()).then_some(()));
    }
    let office = scene.holds();
    std::fs::remove_file(office.path().join("mal/on")).ok();
    busy.kill().ok();
    busy.wait().expect("it is over");
}

#[test]
fn more_files_than_anyone_has_answers_are_taken_away_and_hide_none() {
    let Some(scene) = Scene::open() else { return };
    scene.office.write("forged", &scene.forged());
    let script = format!("cd {}; i=0; while [ $i -lt 20000 ]; do : > $i.json; i=$((i+1)); done", scene.inbox());
    let started = std::time::Instant::now();
    assert!(scene.office.can("mal", &script));
    // So many that are well formed, and that nobody has to be asked about twice.
    let script =
        format!("cd {}; i=0; while [ $i -lt 300 ]; do cp ../../../../forged $i.json; i=$((i+1)); done", scene.inbox());
    assert!(scene.office.can("mal", &script));
    scene.is_emptied();
    let run = scene.run.clone();
    let office = scene.holds();
    assert!(started.elapsed() < crate::kit::LIMIT);
    // Nor can the record be filled.
    let record =
        std::fs::read_to_string(office.state().join("runs").join(&run).join("record.jsonl")).expect("the record");
    let refused = record.matches("answer_refused").count();
    assert!((1..=100).contains(&refused), "{refused} in {run}");
}

#[test]
fn answers_of_others_are_neither_seen_nor_taken_away_nor_is_any_folder() {
    let Some(office) = office(BOOK) else { return };
    assert_eq!(code(&office.run("ann", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    let run = office.id();
    assert_eq!(code(&office.run("bob", &["approve", &run])), Some(0));
    let inbox = office.state().join("shared").join(&run).join("inbox");
    let name = std::fs::read_dir(&inbox).expect("the inbox").flatten().next().expect("an answer").file_name();
    let (name, inbox) = (name.to_string_lossy().into_owned(), format!("state/shared/{run}/inbox"));
    // Its name is a secret; even who knows it can do nothing.
    for script in [
        format!("ls {inbox}"),
        "ls state/shared".to_owned(),
        format!("rm -f {inbox}/{name}"),
        format!("mv {inbox}/{name} {inbox}/gone"),
        format!("echo > {inbox}/{name}"),
        format!("echo > mal/x && mv mal/x {inbox}/{name}"),
        format!("ln {inbox}/{name} mal/kept"),
        format!("mv {inbox} mal/"),
        format!("mv {inbox} {inbox}.old"),
        format!("mv state/shared/{run} state/shared/old"),
        format!("rm -rf state/shared/{run}"),
        format!("mv state/runs/{run} state/runs/old"),
        "mv state/shared state/old".to_owned(),
        "mv state/runs state/old".to_owned(),
        "echo > state/group.json".to_owned(),
        "rm -f state/group.json".to_owned(),
        format!("echo > state/shared/{run}/status.json"),
        format!("rm -f state/shared/{run}/status.json"),
        format!("mkdir state/shared/{run}/more"),
        format!("cat state/shared/{run}/bell"),
        format!("ls state/runs/{run}"),
        format!("cat state/runs/{run}/status.json"),
        format!("echo > state/runs/{run}/inbox/x.json"),
        format!("chmod 777 state/runs/{run}"),
    ] {
        assert!(!office.can("mal", &script), "{script}");
    }
    assert_eq!(code(&office.run("ann", &["resume", &run])), Some(0), "bob's answer is there");
}

#[test]
fn who_is_not_in_the_group_any_more_or_has_a_number_without_a_name_says_nothing() {
    let Some(office) = office(&BOOK.replace("[bob]", "[anyone], min: 2")) else { return };
    let mut engine = office.start("ann", &["exec", "r.yaml"]);
    let run = office.id();
    office.asks("bob", &run);
    assert_eq!(code(&office.run("bob", &["approve", &run])), Some(0));
    // As from a user namespace, where one person has thousands of numbers.
    let inbox = office.state().join("shared").join(&run).join("inbox");
    let empty = || (std::fs::read_dir(&inbox).expect("the inbox").count() == 0).then_some(());
    office.run("7999", &["approve", &run]);
    wait_for("an empty inbox", empty);
    office.members(&["ann", "bob", "mal"]);
    office.run("cid", &["approve", &run]);
    wait_for("an empty inbox", empty);
    let status = office.status("bob", &run).expect("it goes on");
    assert_eq!(status["questions"][0]["approved"], serde_json::json!(["bob"]));
    office.members(&["ann", "bob", "cid", "mal"]);
    assert_eq!(code(&office.run("cid", &["approve", &run])), Some(0));
    assert_eq!(end_of(&mut engine), Some(0));
}

#[test]
fn a_run_that_says_it_is_somebody_elses_is_not_believed() {
    let Some(scene) = Scene::open() else { return };
    let office = &scene.office;
    assert_eq!(code(&office.run("mal", &["exec", "r.yaml", "--exit-when-waiting"])), Some(6));
    let own = office.run("mal", &["show", "last", "--output", "json"]);
    let own: serde_json::Value = serde_json::from_slice(&own.stdout).expect("JSON");
    let own = own["run"].as_str().expect("an id").to_owned();
    let published = format!("state/shared/{own}/status.json");
    let sees = |what: &str| {
        for user in ["bob", "root"] {
            let output = office.run(user, &["status", &own]);
            assert!(code(&output) != Some(0) && said(&output).contains(what), "{user}: {}", said(&output));
            let listed = said(&office.run(user, &["runs"]));
            assert!(listed.contains("damaged") && listed.contains("mal"), "{listed}");
        }
    };
    assert!(office.can("mal", &format!("sed -i 's/\"started_by\":\"mal\"/\"started_by\":\"ann\"/' {published}")));
    sees("says that it is somebody else's");
    let of_ann = format!("../{}/status.json", scene.run);
    assert!(office.can("mal", &format!("ln -sf {of_ann} {published}")));
    sees("cannot be read");
    assert!(office.can("mal", &format!("rm {published}; mkfifo {published}")));
    sees("regular file");
    assert!(office.can("mal", &format!("rm {published}; truncate -s 1T {published}")));
    sees("cannot be read");
    assert!(office.can("mal", &format!("rm {published}; ! ln {of_ann} {published}")));
    // What is in the run's own folder leads nobody anywhere, not even root.
    let lock = format!("state/runs/{own}/engine.lock");
    assert!(office.can("mal", &format!("rm -f {lock}; ln -s {}/made-by-root {lock}", office.path().display())));
    for verb in ["show", "status", "resume", "cancel", "logs", "verify"] {
        office.run("root", &[verb, &own]);
    }
    assert!(!office.path().join("made-by-root").exists());
    // A link among the runs is no run.
    assert!(office.can("mal", &format!("ln -s {} state/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV", scene.run)));
    assert!(!said(&office.run("ann", &["runs"])).contains("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    scene.holds();
}
