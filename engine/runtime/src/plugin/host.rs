//! Speaks with one plugin about one call, and leaves what came of it: a process of its own for each call.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use runbook_plugin_protocol::{Call, LINE_MAX, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::Value;
use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::talk::{Answer, Heard, Refused, Talk};
use super::{Left, Task};
use crate::folder::write_whole;

/// After its answer a plugin has this long to end by itself: enough to close what is open, too short to do anything else.
const END_GRACE: Duration = Duration::from_secs(5);

/// How often the host looks whether a plugin that says nothing is there at all.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The exit code of a call that was given up because it was to end: what a shell says of TERM.
const ENDED: u8 = 143;

/// What happens while a plugin is at work.
enum News {
    Line(String),
    TooLong,
    Closed,
    Told,
}

/// Makes the call that a file describes, and says with which code to exit.
///
/// # Errors
/// When the file cannot be read, or the result cannot be left.
pub fn host(task: &Path) -> io::Result<u8> {
    let mut task: Task = serde_json::from_slice(&std::fs::read(task)?)?;
    for (input, variable) in &task.secrets {
        let secret = std::env::var(variable).map_err(io::Error::other)?;
        task.call.inputs.insert(input.clone(), Value::String(secret));
    }
    let (tell, told) = mpsc::channel();
    listen(tell.clone())?;
    let mut child = match start(&task) {
        Err(error) => {
            let why = format!("cannot start {}: {error}", task.program.display());
            return leave(&task.left, Err(Refused::broken(why)));
        }
        Ok(child) => child,
    };
    match speak(&mut child, &task.call, tell, &told)? {
        // An answer counts from now on, whoever is killed before all have ended.
        Some(answer) => {
            let code = leave(&task.left, answer)?;
            end(&mut child, &told)?;
            Ok(code)
        }
        None => {
            let status = end(&mut child, &told)?;
            leave(&task.left, Err(Refused::broken(format!("the plugin ended without an answer ({status})"))))
        }
    }
}

/// Leaves what came of the call where the engine looks for it, and says with which code to exit.
fn leave(file: &Path, answer: Answer) -> io::Result<u8> {
    let (left, code) = match answer {
        Ok(outputs) => (Left::Outputs(outputs), 0),
        Err(Refused { message, code }) => (Left::Failed { why: message, code }, code),
    };
    let mut bytes = serde_json::to_vec(&left)?;
    bytes.push(b'\n');
    write_whole(file, &bytes)?;
    Ok(code)
}

/// Hears that the call is to end; a second time changes nothing, since KILL cannot be heard.
fn listen(tell: Sender<News>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if tell.send(News::Told).is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn start(task: &Task) -> io::Result<Child> {
    let mut command = Command::new(&task.program);
    command.args(&task.args).stdin(Stdio::piped()).stdout(Stdio::piped());
    // It gets its secrets with the call, and what it starts itself need not have them.
    for variable in task.secrets.values() {
        command.env_remove(variable);
    }
    command.spawn()
}

/// Speaks with the plugin until it has answered; none when it ends without.
fn speak(child: &mut Child, call: &Call, tell: Sender<News>, told: &Receiver<News>) -> io::Result<Option<Answer>> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let gone = Arc::new(AtomicBool::new(false));
    if let Some(from) = stdout {
        let output = Output { from, gone: Arc::clone(&gone) };
        std::thread::spawn(move || read(BufReader::new(output), &tell));
    }
    let mut voice = Voice(stdin);
    voice.say(&Request::Call(Box::new(call.clone())));
    let mut talk = Talk::new(call.id.clone());
    let mut was_told = false;
    Ok(loop {
        match told.recv_timeout(LOOK_AGAIN) {
            Ok(News::Line(line)) => match talk.hear(&line) {
                Heard::Nothing => {}
                Heard::Say(text) => log(&text),
                Heard::Answer(answer) => break Some(answer),
            },
            Ok(News::TooLong) => {
                let message = format!("the plugin said a line of more than {LINE_MAX} bytes");
                break Some(Err(Refused::broken(message)));
            }
            Ok(News::Told) => {
                was_told = true;
                voice.say(&Request::Cancel { id: call.id.clone() });
            }
            // One that has ended may have answered before: only its output tells that nothing more comes.
            Err(RecvTimeoutError::Timeout) => gone.store(child.try_wait()?.is_some(), Ordering::Release),
            Ok(News::Closed) | Err(RecvTimeoutError::Disconnected) if was_told => {
                break Some(Err(Refused { code: ENDED, message: "the plugin was told to end, and did".to_owned() }));
            }
            Ok(News::Closed) | Err(RecvTimeoutError::Disconnected) => break None,
        }
    })
}

