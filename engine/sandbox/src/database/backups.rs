//! The backup folder: what is in it, what of it can be trusted.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::dump::dump_at;
use super::manifest::{Manifest, verify};
use crate::error::Error;
use crate::folder::Folder;

/// One dump in the backup folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Its name, without the folder.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is what its manifest says, and was made of a whole database.
    pub good: bool,
    /// Why it is not good.
    pub problem: Option<String>,
    /// Its manifest, when the dump matches it.
    pub manifest: Option<Manifest>,
}

/// The name of a backup made at `at`; names sort by time.
pub(crate) fn backup_name(at: Timestamp) -> String {
    format!("platform-{}.db", at.strftime("%Y%m%dT%H%M%S%3fZ"))
}

/// Dumps the books into the backup folder. Gives where it is and its manifest.
///
/// # Errors
/// As for [`dump`](super::dump).
pub fn create_backup(data: &Path) -> Result<(PathBuf, Manifest), Error> {
    let now = Timestamp::now();
    let path = Folder::at(data).backups().join(backup_name(now));
    let manifest = dump_at(data, &path, now)?;
    Ok((path, manifest))
}

/// All dumps in the backup folder, newest first by their names, each verified.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be read.
pub fn backups(data: &Path) -> Result<Vec<Backup>, Error> {
    Ok(newest_first(data)?.into_iter().map(examine).collect())
}

fn newest_first(data: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = Folder::at(data).backups();
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(Error::io("cannot read folder", &folder))? {
        let path = entry.map_err(Error::io("cannot read folder", &folder))?.path();
        if path.extension().is_some_and(|extension| extension == "db") {
            found.push(path);
        }
    }
    found.sort_by(|a, b| b.file_name().cmp(&a.file_name()));
    Ok(found)
}

/// The newest backup that can be trusted.
///
/// # Errors
/// [`Error::NoBackup`] when there is none.
pub fn newest_good(data: &Path) -> Result<Backup, Error> {
    // One after the other: verifying takes its time, and older ones need not be looked at.
    let mut found = newest_first(data)?.into_iter().map(examine);
    found.find(|backup| backup.good).ok_or_else(|| Error::NoBackup(Folder::at(data).backups()))
}

fn examine(path: PathBuf) -> Backup {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (problem, manifest) = match verify(&path) {
        Ok(manifest) if manifest.contents.is_whole() => (None, Some(manifest)),
        Ok(manifest) => (Some("made of a damaged database".to_owned()), Some(manifest)),
        Err(Error::BadBackup { why, .. }) => (Some(why), None),
        Err(error) => (Some(error.to_string()), None),
    };
    Backup { name, path, good: problem.is_none(), problem, manifest }
}
