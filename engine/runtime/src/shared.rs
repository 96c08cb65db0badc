//! What one member of a group sees of the runs of another, and says to them: see [`crate::group`].
//!
//! Nothing that lies where others can write is trusted: neither a name, nor a kind of file, nor what it says of its owner.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use runbook_core::event::Verb;
use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, renameat};
use serde::{Deserialize, Serialize};

use crate::folder::{RunFolder, write_with};
use crate::identity::identity_of;
use crate::inbox::{self, Message, Received};
use crate::status::Status;
use crate::supervisor::{ProcessId, boot_id, is_alive, own_process};

/// The version of what is published.
const VERSION: u32 = 1;
/// A snapshot of ten thousand steps has megabytes; what is longer than this is there to do harm.
const PUBLISHED_MAX: u64 = 64 << 20;
/// More files of one person in an inbox are not answers.
const FILES_EACH_MAX: usize = 1000;
/// So many messages of one person are taken before anything else is looked at.
const MESSAGES_EACH_MAX: usize = 100;

/// What is published of a run.
#[derive(Serialize, Deserialize)]
struct Published {
    version: u32,
    /// The process that decides for the run, and the boot that it lives in.
    engine: Option<(ProcessId, String)>,
    status: Status,
}

/// Publishes a snapshot for the group, without what steps handed on: that is for those who may read the logs.
pub(crate) fn publish(folder: &Path, status: &Status) -> io::Result<()> {
    let mut status = status.clone();
    status.outputs.clear();
    for step in &mut status.steps {
        step.outputs.clear();
        step.outputs_cut.clear();
    }
    let engine = match status.engine_pid {
        Some(_) => Some((own_process()?, boot_id()?)),
        None => None,
    };
    let bytes = serde_json::to_vec(&Published { version: VERSION, engine, status })?;
    write_with(&folder.join("status.json"), &bytes, Some(Permissions::from_mode(0o640)))
}

/// What a run of somebody else publishes.
fn published(run: &RunFolder) -> io::Result<Published> {
    let refuse = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let (Some(folder), Some(owner)) = (run.shared(), run.owner()) else {
        return Err(refuse("it is not shared".to_owned()));
    };
    let file = crate::regular::open(&folder.join("status.json"))?;
    if file.metadata()?.uid() != owner {
        return Err(refuse("what it publishes is not its owner's".to_owned()));
    }
    let mut bytes = vec![];
    file.take(PUBLISHED_MAX).read_to_end(&mut bytes)?;
    let found: Published = serde_json::from_slice(&bytes)?;
    if found.version != VERSION {
        return Err(refuse("it publishes in another version of this program".to_owned()));
    }
    let (status, name) = (&found.status, identity_of(owner).name);
    if status.started_by != name || status.run != run.id().as_str() {
        return Err(refuse(format!("it belongs to `{name}`, and says that it is somebody else's")));
    }
    Ok(found)
}

/// The snapshot that a run of somebody else publishes.
///
/// # Errors
/// When there is none, or it is not what its owner says of that run.
pub(crate) fn status(run: &RunFolder) -> io::Result<Status> {
    Ok(published(run)?.status)
}

/// Whether the process that decides for a run of somebody else lives.
pub(crate) fn has_engine(run: &RunFolder) -> bool {
    let engine = published(run).ok().and_then(|found| found.engine);
    engine.is_some_and(|(process, boot)| boot_id().is_ok_and(|now| now == boot) && is_alive(process))
}

