//! Keys that start a run only once: `$STATE/keys/<sha256 of the key>.jsonl`, a small log for each key.
//!
//! ```text
//! lock ──► reserved (which run) ──► the run is created ──► begun ──► unlock
//! ```
//!
//! Nothing of a run happens before its key says `begun`. So a reservation without it, whose run has no first event, is
//! what a crash or a refused start left, and the key is free; and a run that has its first event is found in any case.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use runbook_core::digest_of;
use runbook_core::units::{Digest, RunId};
use serde::{Deserialize, Serialize};

use crate::engine::{EngineError, load};
use crate::folder::{RunFolder, StateFolder, private_folder, sync};

/// The version of the lines below.
const KEY_VERSION: u32 = 1;

/// A key names an alert, a ticket, a job: more than so many bytes are none.
const KEY_MAX: usize = 256;

/// What a person calls a run that is to be started only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartKey(String);

impl StartKey {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StartKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("a key cannot be empty".to_owned()),
            text if text.len() > KEY_MAX => Err(format!("a key has at most {KEY_MAX} bytes")),
            text if text.chars().any(char::is_control) => {
                Err("a key is one line, without control characters".to_owned())
            }
            text => Ok(Self(text.to_owned())),
        }
    }
}

/// What was to be run: the same key with anything else is a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The id of the runbook.
    pub runbook: String,
    /// The environment's name; none when the run has none.
    pub environment: Option<String>,
    /// Of the values of all params.
    pub params: Digest,
}

/// A line of the log of a key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// This run is about to be created.
    Reserved { version: u32, key: String, run: RunId, asked: Asked },
    /// It was created, and may go on.
    Begun(RunId),
}

/// The run that a key stands for, as its log says.
#[derive(Debug)]
struct Named {
    run: RunId,
    asked: Asked,
    has_begun: bool,
}

/// A key that nobody else can use meanwhile; freed when this is dropped, or by any death of the process.
#[derive(Debug)]
pub struct HeldKey {
    key: StartKey,
    state: StateFolder,
    file: File,
    named: Option<Named>,
}

impl StateFolder {
    /// Takes a key; waits while another start has it. `waits` is called once, before that.
    ///
    /// # Errors
    /// When its file cannot be used, or is damaged.
    pub fn hold_key(&self, key: &StartKey, waits: impl FnOnce()) -> io::Result<HeldKey> {
        let folder = self.keys();
        durable_folder(&folder).map_err(|error| named(&folder, &error))?;
        if self.group().is_some() && !crate::group::is_mine(&folder) {
            return Err(named(&folder, &io::Error::other("another user has made it; its owner or root can remove it")));
        }
        let path = folder.join(format!("{}.jsonl", digest_of(&key.as_str())));
        let mut waits = Some(waits);
        loop {
            let options =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
            let mut file = options.map_err(|error| named(&path, &error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    waits.take().into_iter().for_each(|tell| tell());
                    file.lock()?;
                }
                Err(TryLockError::Error(error)) => return Err(named(&path, &error)),
            }
            // Whoever had it may have removed it: what is locked then is no file any more.
            if fs::metadata(&path).is_ok_and(|now| file.metadata().is_ok_and(|held| held.ino() == now.ino())) {
                let named = read(&mut file).map_err(|error| self::named(&path, &error))?;
                // The name of the file must survive the loss of power before a run counts on it.
                sync(&folder)?;
                sync(self.path())?;
                return Ok(HeldKey { key: key.clone(), state: self.clone(), file, named });
            }
        }
    }

