//! Files and entries that are not as they were written: a typed error that names the place, no panic, no abort.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::fixtures::{AT, Random, copy, event, events, files, reopened, written};
use runbook_journal::{Flaw, Journal as _, JournalError, SledJournal};

fn key(seq: u64, part: u16) -> Vec<u8> {
    [&seq.to_be_bytes()[..], &part.to_be_bytes()[..]].concat()
}

/// Writes three small records, one of three parts and a last one; changes the entries; opens.
fn after(change: impl Fn(&sled::Db)) -> Result<(), JournalError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(written(&path, &[events(0..3), vec![event(3, 9000)], events(4..5)]));
    let db = open_raw(&path);
    change(&db);
    close(&path, db);
    match SledJournal::open(&path) {
        Ok(_) => Ok(()),
        Err(JournalError::InUse { .. }) => panic!("the test still has it open"),
        Err(error) => Err(error),
    }
}

/// Opens the database as any program can.
fn open_raw(path: &Path) -> sled::Db {
    sled::Config::new().path(path).flush_every_ms(None).open().unwrap()
}

/// Closes the database, and returns when sled's threads have let go of it too.
fn close(path: &Path, db: sled::Db) {
    db.flush().unwrap();
    drop(db);
    fs::File::open(path.join("db")).unwrap().lock().unwrap();
}

fn flaw(result: Result<(), JournalError>) -> (u64, Flaw) {
    match result {
        Err(JournalError::Broken { seq, flaw }) => (seq, flaw),
        other => panic!("{other:?}"),
    }
}