/// What the plugin is told. One that does not listen any more is heard all the same.
struct Voice(Option<ChildStdin>);

impl Voice {
    fn say(&mut self, request: &Request) {
        let Some(stdin) = &mut self.0 else { return };
        let said = serde_json::to_string(request).map_err(io::Error::from).and_then(|line| {
            stdin.write_all(line.as_bytes())?;
            stdin.write_all(b"\n")?;
            stdin.flush()
        });
        if said.is_err() {
            self.0 = None;
        }
    }
}

/// The output of a plugin. What the plugin left behind may hold it open for ever, so that it ends, too, where the plugin is
/// gone and nothing is there to be read.
struct Output<F> {
    from: F,
    gone: Arc<AtomicBool>,
}

impl<F: io::Read + AsFd> io::Read for Output<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Asked before it is looked: all that the plugin wrote is in the pipe when it is gone.
            let was_gone = self.gone.load(Ordering::Acquire);
            let mut asked = [PollFd::new(&self.from, PollFlags::IN)];
            let wait = Timespec::try_from(LOOK_AGAIN).map_err(io::Error::other)?;
            match poll(&mut asked, Some(&wait)) {
                Ok(0) if was_gone => return Ok(0),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return self.from.read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Reads lines, none longer than the protocol allows.
fn read(mut from: impl BufRead, tell: &Sender<News>) {
    loop {
        let mut line = vec![];
        let most = u64::try_from(LINE_MAX + 1).unwrap_or(u64::MAX);
        let news = match from.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => News::Closed,
            Ok(_) if line.len() > LINE_MAX => News::TooLong,
            Ok(_) => News::Line(String::from_utf8_lossy(&line).into_owned()),
        };
        let is_last = !matches!(news, News::Line(_));
        if tell.send(news).is_err() || is_last {
            return;
        }
    }
}

/// Waits until the plugin has ended; kills it when it does not, a while after its answer.
fn end(child: &mut Child, told: &Receiver<News>) -> io::Result<String> {
    let mut waited = Duration::ZERO;
    while child.try_wait()?.is_none() {
        let step = Duration::from_millis(10);
        match told.recv_timeout(step) {
            // What it says after its answer is not listened to, so that it cannot block on it.
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => waited += step,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(step);
                waited += step;
            }
        }
        if waited >= END_GRACE {
            log("warning: the plugin did not end by itself after its answer, and was killed");
            child.kill()?;
            break;
        }
    }
    child.wait().map(described)
}

fn described(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "nobody knows how".to_owned(),
    }
}

/// A line for the log of the step, which standard output goes to.
fn log(text: &str) {
    // A log that takes nothing any more, as on a full disk, must not end the call.
    let _ = writeln!(io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write as _};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    use super::{News, Output, read};

    #[test]
    fn what_a_plugin_said_before_it_ended_is_heard_although_others_hold_its_output() {
        let (from, mut to) = std::io::pipe().expect("a pipe");
        to.write_all(b"hello\nresult\n").expect("room");
        let (tell, told) = mpsc::channel();
        read(BufReader::new(Output { from, gone: Arc::new(AtomicBool::new(true)) }), &tell);
        drop(tell);
        let heard: Vec<String> = told
            .iter()
            .map(|news| match news {
                News::Line(line) => line,
                News::Closed => "closed".to_owned(),
                News::TooLong | News::Told => "something else".to_owned(),
            })
            .collect();
        assert_eq!(heard, ["hello\n", "result\n", "closed"]);
        drop(to);
    }
}
