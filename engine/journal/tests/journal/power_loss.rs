//! The loss of power in the middle of an append: any part of what was written since the last sync may be on the disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::fixtures::{AT, Random, copy, event, events, reopened, written};
use runbook_core::event::Event;
use runbook_journal::{Journal as _, SledJournal};

/// What a disk writes whole.
const BLOCK: usize = 4096;

/// The database `before`, with some of the blocks that differ in `after`.
fn torn(before: &[u8], after: &[u8], random: &mut Random, percent: usize) -> Vec<u8> {
    let mut disk = before.to_vec();
    for start in (0..after.len()).step_by(BLOCK) {
        let range = start..after.len().min(start + BLOCK);
        if before.get(range.clone()) == Some(&after[range.clone()]) || random.below(100) >= percent {
            continue;
        }
        disk.resize(disk.len().max(range.end), 0);
        disk[range.clone()].copy_from_slice(&after[range]);
    }
    disk
}

/// Opens a journal, adds an event, and reads all as the next engine does.
fn continued(dir: &Path) -> Vec<Event> {
    let mut journal = SledJournal::open(dir).unwrap();
    let number = journal.next_seq();
    journal.append(number, AT, &[event(999, 50)]).unwrap();
    drop(journal);
    reopened(dir).unwrap()
}

#[test]
fn an_append_survives_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (path, before, disk) = (dir.path().join("journal"), dir.path().join("before"), dir.path().join("disk"));
    let mut journal = written(&path, &[]);
    let (mut random, mut all, mut outcomes) = (Random(5), vec![], BTreeSet::new());
    for round in 0..10 {
        if round % 5 == 4 {
            // From here on there is a snapshot, from which sled recovers in another way.
            drop(journal);
            journal = SledJournal::open(&path).unwrap();
        }
        let next = all.len();
        let batch = match round % 4 {
            0 => events(next..next + 3),
            1 => vec![event(next, 60_000), event(next + 1, 10)],
            2 => events(next..next + 100),
            _ => vec![event(next, 700_000)],
        };
        let _ = fs::remove_dir_all(&before);
        copy(&path, &before);
        journal.append(next as u64, AT, &batch).unwrap();
        let old = all.clone();
        all.extend(batch);
        let (from, to) = (fs::read(before.join("db")).unwrap(), fs::read(path.join("db")).unwrap());
        for percent in [5, 50, 95, 100] {
            let _ = fs::remove_dir_all(&disk);
            copy(&before, &disk);
            fs::write(disk.join("db"), torn(&from, &to, &mut random, percent)).unwrap();
            let read = continued(&disk);
            let is_new = read.len() == all.len() + 1;
            outcomes.insert(is_new);
            let kept = if is_new { &all } else { &old };
            assert_eq!(read, [kept.as_slice(), &[event(999, 50)]].concat(), "round {round}, {percent} %");
            assert!(is_new || percent < 100, "round {round}: all was on the disk");
        }
    }
    assert_eq!(outcomes.len(), 2, "both must occur, or the test tears nothing");
}
