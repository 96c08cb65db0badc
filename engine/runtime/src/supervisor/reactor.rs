//! The one loop of the supervisor: waits for processes, pipes and the engine at once, and never blocks on any of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::command::{Commands, Index};
use super::descriptors::Descriptors;
use super::output::{Pump, Scratch};
use super::protocol::{Identity, Notification, ProcessId};
use super::socket::{self, Connection};
use super::status::StatusFolder;
use super::tree::{self, Orphans};
use crate::locks::Held;

/// Requests taken in one turn, so that the ends of commands are seen between the starts of many.
const REQUESTS_A_TURN: usize = 8;
/// Engines that may be at the door at once; more is a mistake.
const NEWCOMERS_MAX: usize = 16;
/// Pause between two looks for orphans to reap, and before what failed is tried again: each look reads all of `/proc`.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// What a descriptor is for.
#[derive(Debug, Clone, Copy)]
enum Source {
    ChildSignal,
    Listener,
    Newcomer(usize),
    Engine,
    Root(Index),
    Rest(Index, ProcessId),
    Pump(usize),
}

/// A connection that has not been let in yet.
pub(super) struct Newcomer {
    pub(super) connection: Connection,
    /// It said hello in the right version, and waits for the one before to be through.
    pub(super) greeted: bool,
}

/// Everything the supervisor knows and holds open.
pub(super) struct Supervisor {
    pub(super) run: String,
    pub(super) folder: OwnedFd,
    pub(super) status: StatusFolder,
    pub(super) identity: Identity,
    pub(super) commands: Commands,
    pub(super) orphans: Orphans,
    pub(super) pumps: Vec<(Index, Pump)>,
    pub(super) scratch: Scratch,
    pub(super) listener: Option<UnixListener>,
    /// Held while this is the run's supervisor.
    pub(super) lock: Option<File>,
    /// The locks of the machine that the run holds, by the names that they were asked for by.
    pub(super) locks: BTreeMap<String, Vec<Held>>,
    pub(super) engine: Option<Connection>,
    pub(super) newcomers: Vec<Newcomer>,
    /// Readable after SIGCHLD.
    pub(super) child_signal: UnixStream,
    pub(super) descriptors: Descriptors,
    pub(super) grace: Duration,
    pub(super) idle_since: Instant,
    pub(super) reap_at: Option<Instant>,
    /// When all processes were last looked through for orphans to reap, which has time.
    pub(super) looked_at: Option<Instant>,
    pub(super) sweep_at: Option<Instant>,
    /// The run is over for this supervisor; it only empties pipes that processes left behind still write to.
    pub(super) left: bool,
}

