//! Which processes belong to which command, so that an ended one leaves nothing behind.
//!
//! A process below the main process of a command is that command's. The kernel gives those whose parents are gone to the supervisor
//! (it is their subreaper); whose they were is found by, in this order: what was found out before, the marker in the environment they were
//! started with, process group or session, the output files they hold. Who cannot be told by any of these cut all ties on purpose,
//! like a daemon: if a command that ended by itself ran when it started, it was left behind deliberately and is spared; else it
//! belongs to the command that is being ended.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::command::{Command, Commands, Index, State};
use super::output;
use super::process::{self, Stat};
use super::protocol::ProcessId;
use super::spawn::MARKER;

/// Most steps from a process up to one that is known: more than any real tree has.
const DEPTH_MAX: usize = 4096;

/// Whose a process without parents is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It is this live command's.
    Command(Index),
    /// Left behind by a command that ended by itself, or none of the run's.
    Spared,
    /// Nothing tells.
    Nobody,
}

/// What was found out about processes without parents, for good.
#[derive(Default)]
pub(super) struct Orphans {
    known: HashMap<ProcessId, Owner>,
}

impl Orphans {
    /// A command that was over is to be ended after all: what was left behind by it is no longer spared.
    pub(super) fn forget_spared(&mut self) {
        self.known.retain(|_, owner| *owner != Owner::Spared);
    }
}

/// All processes of the machine at one moment, with their owners among the commands.
pub(super) struct Census<'a> {
    commands: &'a Commands,
    orphans: &'a mut Orphans,
    run: &'a str,
    own_pid: u32,
    stats: HashMap<u32, Stat>,
    roots: HashMap<ProcessId, Index>,
    /// Live commands of an earlier supervisor: theirs are not below this process.
    adopted: bool,
    /// Found in this census to belong to nobody.
    strangers: HashSet<ProcessId>,
}

impl<'a> Census<'a> {
    pub(super) fn take(commands: &'a Commands, orphans: &'a mut Orphans, run: &'a str) -> std::io::Result<Self> {
        let stats: HashMap<u32, Stat> = process::all()?.into_iter().map(|stat| (stat.id.pid, stat)).collect();
        orphans.known.retain(|id, _| stats.get(&id.pid).is_some_and(|stat| stat.id == *id));
        let root_of = |index| commands.get(index).root.map(|root| (root, index));
        let roots = commands.live().filter_map(|(index, _)| root_of(index)).collect();
        let adopted = commands.live().any(|(_, live)| live.handle.is_none());
        Ok(Self {
            commands,
            orphans,
            run,
            own_pid: std::process::id(),
            stats,
            roots,
            adopted,
            strangers: HashSet::new(),
        })
    }

    /// Every process that is not over, for each command in `wanted`, the oldest first.
    pub(super) fn of_commands(&mut self, wanted: &[Index]) -> BTreeMap<Index, Vec<Stat>> {
        let mut stats: Vec<Stat> = self.stats.values().copied().filter(|stat| !stat.zombie).collect();
        stats.sort_unstable_by_key(|stat| (stat.id.start_time, stat.id.pid));
        let mut found: BTreeMap<Index, Vec<Stat>> = BTreeMap::new();
        for stat in stats {
            if let Some(owner) = self.owner(stat, wanted) {
                found.entry(owner).or_default().push(stat);
            }
        }
        found
    }

    fn owner(&mut self, stat: Stat, wanted: &[Index]) -> Option<Index> {
        let mut at = stat;
        for _ in 0..DEPTH_MAX {
            if at.id.pid == self.own_pid {
                return None;
            }
            if let Some(&index) = self.roots.get(&at.id) {
                return Some(index);
            }
            if at.parent == self.own_pid {
                return self.orphan(at, true, wanted);
            }
            match self.parent(&at) {
                Some(parent) => at = parent,
                // At the top of the machine: only what an earlier supervisor left can be there.
                None if self.adopted => return self.adopted_by(stat, wanted),
                None => return None,
            }
        }
        None
    }

