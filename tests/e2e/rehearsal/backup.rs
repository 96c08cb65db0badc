//! Backup and recovery: proved beside the live system before anything old is pruned; put back when it fails.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::room::{Room, all, files, list, shown};

const BACKUP: &str = "sop-006-backup-and-recovery";
const DAY_S: i64 = 86_400;

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The names of all files among the backups and below, sorted: manifests and what is set aside too.
fn kept(room: &Room) -> Vec<String> {
    let mut names: Vec<String> = files(&room.data().join("backups")).iter().map(|path| name(path)).collect();
    names.sort();
    names
}

/// The backups that the platform was started with, which the copy that a run made does not belong to.
fn found_before(room: &Room) -> Vec<String> {
    let run = name(&room.home.run_folder().expect("a run"));
    let output = room.run(&["logs", "last", "choose"], 0);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let named = lines.lines().filter_map(|line| line.split_whitespace().nth(1));
    named.filter(|name| name.starts_with("platform-") && !name.contains(&run)).map(str::to_owned).collect()
}

fn age_days(backup: &Value) -> i64 {
    let path = PathBuf::from(backup["path"].as_str().expect("a path"));
    let made = std::fs::metadata(path).and_then(|about| about.modified()).expect("a time");
    i64::try_from(made.elapsed().unwrap_or_default().as_secs()).expect("an age") / DAY_S
}

#[test]
fn a_backup_is_proved_and_what_nobody_needs_is_pruned() {
    let room = Room::new();
    let end = room.run(&["exec", BACKUP], 0);
    let backups = room.backups();
    assert!(list(&backups).iter().all(|backup| backup["good"] == true), "{backups}");
    let ages: Vec<i64> = list(&backups).iter().map(age_days).collect();
    assert_eq!(ages[..4], [0, 1, 9, 29], "all of the last days are there, and the new one");
    assert!(ages.contains(&40) && ages.contains(&100) && ages.contains(&200), "one of each week and month: {ages:?}");
    assert!(!ages.contains(&400), "older than anybody keeps: {ages:?}");
    // Of two within a day the newer stands for the week and the month.
    let days: Vec<&str> = all(&backups, "name").into_iter().filter_map(|name| name.split('T').next()).collect();
    assert!(days.windows(2).all(|pair| pair[0] != pair[1]), "{days:?}");
    assert!(
        files(&room.data()).iter().all(|path| !path.to_string_lossy().contains(".pruned-")),
        "nothing is set aside"
    );
    assert!(files(&room.data()).iter().all(|path| !path.to_string_lossy().contains("/drill-")), "the drill is cleared");
    assert_eq!(kept(&room).len(), 2 * ages.len(), "each with its manifest, and no manifest without its backup");
    let after = room.platform();
    assert_eq!(all(&after["notices"], "subject"), ["Backed up, verified, and restored beside the live system"]);
    assert_eq!(after["database"]["whole"], true);
    assert!(all(&after["services"], "state").iter().all(|state| *state == "up"), "nothing was stopped for it");
    assert!(room.record("backup-").contains("Outcome: backed up, verified"));
    room.leaves_nothing(&[&end]);
}

#[test]
fn a_backup_that_cannot_be_verified_is_removed_and_nothing_pruned() {
    let room = Room::new();
    let end = room.run_broken("backup_disk_failing", &["exec", BACKUP], 2);
    assert!(shown(&end).contains("its SHA-256 is not the one in the manifest"), "{}", shown(&end));
    assert_eq!(room.step("verify_backup")["state"], "failed");
    let backups = room.backups();
    assert_eq!((list(&backups).len(), age_days(&list(&backups)[0])), (8, 1), "the eight that there were");
    assert_eq!(kept(&room).len(), 16);
    let after = room.platform();
    assert_eq!((&after["faults"], &after["notices"]), (&json!(["backup_disk_failing"]), &json!([])));
    room.leaves_nothing(&[&end]);
}

#[test]
fn what_was_set_aside_is_put_back_when_too_few_would_be_left() {
    let room = Room::new();
    room.edit("environments/sandbox.yaml", "at_least: 3", "at_least: 9");
    let end = room.run(&["exec", BACKUP], 2);
    assert!(shown(&end).contains("backups would be left; at least 9 are kept"), "{}", shown(&end));
    assert_eq!(room.step("set_aside")["undo"], "undone");
    let before = found_before(&room);
    assert_eq!(before.len(), 8);
    let backups = room.backups();
    let names = all(&backups, "name");
    assert!(names.len() == 8 && before.iter().all(|name| names.contains(&name.as_str())), "{names:?}");
    assert!(list(&backups).iter().all(|backup| backup["good"] == true), "with their manifests");
    assert_eq!(kept(&room).len(), 16);
    room.leaves_nothing(&[&end]);
}

#[test]
fn a_damaged_database_is_not_backed_up() {
    let room = Room::new();
    let end = room.run_broken("database_lost", &["exec", BACKUP], 2);
    assert_eq!(room.step("source_whole")["state"], "failed");
    assert_eq!(list(&room.backups()).len(), 8);
    room.leaves_nothing(&[&end]);
}
