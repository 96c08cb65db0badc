//! What is shown of a run while it goes on, and how questions are asked in the terminal.
//!
//! ```text
//! engine ──Reporter──► Feed ──► a thread of its own ──► lines, frame, prompt (standard error) or NDJSON (standard output)
//! attach ──snapshots──►
//! ```
//!
//! Where what goes: `human` and `plain` write everything to standard error, so that standard output stays empty and a
//! pipe gets data only when data was asked for; `json` writes the [event stream](json) to standard output and nothing else.
//! Nothing that happens to the printing (a closed terminal, a pipe that nobody reads) reaches the engine.

pub(crate) mod action;
pub(crate) mod answering;
mod diff;
mod feed;
mod frame;
pub(crate) mod hint;
mod items;
mod json;
mod line;
mod live;
pub(crate) mod overview;
pub(crate) mod paint;
mod prompt;
pub(crate) mod question;
mod records;
#[cfg(test)]
mod samples;
mod screen;
pub(crate) mod seen;
mod summary;
pub(crate) mod tail;
mod tally;
pub(crate) mod text;
mod tty;
mod typing;
pub(crate) mod verbs;

use std::io::IsTerminal as _;
use std::sync::Arc;

use clap::ValueEnum;
use runbook_runtime::Reporter;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;

use feed::{Feed, ForPeople, ForPrograms};
pub(crate) use screen::is_dumb;
use screen::{Look, Screen};

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A live view on a terminal, plain lines elsewhere; on standard error
    Human,
    /// One line for each thing that matters, with its time; on standard error
    Plain,
    /// Each record of the journal as one line of JSON; on standard output
    Json,
}

/// What shows a run, until it is told to finish.
pub(crate) struct View {
    feed: Arc<Feed>,
    is_json: bool,
    /// None when the system had no thread to give: then nothing is shown, and the run goes on.
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Begins to show a run whose engine is in this process.
pub(crate) fn start(output: Output, folder: &RunFolder) -> View {
    View::new(output, folder, true)
}

/// Begins to show a run whose engine is elsewhere; it is told by [`View::snapshot`].
pub(crate) fn attach(output: Output, folder: &RunFolder) -> View {
    View::new(output, folder, false)
}

impl View {
    fn new(output: Output, folder: &RunFolder, hosts: bool) -> Self {
        let feed = Arc::new(Feed::default());
        let builder = std::thread::Builder::new().name("view".to_owned());
        let for_thread = feed.clone();
        let thread = if output == Output::Json {
            builder.spawn(move || {
                let over = Over(for_thread);
                print_json(&over.0);
            })
        } else {
            let is_terminal = output == Output::Human && std::io::stderr().is_terminal();
            let look = Look { is_live: is_terminal && !is_dumb(), asks: is_terminal, hosts };
            let folder = folder.clone();
            builder.spawn(move || {
                let over = Over(for_thread);
                Screen::new(over.0.clone(), folder, &look).run();
            })
        };
        if let Err(error) = &thread {
            tracing::warn!(%error, "cannot show the run");
        }
        Self { feed, is_json: output == Output::Json, thread: thread.ok() }
    }

    /// What the engine tells.
    pub(crate) fn reporter(&self) -> Box<dyn Reporter> {
        match self.is_json {
            true => Box::new(ForPrograms(self.feed.clone())),
            false => Box::new(ForPeople(self.feed.clone())),
        }
    }

    /// A newer snapshot of a run whose engine is elsewhere.
    pub(crate) fn snapshot(&self, status: Status) {
        self.feed.add(|batch| batch.status = Some(status));
    }

    /// Ends the view: shows what is left, and the closing summary when the run has ended.
    ///
    /// For people it gives up when nobody reads for a while; a stream of events is written to its end, or until its
    /// reader is gone.
    pub(crate) fn finish(self, status: Option<&Status>) {
        self.feed.add(|batch| {
            batch.is_last = true;
            if let Some(status) = status {
                batch.status = Some(status.clone());
            }
        });
        if self.thread.is_some() {
            self.feed.wait_until_printed(!self.is_json);
        }
    }
}

/// Says that the printing is over, however it ended.
struct Over(Arc<Feed>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.is_printed();
    }
}

/// Writes the event stream until it ends, or nobody reads it any more.
fn print_json(feed: &Feed) {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    let mut has_reader = true;
    loop {
        let batch = feed.take(None);
        let text: String = batch.json.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        if has_reader {
            has_reader = out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok();
        }
        if batch.is_last {
            break;
        }
    }
}
