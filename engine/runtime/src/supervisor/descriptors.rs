//! Room for the descriptors of many commands, without giving the commands a larger limit than they would have had.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::protocol::ProcessId;

/// Descriptors that are needed apart from those of commands, generously.
const BASE: u64 = 64;
/// Descriptors that one command can need at once while it is started: its process, two files, two pipes with both ends, copies for duct.
const EACH: u64 = 12;

/// The limit on open files.
#[derive(Debug)]
pub(super) struct Descriptors {
    original: Rlimit,
    raised: bool,
}

impl Descriptors {
    pub(super) fn new() -> Self {
        Self { original: getrlimit(Resource::Nofile), raised: false }
    }

    /// Raises the soft limit to the hard one before `in_use` descriptors and one more command do not fit any more.
    pub(super) fn make_room(&mut self, in_use: usize) {
        let Some(soft) = self.original.current else { return };
        if self.raised || BASE + EACH + in_use as u64 <= soft {
            return;
        }
        self.raised = true;
        let wider = Rlimit { current: self.original.maximum, maximum: self.original.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, wider) {
            tracing::warn!(%error, "the limit on open files stays as it is");
        }
    }

    /// Gives a new process the limit that it would have had: old programs break with a large one.
    pub(super) fn restore_for(&self, process: ProcessId) {
        let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.raised) {
            let _ = prlimit(Some(pid), Resource::Nofile, self.original);
        }
    }
}
