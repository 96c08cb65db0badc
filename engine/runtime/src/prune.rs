//! Removes runs that are over: first out of the way by one rename, then from the disk. A crash in between leaves nothing
//! that looks like a run, and the next removal clears it away. Who removed what is written down before, and stays.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::folder::{LockError, RunFolder, StateFolder};
use crate::removals::Removal;
use crate::supervisor;

/// What the name of a folder that is being removed begins with. No listing of runs takes it for one.
const REMOVED: &str = ".removed-";

/// Why a run is not removed.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// An engine has it.
    #[error("an engine has it")]
    Engine,
    /// Its supervisor lives, and may hold commands.
    #[error("its supervisor is alive")]
    Supervisor,
    /// The folder cannot be moved or removed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl StateFolder {
    /// Removes a run. Nobody can take it while it goes: it is moved aside under its engine's lock, after that was written
    /// down.
    ///
    /// # Errors
    /// [`KeepError`] says why it is still there; after [`KeepError::Io`] part of it may be left, under another name.
    pub fn remove_run(&self, run: &RunFolder, removal: Removal) -> Result<(), KeepError> {
        let lock = run.lock().map_err(|error| match error {
            LockError::Held => KeepError::Engine,
            LockError::Io(error) => KeepError::Io(error),
            error @ LockError::NotYours(_) => KeepError::Io(io::Error::other(error.to_string())),
        })?;
        if has_supervisor(run) {
            return Err(KeepError::Supervisor);
        }
        self.note_removal(removal)?;
        let runs = self.path().join("runs");
        let aside = runs.join(format!("{REMOVED}{}", run.id()));
        fs::rename(run.path(), &aside)?;
        sync(&runs)?;
        drop(lock);
        fs::remove_dir_all(&aside)?;
        run.unshare();
        Ok(())
    }

    /// Removes what a removal that was cut short has left. Says how many there were.
    ///
    /// # Errors
    /// When the folder of runs cannot be read, or one of them not be removed.
    pub fn clear_removed(&self) -> io::Result<usize> {
        let left = self.removed()?;
        left.iter().try_for_each(fs::remove_dir_all)?;
        Ok(left.len())
    }

    fn removed(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(self.path().join("runs")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries?,
        };
        let mut found = vec![];
        for entry in entries {
            let entry = entry?;
            // Those of others are theirs to clear away.
            let is_mine = entry.metadata().is_ok_and(|about| about.uid() == rustix::process::geteuid().as_raw());
            if is_mine && entry.file_name().to_string_lossy().starts_with(REMOVED) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }
}

/// Whether the supervisor that the run had last is alive in this boot.
fn has_supervisor(run: &RunFolder) -> bool {
    let identity = supervisor::read_identity(run.path()).ok().flatten();
    let boot = supervisor::boot_id().ok();
    identity.is_some_and(|it| boot.is_none_or(|boot| boot == it.boot_id) && supervisor::is_alive(it.process))
}

/// How much room a folder takes on the disk, in bytes. What goes away meanwhile counts as nothing.
pub fn disk_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of_entry = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()) + meta.blocks() * 512,
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    };
    entries.map(of_entry).sum()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use runbook_core::units::RunId;

    use super::*;

    fn state() -> (tempfile::TempDir, StateFolder, RunFolder) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path());
        let run = state.create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        (folder, state, run)
    }

    fn removal(run: &RunFolder) -> Removal {
        crate::removals::tests::removal(run.id())
    }

    #[test]
    fn a_run_goes_whole() {
        let (_folder, state, run) = state();
        fs::write(run.log("a.1", "out"), "text").unwrap();
        assert!(disk_bytes(run.path()) >= 4096);
        state.remove_run(&run, removal(&run)).unwrap();
        assert_eq!((state.runs().unwrap(), fs::read_dir(state.path().join("runs")).unwrap().count()), (vec![], 0));
    }

    #[test]
    fn a_run_that_an_engine_has_stays() {
        let (_folder, state, run) = state();
        let lock = run.lock().unwrap();
        assert!(matches!(state.remove_run(&run, removal(&run)), Err(KeepError::Engine)));
        drop(lock);
        assert_eq!(state.runs().unwrap(), [run]);
    }

    #[test]
    fn what_a_crash_left_of_a_removal_is_no_run_and_is_cleared_away() {
        let (_folder, state, run) = state();
        fs::rename(run.path(), state.path().join("runs/.removed-01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        assert_eq!(state.runs().unwrap(), []);
        assert_eq!(state.clear_removed().unwrap(), 1);
        assert_eq!(fs::read_dir(state.path().join("runs")).unwrap().count(), 0);
        assert_eq!(state.clear_removed().unwrap(), 0);
    }
}
