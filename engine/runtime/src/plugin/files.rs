//! The files of a plugin: read whole, known by one digest, and kept with the run that uses them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use runbook_core::digest_of;
use runbook_core::units::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::folder::{private_folder, sync};

/// The most files that a plugin has.
pub const FILES_MAX: usize = 1_000;

/// The most that they hold, in bytes: each run keeps a copy.
pub const SIZE_MAX: u64 = 32 << 20;

/// All files of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginFiles {
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    bytes: Vec<u8>,
    runs: bool,
}

/// What the digest covers of a file.
#[derive(Serialize)]
struct Covered<'f> {
    name: &'f str,
    runs: bool,
    sha256: String,
}

impl PluginFiles {
    /// A plugin of a single file.
    pub fn one(name: &str, text: &str) -> Self {
        let file = File { bytes: text.as_bytes().to_vec(), runs: false };
        Self { files: BTreeMap::from([(name.to_owned(), file)]) }
    }

    /// Reads the files of a folder. Hidden files and `__pycache__` do not belong to a plugin.
    ///
    /// # Errors
    /// When one cannot be read, there are too many, or one is a link: what it leads to could change while it is approved.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut left = vec![folder.to_owned()];
        let mut size = 0;
        while let Some(next) = left.pop() {
            for entry in fs::read_dir(&next)? {
                let entry = entry?;
                let (path, kind) = (entry.path(), entry.file_type()?);
                let refuse = |what: &str| io::Error::other(format!("{} {what}", path.display()));
                let name = entry.file_name().into_string().map_err(|_| refuse("has a name that is no text"))?;
                if name.starts_with('.') || name == "__pycache__" {
                    continue;
                }
                if kind.is_dir() {
                    left.push(path);
                    continue;
                }
                if !kind.is_file() {
                    return Err(refuse("is a link, or no file"));
                }
                size += entry.metadata()?.len();
                if files.len() >= FILES_MAX || size > SIZE_MAX {
                    let most = format!("a plugin has at most {FILES_MAX} files and {} MiB", SIZE_MAX >> 20);
                    return Err(io::Error::other(most));
                }
                let runs = entry.metadata()?.permissions().mode() & 0o100 != 0;
                let name = path.strip_prefix(folder).map_err(io::Error::other)?.display().to_string();
                files.insert(name, File { bytes: fs::read(&path)?, runs });
            }
        }
        Ok(Self { files })
    }

    /// The digest of all of them: their names, what they hold, and whether they can be run.
    pub fn digest(&self) -> Digest {
        let covered = |(name, file): (&'_ String, &File)| {
            (name.clone(), file.runs, data_encoding::HEXLOWER.encode(&Sha256::digest(&file.bytes)))
        };
        let all: Vec<(String, bool, String)> = self.files.iter().map(covered).collect();
        let covered: Vec<Covered<'_>> =
            all.iter().map(|(name, runs, sha256)| Covered { name, runs: *runs, sha256: sha256.clone() }).collect();
        digest_of(&covered)
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(&self.files.get(name)?.bytes).ok()
    }

    /// The names of all files, and whether each can be run.
    pub fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file.runs))
    }

    /// Writes them to a new folder, whole or not at all, as durably as the run that uses them.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(crate) fn keep(&self, folder: &Path) -> io::Result<()> {
        let new = folder.with_file_name(format!(".new-{}", folder.file_name().unwrap_or_default().display()));
        let _ = fs::remove_dir_all(&new);
        private_folder(&new)?;
        for (name, file) in &self.files {
            let path = new.join(name);
            path.parent().map_or(Ok(()), private_folder)?;
            let mode = if file.runs { 0o700 } else { 0o600 };
            let mut kept = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            kept.write_all(&file.bytes)?;
            kept.sync_all()?;
        }
        sync(&new)?;
        fs::rename(&new, folder)?;
        folder.parent().map_or(Ok(()), sync)
    }
}

/// Writes the plugins of a run, each to a folder that is named by its digest.
///
/// # Errors
/// When one is missing, or cannot be written.
pub(crate) fn keep_all<'d>(
    all: &BTreeMap<Digest, PluginFiles>,
    wanted: impl Iterator<Item = &'d Digest>,
    folder: impl Fn(&Digest) -> std::path::PathBuf,
) -> io::Result<()> {
    for digest in wanted {
        let to = folder(digest);
        if to.is_dir() {
            continue;
        }
        let files = all.get(digest).ok_or_else(|| io::Error::other("the files of a plugin are missing"))?;
        to.parent().map_or(Ok(()), private_folder)?;
        files.keep(&to)?;
    }
    Ok(())
}

/// Whether a folder holds just the files of that digest.
pub(crate) fn holds(folder: &Path, digest: &Digest) -> io::Result<bool> {
    Ok(PluginFiles::read(folder)?.digest() == *digest)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{PluginFiles, holds};

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("plugin.yaml"), "schema: plugin/v1").expect("a file");
        fs::create_dir(folder.path().join("lib")).expect("a folder");
        fs::write(folder.path().join("lib/run.sh"), "#!/bin/sh\n").expect("a file");
        folder
    }

    #[test]
    fn what_is_kept_has_the_digest_of_what_was_read() {
        let from = folder();
        fs::set_permissions(from.path().join("lib/run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
        let files = PluginFiles::read(from.path()).expect("files");
        let to = tempfile::tempdir().expect("a folder");
        let kept = to.path().join("kept");
        files.keep(&kept).expect("kept");
        assert!(holds(&kept, &files.digest()).expect("files"));
        assert_eq!(fs::metadata(kept.join("lib/run.sh")).expect("a file").permissions().mode() & 0o777, 0o700);
        fs::write(kept.join("plugin.yaml"), "schema: plugin/v2").expect("a file");
        assert!(!holds(&kept, &files.digest()).expect("files"));
    }

    #[test]
    fn each_change_gives_another_digest() {
        let from = folder();
        let first = PluginFiles::read(from.path()).expect("files").digest();
        fs::set_permissions(from.path().join("lib/run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
        let second = PluginFiles::read(from.path()).expect("files").digest();
        fs::rename(from.path().join("lib/run.sh"), from.path().join("run.sh")).expect("moved");
        let third = PluginFiles::read(from.path()).expect("files").digest();
        assert!(first != second && second != third);
        fs::create_dir(from.path().join("__pycache__")).expect("a folder");
        fs::write(from.path().join("__pycache__/x.pyc"), "x").expect("a file");
        assert_eq!(PluginFiles::read(from.path()).expect("files").digest(), third);
    }

    #[test]
    fn a_link_is_refused() {
        let from = folder();
        std::os::unix::fs::symlink("/etc/hostname", from.path().join("name")).expect("a link");
        let refused = PluginFiles::read(from.path()).expect_err("a link").to_string();
        assert!(refused.contains("is a link"), "{refused}");
    }
}
