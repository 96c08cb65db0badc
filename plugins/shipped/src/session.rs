//! One call: what is asked, and how it is answered.

use std::cell::RefCell;
use std::io::{self, BufRead, Read as _, Write};
use std::time::{Duration, Instant};

use runbook_plugin_protocol::{Call, LINE_MAX, Level, Operation, PROTOCOL, Reply, Request};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// How a call ends: with what is handed back, or not at all.
pub type Outcome = Result<Map<String, Value>, Failed>;

/// The exit code of failures that may be none a little later, as programs that send mail have it.
pub const FOR_NOW: u8 = 75;

/// The exit code where what was looked at is not as it should be, and nothing else went wrong.
pub const UNMET: u8 = 2;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// In one sentence.
    pub message: String,
    /// The exit code of the step: 1 unless a runbook may want to tell this failure from others.
    pub exit_code: u8,
}

impl Failed {
    /// A failure like any other.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 1 }
    }

    /// A failure that may be none a little later: a server that is not there, or has too much to do.
    pub fn for_now(message: impl Into<String>) -> Self {
        Self::with_code(FOR_NOW, message)
    }

    /// A failure that runbooks may tell from others by its exit code.
    pub fn with_code(exit_code: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code }
    }
}

/// A call that is being made.
pub struct Session<'c> {
    call: &'c Call,
    begun: Instant,
    to: RefCell<&'c mut dyn Write>,
}

impl Session<'_> {
    /// The inputs, as the type that the plugin reads.
    ///
    /// # Errors
    /// When they are something else; the engine has held them against the schema.
    pub fn inputs<T: DeserializeOwned>(&self) -> Result<T, Failed> {
        serde_json::from_value(Value::Object(self.call.inputs.clone()))
            .map_err(|error| Failed::new(format!("the inputs cannot be used: {error}")))
    }

    /// For an undo: what the call that is undone handed back.
    ///
    /// # Errors
    /// When that is something else.
    pub fn outputs<T: DeserializeOwned>(&self) -> Result<T, Failed> {
        serde_json::from_value(Value::Object(self.call.outputs.clone()))
            .map_err(|error| Failed::new(format!("what the call handed back cannot be used: {error}")))
    }

    /// Whether a call is to be undone.
    pub fn is_undo(&self) -> bool {
        self.call.operation == Operation::Undo
    }

    /// What names this call wherever it is made again.
    pub fn idempotency_key(&self) -> &str {
        &self.call.idempotency_key
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.call.run
    }

    /// The step.
    pub fn step(&self) -> &str {
        &self.call.step
    }

    /// How long the call may still take; `most` where nothing bounds it.
    pub fn time_left(&self, most: Duration) -> Duration {
        let left = self.call.timeout_ms.map(|ms| Duration::from_millis(ms).saturating_sub(self.begun.elapsed()));
        left.map_or(most, |left| left.min(most))
    }

    /// A line for the log of the step.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.say(&Reply::Log { level, message: message.into() });
    }

    /// How far the call is.
    pub fn progress(&self, done: u64, total: Option<u64>, message: impl Into<String>) {
        self.say(&Reply::Progress { done, total, message: Some(message.into()) });
    }

    /// Nobody may listen any more, which changes nothing about what is to be done.
    fn say(&self, reply: &Reply) {
        let _ = write(&mut **self.to.borrow_mut(), reply);
    }
}

/// Answers one call.
pub(crate) fn serve(run: fn(&Session<'_>) -> Outcome, from: &mut dyn BufRead, to: &mut dyn Write) -> io::Result<()> {
    write(to, &Reply::Hello { protocol: PROTOCOL })?;
    let mut line = String::new();
    let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
    from.take(most).read_line(&mut line)?;
    let Request::Call(call) = serde_json::from_str(&line)? else {
        return Err(io::Error::other("the first line is no call"));
    };
    let session = Session { call: &call, begun: Instant::now(), to: RefCell::new(to) };
    let outcome = run(&session);
    let reply = match outcome {
        Ok(outputs) => Reply::Result { id: call.id.clone(), outputs },
        Err(failed) => Reply::Error { id: call.id.clone(), message: failed.message, exit_code: Some(failed.exit_code) },
    };
    let to = session.to.into_inner();
    write(to, &reply)
}

fn write(to: &mut dyn Write, reply: &Reply) -> io::Result<()> {
    serde_json::to_writer(&mut *to, reply)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// The entries of an object that a plugin has just made.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
