//! What a person, or a program, sees of a run while it goes on.
//!
//! Printing happens on a thread of its own: a stalled pipe or a closed terminal never stops an engine.

mod json;
mod plain;

use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use runbook_core::run::Run;
use runbook_journal::Record;
use runbook_runtime::Reporter;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::status::Status;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people: one line for each thing that happens
    Plain,
    /// For programs: one JSON object for each event
    Json,
}

enum Line {
    Out(String),
    Err(String),
}

/// The view of one run.
pub(crate) struct View {
    output: Output,
    folder: RunFolder,
    lines: Sender<Line>,
    printer: JoinHandle<()>,
}

/// Starts to show a run.
pub(crate) fn start(output: Output, folder: &RunFolder) -> View {
    let (lines, printed) = mpsc::channel();
    let printer = std::thread::spawn(move || {
        for line in printed {
            match line {
                Line::Out(text) => crate::output::line(text),
                Line::Err(text) => crate::output::note(text),
            }
        }
    });
    View { output, folder: folder.clone(), lines, printer }
}

impl View {
    /// What the engine tells.
    pub(crate) fn reporter(&self) -> Box<dyn Reporter> {
        let (output, folder) = (self.output, self.folder.clone());
        Box::new(Lines { output, folder, lines: self.lines.clone() })
    }

    /// Says how it ended, and waits until all is printed.
    pub(crate) fn finish(self, status: Option<&Status>) {
        if self.output == Output::Plain
            && let Some(status) = status
        {
            for text in plain::summary(status, &self.folder) {
                let _ = self.lines.send(Line::Err(text));
            }
        }
        drop(self.lines);
        // A panic of the printer has lost some lines; the journal has all.
        let _ = self.printer.join();
    }
}

struct Lines {
    output: Output,
    folder: RunFolder,
    lines: Sender<Line>,
}

impl Reporter for Lines {
    fn records(&mut self, records: &[Record], run: &Run) {
        for record in records {
            let said = match self.output {
                Output::Json => json::line(record).map(Line::Out).into_iter().collect(),
                Output::Plain => plain::lines(record, run, &self.folder).into_iter().map(Line::Err).collect::<Vec<_>>(),
            };
            for line in said {
                // The printer is gone when nobody can read any more.
                let _ = self.lines.send(line);
            }
        }
    }

    fn status(&mut self, _status: &Status) {}
}
