//! What an earlier supervisor of the same run left: its status files, and perhaps commands that still run.

use std::io;
use std::path::Path;

use super::command::{Command, Commands, Live, State};
use super::process;
use super::protocol::{Ended, Exit, Key, ProcessId, Span, Started};
use super::spawn::MARKER;
use super::status::{Output, Phase, StatusFolder, StatusLine};

/// Makes every command known again, so that none is started twice. Live ones are watched; their exit can no longer be learned.
pub(super) fn adopt(folder: &StatusFolder, run_folder: &Path, run: &str, boot_id: &str) -> io::Result<Commands> {
    let files = folder.read_all(run_folder)?;
    let open = |file: &StatusLine| file.boot_id == boot_id && is_open(&file.phase);
    let marked = if files.iter().any(open) { marked_processes(run)? } else { Vec::new() };
    let mut commands = Commands::default();
    for file in files {
        let same_boot = file.boot_id == boot_id;
        let mut of_it: Vec<ProcessId> = Vec::new();
        if same_boot && is_open(&file.phase) {
            of_it.extend(marked.iter().filter(|(key, _)| key == file.key.as_str()).map(|(_, id)| *id));
        }
        commands.add(command(file, same_boot, &of_it)?);
    }
    Ok(commands)
}

/// Whether processes of a command may live on that are not left alone on purpose.
fn is_open(phase: &Phase) -> bool {
    match phase {
        Phase::Starting | Phase::Running(_) => true,
        Phase::Ended(ended) => ended.is_unseen(),
    }
}

fn command(file: StatusLine, same_boot: bool, marked: &[ProcessId]) -> io::Result<Command> {
    let started = match file.phase {
        Phase::Ended(mut ended) => {
            if ended.is_unseen() {
                ended.survivors = marked.to_vec();
            }
            let state = State::Over(ended, 0);
            return Ok(Command {
                key: file.key,
                kind: file.kind,
                output: file.output,
                root: None,
                writes_to: vec![],
                state,
            });
        }
        Phase::Running(started) => Some(started),
        // Spawned, and its supervisor lost before it could write down the number: the oldest that has its marker.
        Phase::Starting => marked.first().map(|&process| Started {
            process,
            started_at_ms: process::started_at_ms(process),
            stdout_from: file.output.as_ref().map_or(0, |output| output.stdout.from),
            stderr_from: file.output.as_ref().map_or(0, |output| output.stderr.from),
        }),
    };
    let alive = started.clone().filter(|started| same_boot && process::is_alive(started.process));
    let handle = alive.as_ref().map(|started| process::open(started.process)).transpose()?.flatten();
    let (root, state) = match (alive, handle) {
        (Some(started), Some(handle)) => {
            (Some(started.process), State::Live(Box::new(Live::new(started, None, Some(handle)))))
        }
        // Its number may be another's by now, and so may a process group of that number.
        _ => (None, State::Over(lost(started.as_ref(), file.output.as_ref(), marked), 0)),
    };
    Ok(Command { key: file.key, kind: file.kind, output: file.output, root, writes_to: vec![], state })
}

/// A command of which nobody saw the end. What it left running is named, for the person who is asked about it.
fn lost(started: Option<&Started>, output: Option<&Output>, marked: &[ProcessId]) -> Ended {
    let (stdout, stderr) = spans(output);
    Ended {
        exit: Exit::Unknown,
        started_at_ms: started.map(|started| started.started_at_ms),
        ended_at_ms: process::now_ms(),
        stdout,
        stderr,
        signalled: None,
        survivors: marked.to_vec(),
    }
}

/// What a command has written so far.
pub(super) fn spans(output: Option<&Output>) -> (Span, Span) {
    output.map_or_else(Default::default, |output| (output.stdout.span(), output.stderr.span()))
}

/// The live processes of one command of this run, the oldest first, as their environment tells.
pub(super) fn survivors_of(run: &str, key: &Key) -> Vec<ProcessId> {
    let marked = marked_processes(run).unwrap_or_else(|error| {
        tracing::error!(%error, %key, "cannot look for what a command left running");
        Vec::new()
    });
    marked.into_iter().filter(|(of, _)| of == key.as_str()).map(|(_, id)| id).collect()
}

/// The live processes that were started for this run, the oldest first, each with its key.
fn marked_processes(run: &str) -> io::Result<Vec<(String, ProcessId)>> {
    let own = std::process::id();
    let mut stats: Vec<_> = process::all()?.into_iter().filter(|stat| !stat.zombie && stat.id.pid != own).collect();
    stats.sort_unstable_by_key(|stat| (stat.id.start_time, stat.id.pid));
    let marked = |stat: &process::Stat| {
        let marker = process::started_with(stat.id.pid, MARKER)?;
        Some((marker.strip_prefix(run)?.strip_prefix('/')?.to_owned(), stat.id))
    };
    Ok(stats.iter().filter_map(marked).collect())
}
