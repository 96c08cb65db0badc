//! A secret that a program prints. It is run for the value and forgotten: nothing of what it prints is kept or logged.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use runbook_core::plan::SecretCommand;
use runbook_core::units::format_duration;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;

use super::without_newline;
use crate::supervisor::{Masker, Secret, resolve_program};

/// The most that a secret may hold, in bytes: what an environment variable may.
const VALUE_MAX: usize = 64 * 1024;

/// The most of the standard error of a program that is shown, in characters.
const SAID_MAX: usize = 400;

/// The most of it that is read, in bytes.
const SAID_READ_MAX: usize = 64 * 1024;

/// Runs the program, and gives what it printed.
///
/// # Errors
/// Why there is no value, as a sentence that begins with the program's name. It holds what the program wrote to standard error,
/// without the secrets in `known` and without what it printed.
pub(super) async fn value_of(command: &SecretCommand, dir: &Path, known: &[Secret]) -> Result<Secret, String> {
    let Some((name, args)) = command.argv.split_first() else { return Err("no program is named".to_owned()) };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = resolve_program(name, &path, dir).map_err(|error| error.to_string())?;
    let mut start = tokio::process::Command::new(program);
    start.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (child, mut group) = spawn(&mut start).map_err(|error| format!("`{name}` cannot be started: {error}"))?;
    let limit = Duration::from_millis(command.timeout_ms);
    let Ok(ran) = tokio::time::timeout(limit, run(child)).await else {
        return Err(format!("`{name}` did not end within {}", format_duration(command.timeout_ms)));
    };
    let too_long = || format!("`{name}` printed more than 64 KiB");
    let Ran { exit, printed, said } = ran.map_err(|stopped| match stopped {
        Stopped::TooLong => too_long(),
        Stopped::Unread(error) => format!("`{name}` cannot be waited for: {error}"),
    })?;
    // It ended, and its number may be another's soon.
    group.0 = None;
    let text = String::from_utf8(printed);
    if !exit.success() {
        let printed = text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        return Err(format!("`{name}` ended with {}{}", described(exit), shown(&said, &printed, known)));
    }
    let text = text.map_err(|_| format!("`{name}` printed what is no text in UTF-8"))?;
    let value = without_newline(&text);
    match value {
        _ if value.len() > VALUE_MAX => Err(too_long()),
        "" => Err(format!("`{name}` printed nothing")),
        _ if value.contains('\0') => {
            Err(format!("`{name}` printed a NUL byte, which no environment variable can hold"))
        }
        _ => Ok(Secret::new(value)),
    }
}

/// Runs a program of which only its end matters, and gives that and what it wrote to standard error; nothing where it did not
/// end in time, and was killed with all that it started.
///
/// # Errors
/// When it cannot be started or waited for, as a sentence.
pub(crate) async fn last_words(
    mut start: tokio::process::Command,
    limit: Duration,
) -> Result<Option<(ExitStatus, String)>, String> {
    let (child, mut group) = spawn(&mut start).map_err(|error| format!("it cannot be started: {error}"))?;
    let Ok(ran) = tokio::time::timeout(limit, run(child)).await else { return Ok(None) };
    let ran = ran.map_err(|stopped| match stopped {
        Stopped::TooLong => "it printed too much".to_owned(),
        Stopped::Unread(error) => format!("it cannot be waited for: {error}"),
    })?;
    group.0 = None;
    Ok(Some((ran.exit, String::from_utf8_lossy(&ran.said).into_owned())))
}

/// Starts it in a group of its own, so that all of it can be ended.
fn spawn(start: &mut tokio::process::Command) -> std::io::Result<(Child, Group)> {
    let child = start.process_group(0).spawn()?;
    let group = Group(child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)));
    Ok((child, group))
}

struct Ran {
    exit: ExitStatus,
    printed: Vec<u8>,
    said: Vec<u8>,
}

/// Why a program was not waited for.
enum Stopped {
    TooLong,
    Unread(std::io::Error),
}

async fn run(mut child: Child) -> Result<Ran, Stopped> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let printed = async {
        match read(stdout, VALUE_MAX + 2).await {
            // It may go on for ever, and what it printed is refused anyway.
            Ok(printed) if printed.len() > VALUE_MAX + 1 => Err(Stopped::TooLong),
            printed => printed.map_err(Stopped::Unread),
        }
    };
    let said = async { read_all(stderr, SAID_READ_MAX).await.map_err(Stopped::Unread) };
    let (printed, said) = tokio::try_join!(printed, said)?;
    let exit = child.wait().await.map_err(Stopped::Unread)?;
    Ok(Ran { exit, printed, said })
}

