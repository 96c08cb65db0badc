//! What a runbook needs to know and was not told, asked for in the terminal before a run exists.
//!
//! Everything goes to standard error. Leaving, by Ctrl-C, Ctrl-D, Esc or a signal, leaves the terminal as it was found.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use inquire::ui::RenderConfig;
use inquire::validator::Validation;
use inquire::{Confirm, InquireError, Select, Text};
use runbook_core::plan::{Param, ParamKind};
use runbook_language::parse_param;
use runbook_runtime::exit_code::ExitCode;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;
use crate::view::text::{value as plain, visible, visible_line};

/// Shows the cursor, and ends the mode in which pasted text is marked.
const RESTORE: &[u8] = b"\x1b[?25h\x1b[?2004l";

/// The choices of a menu that are seen at once.
const PAGE: usize = 12;

/// A terminal with somebody at it.
pub(crate) struct Menu {
    is_dumb: bool,
    has_begun: bool,
    /// What did not happen when the person leaves.
    nothing: &'static str,
    _guard: Guard,
}

impl Menu {
    /// The terminal, when there is one to ask at. `nothing` says what did not happen when the person leaves.
    pub(crate) fn open(nothing: &'static str) -> Option<Self> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let is_dumb = crate::view::is_dumb();
        Some(Self { is_dumb, has_begun: false, nothing, _guard: Guard::new(is_dumb, nothing).ok()? })
    }

    /// Asks for the value of a param, or of what `what` says, until one can be used. `wrong` says why the one that was given cannot.
    ///
    /// # Errors
    /// When the person leaves, with the exit code of something cancelled.
    pub(crate) fn ask(&mut self, what: &str, name: &str, param: &Param, wrong: Option<&str>) -> Result<Value, Failure> {
        if !self.has_begun {
            // What was typed before there was a question is no answer to it.
            let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
            self.has_begun = true;
        }
        introduce(what, name, param, wrong);
        let answer = if self.is_dumb { ask_by_line(name, param) } else { ask_by_keys(name, param) };
        match answer {
            Ok(value) => Ok(value),
            Err(Left::Person) => Err(Failure::new(
                ExitCode::Cancelled,
                format!("left at the question for the {what} `{name}`; {}", self.nothing),
            )),
            Err(Left::Error(error)) => Err(Failure::new(
                ExitCode::Precondition,
                format!("the {what} `{name}` is missing, and the terminal cannot be asked: {error}"),
            )
            .hint(format!("give it as `{name}=VALUE`"))),
        }
    }
}

/// Why there is no answer.
enum Left {
    Person,
    Error(String),
}

