//! The manifest beside a dump: what the dump holds and how to tell that it still does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::inspect::{MISSING, inspect};
use crate::error::Error;
use crate::secret::hex;

/// The version of the manifest's format.
const SCHEMA: &str = "sandbox-backup/v1";

/// How the bytes of a dump are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A consistent SQLite database.
    Sqlite,
    /// The bytes of a file that SQLite could not read, kept so that nothing is lost by replacing it.
    Raw,
    /// There was no file: the dump is empty, and restoring it removes what is there.
    Absent,
}

/// One table: how many rows it has and what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 over the columns and all rows, ordered by primary key.
    pub sha256: String,
}

/// What a database holds, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Every table by its name.
    pub tables: BTreeMap<String, TableReport>,
    /// What is missing, corrupt or inconsistent; empty when the database is whole.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What was dumped, when, and its checksums. Kept as JSON beside the dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub schema: String,
    /// The name of the dump, without its folder.
    pub file: String,
    /// How to read it.
    pub format: Format,
    /// When it was made: RFC 3339, UTC.
    pub created_at: String,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// What the database held; problems and all.
    pub contents: Report,
}

impl Manifest {
    /// Describes the dump in `bytes_at`, which will be called `name`.
    pub(super) fn describe(bytes_at: &Path, name: &str, format: Format, created_at: String) -> Result<Self, Error> {
        let (size_bytes, sha256) = digest(bytes_at)?;
        let contents = contents_of(bytes_at, format);
        Ok(Self { schema: SCHEMA.to_owned(), file: name.to_owned(), format, created_at, size_bytes, sha256, contents })
    }
}

/// What a dump says about the database that it was made of.
fn contents_of(dump: &Path, format: Format) -> Report {
    match format {
        Format::Sqlite | Format::Raw => inspect(dump),
        Format::Absent => Report { problems: vec![MISSING.to_owned()], ..Report::default() },
    }
}

/// Where the manifest of a dump is: `<file>.manifest.json`.
pub fn manifest_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".manifest.json");
    PathBuf::from(name)
}

/// Checks a dump against its manifest: size, SHA-256, and what SQLite finds inside. Gives the manifest.
///
/// A dump of a damaged database is verified like any other; `contents.problems` says what was wrong with it.
///
/// # Errors
/// [`Error::BadBackup`] when the manifest is missing or unreadable, or when anything differs from it.
pub fn verify(file: &Path) -> Result<Manifest, Error> {
    let manifest = read(file)?;
    let (size_bytes, sha256) = digest(file).map_err(|error| bad(file, error.to_string()))?;
    if size_bytes != manifest.size_bytes {
        let expected = manifest.size_bytes;
        return Err(bad(file, format!("it has {size_bytes} bytes, the manifest says {expected}")));
    }
    if sha256 != manifest.sha256 {
        return Err(bad(file, "its SHA-256 is not the one in the manifest".to_owned()));
    }
    let contents = contents_of(file, manifest.format);
    if contents != manifest.contents {
        return Err(bad(file, "its contents are not those in the manifest".to_owned()));
    }
    Ok(manifest)
}

fn read(file: &Path) -> Result<Manifest, Error> {
    let path = manifest_path(file);
    let text = fs::read(&path).map_err(|error| bad(file, format!("no manifest: {error}")))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| bad(file, format!("unreadable manifest: {error}")))?;
    if manifest.schema == SCHEMA {
        Ok(manifest)
    } else {
        let schema = &manifest.schema;
        Err(bad(file, format!("manifest has schema `{schema}`, this program knows `{SCHEMA}`")))
    }
}

fn bad(file: &Path, why: String) -> Error {
    Error::BadBackup { file: file.to_owned(), why }
}

/// The size and the SHA-256 of a file.
pub(super) fn digest(path: &Path) -> Result<(u64, String), Error> {
    let mut file = File::open(path).map_err(Error::io("cannot read", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    let mut size = 0_u64;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((size, hex(&hasher.finalize()))),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                size += u64::try_from(count).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("cannot read", path)(error)),
        }
    }
}

/// How a database differs from what a manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Whether there is no difference at all.
    pub equal: bool,
    /// One line for each difference.
    pub differences: Vec<String>,
}

/// Compares what a dump held with what a database holds now: tables, row counts, checksums, problems.
pub fn compare(manifest: &Manifest, report: &Report) -> Comparison {
    let (old, new) = (&manifest.contents.tables, &report.tables);
    let mut differences = Vec::new();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) if before.rows != after.rows => {
                differences.push(format!("table `{name}` has {} rows, the manifest says {}", after.rows, before.rows))
            }
            (Some(before), Some(after)) if before.sha256 != after.sha256 => {
                differences.push(format!("table `{name}` has the same number of rows but other contents"));
            }
            (Some(_), None) => differences.push(format!("table `{name}` is missing")),
            (None, Some(_)) => differences.push(format!("table `{name}` is not in the manifest")),
            _ => {}
        }
    }
    for problem in &report.problems {
        // A table that is missing is a difference and a problem, and said once.
        if !manifest.contents.problems.contains(problem) && !differences.contains(problem) {
            differences.push(problem.clone());
        }
    }
    Comparison { equal: differences.is_empty(), differences }
}
