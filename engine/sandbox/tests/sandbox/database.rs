//! Dump, verify, restore, check, compare.

use std::fs;
use std::path::Path;

use runbook_sandbox::Error;
use runbook_sandbox::database::{self, Format, check, compare, dump, inspect, manifest_path, restore, verify};
use serde_json::{Value, json};

use crate::support::Sandbox;

fn flip_a_byte(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn lost_books_come_back_exactly() {
    let sandbox = Sandbox::healthy().await;
    let data = sandbox.data();
    let file = data.join("before.db");
    let manifest = dump(&data, &file).unwrap();
    assert!(manifest.contents.tables["trades"].rows > 300, "{manifest:?}");
    assert_eq!(verify(&file).unwrap(), manifest);
    assert!(compare(&manifest, &check(&data).unwrap()).equal);

    sandbox.post("/api/sandbox/fault/database_lost", json!({})).await;
    let problems = match check(&data) {
        Err(Error::Damaged(problems)) => problems.join("; "),
        other => panic!("{other:?}"),
    };
    assert!(problems.contains("table `trades` is missing"), "{problems}");
    let comparison = compare(&manifest, &inspect(&data.join("platform.db")));
    assert!(comparison.differences.iter().any(|line| line.contains("`ledger` has 0 rows")), "{comparison:?}");

    let refused = restore(&file, &data, false);
    assert!(matches!(&refused, Err(Error::ServicesRunning(names)) if names.len() == 2), "{refused:?}");
    assert!(check(&data).is_err(), "nothing was touched");
    sandbox.post("/api/services/all/stop", json!({})).await;
    restore(&file, &data, false).unwrap();
    sandbox.post("/api/services/all/start", json!({})).await;
    sandbox.wait_contained("database_lost").await;
    // Long enough for the engine and the feed to take several turns.
    let quote = sandbox.get("/api/market-data/BTC-USD").await;
    sandbox.wait_for("/api/market-data/BTC-USD", |now| now["at"] != quote["at"]).await;
    let comparison = compare(&manifest, &check(&data).unwrap());
    assert!(comparison.equal, "{:?}", comparison.differences);
}

#[tokio::test]
async fn a_database_that_is_gone_is_dumped_and_put_back_as_that() {
    let mut sandbox = Sandbox::healthy().await;
    sandbox.end().await;
    let data = sandbox.data();
    let (good, safety) = (data.join("good.db"), data.join("safety.db"));
    dump(&data, &good).unwrap();
    fs::remove_file(data.join("platform.db")).unwrap();
    let manifest = dump(&data, &safety).unwrap();
    assert_eq!(manifest.format, Format::Absent);
    assert_eq!(verify(&safety).unwrap(), manifest);
    assert!(!manifest.contents.is_whole());
    assert!(matches!(restore(&safety, &data, false), Err(Error::BadBackup { .. })), "it is no backup");

    restore(&good, &data, false).unwrap();
    check(&data).unwrap();
    assert!(!compare(&manifest, &inspect(&data.join("platform.db"))).equal);
    restore(&safety, &data, true).unwrap();
    assert!(!data.join("platform.db").exists());
    assert!(compare(&manifest, &inspect(&data.join("platform.db"))).equal);

    let elsewhere = dump(&data.join("backups"), &data.join("none.db"));
    assert!(matches!(elsewhere, Err(Error::NotAPlatform(_))), "{elsewhere:?}");
}

#[tokio::test]
async fn a_corrupt_backup_is_refused_before_anything_is_touched() {
    let mut sandbox = Sandbox::healthy().await;
    sandbox.end().await;
    let data = sandbox.data();
    let books = data.join("platform.db");
    let before = fs::read(&books).unwrap();
    let refused = |file: &Path, why: &str| match restore(file, &data, true) {
        Err(Error::BadBackup { why: said, .. }) if said.contains(why) => {
            assert!(fs::read(&books).unwrap() == before, "the books were touched");
        }
        other => panic!("{other:?}, not `{why}`"),
    };
    let made = |name: &str| {
        let file = data.join(name);
        dump(&data, &file).unwrap();
        file
    };
    let flipped = made("flipped.db");
    flip_a_byte(&flipped);
    refused(&flipped, "SHA-256");
    let short = made("short.db");
    fs::OpenOptions::new().write(true).open(&short).unwrap().set_len(4096).unwrap();
    refused(&short, "bytes");
    let orphan = made("orphan.db");
    fs::remove_file(manifest_path(&orphan)).unwrap();
    refused(&orphan, "no manifest");
    let garbled = made("garbled.db");
    fs::write(manifest_path(&garbled), "{").unwrap();
    refused(&garbled, "unreadable manifest");
    let lying = made("lying.db");
    let mut manifest: Value = serde_json::from_slice(&fs::read(manifest_path(&lying)).unwrap()).unwrap();
    manifest["contents"]["tables"]["trades"]["rows"] = json!(1);
    fs::write(manifest_path(&lying), manifest.to_string()).unwrap();
    refused(&lying, "contents");
    refused(&data.join("missing.db"), "no manifest");
}

#[tokio::test]
async fn a_damaged_database_is_dumped_and_put_back_as_it_was() {
    let mut sandbox = Sandbox::healthy().await;
    sandbox.end().await;
    let data = sandbox.data();
    let books = data.join("platform.db");
    let good = data.join("good.db");
    dump(&data, &good).unwrap();
    let mut bytes = fs::read(&books).unwrap();
    bytes[..64].fill(0xEE);
    fs::write(&books, &bytes).unwrap();
    assert!(matches!(check(&data), Err(Error::Damaged(_))));
    let safety = data.join("safety.db");
    let manifest = dump(&data, &safety).unwrap();
    assert_eq!(manifest.format, Format::Raw);
    assert!(!manifest.contents.is_whole());
    assert_eq!(verify(&safety).unwrap(), manifest);

    restore(&good, &data, false).unwrap();
    check(&data).unwrap();
    assert!(matches!(restore(&safety, &data, false), Err(Error::BadBackup { .. })), "not by accident");
    check(&data).unwrap();
    restore(&safety, &data, true).unwrap();
    assert!(fs::read(&books).unwrap() == bytes, "byte for byte");
}

/// A killed process leaves a journal; applied to the restored file it would ruin it.
#[tokio::test]
async fn a_journal_left_behind_does_not_reach_the_restored_books() {
    let mut sandbox = Sandbox::healthy().await;
    sandbox.end().await;
    let data = sandbox.data();
    let books = data.join("platform.db");
    let good = data.join("good.db");
    let manifest = dump(&data, &good).unwrap();
    let (torn, journal) = (data.join("torn"), data.join("torn-journal"));
    {
        let scratch = data.join("scratch.db");
        fs::copy(&books, &scratch).unwrap();
        let db = rusqlite::Connection::open(&scratch).unwrap();
        // The books went on after the dump: what the journal would bring back is not what the dump holds.
        db.execute_batch("UPDATE ledger SET reference = reference || ' as booked later'; PRAGMA cache_size = 2;")
            .unwrap();
        // A small cache writes pages out before the commit that never comes.
        db.execute_batch("BEGIN IMMEDIATE; UPDATE ledger SET reference = reference || ' and never committed';")
            .unwrap();
        fs::copy(&scratch, &torn).unwrap();
        fs::copy(data.join("scratch.db-journal"), &journal).unwrap();
    }
    assert!(fs::metadata(&journal).unwrap().len() > 4096, "the journal holds pages");
    fs::rename(&torn, &books).unwrap();
    fs::rename(&journal, data.join("platform.db-journal")).unwrap();
    restore(&good, &data, false).unwrap();
    assert!(fs::read(&books).unwrap() == fs::read(&good).unwrap(), "the restored file is the dump");
    let comparison = compare(&manifest, &check(&data).unwrap());
    assert!(comparison.equal, "{:?}", comparison.differences);
}

#[tokio::test]
async fn a_dump_never_replaces_a_file() {
    let mut sandbox = Sandbox::healthy().await;
    sandbox.end().await;
    let file = sandbox.data().join("dump.db");
    dump(&sandbox.data(), &file).unwrap();
    assert!(matches!(dump(&sandbox.data(), &file), Err(Error::Io { .. })));
    verify(&file).unwrap();
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(dump(empty.path(), &file), Err(Error::NotAPlatform(_))), "no platform there");
    assert!(matches!(restore(&file, empty.path(), false), Err(Error::NotAPlatform(_))));
    assert!(matches!(database::check(empty.path()), Err(Error::Damaged(_))));
}

#[tokio::test]
async fn a_checksum_sees_one_changed_value() {
    let mut sandbox = Sandbox::healthy().await;
    sandbox.end().await;
    let data = sandbox.data();
    let manifest = dump(&data, &data.join("dump.db")).unwrap();
    let db = rusqlite::Connection::open(data.join("platform.db")).unwrap();
    db.execute("UPDATE trades SET price_cents = price_cents + 1 WHERE id = 7", []).unwrap();
    let comparison = compare(&manifest, &check(&data).unwrap());
    assert_eq!(comparison.differences, ["table `trades` has the same number of rows but other contents"]);
    db.execute("DELETE FROM ledger WHERE id = 9", []).unwrap();
    assert!(matches!(check(&data), Err(Error::Damaged(_))), "an account no longer balances");
}
