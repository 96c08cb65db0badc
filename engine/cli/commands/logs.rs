//! `runbook logs`: what the commands of a run wrote.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use runbook_core::event::Phase;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::{Status, StepStatus};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::note;
use crate::view::hint::Hints;
use crate::view::seen::Seen;

/// How often a log is looked at that is followed.
/// Within this time an engine has the run that was sent to it.
const ENGINE_COMES: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// So much is copied at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Prints what the commands of a run wrote, byte for byte
///
/// The logs go to standard output, in the order of the steps and their attempts; where there are several, headings
/// between them go to standard error. Secrets are masked in them.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  runbook logs last\n  runbook logs last restart -f\n  runbook logs 01KB3 restart.2 --stream err"
)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// A step, or one attempt of it: `restart`, `restart.2`, `restart.undo.1`, `restart.probe.1`
    step: Option<String>,
    /// Go on until the step, or the run, has ended
    #[arg(short, long)]
    follow: bool,
    /// Which of the two streams
    #[arg(long, value_enum, default_value = "both")]
    stream: Stream,
}

/// Standard output, standard error, or both of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Stream {
    /// What it wrote to standard output
    Out,
    /// What it wrote to standard error
    Err,
    /// First the one, then the other
    Both,
}

/// One log: of which step, of which attempt. They sort in the order in which they are printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Log {
    position: usize,
    phase: Phase,
    number: u32,
    is_err: bool,
    step: String,
    path: PathBuf,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let seen = Seen::look(&folder)?;
    let wanted = args.step.as_deref().map(|text| wanted(text, &seen.status, &folder)).transpose()?;
    let started = Instant::now();
    let mut printer = Printer { shown: BTreeMap::new(), last: None, has_headings: false };
    loop {
        // Asked first, so that what is written until the end is printed.
        let goes_on = args.follow && goes_on(&folder, wanted.as_ref(), started.elapsed() < ENGINE_COMES);
        let logs = found(&folder, &seen.status, wanted.as_ref(), args.stream);
        printer.has_headings |= logs.len() > 1;
        for log in &logs {
            if let Err(error) = printer.print(log) {
                return reader_or(&error, log);
            }
        }
        if !goes_on {
            if printer.shown.is_empty() {
                note("nothing was written");
            }
            return Ok(ExitCode::Succeeded);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A reader that has had enough, as in `| head`, is no failure.
fn reader_or(error: &io::Error, log: &Log) -> Result<ExitCode, Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(ExitCode::Succeeded);
    }
    Err(Failure::new(ExitCode::Internal, format!("cannot print {}: {error}", log.path.display())))
}

/// What is wanted: a step, and perhaps one attempt.
struct Wanted {
    step: String,
    attempt: Option<(Phase, u32)>,
}

fn wanted(text: &str, status: &Status, folder: &RunFolder) -> Result<Wanted, Failure> {
    let is_step = |id: &str| status.steps.iter().any(|step| step.id == id);
    let (step, rest) = text.split_once('.').map_or((text, None), |(step, rest)| (step, Some(rest)));
    let attempt = rest.map(|rest| {
        let (phase, number) = match rest.split_once('.') {
            Some(("undo", number)) => (Phase::Undo, number),
            Some(("probe", number)) => (Phase::Probe, number),
            _ => (Phase::Do, rest),
        };
        number.parse().map(|number| (phase, number))
    });
    match attempt.transpose() {
        Ok(attempt) if is_step(step) => Ok(Wanted { step: step.to_owned(), attempt }),
        _ => Err(Failure::new(ExitCode::Usage, format!("the run has no step or attempt `{text}`"))
            .hint(Hints::of(folder).command("show", ""))),
    }
}

fn found(folder: &RunFolder, status: &Status, wanted: Option<&Wanted>, stream: Stream) -> Vec<Log> {
    let positions: BTreeMap<&str, usize> =
        status.steps.iter().enumerate().map(|(position, step)| (step.id.as_str(), position)).collect();
    let names = std::fs::read_dir(folder.logs()).into_iter().flatten();
    let mut logs: Vec<Log> = names
        .filter_map(|entry| log_of(&entry.ok()?.path(), &positions))
        .filter(|log| match stream {
            Stream::Out => !log.is_err,
            Stream::Err => log.is_err,
            Stream::Both => true,
        })
        .filter(|log| wanted.is_none_or(|wanted| wanted.is_it(log)))
        .collect();
    logs.sort();
    logs
}

