//! What every journal does, and what the one on disk adds.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::fixtures::{AT, copy, event, events, files, of, reopened, written};
use runbook_journal::{Fault, FaultyJournal, Journal, JournalError, MemoryJournal, SledJournal, first_prev, verify};

/// Both kinds, under the same checks.
fn each_journal(check: impl Fn(&mut dyn Journal)) {
    let dir = tempfile::tempdir().unwrap();
    check(&mut MemoryJournal::new());
    check(&mut SledJournal::create(dir.path().join("journal")).unwrap());
}

#[test]
fn what_is_appended_is_loaded() {
    each_journal(|journal| {
        assert_eq!((journal.next_seq(), journal.head()), (0, &first_prev()));
        assert_eq!(journal.load().unwrap(), []);
        let mut all = journal.append(0, AT, &events(0..3)).unwrap();
        assert_eq!(journal.append(3, AT, &[]).unwrap(), []);
        all.extend(journal.append(3, AT.after(5), &events(3..4)).unwrap());
        assert_eq!(journal.load().unwrap(), all);
        assert_eq!(
            all.iter().map(|record| (record.seq, record.at.0 - AT.0)).collect::<Vec<_>>(),
            [(0, 0), (1, 0), (2, 0), (3, 5)]
        );
        assert_eq!(all[0].prev, first_prev());
        assert!(all.windows(2).all(|pair| pair[1].prev == pair[0].hash));
        assert_eq!((journal.next_seq(), journal.head()), (4, &all[3].hash));
        assert_eq!(of(all), events(0..4));
    });
}

#[test]
fn an_unexpected_number_writes_nothing() {
    each_journal(|journal| {
        journal.append(0, AT, &events(0..2)).unwrap();
        for expected in [0, 1, 3, u64::MAX] {
            let refused = journal.append(expected, AT, &events(2..3));
            assert!(matches!(refused, Err(JournalError::Conflict { expected: e, actual: 2 }) if e == expected));
        }
        assert_eq!(of(journal.load().unwrap()), events(0..2));
        journal.append(2, AT, &events(2..3)).unwrap();
        assert_eq!(of(journal.load().unwrap()), events(0..3));
    });
}

#[test]
fn one_event_that_cannot_be_written_keeps_back_its_whole_batch() {
    let deep = (0..200).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
    let deep = runbook_core::event::Event::StepSucceeded {
        step: "a".into(),
        outputs: [("out".to_owned(), deep)].into(),
        already_done: false,
    };
    each_journal(|journal| {
        let refused = journal.append(0, AT, &[event(0, 10), deep.clone()]);
        assert!(matches!(refused, Err(JournalError::TooDeep { seq: 1, .. })));
        assert_eq!(journal.load().unwrap(), []);
        journal.append(0, AT, &events(0..1)).unwrap();
        assert_eq!(of(journal.load().unwrap()), events(0..1));
    });
}

#[test]
fn memory_and_disk_store_the_same_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = written(&dir.path().join("journal"), &[events(0..3), vec![event(3, 20_000)]]);
    let mut memory = MemoryJournal::new();
    memory.append(0, AT, &events(0..3)).unwrap();
    memory.append(3, AT, &[event(3, 20_000)]).unwrap();
    assert_eq!(disk.lines().unwrap(), memory.lines());
    assert_eq!(disk.head(), memory.head());
    assert_eq!(verify(memory.lines()).unwrap(), disk.load().unwrap());
}

#[test]
fn a_memory_journal_can_be_cut_anywhere() {
    let mut whole = MemoryJournal::new();
    let records = whole.append(0, AT, &events(0..4)).unwrap();
    for kept in 0..=4 {
        let mut cut = MemoryJournal::from_lines(whole.lines()[..kept].to_vec()).unwrap();
        assert_eq!(cut.load().unwrap(), records[..kept]);
        cut.append(kept as u64, AT, &events(kept..4)).unwrap();
        assert_eq!(cut.load().unwrap(), records);
    }
    assert!(MemoryJournal::from_lines(whole.lines()[1..].to_vec()).is_err());
}

#[test]
fn a_journal_is_found_again_after_closing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let records = written(&path, &[events(0..3), events(3..4)]).load().unwrap();
    let mut journal = SledJournal::open(&path).unwrap();
    assert_eq!((journal.next_seq(), journal.head()), (4, &records[3].hash));
    assert_eq!(journal.load().unwrap(), records);
    assert_eq!(journal.load().unwrap(), records, "a second time, from the database");
    journal.append(4, AT, &events(4..6)).unwrap();
    assert_eq!(of(journal.load().unwrap()), events(0..6));
    drop(journal);
    assert_eq!(reopened(&path).unwrap(), events(0..6));
}