/// What comes out of a pipe, up to a bound.
async fn read(pipe: Option<impl AsyncRead + Unpin>, bytes_max: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    if let Some(pipe) = pipe {
        pipe.take(bytes_max as u64).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// The same, and takes the rest away, so that a program with much to say goes on.
async fn read_all(pipe: Option<impl AsyncRead + Unpin>, bytes_max: usize) -> std::io::Result<Vec<u8>> {
    let Some(mut pipe) = pipe else { return Ok(vec![]) };
    let bytes = read(Some(&mut pipe), bytes_max).await?;
    tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    Ok(bytes)
}

fn described(exit: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (exit.code(), exit.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

/// What a program that failed had to say, in one line: its last words, and nothing that it printed or that is secret.
fn shown(said: &[u8], printed: &str, known: &[Secret]) -> String {
    let mut hidden: Vec<Secret> = known.to_vec();
    hidden.push(Secret::new(printed));
    hidden.extend(printed.lines().map(Secret::new));
    let Ok(masker) = Masker::new(&hidden) else { return String::new() };
    let said = masker.mask(&String::from_utf8_lossy(said));
    let lines: Vec<String> = said.lines().map(plain).filter(|line| !line.is_empty()).collect();
    let said = lines.join("; ");
    if said.is_empty() {
        return String::new();
    }
    let cut = said.chars().count().saturating_sub(SAID_MAX);
    let dots = if cut > 0 { "…" } else { "" };
    format!(": {dots}{}", said.chars().skip(cut).collect::<String>())
}

fn plain(line: &str) -> String {
    line.trim().chars().filter(|one| !one.is_control()).collect()
}

/// Ends what a program started when nobody waits for it any more.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // There is none where all of it has ended.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(script: &str, timeout_ms: u64) -> Result<String, String> {
        let argv = ["bash", "-c", script].map(str::to_owned).to_vec();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let known = [Secret::new("hunter2secret")];
        let value = runtime.block_on(value_of(&SecretCommand { argv, timeout_ms }, Path::new("/"), &known));
        value.map(|value| value.expose().to_owned())
    }

    #[test]
    fn what_it_prints_is_the_value_less_one_newline() {
        for (script, printed) in [
            ("echo abcd", "abcd"),
            ("printf 'abcd\\r\\n'", "abcd"),
            ("printf 'ab\\ncd\\n\\n'", "ab\ncd\n"),
            ("pwd; cat", "/"),
            ("echo abcd; echo warning >&2", "abcd"),
        ] {
            assert_eq!(value(script, 60_000).as_deref(), Ok(printed), "{script}");
        }
        assert_eq!(value("head -c 65536 /dev/zero | tr '\\0' x; echo", 60_000).map(|it| it.len()), Ok(65_536));
    }

    #[test]
    fn why_there_is_none_names_the_program_and_never_what_it_printed() {
        for (script, reason) in [
            ("exit 3", "`bash` ended with exit code 3"),
            ("kill -9 $$", "`bash` ended with signal 9"),
            ("true", "`bash` printed nothing"),
            ("echo", "`bash` printed nothing"),
            ("printf '\\xff\\xff'", "`bash` printed what is no text in UTF-8"),
            ("printf 'ab\\0cd'", "`bash` printed a NUL byte, which no environment variable can hold"),
            ("yes", "`bash` printed more than 64 KiB"),
            ("head -c 65537 /dev/zero | tr '\\0' x", "`bash` printed more than 64 KiB"),
            (
                "echo 'no key'$'\\e'; echo no >&2; echo 'such item' >&2; exit 1",
                "`bash` ended with exit code 1: no; such item",
            ),
            (
                "echo half-a-token; echo 'got half-a-token of hunter2secret' >&2; exit 1",
                "`bash` ended with exit code 1: got *** of ***",
            ),
        ] {
            assert_eq!(value(script, 60_000), Err(reason.to_owned()), "{script}");
        }
    }

    #[test]
    fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        // The pipe stays open as long as the second process lives, so only its end lets this one be over.
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        assert_eq!(value(&script, 300), Err("`bash` did not end within 300ms".to_owned()));
        let Ok(pid) = std::fs::read_to_string(&file).unwrap_or_default().trim().parse::<i32>() else { return };
        let gone = || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
        while !gone() {
            std::thread::yield_now();
        }
    }
}
