//! What the supervisor keeps about each command.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use super::output::FileId;
use super::process;
use super::protocol::{CommandKind, CommandState, Ended, Exit, Key, KnownCommand, ProcessId, Started, Stop};
use super::status::Output;

/// Index of a command in [`Commands`]. Commands are never taken out.
pub(super) type Index = usize;

/// A command, from its start request to the end of the supervisor.
pub(super) struct Command {
    pub(super) key: Key,
    pub(super) kind: CommandKind,
    pub(super) output: Option<Output>,
    /// Whose main process it is or was; none when it never ran.
    pub(super) root: Option<ProcessId>,
    /// Where its main process wrote to, to recognise those that it left.
    pub(super) writes_to: Vec<FileId>,
    pub(super) state: State,
}

/// Whether a command is over.
pub(super) enum State {
    Live(Box<Live>),
    /// Over, and when, in the clock of [`ProcessId::start_time`].
    Over(Ended, u64),
}

/// A command that runs, or of which something is still to be ended.
pub(super) struct Live {
    pub(super) started: Started,
    /// None for one that an earlier supervisor started: its exit can no longer be known.
    pub(super) handle: Option<duct::Handle>,
    /// Readable when the main process is over; none after that.
    pub(super) root_handle: Option<OwnedFd>,
    /// How the main process ended, once it has.
    pub(super) exit: Option<Exit>,
    /// The hardest signal asked for, if any: then it is over only when nothing of it is left.
    pub(super) stop: Option<Stop>,
    /// The signal asked for has not been sent yet.
    pub(super) signal_due: bool,
    /// What is left of it besides the main process, each with a handle that is readable when it is over.
    pub(super) rest: Vec<(ProcessId, OwnedFd)>,
    /// Passes over all processes in a row that found nothing left.
    pub(super) empty_passes: u32,
    /// Processes that this user may not signal.
    pub(super) untouchable: Vec<ProcessId>,
}

impl Live {
    pub(super) fn new(started: Started, handle: Option<duct::Handle>, root_handle: Option<OwnedFd>) -> Self {
        Self {
            started,
            handle,
            root_handle,
            exit: None,
            stop: None,
            signal_due: false,
            rest: Vec::new(),
            empty_passes: 0,
            untouchable: Vec::new(),
        }
    }

    /// Whether the processes of the machine must be looked through for it.
    pub(super) fn needs_sweep(&self) -> bool {
        self.stop.is_some() && (self.signal_due || (self.root_handle.is_none() && self.rest.is_empty()))
    }
}

impl Command {
    pub(super) fn live(&self) -> Option<&Live> {
        match &self.state {
            State::Live(live) => Some(live),
            State::Over(..) => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.state {
            State::Live(live) => Some(live),
            State::Over(..) => None,
        }
    }

    pub(super) fn known(&self) -> KnownCommand {
        let state = match &self.state {
            State::Live(live) => CommandState::Running(live.started.clone()),
            State::Over(ended, _) => {
                let mut ended = ended.clone();
                ended.survivors.retain(|id| process::is_alive(*id));
                CommandState::Ended(ended)
            }
        };
        KnownCommand { key: self.key.clone(), kind: self.kind, state }
    }
}

/// All commands of the run.
#[derive(Default)]
pub(super) struct Commands {
    all: Vec<Command>,
    by_key: BTreeMap<Key, Index>,
    live: std::collections::BTreeSet<Index>,
}

impl Commands {
    pub(super) fn add(&mut self, command: Command) -> Index {
        let index = self.all.len();
        self.by_key.insert(command.key.clone(), index);
        if command.live().is_some() {
            self.live.insert(index);
        }
        self.all.push(command);
        index
    }

    pub(super) fn find(&self, key: &Key) -> Option<Index> {
        self.by_key.get(key).copied()
    }

    pub(super) fn get(&self, index: Index) -> &Command {
        &self.all[index]
    }

    pub(super) fn get_mut(&mut self, index: Index) -> &mut Command {
        &mut self.all[index]
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Index, &Command)> {
        self.all.iter().enumerate()
    }

    pub(super) fn live(&self) -> impl Iterator<Item = (Index, &Live)> {
        self.live.iter().filter_map(|&index| Some((index, self.all[index].live()?)))
    }

    pub(super) fn live_count(&self) -> usize {
        self.live.len()
    }

    /// Makes a command of which nobody saw the end a live one again, so that what is left of it can be ended.
    pub(super) fn revive(&mut self, index: Index) {
        let command = &mut self.all[index];
        let State::Over(ended, _) = &command.state else { return };
        let of = |file: fn(&Output) -> u64| command.output.as_ref().map_or(0, file);
        let started = Started {
            process: ended.survivors.first().copied().unwrap_or(ProcessId { pid: 0, start_time: 0 }),
            started_at_ms: ended.started_at_ms.unwrap_or(ended.ended_at_ms),
            stdout_from: of(|output| output.stdout.from),
            stderr_from: of(|output| output.stderr.from),
        };
        // The number of its main process may be another's by now, and so may a process group of that number.
        command.root = None;
        let mut live = Live::new(started, None, None);
        live.exit = Some(Exit::Unknown);
        command.state = State::Live(Box::new(live));
        self.live.insert(index);
    }

    /// Makes a live command one that is over; returns what it was.
    pub(super) fn end(&mut self, index: Index, ended: Ended, at_ticks: u64) {
        self.live.remove(&index);
        self.all[index].state = State::Over(ended, at_ticks);
    }
}
