//! Where things lie: the state folder, and the folder of each run.
//!
//! ```text
//! <state>/runs/<run id>/
//!     journal/       every decision (sled)         status.json   the published snapshot
//!     record.jsonl   the same, sealed at the end, when the journal goes
//!     inbox/         answers and requests          engine.lock   held while an engine has the run
//!     logs/          <step>.<attempt>.{out,err}    attempts/     what the supervisor knows of each command
//!     scripts/       the texts of `run:`           outputs/      what scripts hand back
//!     services/      data of services              bin/          this very binary, first on PATH of scripts
//!     plugins/       the files of the plugins that it uses, each folder named by its digest
//!     bell           wakes the engine for its inbox
//! ```
//!
//! Folders are 0700 and files 0600: a run holds what an incident shows. What a group may see of it where it shares the state
//! folder lies outside, in `<state>/shared/<run id>/`: see [`crate::group`].

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt as _};
use std::path::{Path, PathBuf};

use runbook_core::units::RunId;

pub use crate::engine_lock::{EngineLock, LockError};
use crate::group::Group;
use crate::identity::identity_of;

/// What a child run is launched with.
pub(crate) const LAUNCH: &str = "launch.json";

/// The folders within that of a run, itself first.
pub(crate) const PARTS: [&str; 8] = ["", "inbox", "logs", "attempts", "scripts", "outputs", "services", "bin"];

/// The folder that holds all runs.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: PathBuf,
    group: Option<Group>,
}

/// The folder of one run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunFolder {
    path: PathBuf,
    id: RunId,
    group: Option<Group>,
}

/// Why a run was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No run has that id.
    #[error("no run `{0}` in {1}")]
    None(String, PathBuf),
    /// There is no run at all.
    #[error("no run yet in {0}")]
    Empty(PathBuf),
    /// All runs there are of other members of the group.
    #[error("you have started no run in {0}")]
    NoneOfYours(PathBuf),
    /// Several runs have ids that begin so.
    #[error("`{0}` fits {count} runs: {list}", count = .1.len(), list = .1.join(", "))]
    Ambiguous(String, Vec<String>),
    /// The folder cannot be read.
    #[error("cannot read {0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

impl StateFolder {
    /// The state at a path; nothing is created.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { group: Group::of(&path), path }
    }

    /// The group that shares it, where one does.
    pub fn group(&self) -> Option<Group> {
        self.group
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder of a new run, with all that a run needs. It survives the loss of power when this returns.
    ///
    /// # Errors
    /// When a folder cannot be made; says which.
    pub fn create_run(&self, id: &RunId) -> io::Result<RunFolder> {
        let runs = self.path.join("runs");
        // Whoever made a folder that is there may have died before it was durable: the state and the runs are always synced.
        let is_there = |folder: &&Path| folder.is_dir();
        let first_old = self.path.ancestors().find(is_there).map(Path::to_owned);
        let make = |path: &Path| private_folder(path).map_err(|error| named("make", path, &error));
        let sync = |path: &Path| sync(path).map_err(|error| named("sync", path, &error));
        make(&runs)?;
        let run = self.run(id);
        // First, and where nobody can list it: what others know the name of they could make before.
        run.share()?;
        for part in PARTS {
            make(&run.path.join(part))?;
        }
        // From the inside out: a folder counts only when what it names does.
        sync(&run.path)?;
        sync(&runs)?;
        for folder in self.path.ancestors() {
            sync(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
            if first_old.as_deref() == Some(folder) {
                break;
            }
        }
        Ok(run)
    }

    /// The folder of a run.
    pub fn run(&self, id: &RunId) -> RunFolder {
        RunFolder { path: self.path.join("runs").join(id.as_str()), id: id.clone(), group: self.group }
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// When the folder exists and cannot be read.
    pub fn runs(&self) -> Result<Vec<RunFolder>, FindError> {
        let folder = self.path.join("runs");
        let fail = |error| FindError::Io(folder.clone(), error);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(fail)?,
        };
        let mut runs = vec![];
        for entry in entries {
            let entry = entry.map_err(fail)?;
            // Where others can put something, a link could pass one run off as another.
            if self.group.is_some() && !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let name = entry.file_name();
            if let Some(id) = name.to_str().filter(|name| ulid::Ulid::from_string(name).is_ok()) {
                runs.push(self.run(&RunId::new(id)));
            }
        }
        runs.sort();
        Ok(runs)
    }

    /// The run with an id, with an id that begins so when that is only one, or the newest of this user that is no child run
    /// for `last`.
    ///
    /// # Errors
    /// When none or several fit.
    pub fn find(&self, text: &str) -> Result<RunFolder, FindError> {
        let runs = self.runs()?;
        if text == "last" {
            // Whoever says so means what they have started.
            let none = if runs.is_empty() { FindError::Empty } else { FindError::NoneOfYours };
            let is_meant = |run: &RunFolder| run.other_owner().is_none() && !run.launch().exists();
            return runs.into_iter().rfind(is_meant).ok_or_else(|| none(self.path.clone()));
        }
        let wanted = text.to_ascii_uppercase();
        let fits = |run: &RunFolder| !wanted.is_empty() && run.id.as_str().starts_with(&wanted);
        let mut found: Vec<RunFolder> = runs.into_iter().filter(fits).collect();
        match (found.pop(), found.len()) {
            (Some(run), 0) => Ok(run),
            (Some(run), _) => {
                found.push(run);
                let ids = found.iter().map(|run| run.id.as_str().to_owned()).collect();
                Err(FindError::Ambiguous(text.to_owned(), ids))
            }
            (None, _) => Err(FindError::None(text.to_owned(), self.path.clone())),
        }
    }
}

impl RunFolder {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Where answers and requests are dropped.
    pub fn inbox(&self) -> PathBuf {
        self.path.join("inbox")
    }

    /// The named pipe that wakes the engine when something was dropped.
    pub fn bell(&self) -> PathBuf {
        self.shared().unwrap_or_else(|| self.path.clone()).join("bell")
    }

    /// The group that shares the state folder around it.
    pub(crate) fn group(&self) -> Option<Group> {
        self.group
    }

    /// What a group may see of the run, where it shares the state folder.
    pub(crate) fn shared(&self) -> Option<PathBuf> {
        self.group.map(|_| self.state_path().join("shared").join(self.id.as_str()))
    }

    /// The user whose folder it is; none where there is no folder.
    pub fn owner(&self) -> Option<u32> {
        fs::symlink_metadata(&self.path).ok().filter(fs::Metadata::is_dir).map(|about| about.uid())
    }

    /// The name of its owner, where that is another member of the group that shares the state folder. Such a run is seen by
    /// what it publishes alone, also by root: what lies in a folder of somebody else may lead anywhere.
    pub fn other_owner(&self) -> Option<String> {
        let owner = self.group.and_then(|_| self.owner())?;
        (owner != rustix::process::geteuid().as_raw()).then(|| identity_of(owner).name)
    }

    /// The published snapshot.
    pub fn status(&self) -> PathBuf {
        self.path.join("status.json")
    }

    /// What a child run is launched with; the file says that it is one.
    pub fn launch(&self) -> PathBuf {
        self.path.join(LAUNCH)
    }

    /// How a child run ended, for the run that started it.
    pub fn end(&self) -> PathBuf {
        self.path.join("end.json")
    }

    /// What the run that started a child run wants of it after its end.
    pub fn asked(&self) -> PathBuf {
        self.path.join("asked.json")
    }

    /// That a child run was told something by the run that started it, so that it is told once.
    pub fn told(&self, what: &str) -> PathBuf {
        self.inbox().join(format!(".told-{what}"))
    }

    /// The state folder around it.
    pub fn state(&self) -> StateFolder {
        StateFolder { path: self.state_path().to_owned(), group: self.group }
    }

    fn state_path(&self) -> &Path {
        // `<state>/runs/<run id>`
        self.path.ancestors().nth(2).unwrap_or(&self.path)
    }
}

/// What the system says about a folder never names it.
fn named(verb: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {verb} the folder {}: {error}", path.display()))
}

/// Makes a folder that only its user may enter, and those around it.
///
/// # Errors
/// When it cannot be made.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file that only its user may read, whole or not at all: nobody ever reads half of it.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, bytes, None)
}

