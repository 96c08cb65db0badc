//! Ends commands on request: TERM or KILL to all that belongs to one, and over only when nothing of it is left.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, pidfd_send_signal};

use super::command::{Index, Live};
use super::process::{self, Stat};
use super::protocol::{Exit, ProcessId, Stop};
use super::reactor::Supervisor;
use super::tree::Census;

/// Passes in one go over a tree that grows while it is killed. Whatever is left then is found when the last of those killed is over.
const PASSES_MAX: u32 = 16;
/// Passes in a row that must find nothing: one alone may miss a process whose parent ended while it looked.
const EMPTY_PASSES: u32 = 2;

impl Supervisor {
    /// Looks through the processes of the machine for the commands that are being ended, and does what is due.
    pub(super) fn sweep(&mut self) -> io::Result<()> {
        for _ in 0..PASSES_MAX {
            let needs = |(index, live): (Index, &Live)| live.needs_sweep().then_some(index);
            let wanted: Vec<Index> = self.commands.live().filter_map(needs).collect();
            if wanted.is_empty() {
                return Ok(());
            }
            let mut found = Census::take(&self.commands, &mut self.orphans, &self.run)?.of_commands(&wanted);
            for index in wanted {
                self.sweep_one(index, &found.remove(&index).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Signals and watches what was found of one command, or sees that it is over.
    fn sweep_one(&mut self, index: Index, found: &[Stat]) -> io::Result<()> {
        let root = self.commands.get(index).root;
        let Some(live) = self.commands.get_mut(index).live_mut() else { return Ok(()) };
        match live.stop {
            Some(Stop::Kill) => kill(live, found)?,
            Some(Stop::Term) if live.signal_due => terminate(live, root, found)?,
            Some(Stop::Term) | None => {}
        }
        if live.root_handle.is_some() && root.is_some_and(|root| live.untouchable.contains(&root)) {
            // Another user's now, and so for ever: nobody will see how it ends.
            live.root_handle = None;
            live.exit = Some(Exit::Unknown);
        }
        let killed = live.stop == Some(Stop::Kill);
        let left: Vec<ProcessId> =
            found.iter().map(|stat| stat.id).filter(|id| !live.untouchable.contains(id)).collect();
        live.rest.retain(|(id, _)| !live.untouchable.contains(id));
        let fresh = watch(live, root, &left)?;
        // KILL is repeated until a pass finds nobody new.
        live.signal_due = killed && fresh;
        if !left.is_empty() || live.root_handle.is_some() {
            live.empty_passes = 0;
            return Ok(());
        }
        live.empty_passes += 1;
        if live.empty_passes >= EMPTY_PASSES {
            self.finish(index);
        }
        Ok(())
    }
}

/// Waits for the end of each of these but the main process; says whether one was not known before.
fn watch(live: &mut Live, root: Option<ProcessId>, processes: &[ProcessId]) -> io::Result<bool> {
    let mut fresh = false;
    for &id in processes {
        if Some(id) == root || live.rest.iter().any(|(known, _)| *known == id) {
            continue;
        }
        if let Some(handle) = process::open(id)? {
            fresh = true;
            live.rest.push((id, handle));
        }
    }
    Ok(fresh)
}

/// KILL to each. Those that may not be killed are noted: nobody can wait for them.
fn kill(live: &mut Live, processes: &[Stat]) -> io::Result<()> {
    for stat in processes {
        if send(stat.id, Signal::KILL)? == Sent::Refused && !live.untouchable.contains(&stat.id) {
            live.untouchable.push(stat.id);
        }
    }
    Ok(())
}

/// TERM, once, to the process group at one moment, then to those that left it. What a handler starts to clean up gets none.
fn terminate(live: &Live, root: Option<ProcessId>, processes: &[Stat]) -> io::Result<()> {
    // Not reaped yet: nobody else can have its number.
    let group = root.filter(|_| live.root_handle.is_some()).map(|root| root.pid);
    if let Some(group) = group.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
        let _ = kill_process_group(group, Signal::TERM);
    }
    for stat in processes.iter().filter(|stat| Some(stat.group) != group) {
        send(stat.id, Signal::TERM)?;
    }
    // A stopped process takes the TERM only when it goes on.
    for stat in processes {
        send(stat.id, Signal::CONT)?;
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Sent {
    Done,
    Refused,
}

fn send(id: ProcessId, signal: Signal) -> io::Result<Sent> {
    let Some(handle) = process::open(id)? else { return Ok(Sent::Done) };
    match pidfd_send_signal(&handle, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(Sent::Done),
        Err(Errno::PERM) => Ok(Sent::Refused),
        Err(error) => Err(error.into()),
    }
}