    /// Whose a process is that is not below this one: of itself or of the nearest above it that can be told.
    fn adopted_by(&mut self, stat: Stat, wanted: &[Index]) -> Option<Index> {
        let mut at = Some(stat);
        for _ in 0..DEPTH_MAX {
            let here = at?;
            if !self.strangers.contains(&here.id) {
                if let Some(owner) = self.orphan(here, false, wanted) {
                    return Some(owner);
                }
                if self.orphans.known.contains_key(&here.id) {
                    return None;
                }
                self.strangers.insert(here.id);
            }
            at = self.stats.get(&here.parent).copied();
        }
        None
    }

    /// The parent, also when it ended while the processes were listed and the child has a new one.
    fn parent(&self, child: &Stat) -> Option<Stat> {
        self.stats.get(&child.parent).copied().or_else(|| {
            let now = process::stat(child.id.pid).filter(|now| now.id == child.id)?;
            if now.parent == self.own_pid {
                Some(Stat { parent: self.own_pid, ..now })
            } else {
                process::stat(now.parent)
            }
        })
    }

    /// Whose a process is that has nobody of the run above it. `below`: the supervisor is its parent.
    fn orphan(&mut self, stat: Stat, below: bool, wanted: &[Index]) -> Option<Index> {
        let live = |index: &Index| self.commands.get(*index).live().is_some();
        let known = self.orphans.known.get(&stat.id).copied();
        let owner = known.unwrap_or_else(|| self.find_owner(&stat, below));
        let owner = match owner {
            Owner::Nobody if below => self.whose_in_doubt(stat.id, wanted),
            Owner::Command(index) if !live(&index) => Owner::Spared,
            other => other,
        };
        if owner != Owner::Nobody {
            self.orphans.known.insert(stat.id, owner);
        }
        match owner {
            Owner::Command(index) => Some(index),
            Owner::Spared | Owner::Nobody => None,
        }
    }

    fn find_owner(&self, stat: &Stat, below: bool) -> Owner {
        let marked = process::started_with(stat.id.pid, MARKER);
        if let Some(key) = marked.as_deref().and_then(|marker| marker.strip_prefix(self.run)?.strip_prefix('/')) {
            let named = self.commands.all().find(|(_, command)| command.key.as_str() == key);
            return named.map_or(Owner::Spared, |(index, command)| owner_of(index, command));
        }
        let leads = |command: &Command| {
            command.root.is_some_and(|root| {
                [stat.group, stat.session].contains(&root.pid) && stat.id.start_time >= root.start_time
            })
        };
        self.first(leads).unwrap_or_else(|| {
            if !below {
                return Owner::Nobody;
            }
            let holds: Vec<_> = output::outputs_of(stat.id.pid).collect();
            self.first(|command| command.writes_to.iter().any(|id| holds.contains(id))).unwrap_or(Owner::Nobody)
        })
    }

    /// The command for which this is true, a live one rather than one that is over.
    fn first(&self, is: impl Fn(&Command) -> bool) -> Option<Owner> {
        let live = self.commands.live().map(|(index, _)| index).find(|&index| is(self.commands.get(index)));
        let any = || self.commands.all().find(|(_, command)| is(command)).map(|(index, _)| index);
        live.or_else(any).map(|index| owner_of(index, self.commands.get(index)))
    }

    fn whose_in_doubt(&self, id: ProcessId, wanted: &[Index]) -> Owner {
        let left_behind = self.commands.all().any(|(_, command)| match (&command.state, command.root) {
            (State::Over(ended, at), Some(root)) => {
                ended.signalled.is_none() && (root.start_time..=*at).contains(&id.start_time)
            }
            _ => false,
        });
        if left_behind {
            return Owner::Spared;
        }
        let began =
            |index: &&Index| self.commands.get(**index).root.is_some_and(|root| root.start_time <= id.start_time);
        wanted.iter().find(began).map_or(Owner::Nobody, |&index| Owner::Command(index))
    }
}

fn owner_of(index: Index, command: &Command) -> Owner {
    if command.live().is_some() { Owner::Command(index) } else { Owner::Spared }
}

/// Children of this process that are over and belong to no command: nobody else will ever reap them.
pub(super) fn zombies(commands: &Commands) -> std::io::Result<Vec<ProcessId>> {
    let own = std::process::id();
    let roots: HashSet<ProcessId> = commands.live().filter_map(|(index, _)| commands.get(index).root).collect();
    let all = process::all()?.into_iter();
    Ok(all.filter(|stat| stat.zombie && stat.parent == own && !roots.contains(&stat.id)).map(|stat| stat.id).collect())
}
