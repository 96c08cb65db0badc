//! What the supervisor does when the engine asks, and when a command ends.

use std::time::Instant;

use super::adopt::{spans, survivors_of};
use super::command::{Command, Index, Live, State};
use super::output::FileId;
use super::process;
use super::protocol::{
    CommandState, Ended, Exit, Key, Notification, PROTOCOL_VERSION, Refusal, Request, Span, SpawnErrorKind,
    StartRequest, Started, Stop, Welcome,
};
use super::reactor::Supervisor;
use super::spawn::{self, Channels, Spawned};
use super::status::{Output, Phase};

/// Between two looks for the status of a process that is over and whose tracer has not let go of it.
const EXIT_PAUSE: std::time::Duration = std::time::Duration::from_millis(1);

impl Supervisor {
    /// Lets a newcomer that said hello be the engine, unless there is a living one.
    pub(super) fn admit(&mut self) {
        let now = Instant::now();
        let mut waiting = Vec::new();
        for mut newcomer in std::mem::take(&mut self.newcomers) {
            if !newcomer.greeted {
                match newcomer.connection.request() {
                    Some(Request::Hello { version: PROTOCOL_VERSION }) => newcomer.greeted = true,
                    Some(_) => {
                        newcomer.connection.refuse(Refusal::Version);
                        continue;
                    }
                    None if newcomer.connection.is_closed() || newcomer.connection.hello_until() <= now => continue,
                    None => {
                        waiting.push(newcomer);
                        continue;
                    }
                }
            }
            match &self.engine {
                Some(engine) if !engine.is_peer_gone() => newcomer.connection.refuse(Refusal::Busy),
                // What it had asked for is done first.
                Some(_) => waiting.push(newcomer),
                None => {
                    self.engine = Some(newcomer.connection);
                    self.welcome();
                }
            }
        }
        self.newcomers = waiting;
    }

    fn welcome(&mut self) {
        let commands = self.commands.all().map(|(_, command)| command.known()).collect();
        let (version, identity) = (PROTOCOL_VERSION, self.identity.clone());
        self.tell(&Notification::Welcome(Welcome { version, identity, commands }));
    }

    /// Does what the engine asks.
    pub(super) fn obey(&mut self, request: Request) {
        match request {
            Request::Hello { .. } => self.welcome(),
            Request::Start(request) => self.start(&request),
            Request::Signal { key, force } => self.stop(key, if force { Stop::Kill } else { Stop::Term }),
            Request::Lock(request) => self.lock(*request),
            Request::Unlock { scope } => self.unlock(scope),
            Request::Leave => self.leave(),
        }
    }

    fn start(&mut self, request: &StartRequest) {
        if let Some(index) = self.commands.find(&request.key) {
            self.tell_state(index);
            return;
        }
        self.descriptors.make_room(self.commands.live_count() * 4 + self.pumps.len());
        let channels = match spawn::open_channels(request) {
            Ok(channels) => channels,
            Err(exit) => return self.not_started(request, None, exit),
        };
        if let Err(error) = self.status.write(&request.key, request.kind, Some(&channels.output), Phase::Starting) {
            let message = format!("cannot write the status file of the command: {error}");
            return self.not_started(request, None, spawn::failure(SpawnErrorKind::Output, message));
        }
        let Channels { output, pumps, writes_to, files } = channels;
        match spawn::spawn(request, &self.run, files) {
            Ok(spawned) => {
                let index = self.started(request, output, writes_to, spawned);
                self.pumps.extend(pumps.into_iter().map(|pump| (index, pump)));
            }
            Err(exit) => self.not_started(request, Some(output), exit),
        }
    }

    fn started(&mut self, request: &StartRequest, output: Output, writes_to: Vec<FileId>, spawned: Spawned) -> Index {
        self.descriptors.restore_for(spawned.root);
        let started = Started {
            process: spawned.root,
            started_at_ms: process::now_ms(),
            stdout_from: output.stdout.from,
            stderr_from: output.stderr.from,
        };
        self.write_status(request, Some(&output), Phase::Running(started.clone()));
        let live = Live::new(started, Some(spawned.handle), Some(spawned.root_handle));
        let state = State::Live(Box::new(live));
        let (key, kind, root) = (request.key.clone(), request.kind, Some(spawned.root));
        let index = self.commands.add(Command { key, kind, output: Some(output), root, writes_to, state });
        self.tell_state(index);
        index
    }

