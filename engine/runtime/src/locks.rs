//! Locks of the machine: one file for each name, in one folder for all users, held by `flock`, which the kernel ends with
//! the process that holds it, however that ends.
//!
//! ```text
//! <folder>/runbook-<name>-<digest>.lock        empty; whoever has it locked holds the name; never removed
//! <folder>/runbook-<name>-<digest>.<uid>.json  who that is, as its owner says; removed when the lock is let go
//! ```
//!
//! The lock counts, not the note beside it. A note belongs to the user that it names: nobody writes one for another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runbook_core::digest_of;
use runbook_core::event::LockHolder;
use runbook_core::units::Timestamp;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::identity::identity_of;
use crate::supervisor::{ProcessId, boot_id, is_alive};

/// The version of a note.
const VERSION: u32 = 1;
/// A longer note is not from this program.
const NOTE_MAX: u64 = 16 * 1024;
/// So much of a name can be read in the name of its file; the digest tells all names apart.
const READABLE_MAX: usize = 40;
/// So much of the digest.
const DIGEST_CHARS: usize = 16;
/// A file may be taken away between opening and locking it; more often than this is no accident.
const TRIES: u32 = 10;
/// Of a lock that is held and nobody says by whom: a process that was just killed, or somebody who only looked, lets it go
/// within so long.
const SETTLE: Duration = Duration::from_millis(500);
const SETTLE_POLL: Duration = Duration::from_millis(5);

/// For which run locks are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The run.
    pub run: String,
    /// Its runbook.
    pub runbook: String,
    /// The state folder that the run lies in.
    pub state: String,
}

/// What stands in a note.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    version: u32,
    name: String,
    claim: Claim,
    since: Timestamp,
    process: ProcessId,
    boot_id: String,
}

/// A lock that this process holds until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Held {
    note: PathBuf,
    _file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.note);
    }
}

/// A lock that somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// Its name.
    pub name: String,
    /// Who holds it; none where nobody says so.
    pub holder: Option<LockHolder>,
}

/// The folder of all locks where none is configured: one that every user can write to and nobody can spoil.
pub fn default_folder() -> PathBuf {
    let shared = Path::new("/run/lock");
    let fits = |about: fs::Metadata| about.is_dir() && about.uid() == 0 && about.mode() & 0o1002 == 0o1002;
    if fs::metadata(shared).is_ok_and(fits) { shared.to_owned() } else { PathBuf::from("/tmp") }
}

/// Checks that nobody but root and this user can take the files of others out of the folder; makes one that is missing,
/// for this user alone.
///
/// # Errors
/// Says what is wrong with the folder.
pub fn check_folder(folder: &Path) -> io::Result<()> {
    let says = |what: String| io::Error::other(format!("the folder of locks, {}, {what}", folder.display()));
    let about = match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            return made.map_err(|error| says(format!("cannot be made: {error}")));
        }
        about => about.map_err(|error| says(format!("cannot be used: {error}")))?,
    };
    let is_mine = about.uid() == 0 || about.uid() == rustix::process::geteuid().as_raw();
    let is_safe = about.mode() & 0o022 == 0 || about.mode() & 0o1000 != 0;
    match (about.is_dir(), is_mine && is_safe) {
        (false, _) => Err(says("is no folder".to_owned())),
        (true, false) => {
            Err(says("could be emptied by other users: make it root's, and sticky (`chmod 1777`)".to_owned()))
        }
        (true, true) => Ok(()),
    }
}

/// Takes all of these locks, or none.
///
/// # Errors
/// When the files cannot be used.
pub fn take(folder: &Path, names: &[String], claim: &Claim) -> io::Result<Result<Vec<Held>, InUse>> {
    check_folder(folder)?;
    let mut held = vec![];
    for name in names {
        match lock(folder, name)? {
            Some(file) => held.push(Held { note: write_note(folder, name, claim)?, _file: file }),
            None => return Ok(Err(InUse { name: name.clone(), holder: holder(folder, name) })),
        }
    }
    Ok(Ok(held))
}

