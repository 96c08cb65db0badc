//! Bundles: one archive with all that is to be kept of a run, which can be verified anywhere.
//!
//! The same run gives the same bytes: files in the order of their names, without times and owners. `MANIFEST`, the last file,
//! has the SHA-256 of each in the form that `sha256sum -c` reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use runbook_core::event::Created;
use runbook_core::hex;
use runbook_journal::{RECORD, examine};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::engine::EngineError;
use crate::folder::RunFolder;
use crate::status::Status;
use crate::{record, regular, signing};

/// The file with the digests of all others.
pub const MANIFEST: &str = "MANIFEST";

/// A manifest, a record or a signature in a bundle is no longer than this: what is read is held in memory.
const HELD_BYTES_MAX: u64 = 1 << 30;

/// One file of a bundle.
enum Content {
    /// What was made for the bundle.
    Bytes(Vec<u8>),
    /// A file as it lies there, as far as it goes now.
    File(File, u64),
}

/// Writes the bundle of a run: its record with signatures, its logs, its status, and the environment that was pinned.
/// `more` are files that others make of the run, such as its report, by name.
///
/// Whether the record is sealed. Of a run that an engine has now, the record cannot be read, and is not in it.
///
/// The logs of services stay out: a service may print a secret that it makes itself, and those are not masked in its own while it runs.
///
/// # Errors
/// When the journal is damaged, or a file cannot be read or written.
pub fn write(folder: &RunFolder, more: BTreeMap<String, Vec<u8>>, to: impl Write) -> Result<bool, EngineError> {
    let (mut files, is_sealed) = match record::read(folder) {
        Ok(bytes) => decided(folder, bytes)?,
        Err(EngineError::InUse) => (published(folder)?, false),
        Err(error) => return Err(error),
    };
    logs(folder, &mut files)?;
    files.extend(more.into_iter().map(|(name, bytes)| (name, Content::Bytes(bytes))));
    let mut archive = tar::Builder::new(GzBuilder::new().mtime(0).write(to, Compression::default()));
    let mut manifest = String::new();
    for (name, content) in files {
        let digest = match content {
            Content::Bytes(bytes) => append(&mut archive, folder, &name, bytes.len() as u64, &bytes[..])?,
            Content::File(file, size) => append(&mut archive, folder, &name, size, file.take(size))?,
        };
        manifest.push_str(&format!("{digest}  {name}\n"));
    }
    append(&mut archive, folder, MANIFEST, manifest.len() as u64, manifest.as_bytes())?;
    archive.into_inner()?.finish()?.flush()?;
    Ok(is_sealed)
}

/// Appends a file; the digest of what is in it.
fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    folder: &RunFolder,
    name: &str,
    size: u64,
    reader: impl Read,
) -> io::Result<String> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    let mut hashed = Hashed::new(reader);
    archive.append_data(&mut header, format!("{}/{name}", folder.id()), &mut hashed)?;
    // A shorter one would shift all that follows.
    if hashed.bytes != size {
        return Err(io::Error::other(format!("{name} became shorter while it was read")));
    }
    Ok(hex(&hashed.hash.finalize()))
}

/// What the record tells, and whether it is sealed.
fn decided(folder: &RunFolder, bytes: Vec<u8>) -> Result<(BTreeMap<String, Content>, bool), EngineError> {
    let examined = examine(&bytes);
    let mut files = BTreeMap::new();
    let mut put = |name: &str, bytes| drop(files.insert(name.to_owned(), Content::Bytes(bytes)));
    if let Some(created) = examined.run.created() {
        put("environment.json", pretty(&environment(created))?);
    }
    // Not what was published last: the same record gives the same status.
    let until = examined.run.end().map_or(examined.run.started_at(), |end| end.at);
    if let Some(status) = Status::of(&examined.run, until, None) {
        put("status.json", pretty(&status)?);
    }
    for segment in 1..=examined.seals.len() {
        let path = signing::signature_file(&folder.path().join(RECORD), segment);
        match std::fs::read(&path) {
            Ok(signature) => put(&format!("record.{segment}.sig"), signature),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    put(RECORD, bytes);
    let is_sealed = examined.seals.last() == Some(&examined.lines);
    Ok((files, is_sealed))
}

/// What commands printed, with secrets masked.
fn logs(folder: &RunFolder, files: &mut BTreeMap<String, Content>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder.logs())? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if !name.starts_with("service-") {
            let file = regular::open(&entry.path())?;
            let size = file.metadata()?.len();
            files.insert(format!("logs/{name}"), Content::File(file, size));
        }
    }
    Ok(())
}