/// Drops a message for a run of somebody else. It survives the loss of power from then on.
///
/// # Errors
/// When that run has no inbox, or it cannot be written to.
pub(crate) fn put(run: &RunFolder, message: &Message, bytes: &[u8], name: &str) -> io::Result<PathBuf> {
    if !is_for_all(message) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "only its owner can ask that of a run"));
    }
    let inbox = inbox_of(run).ok_or_else(|| io::Error::other("it is not shared"))?;
    let folder =
        rustix::fs::open(&inbox, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    // Held from now on: another folder in its place would hand the answer to another run.
    if Some(fstat(&folder)?.st_uid) != run.owner() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "its inbox is not its owner's"));
    }
    let (new, name) = (format!(".new-{name}"), format!("{name}.json"));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(&folder, &*new, flags, Mode::from_raw_mode(0o640))?);
    // Whatever the umask says: its reader is another user.
    file.set_permissions(Permissions::from_mode(0o640))?;
    let written = file.write_all(bytes).and_then(|()| Ok(renameat(&folder, &*new, &folder, &*name)?));
    if let Err(error) = written {
        let _ = rustix::fs::unlinkat(&folder, &*new, AtFlags::empty());
        return Err(error);
    }
    // After the renaming: the folder cannot be opened to be synced, and with the file goes the name that it has.
    file.sync_all()?;
    Ok(inbox.join(name))
}

/// The inbox of a run for others.
fn inbox_of(run: &RunFolder) -> Option<PathBuf> {
    Some(run.shared()?.join("inbox"))
}

/// Whether any member of the group may ask this. Who may answer what is for roles to say; to end a run is for all.
fn is_for_all(message: &Message) -> bool {
    match message {
        Message::Answer { .. } | Message::Cancel { .. } => true,
        Message::Verb { verb, .. } => matches!(verb, Verb::Pause | Verb::Continue | Verb::Take),
    }
}

/// The messages of others. Whatever else lies in the inbox is taken away, and stops nothing.
pub(crate) fn read(run: &RunFolder) -> Vec<Received> {
    let Some(group) = run.group() else { return vec![] };
    let mut of: BTreeMap<u32, (usize, Vec<Received>)> = BTreeMap::new();
    let mut admitted: BTreeMap<u32, bool> = BTreeMap::new();
    let mut warned = BTreeSet::new();
    for (path, owner) in files(run) {
        let (count, found) = of.entry(owner).or_default();
        *count += 1;
        if *count > FILES_EACH_MAX {
            if *count == FILES_EACH_MAX + 1 {
                let name = identity_of(owner).name;
                tracing::warn!(
                    "{name} has put more than {FILES_EACH_MAX} files into the inbox; the rest is taken away"
                );
            }
            let _ = fs::remove_file(&path);
            continue;
        }
        // One that is still being written.
        if !inbox::is_named_so(&path) {
            continue;
        }
        match inbox::read_one(&path, run.id(), true) {
            Ok((by, written_at, message))
                if by.uid == owner
                    && is_for_all(&message)
                    && *admitted.entry(owner).or_insert_with(|| group.admits(owner)) =>
            {
                found.push(Received { file: path, by, written_at, message });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            refused => {
                // Once for each person and look: whoever puts hundreds there would fill the log, too.
                if warned.insert(owner) {
                    let why = refused.err().map_or_else(|| "nobody may say that here".to_owned(), |it| it.to_string());
                    let by = identity_of(owner).name;
                    tracing::warn!(file = ?path.file_name(), by, why, "what is in the inbox is no message");
                }
                let _ = fs::remove_file(&path);
            }
        }
    }
    let first = |(_, mut found): (usize, Vec<Received>)| {
        inbox::sort(&mut found);
        found.truncate(MESSAGES_EACH_MAX);
        found
    };
    of.into_values().flat_map(first).collect()
}

/// The questions that others have answered and no engine has read. For looking: nothing is taken away.
pub(crate) fn unread(run: &RunFolder) -> Vec<Message> {
    let messages = files(run).filter(|(path, _)| inbox::is_named_so(path));
    messages.filter_map(|(path, _)| Some(inbox::read_one(&path, run.id(), true).ok()?.2)).collect()
}

/// All that lies in the inbox for others but folders, with its owner. A folder that somebody has filled cannot be taken
/// away by anyone else, so it is passed over.
fn files(run: &RunFolder) -> impl Iterator<Item = (PathBuf, u32)> {
    let entries = inbox_of(run).and_then(|inbox| fs::read_dir(inbox).ok()).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
    // Of the entry itself: a link is its maker's, wherever it leads.
    files.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.uid())))
}
