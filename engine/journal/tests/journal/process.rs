//! What only a second process can show: `kill -9`, a lock held elsewhere, a disk that takes no more.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::fixtures::{AT, event, events, reopened, written};
use runbook_journal::{Journal as _, JournalError, SledJournal};

/// Tells a child what it is and where; this program is started again to be it.
const ROLE: &str = "JOURNAL_TEST_ROLE";
const DIR: &str = "JOURNAL_TEST_DIR";

/// Starts this program again as a child with a role, under a shell that first does `setup`.
fn child(role: &str, dir: &Path, setup: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new("/bin/sh")
        .args(["-c", &format!(r#"{setup} exec "$0" --exact --ignored --nocapture process::as_a_child"#)])
        .arg(std::env::current_exe().unwrap())
        .env(ROLE, role)
        .env(DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// The words after `said:` in the next line that has them.
fn said(out: &mut BufReader<ChildStdout>) -> String {
    let line = out.lines().map(Result::unwrap).find(|line| line.starts_with("said: "));
    line.expect("the child says something").trim_start_matches("said: ").to_owned()
}

#[test]
#[ignore = "the other tests of this file start it"]
fn as_a_child() {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    match std::env::var(ROLE).unwrap().as_str() {
        "append" => {
            let mut journal = SledJournal::open(dir).unwrap();
            for number in 0.. {
                journal.append(2 * number, AT, &pair(number)).unwrap();
                println!("said: {number}");
            }
        }
        "hold" => {
            let journal = SledJournal::open(dir).unwrap();
            println!("said: open");
            std::io::stdin().read_line(&mut String::new()).unwrap();
            drop(journal);
        }
        "fill" => {
            let mut journal = SledJournal::open(dir).unwrap();
            let mut number = 0;
            let failure = loop {
                match journal.append(number, AT, &[event(usize::try_from(number).unwrap(), 10_000)]) {
                    Ok(_) => number += 1,
                    Err(error) => break error,
                }
            };
            let append = journal.append(number, AT, &events(0..1)).unwrap_err();
            let load = journal.load().unwrap_err();
            let poisoned = |error| matches!(error, JournalError::Poisoned(first) if first == failure.to_string());
            println!("said: {number} {} {} {failure}", poisoned(append), poisoned(load));
        }
        other => panic!("{other}"),
    }
}

fn pair(number: u64) -> Vec<runbook_core::event::Event> {
    let first = usize::try_from(2 * number).unwrap();
    events(first..first + 2)
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0u64..8 {
        let path = dir.path().join(format!("journal-{round}"));
        drop(written(&path, &[]));
        let (mut child, mut out) = child("append", &path, "");
        let acknowledged = (0..=round * 7).map(|_| said(&mut out)).last().unwrap().parse::<u64>().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let read = reopened(&path).unwrap();
        assert_eq!(read.len() % 2, 0, "a batch is whole");
        let batches = read.len() as u64 / 2;
        assert!(batches > acknowledged, "{batches} of {acknowledged}");
        assert_eq!(read, (0..batches).flat_map(pair).collect::<Vec<_>>());
    }
}

#[test]
fn another_process_has_it_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(written(&path, &[events(0..1)]));
    let (mut child, mut out) = child("hold", &path, "");
    assert_eq!(said(&mut out), "open");
    assert!(matches!(SledJournal::open(&path), Err(JournalError::InUse { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(reopened(&path).unwrap(), events(0..1), "a dead process holds nothing");
}

#[test]
fn after_a_write_error_nothing_works_and_what_was_acknowledged_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(written(&path, &[]));
    // A limit on the length of files, in units of 512 or 1024 bytes; a write beyond it is an error as on a full disk.
    let (mut child, mut out) = child("fill", &path, "trap '' XFSZ; ulimit -f 2100;");
    let words = said(&mut out);
    let status = child.wait().unwrap();
    assert!(status.success(), "closing a failed journal does no harm: {status}");
    let (number, rest) = words.split_once(' ').unwrap();
    assert!(rest.starts_with("true true failed to write the database"), "{words}");
    let (number, read) = (number.parse::<usize>().unwrap(), reopened(&path).unwrap());
    assert!(number > 10, "{words}");
    assert!(read.len() == number || read.len() == number + 1, "{} of {number}", read.len());
    assert_eq!(read, (0..read.len()).map(|number| event(number, 10_000)).collect::<Vec<_>>());
}
