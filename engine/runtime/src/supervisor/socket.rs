//! The supervisor's end of the socket: nothing here blocks.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::SOCKET_FILE;
use super::protocol::{Notification, Refusal, Request};

/// Bytes asked of a connection at once.
const READ_CHUNK: usize = 64 * 1024;
/// Longest request in bytes. A command's arguments and environment together have at most 2 MiB; JSON may need 6 bytes for one.
const REQUEST_MAX: usize = 16 * 1024 * 1024;
/// Who has not said hello after this is sent away.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;

/// Makes the socket in the run folder, in place of one that a dead supervisor left. Only this user may connect.
pub(super) fn listen(run_folder: &OwnedFd) -> io::Result<UnixListener> {
    remove(run_folder);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Before it has a name: the mode of the file is then right from the first moment, and the umask stays the commands'.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET_FILE}", run_folder.as_raw_fd()))?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Takes the socket's name away, so that nobody can connect any more.
pub(super) fn remove(run_folder: &OwnedFd) {
    let _ = rustix::fs::unlinkat(run_folder, SOCKET_FILE, AtFlags::empty());
}

/// Opens the run folder, for names relative to it.
pub(super) fn open_folder(run_folder: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(run_folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// One engine, or who says to be one.
pub(super) struct Connection {
    stream: UnixStream,
    incoming: Vec<u8>,
    /// How much of `incoming` has been searched for the end of a line.
    searched: usize,
    outgoing: Vec<u8>,
    /// It hears nothing any more. What it said before may still be read.
    deaf: bool,
    closed: bool,
    hello_until: Instant,
}

impl Connection {
    /// Takes the next connection; none when there is no more, or when it is another user's.
    pub(super) fn accept(listener: &UnixListener) -> io::Result<Option<Self>> {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        let peer = rustix::net::sockopt::socket_peercred(&stream)?;
        if peer.uid != rustix::process::geteuid() {
            tracing::warn!(uid = peer.uid.as_raw(), "another user tried to connect");
            return Ok(None);
        }
        let hello_until = Instant::now() + HELLO_LIMIT;
        let (incoming, outgoing) = (Vec::new(), Vec::new());
        Ok(Some(Self { stream, incoming, searched: 0, outgoing, deaf: false, closed: false, hello_until }))
    }

    /// Whether the other side is gone, or was sent away.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the other side has closed its end; what it sent before may still wait to be read.
    pub(super) fn is_peer_gone(&self) -> bool {
        let mut fds = [PollFd::new(&self.stream, PollFlags::empty())];
        let asked = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        self.closed || (asked.is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// Says why it is not let in.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.send(&Notification::Refused(refusal));
        self.flush();
    }

    /// Hears and says nothing more.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.incoming.clear();
        self.searched = 0;
    }

    /// When it must have said hello.
    pub(super) fn hello_until(&self) -> Instant {
        self.hello_until
    }

    /// Whether something waits to be written.
    pub(super) fn wants_to_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether a whole request is here that was not taken yet.
    pub(super) fn has_request(&mut self) -> bool {
        let found = self.incoming[self.searched..].iter().position(|&byte| byte == b'\n');
        self.searched = found.map_or(self.incoming.len(), |at| self.searched + at);
        found.is_some()
    }

    /// Reads what has come, at most one chunk.
    pub(super) fn fill(&mut self) {
        let filled = self.incoming.len();
        self.incoming.resize(filled + READ_CHUNK, 0);
        let read = match self.stream.read(&mut self.incoming[filled..]) {
            Ok(read) => {
                self.closed |= read == 0;
                read
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(_) => {
                self.closed = true;
                0
            }
        };
        self.incoming.truncate(filled + read);
        if self.incoming.len() > REQUEST_MAX && !self.has_request() {
            tracing::warn!("a request is too long; the connection is closed");
            self.close();
        }
    }

    /// Takes the next request, if a whole one is here. One that cannot be read closes the connection.
    pub(super) fn request(&mut self) -> Option<Request> {
        if !self.has_request() {
            return None;
        }
        let parsed = serde_json::from_slice(&self.incoming[..self.searched]);
        self.incoming.drain(..=self.searched);
        self.searched = 0;
        // The text may hold secrets: neither it nor the parser's words about it go into the log.
        parsed.map_err(|_| self.close()).ok()
    }

    /// Queues a message.
    pub(super) fn send(&mut self, notification: &Notification) {
        match serde_json::to_writer(&mut self.outgoing, notification) {
            Ok(()) => self.outgoing.push(b'\n'),
            Err(error) => {
                tracing::error!(%error, "a notification cannot be written as JSON");
                self.closed = true;
            }
        }
    }

    /// Writes what can be written now.
    pub(super) fn flush(&mut self) {
        while !self.outgoing.is_empty() && !self.deaf {
            match self.stream.write(&self.outgoing) {
                Ok(written) => drop(self.outgoing.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.deaf = true,
            }
        }
        if self.deaf {
            self.outgoing.clear();
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
