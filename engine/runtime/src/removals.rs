//! Who removed which run, and when: `$STATE/removed/<uid>.jsonl`, a line for each run, written before it goes.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use runbook_core::event::Identity;
use runbook_core::units::{Digest, RunId, Timestamp};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::folder::{StateFolder, private_folder, sync};
use crate::identity::identity_of;
use crate::regular;

/// The folder of the files, one for each user.
pub(crate) const FOLDER: &str = "removed";

/// The version of their lines.
const VERSION: u32 = 1;

/// More of one file is not read: a line is some hundred bytes.
const READ_MAX: u64 = 64 << 20;

/// The removal of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// When.
    pub at: Timestamp,
    /// Who did it. Read back, the owner of the file, which the kernel keeps.
    pub by: Identity,
    /// Which run.
    pub run: RunId,
    /// The id of its runbook.
    pub runbook: String,
    /// When the run ended.
    pub ended_at: Timestamp,
    /// How long it had to be kept, such as `90d`.
    pub kept_for: String,
    /// The head of its record: whoever has a copy of that can tell that it is of this run.
    pub head: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    version: u32,
    #[serde(flatten)]
    removal: Removal,
}

impl StateFolder {
    /// The removals of runs that are gone, in the order of their ids: of one that was tried again the last.
    ///
    /// # Errors
    /// When the folder, or a file in it, cannot be read. What is no file is passed over with a warning.
    pub fn removals(&self) -> io::Result<Vec<Removal>> {
        let entries = match fs::read_dir(self.path().join(FOLDER)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries?,
        };
        let mut removals = BTreeMap::new();
        for entry in entries {
            let path = entry?.path();
            // In a folder of a group anybody can put something there: it keeps nobody from reading the rest.
            let file = match regular::open(&path) {
                Ok(file) => file,
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "what was removed cannot be read there");
                    continue;
                }
            };
            let by = identity_of(file.metadata()?.uid());
            let mut text = vec![];
            file.take(READ_MAX).read_to_end(&mut text)?;
            for line in text.split(|byte| *byte == b'\n') {
                // A line that was not written to its end is of a removal that did not begin.
                let Ok(Line { version: VERSION, removal }) = serde_json::from_slice(line) else { continue };
                if !self.run(&removal.run).path().try_exists()? {
                    removals.insert(removal.run.clone(), Removal { by: by.clone(), ..removal });
                }
            }
        }
        Ok(removals.into_values().collect())
    }

    /// Writes down that a run is about to go. It survives the loss of power when this returns.
    pub(crate) fn note_removal(&self, removal: Removal) -> io::Result<()> {
        let folder = self.path().join(FOLDER);
        private_folder(&folder)?;
        let line = serde_json::to_string(&Line { version: VERSION, removal })?;
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(if self.group().is_some() { 0o640 } else { 0o600 });
        if let Ok(flags) = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()) {
            options.custom_flags(flags);
        }
        let path = folder.join(format!("{}.jsonl", rustix::process::geteuid().as_raw()));
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()));
        let mut file = options.open(&path).map_err(named)?;
        // It begins a line in any case, since the last one may be cut off.
        file.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(named)?;
        sync(&folder)?;
        sync(self.path())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::me;

    pub(crate) fn removal(run: &RunId) -> Removal {
        Removal {
            at: Timestamp(2),
            by: Identity { uid: 7, name: "somebody else".to_owned() },
            run: run.clone(),
            runbook: "restart".to_owned(),
            ended_at: Timestamp(1),
            kept_for: "90d".to_owned(),
            head: None,
        }
    }

    #[test]
    fn what_was_removed_stays_written_down_and_what_is_still_there_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path());
        let run = state.create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        assert_eq!(state.removals().unwrap(), []);
        state.note_removal(removal(run.id())).unwrap();
        assert_eq!(state.removals().unwrap(), [], "a crash came before the removal");
        let file = fs::read_dir(state.path().join(FOLDER)).unwrap().next().unwrap().unwrap().path();
        fs::create_dir(state.path().join(FOLDER).join("strange")).unwrap();
        let cut = fs::read_to_string(&file).unwrap();
        fs::write(&file, &cut[..cut.len() - 9]).unwrap();
        let removed = Removal { at: Timestamp(3), ..removal(run.id()) };
        state.remove_run(&run, removed.clone()).unwrap();
        assert_eq!(state.removals().unwrap(), [Removal { by: me(), ..removed }], "the owner of the file did it");
    }
}