fn change(db: &sled::Db, key: &[u8], from: &str, to: &str) {
    let text = String::from_utf8(db.get(key).unwrap().unwrap().to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    db.insert(key, text.replacen(from, to, 1).into_bytes()).unwrap();
}

#[test]
fn entries_that_were_not_touched_are_read() {
    assert!(after(|_| ()).is_ok());
}

#[test]
fn an_altered_byte_is_found() {
    let altered = |seq| flaw(after(|db| change(db, &key(seq, 0), "abc", "abX")));
    assert!(matches!(altered(0), (1, Flaw::Chain { .. })));
    assert!(matches!(altered(1), (2, Flaw::Chain { .. })));
    assert!(matches!(altered(3), (4, Flaw::Chain { .. })));
    assert!(matches!(altered(4), (4, Flaw::Head { .. })), "of the last one only the head tells");
    let later_part = flaw(after(|db| change(db, &key(3, 1), "abc", "abX")));
    assert!(matches!(later_part, (4, Flaw::Chain { .. })));
    let no_json = flaw(after(|db| change(db, &key(2, 0), "{", "[")));
    assert!(matches!(no_json, (2, Flaw::Unreadable(_))));
}

#[test]
fn a_dropped_record_or_part_is_found() {
    let without = |seq, part| flaw(after(|db| assert!(db.remove(key(seq, part)).unwrap().is_some())));
    assert_eq!(without(0, 0), (0, Flaw::Gap { found: 1 }));
    assert_eq!(without(2, 0), (2, Flaw::Gap { found: 3 }));
    assert_eq!(without(3, 0), (3, Flaw::Part { part: 0 }));
    assert_eq!(without(3, 1), (3, Flaw::Part { part: 1 }));
    assert!(matches!(without(3, 2), (3, Flaw::Unreadable(_))));
    assert_eq!(without(4, 0), (4, Flaw::Lost { last: 4 }));
}

#[test]
fn swapped_or_added_records_are_found() {
    let swapped = flaw(after(|db| {
        let (one, two) = (db.get(key(1, 0)).unwrap().unwrap(), db.get(key(2, 0)).unwrap().unwrap());
        db.insert(key(1, 0), two).unwrap();
        db.insert(key(2, 0), one).unwrap();
    }));
    assert_eq!(swapped, (1, Flaw::Sequence { found: 2 }));
    let copied = flaw(after(|db| {
        let last = String::from_utf8(db.get(key(4, 0)).unwrap().unwrap().to_vec()).unwrap();
        db.insert(key(5, 0), last.replace(r#""seq":4"#, r#""seq":5"#).into_bytes()).unwrap();
    }));
    assert!(matches!(copied, (5, Flaw::Chain { .. })));
    let foreign = flaw(after(|db| assert!(db.insert("other", "x").unwrap().is_none())));
    assert!(matches!(foreign, (4, Flaw::Foreign)));
}

#[test]
fn an_unknown_format_and_a_missing_head_are_told() {
    let newer = after(|db| change(db, b"\xffhead", r#""format":1"#, r#""format":2"#));
    assert!(matches!(newer, Err(JournalError::Format { found: 2, known: 1, .. })), "{newer:?}");
    let other_fields = after(|db| assert!(db.insert(b"\xffhead", r#"{"format":9}"#).unwrap().is_some()));
    assert!(matches!(other_fields, Err(JournalError::Format { found: 9, .. })), "{other_fields:?}");
    for head in [None, Some("x"), Some(r#"{"format":1}"#)] {
        let result = after(|db| {
            db.remove(b"\xffhead").unwrap();
            head.map(|head| db.insert(b"\xffhead", head).unwrap());
        });
        assert!(matches!(result, Err(JournalError::Damaged { .. })), "{head:?} {result:?}");
    }
}

#[test]
fn a_database_that_lost_its_end_is_not_taken_for_a_shorter_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut journal = written(&path, &[events(0..3)]);
    copy(&path, &dir.path().join("older"));
    journal.append(3, AT, &events(3..5)).unwrap();
    drop(journal);
    // The older database with the newer tip: what a restore of half a folder, or a damaged end, looks like.
    fs::copy(path.join("tip"), dir.path().join("older/tip")).unwrap();
    let lost = SledJournal::open(dir.path().join("older"));
    assert!(matches!(lost, Err(JournalError::Broken { seq: 3, flaw: Flaw::Lost { last: 4 } })), "{lost:?}");
}

#[test]
fn a_tip_that_lags_is_no_harm_and_a_damaged_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut journal = written(&path, &[events(0..3)]);
    let lagging = fs::read(path.join("tip")).unwrap();
    journal.append(3, AT, &events(3..5)).unwrap();
    drop(journal);
    fs::write(path.join("tip"), &lagging).unwrap();
    assert_eq!(reopened(&path).unwrap(), events(0..5));
    let forged = String::from_utf8(lagging).unwrap().replace(' ', " 0").replacen("0\n", "\n", 1);
    for tip in ["x".to_owned(), forged[..86].to_owned()] {
        fs::write(path.join("tip"), tip).unwrap();
        let result = SledJournal::open(&path);
        assert!(matches!(result, Err(JournalError::Damaged { .. } | JournalError::Broken { .. })), "{result:?}");
    }
    fs::remove_file(path.join("tip")).unwrap();
    assert!(matches!(SledJournal::open(&path), Err(JournalError::Missing { .. })));
}

#[test]
fn a_cut_database_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    drop(written(&whole, &[events(0..3), vec![event(3, 700_000)], events(4..50)]));
    let length = fs::metadata(whole.join("db")).unwrap().len();
    let mut random = Random(11);
    let cuts = [0, 1, 20, 4096, length / 2].into_iter().chain((0..15).map(|_| random.below(length as usize) as u64));
    for (number, cut) in cuts.enumerate() {
        let path = dir.path().join(format!("cut-{number}"));
        copy(&whole, &path);
        fs::OpenOptions::new().write(true).open(path.join("db")).unwrap().set_len(cut).unwrap();
        let result = reopened(&path);
        assert!(is_told(&result), "cut at {cut} of {length}: {result:?}");
    }
    fs::remove_file(whole.join("db")).unwrap();
    assert!(matches!(reopened(&whole), Err(JournalError::Damaged { .. })));
    assert!(!whole.join("db").exists(), "a new one in its place would hide the loss");
}

/// Whether damage led to an error that says so.
fn is_told<T>(result: &Result<T, JournalError>) -> bool {
    matches!(result, Err(JournalError::Damaged { .. } | JournalError::Broken { .. } | JournalError::Io { .. }))
}

#[test]
fn garbage_in_any_file_is_an_error_or_makes_no_difference() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let all = [events(0..3), vec![event(3, 20_000)], events(4..60)];
    drop(written(&whole, &all));
    drop(SledJournal::open(&whole).unwrap());
    let (all, mut random, mut told) = (all.concat(), Random(7), 0);
    for file in files(&whole) {
        let length = fs::metadata(&file).unwrap().len() as usize;
        for round in 0..40 {
            let path = dir.path().join("damaged");
            copy(&whole, &path);
            let target = path.join(file.strip_prefix(&whole).unwrap());
            let garbage: Vec<u8> = (0..[1, 16, 5000][round % 3]).map(|_| random.below(256) as u8).collect();
            let at = random.below(length) as u64;
            fs::OpenOptions::new().write(true).open(&target).unwrap().write_all_at(&garbage, at).unwrap();
            match reopened(&path) {
                // sled keeps older versions of its pages, so not every byte counts.
                Ok(read) => assert_eq!(read, all, "{} at {at}", file.display()),
                result => {
                    assert!(is_told(&result), "{} at {at}: {result:?}", file.display());
                    told += 1;
                }
            }
            fs::remove_dir_all(&path).unwrap();
        }
    }
    assert!(told > 20, "the garbage must hit something: {told}");
}
