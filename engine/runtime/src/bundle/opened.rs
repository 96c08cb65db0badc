//! Reading a bundle as somebody who trusts nothing in it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use runbook_core::hex;
use runbook_journal::RECORD;
use sha2::Digest as _;

use super::{CHILDREN, Hashed, MANIFEST};

/// A manifest, a record or a signature in a bundle is no longer than this: what is read is held in memory.
const HELD_BYTES_MAX: u64 = 1 << 30;

/// What a bundle turned out to be.
#[derive(Debug, Default)]
pub struct Opened {
    /// What is there of the run itself.
    pub run: Packed,
    /// What is there of its child runs, by their ids.
    pub children: BTreeMap<String, Packed>,
    /// What is wrong with the bundle itself, each as a sentence.
    pub findings: Vec<String>,
}

/// The record of one run in a bundle.
#[derive(Debug, Default)]
pub struct Packed {
    /// The record itself.
    pub record: Option<Vec<u8>>,
    /// The signatures of its segments, by the names of their files.
    pub signatures: BTreeMap<String, Vec<u8>>,
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
            let (child, file) = of_child(&name);
            let is_held = name == MANIFEST || file == RECORD || file.ends_with(".sig");
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
            let packed = match child {
                Some(child) => self.children.entry(child.to_owned()).or_default(),
                None => &mut self.run,
            };
            if file == RECORD {
                packed.record = Some(held);
            } else if is_held {
                packed.signatures.insert(file.to_owned(), held);
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

/// The child run that a file is of, and its name there.
fn of_child(name: &str) -> (Option<&str>, &str) {
    match name.strip_prefix(CHILDREN).and_then(|name| name.split_once('/')) {
        Some((child, file)) => (Some(child), file),
        None => (None, name),
    }
}
