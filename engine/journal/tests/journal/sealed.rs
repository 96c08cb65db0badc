//! The record of a run that has ended: sealed, opened again, sealed anew, with a crash between any two steps.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::fixtures::{AT, copy, event, events, of};
use runbook_core::units::Digest;
use runbook_journal::{Flaw, Journal as _, JournalError, RECORD, RunJournal, lines, load, load_sealed};

fn seal(journal: &mut RunJournal) {
    journal.seal(AT.after(9), &Digest::new("a".repeat(64)), "0.1.0").unwrap();
}

/// A run with some events, one of them in several parts.
fn open_run(folder: &Path) -> RunJournal {
    let mut journal = RunJournal::create(folder).unwrap();
    journal.append(0, AT, &events(0..3)).unwrap();
    journal.append(3, AT, &[event(3, 9000)]).unwrap();
    journal
}

fn sealed_run(folder: &Path) {
    seal(&mut open_run(folder));
}

fn written() -> Vec<runbook_core::event::Event> {
    [events(0..3), vec![event(3, 9000)]].concat()
}

fn record(folder: &Path) -> String {
    fs::read_to_string(folder.join(RECORD)).unwrap()
}

/// What lies in a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_sealed_run_is_one_file_with_all_lines_and_a_seal() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open_run(dir.path());
    assert!(!journal.is_sealed());
    let before = lines_while_open(&mut journal, dir.path());
    seal(&mut journal);
    assert!(journal.is_sealed());
    assert_eq!(names(dir.path()), [RECORD]);
    assert_eq!(fs::metadata(dir.path().join(RECORD)).unwrap().permissions().mode() & 0o777, 0o600);
    let text = record(dir.path());
    let (events, seal_line) = text.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(events.as_bytes(), before.join(&b'\n'));
    let (head, plan) = (&journal.load().unwrap()[3].hash, "a".repeat(64));
    let at = AT.0 + 9;
    let expected = format!(
        r#"{{"seq":4,"at":{at},"prev":"{head}","seal":{{"engine":"0.1.0","lines":4,"plan":"{plan}","segment":1}},"digest":""#
    );
    assert!(seal_line.starts_with(&expected), "{seal_line}");
    assert_eq!(of(journal.load().unwrap()), written(), "from the record");
    seal(&mut journal);
    assert_eq!(record(dir.path()), text, "sealed once");
    assert_eq!(journal.next_seq(), 5);
}

fn lines_while_open(journal: &mut RunJournal, folder: &Path) -> Vec<Vec<u8>> {
    // The database lets in one at a time: what another finds is a copy.
    journal.load().unwrap();
    let other = tempfile::tempdir().unwrap();
    copy(folder, other.path());
    lines(other.path()).unwrap()
}

#[test]
fn a_sealed_record_is_read_without_holding_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_run(dir.path());
    assert!(load_sealed(dir.path()).unwrap().is_none(), "an open one is not");
    drop(journal);
    assert_eq!(of(load(dir.path()).unwrap()), written());
    seal(&mut RunJournal::open(dir.path()).unwrap());
    assert_eq!(of(load_sealed(dir.path()).unwrap().unwrap()), written());
    assert_eq!(of(load(dir.path()).unwrap()), written());
    assert_eq!(names(dir.path()), [RECORD], "reading leaves nothing");
}

#[test]
fn what_is_decided_after_the_end_opens_a_segment_that_is_sealed_anew() {
    let dir = tempfile::tempdir().unwrap();
    sealed_run(dir.path());
    let first = record(dir.path());
    let mut journal = RunJournal::open(dir.path()).unwrap();
    assert_eq!((journal.is_sealed(), journal.next_seq()), (true, 5));
    let head = journal.head().clone();
    assert_eq!(journal.append(5, AT, &[]).unwrap(), []);
    assert!(journal.is_sealed(), "nothing opens it for nothing");
    assert!(matches!(journal.append(4, AT, &events(4..5)), Err(JournalError::Conflict { expected: 4, actual: 5 })));
    assert!(journal.is_sealed());
    let more = journal.append(5, AT, &events(4..6)).unwrap();
    assert_eq!((more[0].seq, &more[0].prev), (5, &head), "it carries the hash of the seal");
    assert!(!journal.is_sealed());
    assert_eq!(record(dir.path()), first, "the record of the first segment stays until the second is sealed");
    assert_eq!(of(journal.load().unwrap()), [written(), events(4..6)].concat());
    drop(journal);

    let mut journal = RunJournal::open(dir.path()).unwrap();
    assert!(!journal.is_sealed());
    journal.append(7, AT, &events(6..7)).unwrap();
    seal(&mut journal);
    let both = record(dir.path());
    assert!(both.starts_with(&first));
    assert!(
        both.contains(r#""lines":3,"plan":"#) && both.trim_end().ends_with('}') && both.contains(r#""segment":2}"#)
    );
    assert_eq!(of(load_sealed(dir.path()).unwrap().unwrap()), [written(), events(4..7)].concat());
    assert_eq!(names(dir.path()), [RECORD]);
}

/// Opens for writing what a crash left, and seals: what everyone reads then.
fn after_crash(folder: &Path) -> (bool, usize) {
    let read = of(load(folder).unwrap());
    let mut journal = RunJournal::open(folder).unwrap();
    assert_eq!(of(journal.load().unwrap()), read, "for readers and writers alike");
    let was_sealed = journal.is_sealed();
    if was_sealed {
        assert_eq!(names(folder), [RECORD], "what is in the record is not kept twice");
    }
    seal(&mut journal);
    drop(journal);
    assert_eq!(names(folder), [RECORD]);
    assert_eq!(of(load_sealed(folder).unwrap().unwrap()), read);
    (was_sealed, read.len())
}

#[test]
fn a_crash_while_sealing_loses_nothing() {
    let (dir, before) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open_run(dir.path()));
    copy(dir.path(), before.path());
    sealed_run_of(dir.path());
    let put = |make: &dyn Fn(&Path)| {
        let left = tempfile::tempdir().unwrap();
        make(left.path());
        after_crash(left.path())
    };
    let journal = before.path().join("journal");
    let sealed = dir.path().join(RECORD);
    // The record is half written, under the name that it has then.
    assert_eq!(
        put(&|left| {
            copy(&journal, &left.join("journal"));
            fs::write(left.join(".record.jsonl"), "{\"seq\":0").unwrap();
        }),
        (false, 4)
    );
    // It has its name, and the database is whole.
    assert_eq!(
        put(&|left| {
            copy(&journal, &left.join("journal"));
            fs::copy(&sealed, left.join(RECORD)).unwrap();
        }),
        (true, 4)
    );
    // The database has lost its name, and then some of its files.
    for file in ["tip", "db", "conf"] {
        assert_eq!(
            put(&|left| {
                copy(&journal, &left.join("journal.old"));
                fs::remove_file(left.join("journal.old").join(file)).unwrap();
                fs::copy(&sealed, left.join(RECORD)).unwrap();
            }),
            (true, 4)
        );
    }
}

