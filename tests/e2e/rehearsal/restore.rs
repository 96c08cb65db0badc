//! The restore of a database that was really lost.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::room::{Room, all, files, list, service, shown};
use super::silences;

const RESTORE: &str = "recovery/dr-restore.yaml";

impl Room {
    /// The copy that was made before anything was touched.
    fn safety_dump(&self) -> PathBuf {
        let is_dump = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("safety-") && name.ends_with(".db")
        };
        let found: Vec<PathBuf> = files(&self.data()).into_iter().filter(is_dump).collect();
        assert_eq!(found.len(), 1, "nothing was written while services were stopped: {found:?}");
        found.into_iter().next().expect("one")
    }

    /// Whether the books are exactly what a dump holds: every table, row and checksum.
    fn holds(&self, dump: &str) -> bool {
        let output = self.home.run(&["sandbox", "db", "compare", dump, "--run", "last"]);
        output.status.code() == Some(0)
    }
}

/// The books are lost, and the newest of the three backups is not to be trusted.
fn assert_lost(room: &Room) -> Value {
    let before = room.platform();
    assert_eq!((&before["faults"], &before["database"]["whole"]), (&json!(["database_lost"]), &json!(false)));
    let rows = before["database"]["rows"].as_object().expect("tables");
    assert!(!rows.contains_key("trades") && !rows.contains_key("positions"), "{rows:?}");
    assert_eq!(rows["ledger"], 0);
    let backups = room.backups();
    let good: Vec<&Value> = list(&backups).iter().map(|backup| &backup["good"]).collect();
    assert_eq!(good, [false, true, true]);
    before
}

#[test]
fn the_newest_good_backup_is_restored_whole() {
    let room = Room::new();
    let asked = room.exec_until_asked(&["dr-restore"]);
    let before = assert_lost(&room);
    assert!(all(&before["services"], "state").iter().all(|state| *state == "stopped"), "{}", before["services"]);
    silences::one_holds_back_what_is_stopped(&before);
    let backups = room.backups();
    let (bad, good) = (&list(&backups)[0], &list(&backups)[1]);
    let question = shown(&asked);
    let name = |backup: &Value| backup["name"].as_str().expect("a name").to_owned();
    for part in [format!("backup     {}", name(good)), format!("skipped    {}", name(bad)), "2 h ago".to_owned()] {
        assert!(question.contains(&part), "{part}: {question}");
    }

    let end = room.answer("approve", 0);
    let after = room.platform();
    assert_eq!((&after["faults"], &after["database"]["whole"]), (&json!([]), &json!(true)));
    for (table, held) in good["manifest"]["contents"]["tables"].as_object().expect("tables") {
        assert_eq!(after["database"]["rows"][table], held["rows"], "{table}");
    }
    assert!(after["database"]["rows"]["trades"].as_i64() > Some(0));
    assert!(all(&after["services"], "state").iter().all(|state| *state == "up"), "{}", after["services"]);
    assert_eq!(after["trading"]["mode"], "active");
    silences::none_holds(&after, 1);
    // The engine was down before anybody could silence it.
    silences::went_down_unheard(&after, &["gateway", "market_data"]);
    assert_eq!(after["alerts"], json!([]));
    assert_eq!(all(&after["notices"], "subject"), ["The database is restored"]);
    assert!(room.holds(good["path"].as_str().expect("a path")), "every table, row and checksum is that of the backup");
    assert!(!room.holds(room.safety_dump().to_str().expect("a path")), "the books are no longer the lost ones");
    assert!(room.record("restore-").contains("Outcome: restored and verified."));
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_rejected_restore_starts_the_services_again() {
    let room = Room::new();
    let asked = room.exec_until_asked(&["dr-restore"]);
    let before = assert_lost(&room);
    let silence = list(&before["silences"])[0]["id"].as_str().expect("an id");
    let seen = shown(&room.run(&["sandbox", "show", "--run", "last"], 0));
    for part in [&format!("silences    {silence} until "), "ServiceDown gateway: gateway is stopped (silenced)\n"] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    let end = room.answer("reject", 7);
    let seen = shown(&room.run(&["sandbox", "show", "--run", "last"], 0));
    assert!(seen.contains("silences    none\n") && !seen.contains("(silenced)"), "{seen}");
    let after = room.platform();
    assert_eq!(after["faults"], json!(["database_lost"]), "the database is as it was");
    assert!(room.holds(room.safety_dump().to_str().expect("a path")));
    assert_eq!(after["trading"]["mode"], "active");
    assert_ne!(service(&after, "engine")["state"], "stopped");
    assert_eq!(room.step("quiet")["undo"], "undone");
    silences::none_holds(&after, 1);
    assert!(room.record("restore-").contains("Outcome: not restored."));
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn what_was_there_is_put_back_when_a_later_step_fails() {
    let room = Room::new();
    // A start takes longer than that.
    room.limit(RESTORE, "services_up", "5m", "100ms");
    let asked = room.exec_until_asked(&["dr-restore"]);
    let before = assert_lost(&room);
    let end = room.answer("approve", 2);
    assert_eq!(room.step("restore")["state"], "succeeded");
    assert_eq!(room.step("verify_restored")["state"], "succeeded", "it had been restored");
    let after = room.platform();
    assert_eq!(after["database"], before["database"], "the lost books are back, as lost as they were");
    assert!(room.holds(room.safety_dump().to_str().expect("a path")));
    assert_eq!(after["trading"]["mode"], "active");
    silences::one_holds_back_what_is_stopped(&before);
    assert_eq!(room.step("quiet")["undo"], "undone");
    silences::none_holds(&after, 1);
    assert!(list(&after["notices"]).is_empty());
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_backup_that_breaks_while_somebody_thinks_is_not_restored() {
    let room = Room::new();
    let asked = room.exec_until_asked(&["dr-restore"]);
    let before = assert_lost(&room);
    let backups = room.backups();
    let chosen = list(&backups)[1]["path"].as_str().expect("a path");
    let file = OpenOptions::new().write(true).open(chosen).expect("a backup");
    file.write_all_at(&[0x5A; 64], 4096).expect("damage");
    let end = room.answer("approve", 2);
    assert!(shown(&end).contains("restore"), "{}", shown(&end));
    let after = room.platform();
    assert_eq!(after["database"], before["database"], "nothing was destroyed for a backup that cannot be trusted");
    assert!(room.holds(room.safety_dump().to_str().expect("a path")));
    room.leaves_nothing(&[&asked, &end]);
}

#[test]
fn a_database_that_is_whole_is_not_replaced() {
    let room = Room::new();
    room.edit("environments/sandbox.yaml", "\"{{ run.runbook }}\"", "any-other");
    let end = room.run(&["exec", "dr-restore"], 2);
    assert!(shown(&end).contains("nothing is wrong with the database"), "{}", shown(&end));
    room.leaves_nothing(&[&end]);
}