impl From<InquireError> for Left {
    fn from(error: InquireError) -> Self {
        match error {
            InquireError::OperationCanceled | InquireError::OperationInterrupted => Self::Person,
            other => Self::Error(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Left {
    fn from(error: std::io::Error) -> Self {
        Self::Error(error.to_string())
    }
}

/// Says what is asked for.
fn introduce(what: &str, name: &str, param: &Param, wrong: Option<&str>) {
    crate::output::note("");
    if let Some(reason) = wrong {
        crate::output::note(format!("the {what} `{name}` cannot be used: {}", visible_line(reason)));
    }
    if let Some(description) = &param.description {
        let width = usize::from(console::Term::stderr().size().1).clamp(20, 100);
        for line in wrapped(&visible(description), width) {
            crate::output::note(line);
        }
    }
}

/// A text in lines of a width, broken between words.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![];
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let longer = console::measure_text_width(&line) + 1 + console::measure_text_width(word);
            if !line.is_empty() && longer > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

fn ask_by_keys(name: &str, param: &Param) -> Result<Value, Left> {
    let look = match console::colors_enabled_stderr() {
        true => RenderConfig::default_colored(),
        false => RenderConfig::empty(),
    };
    if !param.choices.is_empty() {
        let choices: Vec<String> = param.choices.iter().map(plain).collect();
        let menu = Select::new(name, choices).with_render_config(look).without_filtering().with_page_size(PAGE);
        let chosen = menu.with_help_message("arrow keys to move, Enter to choose, Esc to leave").raw_prompt()?;
        return Ok(param.choices[chosen.index].clone());
    }
    if param.kind == ParamKind::Boolean {
        let question = Confirm::new(name).with_render_config(look).with_placeholder("yes or no");
        return Ok(Value::Bool(question.with_help_message("y or n, then Enter; Esc to leave").prompt()?));
    }
    let for_check = param.clone();
    let check = move |text: &str| match typed(&for_check, text) {
        Ok(_) => Ok(Validation::Valid),
        Err(reason) => Ok(Validation::Invalid(visible_line(&reason).into())),
    };
    let help = format!("{}; Esc to leave", kind(param.kind));
    let question = Text::new(name).with_render_config(look).with_validator(check).with_help_message(&help);
    let text = question.prompt()?;
    typed(param, &text).map_err(Left::Error)
}

/// Asks at a terminal that cannot move its cursor: whole lines, edited by the terminal itself.
fn ask_by_line(name: &str, param: &Param) -> Result<Value, Left> {
    loop {
        let mut err = std::io::stderr().lock();
        write!(err, "{name} ({}): ", allowed(param))?;
        err.flush()?;
        drop(err);
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            crate::output::note("");
            return Err(Left::Person);
        }
        match typed(param, line.trim_end_matches(['\r', '\n'])) {
            Ok(value) => return Ok(value),
            Err(reason) => crate::output::note(visible_line(&reason)),
        }
    }
}

/// What was typed, as a value.
fn typed(param: &Param, text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Err("a value is needed".to_owned());
    }
    if param.kind == ParamKind::Boolean {
        match text.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(Value::Bool(true)),
            "n" | "no" => return Ok(Value::Bool(false)),
            _ => {}
        }
    }
    parse_param(param, text)
}

/// The values that a param may have, for people: `a, b or c`, or its type.
pub(crate) fn allowed(param: &Param) -> String {
    let choices: Vec<String> = param.choices.iter().map(|choice| format!("`{}`", plain(choice))).collect();
    match choices.split_last() {
        None => kind(param.kind).to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// A type as people read it.
fn kind(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::String => "a text",
        ParamKind::Integer => "a whole number",
        ParamKind::Number => "a number",
        ParamKind::Boolean => "`true` or `false`",
        ParamKind::Duration => "a duration such as `30s` or `1h30m`",
        ParamKind::List => "a list such as `a,b` or `[\"a\", \"b\"]`",
        ParamKind::Object => "an object such as `{\"a\": 1}`",
    }
}

/// Ends the program when it is told to while it asks: the libraries below would leave the terminal without echo, or, at a
/// terminal that is gone, ask for ever.
struct Guard {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    fn new(is_dumb: bool, nothing: &'static str) -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let is_over = Arc::new(AtomicBool::new(false));
        let for_thread = is_over.clone();
        let watch = move || {
            while !for_thread.load(Ordering::Acquire) {
                if is_hung_up() || signals.pending().next().is_some() {
                    leave(&before, is_dumb, nothing);
                }
            }
        };
        let thread = std::thread::Builder::new().name("menu".to_owned()).spawn(watch)?;
        Ok(Self { is_over, thread: Some(thread) })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It looks again within a moment.
            let _ = thread.join();
        }
    }
}

/// Waits a moment for the terminal to go away; whether it has.
fn is_hung_up() -> bool {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    let moment = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    poll(&mut fds, Some(&moment)).is_ok()
        && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

#[expect(clippy::exit, reason = "the thread that asks is stuck in a read; no run exists yet")]
fn leave(before: &Termios, is_dumb: bool, nothing: &str) {
    let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
    let mut err = std::io::stderr().lock();
    if !is_dumb {
        let _ = err.write_all(RESTORE);
    }
    let _ = writeln!(err, "\nerror: left at a question; {nothing}");
    std::process::exit(ExitCode::Cancelled as i32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn param(kind: ParamKind, choices: Vec<Value>) -> Param {
        Param { kind, choices, required: true, default: None, description: None }
    }

    #[test]
    fn typed_text_is_checked_and_nothing_is_no_answer() {
        let text = param(ParamKind::String, vec![json!("a"), json!("b")]);
        assert_eq!(typed(&text, "b"), Ok(json!("b")));
        assert_eq!(typed(&text, "c"), Err("`c` is none of `a`, `b`".to_owned()));
        assert_eq!(typed(&text, "  "), Err("a value is needed".to_owned()));
        let flag = param(ParamKind::Boolean, vec![]);
        for (text, value) in [("y", true), ("Yes", true), ("true", true), ("n", false), ("NO", false)] {
            assert_eq!(typed(&flag, text), Ok(json!(value)), "{text}");
        }
        assert!(typed(&flag, "maybe").is_err());
        assert_eq!(typed(&param(ParamKind::Duration, vec![]), "90m"), Ok(json!("1h30m")));
    }

    #[test]
    fn what_is_allowed_is_said() {
        let choices = |count: i64| allowed(&param(ParamKind::Integer, (1..=count).map(Value::from).collect()));
        assert_eq!([choices(0), choices(1), choices(3)], ["a whole number", "`1`", "`1`, `2` or `3`"]);
    }

    #[test]
    fn long_descriptions_are_broken_between_words() {
        assert_eq!(wrapped("one two three\n\nfour", 7), ["one two", "three", "", "four"]);
        assert_eq!(wrapped("incomprehensible", 5), ["incomprehensible"]);
    }
}
