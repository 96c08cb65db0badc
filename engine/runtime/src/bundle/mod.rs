//! Bundles: one archive with all that is to be kept of a run, which can be verified anywhere.
//!
//! The same run gives the same bytes: files in the order of their names, without times and owners. `MANIFEST`, the last file,
//! has the SHA-256 of each in the form that `sha256sum -c` reads. What is there of a child run lies in `children/<its id>/`,
//! whichever run around it started it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};

use flate2::{Compression, GzBuilder};
use runbook_core::event::{Created, Event};
use runbook_core::hex;
use runbook_core::units::RunId;
use runbook_journal::{RECORD, examine};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::engine::EngineError;
use crate::folder::RunFolder;
use crate::status::Status;
use crate::{record, regular, signing};

mod opened;

pub use opened::{Opened, Packed, is_bundle, open};

/// The file with the digests of all others.
pub const MANIFEST: &str = "MANIFEST";

/// Where what is there of child runs lies.
const CHILDREN: &str = "children/";

/// What there is of one run, and which child runs its record names.
struct OfRun {
    files: BTreeMap<String, Content>,
    children: BTreeSet<RunId>,
    is_sealed: bool,
}

/// One file of a bundle.
enum Content {
    /// What was made for the bundle.
    Bytes(Vec<u8>),
    /// A file as it lies there, as far as it goes now.
    File(File, u64),
}

/// What others make of a run that is packed, such as its report: files by name.
pub type Made = BTreeMap<String, Vec<u8>>;

/// What a bundle lacks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// The runs, of which children too, that are packed without a seal: these are not over, or not sealed yet.
    pub unsealed: Vec<RunId>,
    /// The child runs of which nothing is there any more.
    pub missing: Vec<RunId>,
}

/// Writes the bundle of a run and its child runs: record with signatures, logs, status, and the environment that was pinned.
/// `more` says what else goes in for a run.
///
/// Of a run that an engine has now, the record cannot be read, and is not in it.
///
/// The logs of services stay out: a service may print a secret that it makes itself, and those are not masked in its own while it runs.
///
/// # Errors
/// When the journal is damaged, or a file cannot be read or written.
pub fn write<E: From<EngineError>>(
    folder: &RunFolder,
    more: impl Fn(&RunFolder) -> Result<Made, E>,
    to: impl Write,
) -> Result<Lacking, E> {
    let (mut files, mut lacking) = (BTreeMap::new(), Lacking::default());
    let (mut runs, mut seen) = (vec![folder.clone()], BTreeSet::from([folder.id().clone()]));
    while let Some(run) = runs.pop() {
        let of_run = of_run(&run, &mut lacking)?;
        let prefix = if run.id() == folder.id() { String::new() } else { format!("{CHILDREN}{}/", run.id()) };
        for child in of_run.children.into_iter().filter(|child| seen.insert(child.clone())) {
            let child = folder.state().run(&child);
            // One whose start was cut off has nothing, and one that was removed.
            if child.path().is_dir() { runs.push(child) } else { lacking.missing.push(child.id().clone()) }
        }
        let made = more(&run)?.into_iter().map(|(name, bytes)| (name, Content::Bytes(bytes)));
        files.extend(of_run.files.into_iter().chain(made).map(|(name, content)| (format!("{prefix}{name}"), content)));
    }
    pack(folder, files, to).map_err(EngineError::from)?;
    Ok(lacking)
}

/// What there is of one run.
fn of_run(folder: &RunFolder, lacking: &mut Lacking) -> Result<OfRun, EngineError> {
    let mut of_run = match record::read(folder) {
        Ok(bytes) => decided(folder, bytes)?,
        Err(EngineError::InUse) => published(folder)?,
        Err(error) => return Err(error),
    };
    if !of_run.is_sealed {
        lacking.unsealed.push(folder.id().clone());
    }
    logs(folder, &mut of_run.files)?;
    Ok(of_run)
}

fn pack(folder: &RunFolder, files: BTreeMap<String, Content>, to: impl Write) -> io::Result<()> {
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
    archive.into_inner()?.finish()?.flush()
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

/// What the record tells.
fn decided(folder: &RunFolder, bytes: Vec<u8>) -> Result<OfRun, EngineError> {
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
    let children = bytes.split(|byte| *byte == b'\n').filter_map(child_in).collect();
    put(RECORD, bytes);
    Ok(OfRun { files, children, is_sealed: examined.seals.last() == Some(&examined.lines) })
}

/// The child run that a line of a record names. A line that cannot be read names none; `verify` tells what is wrong with it.
fn child_in(line: &[u8]) -> Option<RunId> {
    #[derive(Deserialize)]
    struct Line {
        event: Event,
    }
    match serde_json::from_slice::<Line>(line).ok()?.event {
        Event::AttemptStarted { child, .. } => child,
        _ => None,
    }
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
fn published(folder: &RunFolder) -> Result<OfRun, EngineError> {
    let mut files = BTreeMap::new();
    if let Ok(status) = Status::read(folder) {
        files.insert("status.json".to_owned(), Content::Bytes(pretty(&status)?));
    }
    Ok(OfRun { files, children: BTreeSet::new(), is_sealed: false })
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
