//! Speaks with one plugin about one call, and leaves what came of it: a process of its own for each call.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use runbook_plugin_protocol::{Call, LINE_MAX, Request};
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
    if let Some(stdout) = stdout {
        std::thread::spawn(move || read(BufReader::new(stdout), &tell));
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
            // What it left behind may hold its output open for ever.
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_none() => {}
            Ok(News::Closed) | Err(_) if was_told => {
                break Some(Err(Refused { code: ENDED, message: "the plugin was told to end, and did".to_owned() }));
            }
            Ok(News::Closed) | Err(_) => break None,
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