    fn not_started(&mut self, request: &StartRequest, output: Option<Output>, exit: Exit) {
        let (ended_at_ms, ticks) = (process::now_ms(), process::ticks());
        let at_start = |file: Option<u64>| file.map_or_else(Span::default, |from| Span { from, to: from });
        let ended = Ended {
            exit,
            started_at_ms: None,
            ended_at_ms,
            stdout: at_start(output.as_ref().map(|output| output.stdout.from)),
            stderr: at_start(output.as_ref().map(|output| output.stderr.from)),
            signalled: None,
            survivors: Vec::new(),
        };
        self.write_status(request, output.as_ref(), Phase::Ended(ended.clone()));
        let (key, kind, state) = (request.key.clone(), request.kind, State::Over(ended, ticks));
        let index = self.commands.add(Command { key, kind, output, root: None, writes_to: Vec::new(), state });
        self.tell_state(index);
    }

    fn write_status(&self, request: &StartRequest, output: Option<&Output>, phase: Phase) {
        if let Err(error) = self.status.write(&request.key, request.kind, output, phase) {
            tracing::error!(%error, key = %request.key, "a status file could not be written");
        }
    }

    fn stop(&mut self, key: Key, stop: Stop) {
        let Some(index) = self.commands.find(&key) else {
            self.tell(&Notification::Unknown { key });
            return;
        };
        if matches!(&self.commands.get(index).state, State::Over(ended, _) if ended.is_unseen()) {
            self.commands.revive(index);
            self.orphans.forget_spared();
        }
        let Some(live) = self.commands.get_mut(index).live_mut() else {
            self.tell_state(index);
            return;
        };
        if live.stop <= Some(stop) {
            live.stop = Some(stop);
            live.signal_due = true;
            live.empty_passes = 0;
        }
    }

    /// The main process of a command is over: so is the command, unless it was told to end and something of it is left.
    pub(super) fn root_is_over(&mut self, index: Index) {
        let Some(live) = self.commands.get_mut(index).live_mut() else { return };
        let Some(exit) = live.handle.as_ref().map_or(Some(Exit::Unknown), exit_of) else {
            // It stays watched, and is looked at again at once; a pause keeps that from taking the processor meanwhile.
            std::thread::sleep(EXIT_PAUSE);
            return;
        };
        live.root_handle = None;
        live.exit = Some(exit);
        if live.stop.is_none() {
            self.finish(index);
        }
    }

    /// A command is over: what it wrote is completed, its end written down and told.
    pub(super) fn finish(&mut self, index: Index) {
        for (_, pump) in self.pumps.iter_mut().filter(|(of, _)| *of == index) {
            pump.drain(&mut self.scratch);
        }
        let command = self.commands.get_mut(index);
        let key = command.key.clone();
        let (stdout, stderr) = spans(command.output.as_ref());
        let (ended_at_ms, ticks) = (process::now_ms(), process::ticks());
        let Some(live) = command.live_mut() else { return };
        live.untouchable.retain(|id| process::is_alive(*id));
        let exit = live.exit.take().unwrap_or(Exit::Unknown);
        if exit == Exit::Unknown && live.stop.is_none() {
            live.untouchable = survivors_of(&self.run, &key);
        }
        let ended = Ended {
            exit,
            started_at_ms: Some(live.started.started_at_ms),
            ended_at_ms,
            stdout,
            stderr,
            signalled: live.stop,
            survivors: std::mem::take(&mut live.untouchable),
        };
        self.commands.end(index, ended.clone(), ticks);
        let command = self.commands.get(index);
        let written = self.status.write(&command.key, command.kind, command.output.as_ref(), Phase::Ended(ended));
        if let Err(error) = written {
            tracing::error!(%error, key = %command.key, "a status file could not be written");
        }
        self.tell_state(index);
        self.idle_since = Instant::now();
    }

    fn tell_state(&mut self, index: Index) {
        let known = self.commands.get(index).known();
        let notification = match known.state {
            CommandState::Running(started) => Notification::Started { key: known.key, started },
            CommandState::Ended(ended) => Notification::Ended { key: known.key, ended },
        };
        self.tell(&notification);
    }
}

/// How a process that is over ended; none while somebody who traces it has not let go of it: its tracer learns the status
/// first, its parent a moment later.
fn exit_of(handle: &duct::Handle) -> Option<Exit> {
    use std::os::unix::process::ExitStatusExt;
    match handle.try_wait() {
        Ok(output) => output.map(|output| {
            let status = output.status;
            status.code().map(Exit::Code).or_else(|| status.signal().map(Exit::Signal)).unwrap_or(Exit::Unknown)
        }),
        Err(error) => {
            tracing::error!(%error, "the exit status of a command was lost");
            Some(Exit::Unknown)
        }
    }
}
