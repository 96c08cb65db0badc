//! The engine's side of the socket: finds the supervisor of a run or starts one, asks and listens. Needs a tokio runtime.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout_at};

use super::protocol::{Notification, PROTOCOL_VERSION, Refusal, Request, Welcome};
use super::{LOG_FILE, READY_LINE, SOCKET_FILE, SUBCOMMAND};

/// A supervisor needs a few milliseconds; a machine under heavy load gets this long before the engine gives up.
const START_LIMIT: Duration = Duration::from_secs(15);
/// First pause between two looks while another process's supervisor comes up or leaves; it doubles up to the longest.
const RETRY_PAUSE: Duration = Duration::from_millis(2);
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(50);
/// Bytes asked of the socket at once.
const READ_CHUNK: usize = 64 * 1024;

/// Why there is no connection to a supervisor.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No supervisor lives for this run.
    #[error("no supervisor is running for this run")]
    NotRunning,
    /// The supervisor could not be started at all.
    #[error("cannot start the supervisor: {0}")]
    Spawn(#[source] io::Error),
    /// It was started and did not come up; `supervisor.log` in the run folder may say why.
    #[error("the supervisor did not come up; see `{LOG_FILE}` in the run folder")]
    NotReady,
    /// Another engine is connected, or the supervisor is of another version.
    #[error("the supervisor refused this engine: {}", match .0 { Refusal::Busy => "another engine is connected", Refusal::Version => "it is of another version" })]
    Refused(Refusal),
    /// The socket or the folder failed.
    #[error("cannot reach the supervisor: {0}")]
    Io(#[from] io::Error),
}

/// The supervisor is gone: it died, or it left. Commands may live on; their status files tell (see [`super::read_status`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the supervisor of this run is gone")]
pub struct Lost;

/// A connection to the supervisor of one run.
///
/// Nothing runs in the background: what could not be sent at once goes out while [`SupervisorClient::next`] is awaited.
#[derive(Debug)]
pub struct SupervisorClient {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    lost: bool,
    /// Kept so that the runtime reaps it when it ends; dropping it does not end it.
    _child: Option<Child>,
}

impl SupervisorClient {
    /// Connects to the supervisor of `run_folder`, or starts `exe __supervise <run_folder>` and connects to that.
    ///
    /// The new supervisor inherits this process's environment less the variables named in `withhold` (where secrets come from).
    ///
    /// # Errors
    /// When it cannot be started or reached within 15 s, or refuses this engine.
    pub async fn connect_or_start(
        run_folder: &Path,
        exe: &Path,
        withhold: &[String],
    ) -> Result<(Self, Welcome), ClientError> {
        let run_folder = &std::path::absolute(run_folder)?;
        let deadline = Instant::now() + START_LIMIT;
        let (mut child, mut pause) = (None, RETRY_PAUSE);
        loop {
            match Self::connect(run_folder).await {
                Ok((mut client, welcome)) => {
                    client._child = child;
                    return Ok((client, welcome));
                }
                Err(ClientError::NotRunning) if Instant::now() < deadline => {}
                Err(ClientError::NotRunning) => return Err(ClientError::NotReady),
                Err(other) => return Err(other),
            }
            // It leaves in silence when another one holds the run: then the next turn finds that one's socket.
            let mut started = spawn(run_folder, exe, withhold)?;
            let ready = timeout_at(deadline, became_ready(&mut started)).await.map_err(|_| ClientError::NotReady)??;
            if ready {
                child = Some(started);
                continue;
            }
            let status = timeout_at(deadline, started.wait()).await.map_err(|_| ClientError::NotReady)??;
            // A signal (Ctrl-C in its first millisecond, before it has its own session) is no reason to give up.
            if status.code().is_some_and(|code| code != 0) {
                return Err(ClientError::NotReady);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    /// Connects to the supervisor of `run_folder` if one lives.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] when none does; others when it refuses or the socket fails.
    pub async fn connect(run_folder: &Path) -> Result<(Self, Welcome), ClientError> {
        let stream = match open_socket(run_folder).await {
            Ok(stream) => stream,
            Err(error) if is_absence(&error) => return Err(ClientError::NotRunning),
            Err(error) => return Err(ClientError::Io(error)),
        };
        let mut client = Self { stream, incoming: Vec::new(), outgoing: Vec::new(), lost: false, _child: None };
        client.send(&Request::Hello { version: PROTOCOL_VERSION });
        match client.next().await {
            Ok(Notification::Welcome(welcome)) => Ok((client, welcome)),
            Ok(Notification::Refused(refusal)) => Err(ClientError::Refused(refusal)),
            Ok(_) => Err(ClientError::Refused(Refusal::Version)),
            // It was about to leave when this connection came in.
            Err(Lost) => Err(ClientError::NotRunning),
        }
    }

    /// Sends a request without waiting. When the supervisor is gone, [`Self::next`] says so.
    pub fn send(&mut self, request: &Request) {
        match serde_json::to_vec(request) {
            Ok(line) => {
                self.outgoing.extend_from_slice(&line);
                self.outgoing.push(b'\n');
                self.flush();
            }
            Err(error) => {
                tracing::error!(%error, "a request to the supervisor cannot be written as JSON");
                self.lost = true;
            }
        }
    }

    /// Waits for what the supervisor says next. Safe to cancel: nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// [`Lost`] when the supervisor is gone, and again on every later call.
    pub async fn next(&mut self) -> Result<Notification, Lost> {
        loop {
            if let Some(notification) = self.take_line()? {
                return Ok(notification);
            }
            if self.lost {
                return Err(Lost);
            }
            let interest =
                if self.outgoing.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
            let ready = self.stream.ready(interest).await.map_err(|_| Lost)?;
            if ready.is_writable() {
                self.flush();
            }
            if ready.is_readable() || ready.is_read_closed() || ready.is_error() {
                self.fill();
            }
        }
    }

    fn take_line(&mut self) -> Result<Option<Notification>, Lost> {
        let Some(end) = self.incoming.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
        let parsed = serde_json::from_slice(&self.incoming[..end]);
        self.incoming.drain(..=end);
        parsed.map(Some).map_err(|error| {
            tracing::error!(%error, "the supervisor said something that is no notification");
            self.lost = true;
            Lost
        })
    }

    fn flush(&mut self) {
        while !self.outgoing.is_empty() && !self.lost {
            match self.stream.try_write(&self.outgoing) {
                Ok(0) => self.lost = true,
                Ok(written) => drop(self.outgoing.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What it said before it went may still be read; `fill` then sees the end.
                Err(_) => self.outgoing.clear(),
            }
        }
    }

    fn fill(&mut self) {
        let filled = self.incoming.len();
        self.incoming.resize(filled + READ_CHUNK, 0);
        let read = match self.stream.try_read(&mut self.incoming[filled..]) {
            Ok(0) => {
                self.lost = true;
                0
            }
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(_) => {
                self.lost = true;
                0
            }
        };
        self.incoming.truncate(filled + read);
    }
}

/// A path to a socket has at most 107 bytes; through an open folder it is short wherever that is.
async fn open_socket(run_folder: &Path) -> io::Result<UnixStream> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder: OwnedFd = rustix::fs::open(run_folder, flags, Mode::empty())?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET_FILE}", folder.as_raw_fd())).await
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn spawn(run_folder: &Path, exe: &Path, withhold: &[String]) -> Result<Child, ClientError> {
    let log = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(run_folder.join(LOG_FILE))
        .map_err(ClientError::Spawn)?;
    let mut command = Command::new(exe);
    command.arg(SUBCOMMAND).arg(run_folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    for name in withhold {
        command.env_remove(name);
    }
    // What the engine got from its shell (`exec 9>lock`) must not stay open in a process that outlives it.
    close_fds::set_fds_cloexec(3, &[]);
    command.spawn().map_err(ClientError::Spawn)
}

/// Waits until the supervisor has said that it listens (`true`) or has left instead (`false`).
async fn became_ready(child: &mut Child) -> io::Result<bool> {
    let Some(mut stdout) = child.stdout.take() else { return Ok(false) };
    let mut said = Vec::new();
    while !said.ends_with(b"\n") {
        if stdout.read_buf(&mut said).await? == 0 {
            break;
        }
    }
    Ok(said == READY_LINE.as_bytes())
}
