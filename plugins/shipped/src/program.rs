//! What all plugins that start other programs share.

use std::io::{self, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::session::{Failed, Session};

/// The most that is kept of what a program prints, in bytes.
const PRINTED_MAX: u64 = 1 << 20;

/// The most of it that is shown in a message, in characters.
const SHOWN_MAX: usize = 300;

/// How often it is looked whether a program has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a program came to.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program to its end, with nothing to read but `stdin`. It gets as long as the call has, and no longer than `most`.
pub(crate) fn run(command: &mut Command, stdin: &[u8], most: Duration, session: &Session<'_>) -> Result<Ended, Failed> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failed::new(format!("there is no program `{name}` on PATH")),
        _ => Failed::new(format!("cannot run `{name}`: {error}")),
    };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let until = Instant::now() + session.time_left(most);
    let (given, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|threads| {
        let stdout = threads.spawn(|| printed(stdout));
        let stderr = threads.spawn(|| printed(stderr));
        threads.spawn(move || {
            // A program that does not read it says by itself what is wrong.
            given.map(|mut given| given.write_all(stdin))
        });
        let status = wait(&mut child, until).map_err(failed)?;
        let text =
            |bytes: std::thread::Result<Vec<u8>>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        let (stdout, stderr) = (text(stdout.join()), text(stderr.join()));
        match status {
            Some(status) => Ok(Ended { status, stdout, stderr }),
            None => Err(Failed::for_now(format!("`{name}` took too long, and was killed"))),
        }
    })
}

fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// What there is to read, to its end; what is too much is dropped.
fn printed(from: Option<impl Read>) -> Vec<u8> {
    let mut kept = vec![];
    if let Some(mut from) = from {
        let _ = from.by_ref().take(PRINTED_MAX).read_to_end(&mut kept);
        let _ = io::copy(&mut from, &mut io::sink());
    }
    kept
}

impl Ended {
    /// What it printed, where it succeeded.
    pub(crate) fn success(self, what: &str) -> Result<String, Failed> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(Failed::new(format!("{what} failed ({}): {}", self.status, self.shown())))
    }

    /// As much of what it said as fits into a message: the end, where programs say why.
    pub(crate) fn shown(&self) -> String {
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let skipped = line.chars().count().saturating_sub(SHOWN_MAX);
        let short: String = line.chars().skip(skipped).collect();
        match (short.is_empty(), skipped) {
            (true, _) => "it said nothing".to_owned(),
            (_, 0) => short,
            _ => format!("…{short}"),
        }
    }
}

/// A value that a program would read as an option is refused.
pub(crate) fn plain<'v>(name: &str, value: &'v str) -> Result<&'v str, Failed> {
    if value.is_empty() || value.starts_with('-') {
        return Err(Failed::new(format!("`{name}` cannot be `{value}`: it would be read as an option")));
    }
    Ok(value)
}