impl Wanted {
    fn is_it(&self, log: &Log) -> bool {
        let is_attempt = self.attempt.is_none_or(|attempt| attempt == (log.phase, log.number));
        log.step == self.step && is_attempt
    }
}

/// What a file of the logs' folder is: `<step>.<number>.out`, `<step>.undo.<number>.err`, `<step>.probe.<number>.out`.
fn log_of(path: &std::path::Path, positions: &BTreeMap<&str, usize>) -> Option<Log> {
    let parts: Vec<&str> = path.file_name()?.to_str()?.split('.').collect();
    let (step, phase, number, stream) = match parts.as_slice() {
        [step, number, stream] => (*step, Phase::Do, number, *stream),
        [step, "undo", number, stream] => (*step, Phase::Undo, number, *stream),
        [step, "probe", number, stream] => (*step, Phase::Probe, number, *stream),
        _ => return None,
    };
    let is_err = match stream {
        "out" => false,
        "err" => true,
        _ => return None,
    };
    let position = *positions.get(step)?;
    Some(Log { position, phase, number: number.parse().ok()?, is_err, step: step.to_owned(), path: path.to_owned() })
}

/// Whether more may be written; an engine that was sent to the background may be about to take the run.
fn goes_on(folder: &RunFolder, wanted: Option<&Wanted>, may_come: bool) -> bool {
    if !may_come && !folder.has_engine() {
        return false;
    }
    let Ok(status) = Status::read(folder) else { return true };
    let ended = |step: &StepStatus| {
        let is_settled = matches!(step.state.as_str(), "succeeded" | "failed" | "skipped" | "blocked" | "cancelled");
        is_settled && !matches!(step.undo.as_deref(), Some("running"))
    };
    let step = wanted.and_then(|wanted| status.steps.iter().find(|step| step.id == wanted.step));
    status.ended_at.is_none() && step.is_none_or(|step| !ended(step))
}

struct Printer {
    /// How much of each log is printed.
    shown: BTreeMap<PathBuf, u64>,
    last: Option<PathBuf>,
    has_headings: bool,
}

impl Printer {
    /// Prints what is new in a log.
    fn print(&mut self, log: &Log) -> io::Result<()> {
        let mut file = match File::open(&log.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let from = self.shown.get(&log.path).copied().unwrap_or(0);
        file.seek(SeekFrom::Start(from))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut to = from;
        let mut out = io::stdout().lock();
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            if self.has_headings && self.last.as_ref() != Some(&log.path) {
                out.flush()?;
                note(heading(log));
            }
            self.last = Some(log.path.clone());
            out.write_all(&chunk[..count])?;
            to += count as u64;
            self.shown.insert(log.path.clone(), to);
        }
        out.flush()
    }
}

fn heading(log: &Log) -> String {
    let what = match log.phase {
        Phase::Do => "",
        Phase::Undo => "rollback of ",
        Phase::Probe => "done_when of ",
    };
    let stream = if log.is_err { "standard error" } else { "standard output" };
    format!("==> {what}{}, attempt {}, {stream} <==", log.step, log.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::units::RunId;
    use runbook_runtime::folder::StateFolder;

    #[test]
    fn logs_come_in_the_order_of_steps_and_attempts() {
        let folder = tempfile::tempdir().unwrap();
        let run = StateFolder::new(folder.path()).create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        for name in ["b.2.out", "b.10.out", "a.undo.1.err", "a.1.err", "a.1.out", "c.1.out", "engine.out", "b.2"] {
            std::fs::write(run.logs().join(name), name).unwrap();
        }
        let positions = BTreeMap::from([("b", 0), ("a", 1)]);
        let files = std::fs::read_dir(run.logs()).unwrap().map(|entry| entry.unwrap().path());
        let mut logs: Vec<Log> = files.filter_map(|path| log_of(&path, &positions)).collect();
        logs.sort();
        let names: Vec<String> =
            logs.iter().map(|log| log.path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["b.2.out", "b.10.out", "a.1.out", "a.1.err", "a.undo.1.err"]);
        let wanted = Wanted { step: "a".to_owned(), attempt: Some((Phase::Undo, 1)) };
        assert_eq!(logs.iter().filter(|log| wanted.is_it(log)).count(), 1);
        assert_eq!(heading(&logs[4]), "==> rollback of a, attempt 1, standard error <==");
    }
}
