//! A dump: a consistent copy of the books, made while they are in use, with its manifest beside it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::manifest::{Format, Manifest, manifest_path};
use crate::error::Error;
use crate::folder::{self, Folder};
use crate::rows::stamp;

/// Dumps the books of a data folder into `to_file`, which must not exist yet, and writes its manifest beside it.
///
/// A damaged database is dumped as it is: the manifest lists what is wrong, [`Format::Raw`] says that SQLite could not
/// even read it, [`Format::Absent`] that there was no file. So it can always be put back.
///
/// # Errors
/// [`Error::NotAPlatform`] when this is no data folder; [`Error::Io`] when `to_file` exists or cannot be written.
pub fn dump(data: &Path, to_file: &Path) -> Result<Manifest, Error> {
    dump_at(data, to_file, Timestamp::now())
}

/// Like [`dump`], with the time that the manifest gives.
///
/// # Errors
/// As for [`dump`].
pub fn dump_at(data: &Path, to_file: &Path, created_at: Timestamp) -> Result<Manifest, Error> {
    // Without this a mistyped folder would give the dump of a database that is not there.
    if !Folder::at(data).control().exists() {
        return Err(Error::NotAPlatform(data.to_owned()));
    }
    let folder = Folder::at(data);
    let manifest = dump_file(&folder.business(), to_file, created_at)?;
    if disk_fails(&folder)? {
        damage(to_file)?;
    }
    Ok(manifest)
}

/// Whether the disk that dumps are written to is broken on purpose.
fn disk_fails(folder: &Folder) -> Result<bool, Error> {
    let control = Connection::open_with_flags(folder.control(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    control.busy_timeout(crate::platform::BUSY_TIMEOUT)?;
    Ok(crate::control::schema::meta(&control, crate::faults::FAILING_DISK)?.is_some())
}

/// Overwrites a page in the middle, as a failing disk would: size and name stay as they were.
pub(crate) fn damage(path: &Path) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).open(path).map_err(Error::io("cannot open", path))?;
    let size = file.metadata().map_err(Error::io("cannot read", path))?.len();
    file.write_all_at(&[0xA5; 512], size / 2).and_then(|()| file.sync_all()).map_err(Error::io("cannot write", path))
}

/// Dumps one database file.
pub(crate) fn dump_file(source: &Path, to_file: &Path, created_at: Timestamp) -> Result<Manifest, Error> {
    if to_file.exists() {
        let exists = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(Error::io("cannot write", to_file)(exists));
    }
    let into = folder::parent(to_file);
    let copy = tempfile::NamedTempFile::new_in(into).map_err(Error::io("cannot write in", into))?;
    let format = match copy_database(source, copy.path()) {
        Ok(()) => Format::Sqlite,
        Err(_) if !source.exists() => Format::Absent,
        Err(error) if unreadable(&error) => {
            fs::copy(source, copy.path()).map_err(Error::io("cannot copy", source))?;
            Format::Raw
        }
        Err(error) => return Err(error.into()),
    };
    copy.as_file().sync_all().map_err(Error::io("cannot sync", to_file))?;
    let name = to_file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let manifest = Manifest::describe(copy.path(), &name, format, stamp(created_at))?;
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Error::io("cannot write", manifest_path(to_file))(error.into()))?;
    // The manifest first: a dump that can be seen has one.
    folder::write_whole(&manifest_path(to_file), &text)?;
    copy.persist_noclobber(to_file).map_err(|error| Error::io("cannot write", to_file)(error.error))?;
    folder::sync_folder(into)?;
    Ok(manifest)
}

fn copy_database(source: &Path, target: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(source, flags)?;
    from.busy_timeout(crate::platform::BUSY_TIMEOUT)?;
    // SQLite would copy the pages of a file that it cannot read; ask it to read first.
    from.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut to = Connection::open(target)?;
    Backup::new(&from, &mut to)?.run_to_completion(1_000, Duration::from_millis(5), None)
}

fn unreadable(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}
