//! What a plugin says, line by line, and what that comes to: no process, no clock.

use runbook_plugin_protocol::{PROTOCOL, Reply};
use serde_json::{Map, Value};

use super::BROKEN;

/// The most of a line that is shown in a message, in characters.
const SHOWN_MAX: usize = 80;

/// A conversation about one call.
pub(super) struct Talk {
    id: String,
    greeted: bool,
}

/// What a line means.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// Nothing to be kept.
    Nothing,
    /// For the log.
    Say(String),
    /// The answer.
    Answer(Answer),
}

/// How a call ended.
pub(super) type Answer = Result<Map<String, Value>, Refused>;

/// Why a call has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The exit code of the step.
    pub(super) code: u8,
    /// Why, in one sentence.
    pub(super) message: String,
}

impl Refused {
    /// The plugin did not keep to the protocol.
    pub(super) fn broken(message: impl Into<String>) -> Self {
        Self { code: BROKEN, message: message.into() }
    }
}

impl Talk {
    pub(super) fn new(id: String) -> Self {
        Self { id, greeted: false }
    }

    /// What a line of the plugin means.
    pub(super) fn hear(&mut self, line: &str) -> Heard {
        if line.trim().is_empty() {
            return Heard::Nothing;
        }
        let reply = match serde_json::from_str::<Reply>(line) {
            Ok(reply) => reply,
            Err(error) => {
                let message =
                    format!("the plugin said what is no message of the protocol: `{}` ({error})", shown(line));
                return Heard::Answer(Err(Refused::broken(message)));
            }
        };
        let broken = |message: String| Heard::Answer(Err(Refused::broken(message)));
        match reply {
            Reply::Hello { protocol: PROTOCOL } if !self.greeted => {
                self.greeted = true;
                Heard::Nothing
            }
            Reply::Hello { protocol: PROTOCOL } => broken("the plugin said hello twice".to_owned()),
            Reply::Hello { protocol } => broken(format!(
                "the plugin speaks version {protocol} of the protocol, and this program version {PROTOCOL}"
            )),
            _ if !self.greeted => broken("the plugin did not begin with `hello`".to_owned()),
            Reply::Log { level, message } => Heard::Say(format!("{}: {}", level.word(), one_line(&message))),
            Reply::Progress { done, total, message } => Heard::Say(progress(done, total, message.as_deref())),
            Reply::Result { id, .. } | Reply::Error { id, .. } if id != self.id => {
                broken(format!("the plugin answered the call `{}`, and was asked `{}`", shown(&id), self.id))
            }
            Reply::Result { outputs, .. } => Heard::Answer(Ok(outputs)),
            Reply::Error { message, exit_code, .. } => {
                let code = exit_code.filter(|code| (1..=99).contains(code)).unwrap_or(1);
                let message =
                    if message.trim().is_empty() { "the plugin does not say why".to_owned() } else { message };
                Heard::Answer(Err(Refused { code, message: one_line(&message) }))
            }
        }
    }
}

fn progress(done: u64, total: Option<u64>, message: Option<&str>) -> String {
    let of = total.map(|total| format!("/{total}")).unwrap_or_default();
    let what = message.map(|message| format!(" {}", one_line(message))).unwrap_or_default();
    format!("progress: {done}{of}{what}")
}

/// Whatever a message holds, it is one line of the log.
fn one_line(text: &str) -> String {
    text.trim_end().replace(['\n', '\r'], " ")
}

fn shown(line: &str) -> String {
    let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut short: String = line.chars().take(SHOWN_MAX).map(visible).collect();
    if line.chars().nth(SHOWN_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::{Heard, Refused, Talk};

    fn answer(lines: &[&str]) -> Heard {
        let mut talk = Talk::new("post.1".to_owned());
        let mut last = Heard::Nothing;
        for line in lines {
            last = talk.hear(line);
        }
        last
    }

    fn refused(lines: &[&str]) -> (u8, String) {
        match answer(lines) {
            Heard::Answer(Err(Refused { code, message })) => (code, message),
            other => panic!("{other:?}"),
        }
    }

    const HELLO: &str = r#"{"type":"hello","protocol":1}"#;

    #[test]
    fn an_answer_to_the_call_counts() {
        let lines = [HELLO, "", r#"{"type":"result","id":"post.1","outputs":{"ts":"1"}}"#];
        assert!(matches!(answer(&lines), Heard::Answer(Ok(outputs)) if outputs["ts"] == "1"));
        let lines = [HELLO, r#"{"type":"error","id":"post.1","message":"no\nsuch channel","exit_code":3}"#];
        assert_eq!(refused(&lines), (3, "no such channel".to_owned()));
    }

    #[test]
    fn what_is_said_on_the_way_is_one_line_of_the_log() {
        let log = r#"{"type":"log","level":"warning","message":"two\nlines"}"#;
        assert_eq!(answer(&[HELLO, log]), Heard::Say("warning: two lines".to_owned()));
        let progress = r#"{"type":"progress","done":3,"total":10,"message":"tables"}"#;
        assert_eq!(answer(&[HELLO, progress]), Heard::Say("progress: 3/10 tables".to_owned()));
    }

    #[test]
    fn whatever_breaks_the_protocol_is_named() {
        let cases: [(&[&str], &str); 5] = [
            (&[r#"{"type":"hello","protocol":2}"#], "speaks version 2 of the protocol, and this program version 1"),
            (&[r#"{"type":"log","message":"x"}"#], "did not begin with `hello`"),
            (&[HELLO, HELLO], "said hello twice"),
            (&[HELLO, "Traceback (most recent call last):"], "no message of the protocol: `Traceback"),
            (&[HELLO, r#"{"type":"result","id":"post.2"}"#], "answered the call `post.2`, and was asked `post.1`"),
        ];
        for (lines, part) in cases {
            let (code, message) = refused(lines);
            assert_eq!(code, 70, "{message}");
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn an_exit_code_that_means_something_else_is_not_taken_over() {
        for code in ["0", "100", "255"] {
            let line = format!(r#"{{"type":"error","id":"post.1","message":"x","exit_code":{code}}}"#);
            assert_eq!(refused(&[HELLO, &line]).0, 1);
        }
    }
}