#[test]
fn an_engine_that_vanished_leaves_every_append() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = written(&dir.path().join("journal"), &[]);
    for number in 0..40 {
        journal.append(number as u64, AT, &events(number..number + 1)).unwrap();
        // What the files hold now, with the journal still open, is what the next engine finds.
        let left = dir.path().join(format!("left-{number}"));
        copy(&dir.path().join("journal"), &left);
        assert_eq!(reopened(&left).unwrap(), events(0..number + 1));
    }
}

#[test]
fn lines_of_any_length_come_back_and_nothing_goes_to_blob_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    // The line around the text has some 180 bytes: all sizes from just below one part to just above are met.
    let mut all: Vec<_> = (3850..4150).enumerate().map(|(number, bytes)| event(number, bytes)).collect();
    all.extend([8192, 5_000_000, 10, 300_000].iter().enumerate().map(|(number, bytes)| event(1000 + number, *bytes)));
    let mut journal = written(&path, &[all[..150].to_vec(), all[150..].to_vec()]);
    let lengths: Vec<_> = journal.lines().unwrap().iter().map(Vec::len).collect();
    assert!([4095, 4096, 4097].iter().all(|length| lengths.contains(length)), "{lengths:?}");
    drop(journal);
    assert_eq!(reopened(&path).unwrap(), all);
    assert_eq!(files(&path.join("blobs")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn many_events_fit_in_one_batch() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(written(&path, &[events(0..20_000)]));
    assert_eq!(reopened(&path).unwrap(), events(0..20_000));
}

#[test]
fn only_the_user_may_read_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let check = || {
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("blobs")), 0o700);
        for file in files(&path) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    };
    drop(written(&path, &[events(0..3)]));
    check();
    // A second opening writes a snapshot, which is a new file.
    let journal = SledJournal::open(&path).unwrap();
    assert!(files(&path).len() >= 4, "{:?}", files(&path));
    check();
    drop(journal);
    check();
}

#[test]
fn a_journal_is_created_once_and_opened_only_where_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    assert!(matches!(SledJournal::open(&path), Err(JournalError::Missing { .. })));
    assert!(!path.exists(), "looking for one does not make one");
    drop(written(&path, &[]));
    assert_eq!(reopened(&path).unwrap(), []);
    assert!(matches!(SledJournal::create(&path), Err(JournalError::Exists { .. })));
    // As a creation leaves it that was cut short: the tip is noted last.
    fs::write(path.join("tip"), "").unwrap();
    assert!(matches!(SledJournal::open(&path), Err(JournalError::Missing { .. })));
    let nowhere = SledJournal::create(dir.path().join("no/journal"));
    assert!(matches!(nowhere, Err(JournalError::Io { .. })), "{nowhere:?}");
}

#[test]
fn an_open_journal_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = written(&path, &[events(0..1)]);
    assert!(matches!(SledJournal::open(&path), Err(JournalError::InUse { .. })));
    drop(journal);
    for _ in 0..50 {
        assert_eq!(reopened(&path).unwrap(), events(0..1), "closing frees it at once");
    }
    // Either lock is enough: ours, which comes first, and sled's, which a program of another kind would take.
    for file in ["tip", "db"] {
        let other = fs::File::open(path.join(file)).unwrap();
        other.lock().unwrap();
        assert!(matches!(SledJournal::open(&path), Err(JournalError::InUse { .. })), "{file}");
    }
}

#[test]
fn faults_come_as_planned() {
    let after = |fault| {
        let mut journal = FaultyJournal::new(MemoryJournal::new(), [(2, fault)]);
        journal.append(0, AT, &events(0..2)).unwrap();
        assert!(matches!(journal.append(2, AT, &events(2..5)), Err(JournalError::Injected(_))));
        assert!(matches!(journal.append(2, AT, &events(2..5)), Err(JournalError::Poisoned(_))));
        assert!(matches!(journal.load(), Err(JournalError::Poisoned(_))));
        of(journal.into_inner().load().unwrap())
    };
    assert_eq!(after(Fault::Before), events(0..2));
    assert_eq!(after(Fault::After), events(0..5));
    assert_eq!(after(Fault::Torn(0)), events(0..2));
    assert_eq!(after(Fault::Torn(1)), events(0..3));
    assert_eq!(after(Fault::Torn(9)), events(0..5));
}
