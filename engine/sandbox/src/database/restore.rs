//! A restore: the books replaced by a dump, whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::manifest::{Format, Manifest, digest, verify};
use crate::control::{schema, services};
use crate::error::Error;
use crate::folder::{self, Folder};

/// Replaces the books of a data folder by a dump. Gives the manifest of the dump.
///
/// The dump is verified before anything is touched. While the folder is being served, the services that write to the
/// books must be stopped; none can start until the restore has ended. `allow_damaged` lets the dump of a damaged
/// database back in, which is how a safety dump is put back.
///
/// # Errors
/// [`Error::BadBackup`] when the dump cannot be trusted or is of a damaged database, [`Error::ServicesRunning`] when a
/// writer is not stopped. In both cases nothing was touched. [`Error::Io`] when the copy failed: the old books are
/// still there.
pub fn restore(file: &Path, data: &Path, allow_damaged: bool) -> Result<Manifest, Error> {
    let manifest = verify(file)?;
    if !manifest.contents.is_whole() && !allow_damaged {
        return Err(Error::BadBackup {
            file: file.to_owned(),
            why: format!("it was made of a damaged database: {}", manifest.contents.problems.join("; ")),
        });
    }
    let folder = Folder::at(data);
    if !folder.control().exists() {
        return Err(Error::NotAPlatform(data.to_owned()));
    }
    // Holding the lock keeps a server from starting; if a server has it, its writers must be stopped.
    let served = match folder.lock() {
        Ok(lock) => Ok(lock),
        Err(Error::InUse(path)) => Err(path),
        Err(error) => return Err(error),
    };
    let mut control = schema::open(&folder.control())?;
    // Every write of the platform, and every start of a service, needs this lock.
    let tx = control.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if served.is_err() {
        require_stopped(&tx)?;
    }
    put_in_place(file, &manifest, &folder)?;
    tx.commit()?;
    Ok(manifest)
}

/// Restores a dump into a folder of its own, made when it is not there: no platform is touched. Gives the manifest.
///
/// # Errors
/// [`Error::BadBackup`] when the dump cannot be trusted, [`Error::Io`] when the folder cannot be written.
pub fn restore_beside(file: &Path, to: &Path) -> Result<Manifest, Error> {
    let manifest = verify(file)?;
    let folder = Folder::create(to)?;
    if folder.control().exists() {
        return Err(Error::Rejected(format!("`{}` is the folder of a platform", to.display())));
    }
    put_in_place(file, &manifest, &folder)?;
    Ok(manifest)
}

fn require_stopped(control: &Connection) -> Result<(), Error> {
    let mut running = Vec::new();
    for name in services::WRITERS {
        let sql = "SELECT state FROM services WHERE name = ?1";
        let state: String = control.query_row(sql, [name], |row| row.get(0))?;
        if state != "stopped" {
            running.push(format!("service `{name}` is {state},"));
        }
    }
    if running.is_empty() { Ok(()) } else { Err(Error::ServicesRunning(running)) }
}

/// Copies a verified dump beside the books, verifies the copy, and renames it into their place.
pub(crate) fn put_in_place(file: &Path, manifest: &Manifest, folder: &Folder) -> Result<(), Error> {
    let target = folder.business();
    let mut copy =
        tempfile::NamedTempFile::new_in(folder.root()).map_err(Error::io("cannot write in", folder.root()))?;
    let mut source = fs::File::open(file).map_err(Error::io("cannot read", file))?;
    io::copy(&mut source, copy.as_file_mut()).map_err(Error::io("cannot copy", file))?;
    copy.as_file().sync_all().map_err(Error::io("cannot sync", copy.path()))?;
    let (_, sha256) = digest(copy.path())?;
    if sha256 != manifest.sha256 {
        return Err(Error::BadBackup { file: file.to_owned(), why: "it changed while it was being copied".to_owned() });
    }
    settle_journal(&target)?;
    if manifest.format == Format::Absent {
        remove(&target)?;
    } else {
        copy.persist(&target).map_err(|error| Error::io("cannot replace", &target)(error.error))?;
    }
    folder::sync_folder(folder.root())
}

/// A journal that a killed process left would be applied to the new file and ruin it. Lets SQLite finish it for the
/// old file, and removes what it cannot finish.
fn settle_journal(target: &Path) -> Result<(), Error> {
    let mut name = target.as_os_str().to_owned();
    name.push("-journal");
    let journal = PathBuf::from(name);
    if !journal.exists() {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Ok(old) = Connection::open_with_flags(target, flags) {
        // The answer does not matter: reading is what finishes the journal.
        let _ = old.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    }
    remove(&journal)
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("cannot remove", path)(error)),
    }
}