/// What an engine keeps to itself as long as it lives: the snapshot that it published is all that is known.
fn published(folder: &RunFolder) -> Result<BTreeMap<String, Content>, EngineError> {
    let mut files = BTreeMap::new();
    if let Ok(status) = Status::read(folder) {
        files.insert("status.json".to_owned(), Content::Bytes(pretty(&status)?));
    }
    Ok(files)
}

fn pretty(value: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The environment as it was pinned at the start. Secrets are in it by where they come from, never by value.
fn environment(created: &Created) -> Value {
    json!({
        "name": created.environment_name,
        "file": created.environment_file,
        "project_file": created.project_file,
        "values": created.environment,
        "roles": created.roles,
        "services": created.services,
        "env": created.env,
        "secrets": created.plan.secrets,
        "dir": created.dir,
    })
}

/// Takes the digest of what is read through it.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Hashed<R> {
    fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// What a bundle turned out to be.
#[derive(Debug, Default)]
pub struct Opened {
    /// The record in it.
    pub record: Option<Vec<u8>>,
    /// The signatures of its segments, by the names of their files.
    pub signatures: BTreeMap<String, Vec<u8>>,
    /// What is wrong with the bundle itself, each as a sentence.
    pub findings: Vec<String>,
}

/// Whether bytes are the beginning of a bundle.
pub fn is_bundle(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Reads a bundle, and checks that it has all files of its manifest, unaltered, and no other.
pub fn open(bytes: impl Read) -> Opened {
    let mut opened = Opened::default();
    let mut digests = BTreeMap::new();
    let mut manifest = None;
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    if let Err(error) = opened.read(&mut archive, &mut digests, &mut manifest) {
        opened.findings.push(format!("the archive cannot be read to its end: {error}"));
    }
    // What stands behind the files is checked too: the archive has a checksum of its own.
    if let Err(error) = io::copy(&mut archive.into_inner(), &mut io::sink()) {
        opened.findings.push(format!("the archive is damaged: {error}"));
    }
    match manifest.map(String::from_utf8) {
        Some(Ok(manifest)) => opened.compare(&manifest, digests),
        Some(Err(_)) => opened.findings.push(format!("{MANIFEST} cannot be read")),
        None => opened.findings.push(format!("{MANIFEST} is missing")),
    }
    opened
}

impl Opened {
    fn read(
        &mut self,
        archive: &mut tar::Archive<impl Read>,
        digests: &mut BTreeMap<String, String>,
        manifest: &mut Option<Vec<u8>>,
    ) -> io::Result<()> {
        for entry in archive.entries()? {
            let entry = entry?;
            let path = entry.path()?.into_owned();
            let is_file = entry.header().entry_type() == tar::EntryType::Regular;
            let Some((_, name)) = path.to_str().and_then(|path| path.split_once('/')).filter(|_| is_file) else {
                self.findings.push(format!("{} is none of the files of a bundle", path.display()));
                continue;
            };
            let name = name.to_owned();
            let mut hashed = Hashed::new(entry);
            let is_held = name == MANIFEST || name == RECORD || name.ends_with(".sig");
            let mut held = vec![];
            if is_held {
                (&mut hashed).take(HELD_BYTES_MAX).read_to_end(&mut held)?;
            }
            io::copy(&mut hashed, &mut io::sink())?;
            if name == MANIFEST {
                *manifest = Some(held);
                continue;
            }
            if digests.insert(name.clone(), hex(&hashed.hash.finalize())).is_some() {
                self.findings.push(format!("{name} is there twice"));
            }
            if name == RECORD {
                self.record = Some(held);
            } else if is_held {
                self.signatures.insert(name, held);
            }
        }
        Ok(())
    }

    fn compare(&mut self, manifest: &str, mut digests: BTreeMap<String, String>) {
        for line in manifest.lines() {
            let Some((digest, name)) = line.split_once("  ") else {
                self.findings.push(format!("{MANIFEST} has a line that names no file: {line}"));
                continue;
            };
            match digests.remove(name) {
                None => self.findings.push(format!("{name} is missing")),
                Some(actual) if actual != digest => self.findings.push(format!("{name} was altered")),
                Some(_) => {}
            }
        }
        for name in digests.into_keys() {
            self.findings.push(format!("{name} is not in {MANIFEST}"));
        }
    }
}
