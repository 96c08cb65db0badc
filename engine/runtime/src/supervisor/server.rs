//! How a process becomes the supervisor of a run.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat, renameat};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::adopt::adopt;
use super::descriptors::Descriptors;
use super::output::Scratch;
use super::process;
use super::protocol::Identity;
use super::reactor::Supervisor;
use super::status::StatusFolder;
use super::tree::Orphans;
use super::{IDENTITY_FILE, LOCK_FILE, READY_LINE, socket};

/// How long a supervisor without an engine and without commands waits for an engine that is just starting.
const IDLE_GRACE: Duration = Duration::from_secs(3);

/// Why a process could not be the supervisor of a run.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The run folder could not be used.
    #[error("cannot supervise the run in `{folder}`: {source}")]
    Setup {
        /// The run folder.
        folder: std::path::PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The kernel refused to wait for events.
    #[error("the supervisor cannot go on: {0}")]
    Wait(#[source] io::Error),
}

/// Is the supervisor of the run in `run_folder` until there is nothing left to supervise. Takes over the whole process: its signals,
/// its session, its working folder and its standard output, so it must be a process of its own with one thread.
///
/// Returns at once, without an error, when the run has a supervisor already.
///
/// # Errors
/// When the run folder cannot be used, or the kernel refuses what a supervisor needs (pidfds: Linux 5.3).
pub fn serve(run_folder: &Path) -> Result<(), SupervisorError> {
    let failed = |source| SupervisorError::Setup { folder: run_folder.to_owned(), source };
    let Some(supervisor) = set_up(run_folder).map_err(failed)? else { return Ok(()) };
    supervisor.run().map_err(SupervisorError::Wait)
}

fn set_up(run_folder: &Path) -> io::Result<Option<Supervisor>> {
    let path = run_folder.canonicalize()?;
    let run = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = socket::open_folder(&path)?;
    let Some(lock) = take_lock(&path)? else { return Ok(None) };
    detach()?;
    let child_signal = catch_signals()?;
    let identity = Identity { process: process::own()?, boot_id: process::boot_id()? };
    let status = StatusFolder::open(&path, identity.boot_id.clone())?;
    let commands = adopt(&status, &path, &run, &identity.boot_id)?;
    write_identity(&folder, &identity)?;
    let listener = socket::listen(&folder)?;
    say_ready();
    Ok(Some(Supervisor {
        run,
        folder,
        status,
        identity,
        commands,
        orphans: Orphans::default(),
        pumps: Vec::new(),
        scratch: Scratch::default(),
        listener: Some(listener),
        lock: Some(lock),
        locks: BTreeMap::new(),
        engine: None,
        newcomers: Vec::new(),
        child_signal,
        descriptors: Descriptors::new(),
        grace: IDLE_GRACE,
        idle_since: Instant::now(),
        reap_at: None,
        looked_at: None,
        sweep_at: None,
        left: false,
    }))
}

/// Holds the run for this supervisor; none when another one does. The kernel lets go when the process ends, however it ends.
fn take_lock(run_folder: &Path) -> io::Result<Option<File>> {
    let lock =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(run_folder.join(LOCK_FILE))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Leaves the terminal and the folder it was started in, and becomes the parent of all whose parents end before them.
fn detach() -> io::Result<()> {
    // Refused only to the leader of a process group, as when started by hand in a shell: it stays in that session then.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    rustix::process::chdir("/")?;
    Ok(())
}

/// Survives the signals that end others, and makes SIGCHLD readable.
///
/// They get handlers that do nothing. To ignore them would be inherited by the commands, which could then not be ended by TERM.
/// (SIGPIPE is ignored by Rust's start-up, and given back to commands by its spawning.) TERM is survived because a machine that shuts
/// down sends it to everyone: the commands end by it, and how they ended is still to be written down.
fn catch_signals() -> io::Result<UnixStream> {
    let seen = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
        signal_hook::flag::register(signal, Arc::clone(&seen))?;
    }
    let (readable, writable) = UnixStream::pair()?;
    readable.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGCHLD, writable)?;
    Ok(readable)
}

/// Writes who the supervisor is, for those who look at the folder while nobody can connect.
fn write_identity(folder: &OwnedFd, identity: &Identity) -> io::Result<()> {
    let beside = format!(".{IDENTITY_FILE}.new");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = File::from(openat(folder, &beside, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(&serde_json::to_vec(identity)?)?;
    renameat(folder, &beside, folder, IDENTITY_FILE)?;
    Ok(())
}

/// Tells who started it that it listens, and lets go of that pipe. Nobody may be there to hear it.
fn say_ready() {
    let _ = rustix::io::write(rustix::stdio::stdout(), READY_LINE.as_bytes());
    let _ = rustix::stdio::dup2_stdout(rustix::stdio::stderr());
}

/// The identity in `supervisor.json`: who supervises the run, or last did; none when no supervisor ever came up.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read_identity(run_folder: &Path) -> io::Result<Option<Identity>> {
    match std::fs::read(run_folder.join(IDENTITY_FILE)) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
