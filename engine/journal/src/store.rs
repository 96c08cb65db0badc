//! The sled database under a journal: opened without panics, written durably, private to its user.
//!
//! What sled calls a flush asks the kernel to start writing; it does not wait for the disk. So each batch is followed by an
//! `fdatasync` on a file descriptor of our own for the same file.

use std::cell::Cell;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::JournalError;
use crate::parts::{HEAD_KEY, Joiner};
use crate::pool;
use crate::quiet::guarded;

/// Enough for the pages at the end, where all writing happens; older ones are read once, on opening.
const CACHE_BYTES: u64 = 4 << 20;

/// Measured: 2 µs as a rule, 150 µs at worst on an idle machine.
const UNLOCK_POLL: Duration = Duration::from_micros(50);
const UNLOCK_WAIT: Duration = Duration::from_secs(1);

/// The open database.
pub(crate) struct Store {
    dir: PathBuf,
    /// Taken out only to be closed or given up.
    db: Option<sled::Db>,
    /// The same file as sled's, for `fdatasync`.
    file: File,
    /// The first write starts sled's threads.
    has_written: Cell<bool>,
}

/// What a database holds.
pub(crate) struct Contents {
    /// The value that notes the end.
    pub(crate) head: Option<Vec<u8>>,
    /// The lines, the first record's first.
    pub(crate) lines: Vec<Vec<u8>>,
}

impl Store {
    /// Opens the database in a folder, which sled creates when the folder is empty.
    pub(crate) fn open(dir: &Path) -> Result<Self, JournalError> {
        let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = sled_call(dir, "open the database", || config.open())?;
        let fail = |action| move |source| JournalError::Io { dir: dir.to_owned(), action, source };
        // sled makes files as the umask says, and a new snapshot each time it opens.
        make_private(dir).map_err(fail("set permissions"))?;
        let file = File::open(dir.join("db")).map_err(fail("open the database"))?;
        // An engine that was killed before its fdatasync left what we can read, but what power loss could still take away.
        file.sync_data().map_err(fail("sync the database"))?;
        Ok(Self { dir: dir.to_owned(), db: Some(db), file, has_written: Cell::new(false) })
    }

    /// Reads everything.
    pub(crate) fn contents(&self) -> Result<Contents, JournalError> {
        let Some(db) = &self.db else { return Err(closed()) };
        let read = || {
            let (mut head, mut lines) = (None, Joiner::default());
            for entry in db.iter() {
                let (key, value) = entry?;
                if key == HEAD_KEY {
                    head = Some(value.to_vec());
                } else if let Err(broken) = lines.take(&key, &value) {
                    return Ok(Err(broken));
                }
            }
            Ok(Ok(Contents { head, lines: lines.finish() }))
        };
        sled_call(&self.dir, "read the database", read)?
    }

    /// Writes a batch, and returns when it survives the loss of power.
    pub(crate) fn write(&self, batch: sled::Batch) -> Result<(), JournalError> {
        let Some(db) = &self.db else { return Err(closed()) };
        if !self.has_written.replace(true) {
            pool::leave_stacks();
        }
        sled_call(&self.dir, "write the database", || {
            db.apply_batch(batch)?;
            db.flush()
        })?;
        self.file.sync_data().map_err(|source| self.failed("sync the database", source))
    }

    /// Makes the existence of the database durable, not only what is in it: all files, the folder, and the one around it.
    pub(crate) fn sync_creation(&self) -> Result<(), JournalError> {
        let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        let mut paths = vec![self.dir.clone()];
        walk(&self.dir, &mut paths).map_err(|source| self.failed("list the folder", source))?;
        // From the inside out: a folder counts only when what it names does.
        paths.iter().rev().try_for_each(|path| sync(path)).map_err(|source| self.failed("sync the folder", source))?;
        let parent = self.dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync(parent).map_err(|source| self.failed("sync the folder around", source))
    }

    /// Gives the database up after an error: closing it would write what could not be written once more.
    pub(crate) fn abandon(&mut self) {
        std::mem::forget(self.db.take());
    }

    fn failed(&self, action: &'static str, source: io::Error) -> JournalError {
        JournalError::Io { dir: self.dir.clone(), action, source }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let Some(db) = self.db.take() else { return };
        // What was acknowledged is durable already, so an error on closing changes nothing.
        drop(guarded(|| drop(db)));
        // sled's threads hold its lock a moment longer; whoever opens the journal next must not trip over that.
        let give_up = Instant::now() + UNLOCK_WAIT;
        while self.file.try_lock().is_err() && Instant::now() < give_up {
            std::thread::sleep(UNLOCK_POLL);
        }
    }
}

fn closed() -> JournalError {
    JournalError::Poisoned("the database was given up".to_owned())
}

/// Calls into sled; its panics and errors become ours.
fn sled_call<T>(dir: &Path, action: &'static str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, JournalError> {
    let dir = dir.to_owned();
    match guarded(work) {
        Ok(Ok(value)) => Ok(value),
        Err(detail) => Err(JournalError::Damaged { dir, detail }),
        // sled has no kind of its own for this. The tip's lock comes first, so only a program that is not ours gets here.
        Ok(Err(sled::Error::Io(source))) if source.to_string().contains("could not acquire lock") => {
            Err(JournalError::InUse { dir })
        }
        Ok(Err(sled::Error::Io(source))) => Err(JournalError::Io { dir, action, source }),
        Ok(Err(sled::Error::Corruption { .. })) => {
            Err(JournalError::Damaged { dir, detail: "the database found bytes that it did not write".to_owned() })
        }
        Ok(Err(error)) => Err(JournalError::Damaged { dir, detail: error.to_string() }),
    }
}

/// Lets only the user in: folders 0700, files 0600.
fn make_private(dir: &Path) -> io::Result<()> {
    let mut paths = vec![dir.to_owned()];
    walk(dir, &mut paths)?;
    for path in paths {
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        if fs::metadata(&path)?.permissions().mode() & 0o7777 != mode {
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Lists what is in a folder, at every level; folders before what is in them.
fn walk(dir: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_dir = path.is_dir();
        paths.push(path.clone());
        if is_dir {
            walk(&path, paths)?;
        }
    }
    Ok(())
}