fn sealed_run_of(folder: &Path) {
    seal(&mut RunJournal::open(folder).unwrap());
}

#[test]
fn a_crash_while_opening_a_sealed_run_loses_nothing() {
    let (dir, opened) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sealed_run(dir.path());
    copy(dir.path(), opened.path());
    let mut journal = RunJournal::open(opened.path()).unwrap();
    journal.append(5, AT, &events(4..5)).unwrap();
    drop(journal);
    assert_eq!(names(opened.path()), ["journal", RECORD]);
    assert_eq!(after_crash(opened.path()), (false, 5), "what was decided counts");

    // The new database is half made.
    let left = tempfile::tempdir().unwrap();
    copy(dir.path(), left.path());
    fs::create_dir(left.path().join("journal.new")).unwrap();
    fs::write(left.path().join("journal.new/tip"), "").unwrap();
    assert_eq!(after_crash(left.path()), (true, 4));
    // The same, met by what opens it again.
    fs::create_dir(left.path().join("journal.new")).unwrap();
    let mut journal = RunJournal::open(left.path()).unwrap();
    journal.append(5, AT, &events(4..5)).unwrap();
    assert_eq!(of(journal.load().unwrap()).len(), 5);
}

#[test]
fn a_record_and_a_database_that_disagree_are_told() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sealed_run(dir.path());
    // The database of a run that went otherwise from its third event on.
    let mut journal = RunJournal::create(other.path()).unwrap();
    journal.append(0, AT, &events(0..2)).unwrap();
    journal.append(2, AT, &events(7..9)).unwrap();
    drop(journal);
    fs::copy(dir.path().join(RECORD), other.path().join(RECORD)).unwrap();
    let told = RunJournal::open(other.path());
    assert!(matches!(told, Err(JournalError::Broken { seq: 2, flaw: Flaw::Disagreement })), "{told:?}");
    // One that lacks more than the seal.
    let short = tempfile::tempdir().unwrap();
    let mut journal = RunJournal::create(short.path()).unwrap();
    journal.append(0, AT, &events(0..3)).unwrap();
    drop(journal);
    fs::copy(dir.path().join(RECORD), short.path().join(RECORD)).unwrap();
    assert!(matches!(load(short.path()), Err(JournalError::Broken { seq: 3, flaw: Flaw::Disagreement })));
    assert_eq!(names(short.path()), ["journal", RECORD], "nobody decides which of the two goes");
}

#[test]
fn a_record_that_lost_its_end_is_not_taken_for_a_shorter_one() {
    let dir = tempfile::tempdir().unwrap();
    sealed_run(dir.path());
    let text = record(dir.path());
    let with = |text: &str| {
        fs::write(dir.path().join(RECORD), text).unwrap();
        load_sealed(dir.path())
    };
    let (events, _) = text.trim_end().rsplit_once('\n').unwrap();
    let unsealed = with(&format!("{events}\n"));
    assert!(matches!(unsealed, Err(JournalError::Broken { seq: 3, flaw: Flaw::Unsealed })), "{unsealed:?}");
    assert!(matches!(with(text.trim_end()), Err(JournalError::Broken { seq: 4, flaw: Flaw::Cut })));
    assert!(matches!(with(""), Err(JournalError::Broken { seq: 0, flaw: Flaw::Unsealed })));
    let engine = with(&text.replace("0.1.0", "0.1.1"));
    assert!(matches!(engine, Err(JournalError::Broken { seq: 4, flaw: Flaw::Seal(_) })), "{engine:?}");
    assert!(with(&text).unwrap().is_some());
}
