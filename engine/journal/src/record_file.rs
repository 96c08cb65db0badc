//! `record.jsonl`: the lines of a run that has ended, each with a newline, and after each segment its seal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::{Flaw, JournalError};
use crate::line::Lines;

/// The name of the file, in the folder of its run.
pub const RECORD: &str = "record.jsonl";

/// What it is called while it is written. Names of unfinished files begin with a dot.
const UNFINISHED: &str = ".record.jsonl";

/// The lines of the record in a folder; none where there is no record.
pub(crate) fn read(folder: &Path) -> Result<Option<Vec<Vec<u8>>>, JournalError> {
    let bytes = match fs::read(folder.join(RECORD)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|source| failed(folder, "read the record", source))?,
    };
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    match lines.pop() {
        Some(rest) if !rest.is_empty() => Err(JournalError::Broken { seq: lines.len() as u64, flaw: Flaw::Cut }),
        _ => Ok(Some(lines)),
    }
}

/// Checks the lines of a record, of which the last must be a seal.
pub(crate) fn check(lines: &[Vec<u8>]) -> Result<Lines, JournalError> {
    let read = Lines::read(lines)?;
    if read.seal.is_none() {
        return Err(JournalError::Broken { seq: read.chain.next.saturating_sub(1), flaw: Flaw::Unsealed });
    }
    Ok(read)
}

/// Writes a record in the place of any before: whole or not at all, and it survives the loss of power when this returns.
pub(crate) fn write(folder: &Path, lines: &[Vec<u8>]) -> Result<(), JournalError> {
    let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    let unfinished = folder.join(UNFINISHED);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&unfinished, folder.join(RECORD))?;
        sync_folder(folder)
    };
    write().map_err(|source| failed(folder, "write the record", source))
}

/// Waits until the names in a folder are on the disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(crate) fn failed(folder: &Path, action: &'static str, source: io::Error) -> JournalError {
    JournalError::Io { dir: folder.to_owned(), action, source }
}