impl Supervisor {
    /// Runs until there is nothing left to do.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            for source in self.wait()? {
                self.attend(source)?;
            }
            self.pumps.retain(|(_, pump)| !pump.is_over());
            self.obey_engine();
            self.admit();
            self.look_at_processes();
            self.let_go_of_locks();
            if let Some(engine) = &mut self.engine {
                engine.flush();
            }
            if !self.left && self.is_idle() && self.idle_since.elapsed() >= self.grace {
                self.leave();
            }
            if self.left && self.pumps.is_empty() {
                return Ok(());
            }
        }
    }

    /// Nobody to serve and nothing to watch.
    fn is_idle(&self) -> bool {
        self.engine.is_none() && self.newcomers.is_empty() && self.commands.live_count() == 0
    }

    /// Stops being the run's supervisor: from now on another one can be.
    pub(super) fn leave(&mut self) {
        self.left = true;
        if let Some(mut engine) = self.engine.take() {
            engine.flush();
        }
        self.newcomers.clear();
        socket::remove(&self.folder);
        self.listener = None;
        self.locks.clear();
        self.lock = None;
    }

    /// Waits until something can be done, and says for whom.
    fn wait(&mut self) -> io::Result<Vec<Source>> {
        let timeout = self.timeout().map(Timespec::try_from).transpose().map_err(|_| io::ErrorKind::InvalidInput)?;
        let (mut fds, mut sources) = (Vec::new(), Vec::new());
        let mut add = |fd, flags, source| {
            fds.push(PollFd::from_borrowed_fd(fd, flags));
            sources.push(source);
        };
        add(self.child_signal.as_fd(), PollFlags::IN, Source::ChildSignal);
        for (index, live) in self.commands.live() {
            if let Some(handle) = &live.root_handle {
                add(handle.as_fd(), PollFlags::IN, Source::Root(index));
            }
            for (id, handle) in &live.rest {
                add(handle.as_fd(), PollFlags::IN, Source::Rest(index, *id));
            }
        }
        for (at, (_, pump)) in self.pumps.iter().enumerate() {
            add(pump.as_fd(), PollFlags::IN, Source::Pump(at));
        }
        if let Some(engine) = &self.engine {
            let write = if engine.wants_to_write() { PollFlags::OUT } else { PollFlags::empty() };
            add(engine.as_fd(), PollFlags::IN | write, Source::Engine);
        }
        for (at, newcomer) in self.newcomers.iter().enumerate().filter(|(_, newcomer)| !newcomer.greeted) {
            add(newcomer.connection.as_fd(), PollFlags::IN, Source::Newcomer(at));
        }
        if let Some(listener) = self.listener.as_ref().filter(|_| self.newcomers.len() < NEWCOMERS_MAX) {
            add(listener.as_fd(), PollFlags::IN, Source::Listener);
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let ready = fds.iter().map(|fd| !fd.revents().is_empty());
        Ok(sources.into_iter().zip(ready).filter_map(|(source, ready)| ready.then_some(source)).collect())
    }

    /// How long the next wait may take; none for ever.
    fn timeout(&mut self) -> Option<Duration> {
        if self.engine.as_mut().is_some_and(|engine| engine.has_request() || engine.is_closed()) {
            return Some(Duration::ZERO);
        }
        let idle = (!self.left && self.is_idle()).then(|| self.idle_since + self.grace);
        let hello = self.newcomers.iter().map(|newcomer| newcomer.connection.hello_until()).min();
        let next = [idle, hello, self.reap_at, self.sweep_at].into_iter().flatten().min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Does what a ready descriptor asks for. Places of pumps and newcomers stay valid: they are taken out when all are attended to.
    fn attend(&mut self, source: Source) -> io::Result<()> {
        match source {
            Source::ChildSignal => {
                let mut bytes = [0; 256];
                // One signal or many, it only says that there may be something to reap.
                while io::Read::read(&mut self.child_signal, &mut bytes).is_ok_and(|read| read == bytes.len()) {}
                self.reap_at.get_or_insert_with(|| self.looked_at.map_or_else(Instant::now, |at| at + LOOK_PAUSE));
            }
            Source::Listener => self.accept()?,
            Source::Newcomer(at) => self.newcomers[at].connection.fill(),
            Source::Engine => {
                if let Some(engine) = &mut self.engine {
                    engine.fill();
                }
            }
            Source::Root(index) => self.root_is_over(index),
            Source::Rest(index, over) => {
                if let Some(live) = self.commands.get_mut(index).live_mut() {
                    live.rest.retain(|(id, _)| *id != over);
                }
            }
            Source::Pump(at) => {
                self.pumps[at].1.turn(&mut self.scratch);
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        match Connection::accept(listener) {
            Ok(Some(connection)) => self.newcomers.push(Newcomer { connection, greeted: false }),
            Ok(None) => {}
            // Out of descriptors, or the other side is gone already: no reason to end.
            Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
        }
        Ok(())
    }

    fn obey_engine(&mut self) {
        for _ in 0..REQUESTS_A_TURN {
            let Some(request) = self.engine.as_mut().and_then(Connection::request) else { break };
            self.obey(request);
        }
        // What a dead engine asked for before it died still counts.
        if self.engine.as_mut().is_some_and(|engine| engine.is_closed() && !engine.has_request()) {
            self.engine = None;
            self.idle_since = Instant::now();
        }
    }

    /// Looks through `/proc` where that is due.
    fn look_at_processes(&mut self) {
        let now = Instant::now();
        if self.sweep_at.is_none_or(|at| at <= now) {
            self.sweep_at = None;
            if let Err(error) = self.sweep() {
                tracing::error!(%error, "cannot look for the processes of a command; trying again");
                self.sweep_at = Some(now + LOOK_PAUSE);
            }
        }
        if self.reap_at.is_some_and(|at| at <= now) {
            self.reap_at = None;
            self.reap();
        }
    }

    /// Reaps orphans that are over. The main processes of commands are duct's to reap.
    fn reap(&mut self) {
        use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, waitid, waitpid};
        let any = waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT);
        if !any.is_ok_and(|status| status.is_some()) {
            return;
        }
        let zombies = tree::zombies(&self.commands).unwrap_or_default();
        for pid in zombies.into_iter().filter_map(|id| Pid::from_raw(i32::try_from(id.pid).ok()?)) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        self.looked_at = Some(Instant::now());
    }

    /// Tells the engine, if there is one. One that comes later learns it all from the welcome.
    pub(super) fn tell(&mut self, notification: &Notification) {
        if let Some(engine) = &mut self.engine {
            engine.send(notification);
        }
    }
}