/// The first of these locks that somebody holds now.
///
/// # Errors
/// When the files cannot be used.
pub fn first_in_use(folder: &Path, names: &[String]) -> io::Result<Option<InUse>> {
    check_folder(folder)?;
    let until = Instant::now() + SETTLE;
    for name in names {
        while lock(folder, name)?.is_none() {
            let holder = holder(folder, name);
            if holder.is_some() || Instant::now() >= until {
                return Ok(Some(InUse { name: name.clone(), holder }));
            }
            std::thread::sleep(SETTLE_POLL);
        }
    }
    Ok(None)
}

/// How long a lock must be held by somebody unknown before that is believed.
pub(crate) fn is_settled(holder: Option<&LockHolder>, first_seen: Instant) -> bool {
    holder.is_some() || first_seen.elapsed() >= SETTLE
}

/// All locks that somebody holds and says so, by name.
///
/// # Errors
/// When the folder cannot be read.
pub fn all(folder: &Path) -> io::Result<Vec<InUse>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let mut found = vec![];
    for entry in entries {
        if let Some((note, user)) = read_note(&entry?.path()) {
            let name = note.name.clone();
            found.push(InUse { name, holder: Some(holder_of(note, user)) });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Locks the file of a name; none when somebody else has it.
fn lock(folder: &Path, name: &str) -> io::Result<Option<File>> {
    let path = folder.join(format!("{}.lock", stem(name)));
    for _ in 0..TRIES {
        let file = open(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Somebody may have cleaned up the folder meanwhile: a lock on a file without a name protects nothing.
        let (mine, there) = (file.metadata()?, fs::symlink_metadata(&path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (mine.dev(), mine.ino())) {
            return Ok(Some(file));
        }
    }
    Err(io::Error::other(format!("{} is taken away again and again", path.display())))
}

/// Opens the file of a lock, and makes it where it is missing. Never `O_CREAT` on one that is there: the kernel refuses that
/// for a file of another user in a sticky folder.
fn open(path: &Path) -> io::Result<File> {
    loop {
        match crate::regular::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.map_err(|error| named(path, &error)),
        }
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let made = OpenOptions::new().write(true).create_new(true).mode(0o644).custom_flags(flags).open(path);
        match made {
            // Whatever the umask says: all users must be able to open it.
            Ok(file) => file.set_permissions(fs::Permissions::from_mode(0o644))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(named(path, &error)),
        }
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the lock {} cannot be used: {error}", path.display()))
}

/// What the name of a lock is in the names of its files.
fn stem(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let readable: String = name.chars().map(safe).take(READABLE_MAX).collect();
    let digest = digest_of(&name);
    format!("runbook-{readable}-{}", &digest.as_str()[..DIGEST_CHARS])
}

fn write_note(folder: &Path, name: &str, claim: &Claim) -> io::Result<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let path = folder.join(format!("{}.{uid}.json", stem(name)));
    let process = crate::supervisor::own_process()?;
    let (name, claim, since) = (name.to_owned(), claim.clone(), crate::now());
    let note = Note { version: VERSION, name, claim, since, process, boot_id: boot_id()? };
    let mut file = tempfile::Builder::new().prefix(".runbook-").tempfile_in(folder)?;
    file.write_all(&serde_json::to_vec(&note)?)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}

/// Who says to hold a lock, and lives.
fn holder(folder: &Path, name: &str) -> Option<LockHolder> {
    let prefix = format!("{}.", stem(name));
    let entries = fs::read_dir(folder).ok()?.flatten();
    let mine = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    let found = mine.filter_map(|entry| read_note(&entry.path())).filter(|(note, _)| note.name == name);
    found.map(|(note, user)| holder_of(note, user)).max_by_key(|holder| holder.since)
}

fn holder_of(note: Note, user: String) -> LockHolder {
    let Claim { run, runbook, state } = note.claim;
    LockHolder { run, runbook, user, since: note.since, state }
}

/// A note whose process lives, and the name of its owner.
fn read_note(path: &Path) -> Option<(Note, String)> {
    let name = path.file_name()?.to_str()?;
    let (stem_of_file, uid) = name.strip_suffix(".json")?.rsplit_once('.')?;
    let file = crate::regular::open(path).ok()?;
    let about = file.metadata().ok()?;
    if about.nlink() != 1 || uid.parse() != Ok(about.uid()) {
        return None;
    }
    let mut text = String::new();
    file.take(NOTE_MAX).read_to_string(&mut text).ok()?;
    let note: Note = serde_json::from_str(&text).ok()?;
    let is_its = note.version == VERSION && stem(&note.name) == stem_of_file;
    let lives = boot_id().is_ok_and(|boot| boot == note.boot_id) && is_alive(note.process);
    (is_its && lives).then(|| (note, identity_of(about.uid()).name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(run: &str) -> Claim {
        Claim { run: run.to_owned(), runbook: "deploy".to_owned(), state: "/state".to_owned() }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn one_holds_a_lock_and_others_learn_who_until_it_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let held = take(folder.path(), &names(&["db/main", "web"]), &claim("A")).unwrap().unwrap();
        let refused = take(folder.path(), &names(&["web"]), &claim("B")).unwrap().unwrap_err();
        let holder = refused.holder.unwrap();
        assert_eq!((refused.name.as_str(), holder.run.as_str(), holder.runbook.as_str()), ("web", "A", "deploy"));
        assert_eq!(holder.user, crate::identity::me().name);
        let all_of: Vec<String> = all(folder.path()).unwrap().into_iter().map(|it| it.name).collect();
        assert_eq!(all_of, ["db/main", "web"]);
        drop(held);
        assert_eq!(first_in_use(folder.path(), &names(&["db/main", "web"])).unwrap(), None);
        assert!(all(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn all_or_none_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let _held = take(folder.path(), &names(&["b"]), &claim("A")).unwrap().unwrap();
        let refused = take(folder.path(), &names(&["a", "b", "c"]), &claim("B")).unwrap().unwrap_err();
        assert_eq!(refused.name, "b");
        assert_eq!(first_in_use(folder.path(), &names(&["a", "c"])).unwrap(), None);
    }

    #[test]
    fn names_that_look_alike_in_a_file_name_are_different_locks() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(300);
        let alike = ["a/b", "a-b", "../a", &long, &format!("{long}y"), "ä"];
        let _held = take(folder.path(), &names(&alike), &claim("A")).unwrap().unwrap();
        assert_eq!(all(folder.path()).unwrap().len(), alike.len());
    }

    #[test]
    fn a_link_in_the_place_of_a_lock_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join(format!("{}.lock", stem("x")))).unwrap();
        assert!(take(folder.path(), &names(&["x"]), &claim("A")).is_err());
        assert!(!target.exists());
    }

    #[test]
    fn a_folder_that_others_could_empty_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, fits) in [(0o777, false), (0o1777, true), (0o775, false), (0o755, true)] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_folder(folder.path()).is_ok(), fits, "{mode:o}");
        }
    }

    #[test]
    fn a_note_of_a_dead_process_and_one_with_another_users_number_name_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let held = take(folder.path(), &names(&["x"]), &claim("A")).unwrap().unwrap();
        let note = held[0].note.clone();
        let text = fs::read_to_string(&note).unwrap();
        fs::write(folder.path().join(format!("{}.4000000123.json", stem("x"))), &text).unwrap();
        assert_eq!(all(folder.path()).unwrap().len(), 1);
        let mut dead: serde_json::Value = serde_json::from_str(&text).unwrap();
        dead["process"]["start_time"] = 1.into();
        fs::write(&note, dead.to_string()).unwrap();
        assert!(all(folder.path()).unwrap().is_empty());
        assert_eq!(take(folder.path(), &names(&["x"]), &claim("B")).unwrap().unwrap_err().holder, None);
    }
}