    /// Forgets the keys whose runs are gone.
    ///
    /// # Errors
    /// When the folder of keys cannot be read, or one of them not be removed.
    pub fn clear_keys(&self) -> io::Result<()> {
        let entries = match fs::read_dir(self.keys()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            // One that is held is in use. One that cannot be read is left for whoever uses it to see.
            if file.try_lock().is_err() {
                continue;
            }
            let Ok(named) = read(&mut file) else { continue };
            let is_wanted = named.is_some_and(|named| self.run(&named.run).path().try_exists().unwrap_or(true));
            if !is_wanted {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Where a group shares the state, each member has keys of their own: the file of a key says what it has started, and
    /// whoever could write that could keep a run of somebody else from starting.
    fn keys(&self) -> PathBuf {
        let keys = self.path().join("keys");
        if self.group().is_some() { keys.join(rustix::process::geteuid().as_raw().to_string()) } else { keys }
    }
}

impl HeldKey {
    /// The run that was started with this key, and what was asked for then; none where the key is free. A key is free
    /// again when its run was removed.
    ///
    /// # Errors
    /// When it cannot be told whether there is a run.
    pub fn run(&self) -> Result<Option<(RunFolder, &Asked)>, EngineError> {
        let Some(named) = &self.named else { return Ok(None) };
        let folder = self.state.run(&named.run);
        if !folder.path().try_exists()? {
            return Ok(None);
        }
        let found = Some((folder.clone(), &named.asked));
        if named.has_begun || folder.has_engine() {
            return Ok(found);
        }
        match load(&folder) {
            Ok((run, _)) => Ok(found.filter(|_| run.created().is_some())),
            Err(EngineError::InUse) => Ok(found),
            // Its creation was cut off: nothing can have happened in it.
            Err(_) => Ok(None),
        }
    }

    /// Gives the key to a run that is about to be created. It survives the loss of power when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn reserve(&mut self, run: &RunId, asked: &Asked) -> io::Result<()> {
        let (key, run, asked) = (self.key.as_str().to_owned(), run.clone(), asked.clone());
        self.append(&Line::Reserved { version: KEY_VERSION, key, run: run.clone(), asked: asked.clone() })?;
        self.named = Some(Named { run, asked, has_begun: false });
        Ok(())
    }

    /// Says that the run has its first event, and may go on.
    ///
    /// # Errors
    /// When it cannot be written: then the run must not go on.
    pub fn begun(mut self) -> io::Result<()> {
        let Some(named) = self.named.take() else { return Ok(()) };
        self.append(&Line::Begun(named.run))
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(&text)?;
        self.file.sync_all()
    }
}

/// Makes a folder that survives the loss of power, with those around it that are new.
fn durable_folder(path: &Path) -> io::Result<()> {
    let first_old = path.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned);
    private_folder(path)?;
    for folder in path.ancestors() {
        sync(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
        if first_old.as_deref() == Some(folder) {
            break;
        }
    }
    Ok(())
}

/// Reads the log of a key, and cuts off the line that a crash left without its end.
fn read(file: &mut File) -> io::Result<Option<Named>> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        file.set_len(whole as u64)?;
    }
    let mut found: Option<Named> = None;
    for line in text[..whole].lines() {
        match serde_json::from_str(line)? {
            Line::Reserved { version: KEY_VERSION, run, asked, .. } => {
                found = Some(Named { run, asked, has_begun: false });
            }
            Line::Reserved { version, .. } => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is of version {version}")));
            }
            Line::Begun(run) => {
                found.iter_mut().filter(|named| named.run == run).for_each(|named| named.has_begun = true);
            }
        }
    }
    Ok(found)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot use {}, which holds what keys stand for: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> StartKey {
        text.parse().unwrap()
    }

    fn asked(params: u32) -> Asked {
        Asked { runbook: "r".to_owned(), environment: None, params: digest_of(&params) }
    }

    fn state() -> (tempfile::TempDir, StateFolder, RunId) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().join("state"));
        (folder, state, RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    }

    fn hold(state: &StateFolder) -> HeldKey {
        state.hold_key(&key("a"), || panic!("nobody has it")).unwrap()
    }

    #[test]
    fn a_key_whose_run_was_never_made_is_free() {
        let (_folder, state, run) = state();
        assert!(hold(&state).run().unwrap().is_none());
        hold(&state).reserve(&run, &asked(1)).unwrap();
        assert!(hold(&state).run().unwrap().is_none(), "no folder");
        state.create_run(&run).unwrap();
        assert!(hold(&state).run().unwrap().is_none(), "a folder without a first event");
        fs::create_dir(state.run(&run).path().join("journal")).unwrap();
        assert!(hold(&state).run().unwrap().is_none(), "a journal that was cut off");
    }

    #[test]
    fn a_key_that_has_begun_is_that_of_its_run_also_when_that_is_damaged_until_it_is_gone() {
        let (_folder, state, run) = state();
        let mut held = hold(&state);
        held.reserve(&run, &asked(1)).unwrap();
        let folder = state.create_run(&run).unwrap();
        held.begun().unwrap();
        let held = hold(&state);
        assert_eq!(held.run().unwrap(), Some((folder.clone(), &asked(1))));
        assert!(state.hold_key(&key("b"), || {}).unwrap().run().unwrap().is_none(), "another key");
        drop(held);
        state.clear_keys().unwrap();
        assert!(hold(&state).run().unwrap().is_some(), "a key of a run that is there is kept");
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(hold(&state).run().unwrap().is_none());
        let held = hold(&state);
        state.clear_keys().unwrap();
        assert_eq!(fs::read_dir(state.keys()).unwrap().count(), 1, "one that is held is kept");
        drop(held);
        state.clear_keys().unwrap();
        assert_eq!(fs::read_dir(state.keys()).unwrap().count(), 0);
    }

    #[test]
    fn a_line_that_was_cut_off_counts_as_never_written() {
        let (_folder, state, run) = state();
        let mut held = hold(&state);
        held.reserve(&run, &asked(1)).unwrap();
        state.create_run(&run).unwrap();
        held.begun().unwrap();
        let path = fs::read_dir(state.keys()).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
        for length in [0, 5, first, first + 1, first + 5, whole.len() - 1, whole.len()] {
            fs::write(&path, &whole[..length]).unwrap();
            let mut held = hold(&state);
            assert_eq!(held.run().unwrap().is_some(), length == whole.len(), "{length}");
            if length < whole.len() {
                assert_eq!(held.named.is_some(), length > first, "{length}");
                held.reserve(&run, &asked(2)).unwrap();
                held.begun().unwrap();
            } else {
                drop(held);
            }
            assert!(hold(&state).run().unwrap().is_some(), "{length}: what is written behind it is whole");
        }
        fs::write(&path, "{\"reserved\":1}\n").unwrap();
        assert!(state.hold_key(&key("a"), || {}).is_err(), "a file that says nothing is no free key");
    }

    #[test]
    fn what_is_no_key() {
        for text in ["", "a\nb", "\u{1b}[2J", &"x".repeat(257)] {
            assert!(text.parse::<StartKey>().is_err(), "{text}");
        }
        assert_eq!(key("alert 4711: ü").as_str(), "alert 4711: ü");
    }
}
