//! Starts one command through duct.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::sync::Arc;

use super::mask::Masker;
use super::output::{FileId, OutputFile, Pump};
use super::process;
use super::protocol::{Exit, ProcessId, Secret, SpawnErrorKind, StartRequest};
use super::status::Output;

/// The variable by which a process of a command is recognised, wherever it went: `<run>/<key>`.
pub(super) const MARKER: &str = "RUNBOOK_ATTEMPT";

/// A command that was started.
pub(super) struct Spawned {
    pub(super) handle: duct::Handle,
    pub(super) root: ProcessId,
    pub(super) root_handle: OwnedFd,
}

/// The files of a command, open, and how its output gets into them.
pub(super) struct Channels {
    pub(super) output: Output,
    pub(super) pumps: Vec<Pump>,
    pub(super) writes_to: Vec<FileId>,
    pub(super) files: OutputFiles,
}

/// What the command gets as its standard output and standard error.
pub(super) struct OutputFiles {
    stdout: File,
    stderr: File,
}

/// Opens the output files, with pipes in front of them when there is something to mask.
pub(super) fn open_channels(request: &StartRequest) -> Result<Channels, Exit> {
    let masker = Masker::new(&request.mask).map_err(|error| failure(SpawnErrorKind::Other, error.to_string()))?;
    let masker = (!masker.is_empty()).then(|| Arc::new(masker));
    let (mut pumps, mut writes_to) = (Vec::new(), Vec::new());
    let mut open = |path: &std::path::Path| -> io::Result<(OutputFile, File)> {
        let (noted, file) = OutputFile::open(path)?;
        let Some(masker) = &masker else {
            writes_to.push(file.metadata()?.into());
            return Ok((noted, file));
        };
        let (pump, writer) = Pump::new(file, Arc::clone(masker))?;
        writes_to.push(pump.pipe_id()?);
        pumps.push(pump);
        Ok((noted, writer))
    };
    let mut opened = |path: &std::path::Path| {
        let message = |error| format!("cannot write output to `{}`: {error}", path.display());
        open(path).map_err(|error| failure(SpawnErrorKind::Output, message(error)))
    };
    let (stdout_noted, stdout) = opened(&request.stdout)?;
    let (stderr_noted, stderr) = opened(&request.stderr)?;
    let output = Output { stdout: stdout_noted, stderr: stderr_noted };
    Ok(Channels { output, pumps, writes_to, files: OutputFiles { stdout, stderr } })
}

/// Starts the command in a process group of its own. The absolute path and the missing `pre_exec` keep it on the fast way to spawn.
pub(super) fn spawn(request: &StartRequest, run: &str, files: OutputFiles) -> Result<Spawned, Exit> {
    if !request.program.is_absolute() || !request.dir.is_absolute() {
        return Err(failure(SpawnErrorKind::Other, "program and working folder must be absolute paths".to_owned()));
    }
    let command = prepare(request, run, files);
    let handle = command.start().map_err(|error| explain(request, &error))?;
    let pid = handle.pids().first().copied().unwrap_or_default();
    // Not reaped yet, so `/proc` still shows it even if it is over.
    let root = process::stat(pid).map_or(ProcessId { pid, start_time: 0 }, |stat| stat.id);
    match process::open_child(pid) {
        Ok(root_handle) => Ok(Spawned { handle, root, root_handle }),
        Err(error) => {
            // Nobody could see it end. That it did nothing yet cannot be said any more.
            tracing::error!(%error, key = %request.key, "no handle on a started command; it is killed");
            let _ = handle.kill();
            Err(Exit::Unknown)
        }
    }
}

fn prepare(request: &StartRequest, run: &str, files: OutputFiles) -> duct::Expression {
    let mut command = duct::cmd(&request.program, &request.args)
        .unchecked()
        .stdin_null()
        .stdout_file(files.stdout)
        .stderr_file(files.stderr)
        .dir(&request.dir);
    for name in &request.env_remove {
        command = command.env_remove(name);
    }
    for (name, value) in &request.env {
        command = command.env(name, value);
    }
    for (name, value) in &request.env_secret {
        command = command.env(name, Secret::expose(value));
    }
    let command = command.env(MARKER, format!("{run}/{}", request.key));
    command.before_spawn(|command| {
        command.process_group(0);
        Ok(())
    })
}

/// Says in terms of the runbook why a command could not be started.
fn explain(request: &StartRequest, error: &io::Error) -> Exit {
    let (program, dir) = (request.program.display(), request.dir.display());
    let no_dir = !request.dir.is_dir();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if no_dir => {
            failure(SpawnErrorKind::DirNotFound, format!("working folder `{dir}` does not exist"))
        }
        io::ErrorKind::NotFound if request.program.exists() => {
            let message = format!("cannot run `{program}`: the interpreter named in its first line does not exist");
            failure(SpawnErrorKind::ProgramNotFound, message)
        }
        io::ErrorKind::NotFound => {
            failure(SpawnErrorKind::ProgramNotFound, format!("program `{program}` does not exist"))
        }
        io::ErrorKind::PermissionDenied => {
            failure(SpawnErrorKind::PermissionDenied, format!("may not run `{program}` in `{dir}`"))
        }
        _ => failure(SpawnErrorKind::Other, format!("cannot run `{program}`: {error}")),
    }
}

pub(super) fn failure(kind: SpawnErrorKind, message: String) -> Exit {
    Exit::SpawnError { kind, message }
}