/// The same with who else may read it.
pub(crate) fn write_with(path: &Path, bytes: &[u8], permissions: Option<fs::Permissions>) -> io::Result<()> {
    persist(path, bytes, permissions, false)
}

/// The same, and it survives the loss of power when this returns.
///
/// # Errors
/// When it cannot be written.
pub fn write_durable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    persist(path, bytes, None, true)?;
    sync(folder_of(path))
}

fn persist(path: &Path, bytes: &[u8], permissions: Option<fs::Permissions>, is_synced: bool) -> io::Result<()> {
    use std::io::Write as _;
    // Names of unfinished files begin with a dot, so that a listing can pass them over.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    if is_synced {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until the names in a folder are on the disk.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn state() -> (tempfile::TempDir, StateFolder) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().join("state"));
        (folder, state)
    }

    #[test]
    fn a_run_is_found_by_a_prefix_that_only_it_has() {
        let (_folder, state) = state();
        assert!(matches!(state.find("last"), Err(FindError::Empty(_))));
        for id in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW", "01BX5ZZKBKACTAV9WEVGEMMVRZ"] {
            state.create_run(&RunId::new(id)).unwrap();
        }
        assert_eq!(state.find("01bx").unwrap().id().as_str(), "01BX5ZZKBKACTAV9WEVGEMMVRZ");
        assert_eq!(state.find("last").unwrap().id().as_str(), "01BX5ZZKBKACTAV9WEVGEMMVRZ");
        assert!(matches!(state.find("01A"), Err(FindError::Ambiguous(_, ids)) if ids.len() == 2));
        assert!(matches!(state.find("7"), Err(FindError::None(..))));
        assert!(matches!(state.find(""), Err(FindError::None(..))));
    }

    #[test]
    fn only_the_user_may_look() {
        let (_folder, state) = state();
        let run = state.create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        write_whole(&run.status(), b"{}").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(run.path()), mode(&run.inbox()), mode(&run.status())], [0o700, 0o700, 0o600]);
    }

    #[test]
    fn one_engine_at_a_time() {
        let (_folder, state) = state();
        let run = state.create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        assert!(!run.has_engine());
        let lock = run.lock().unwrap();
        assert!(run.has_engine());
        assert!(matches!(run.lock(), Err(LockError::Held)));
        drop(lock);
        assert!(!run.has_engine());
    }
}
