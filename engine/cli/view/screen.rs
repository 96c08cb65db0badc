//! The thread that prints for people: lines that stay, the frame that is drawn again, and the questions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use runbook_core::units::RunId;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::inbox;
use runbook_runtime::status::{Asker, QuestionStatus, Status};

use super::feed::{Batch, Feed};
use super::frame::{Scene, frame};
use super::hint::Hints;
use super::line::Line;
use super::live::Live;
use super::paint::Paint;
use super::prompt::{Change, Prompt, Reply};
use super::tty::{Tty, Typed};
use super::{diff, question, summary, tail};

/// How often the frame is drawn and the terminal is asked for typed lines.
const PACE: Duration = Duration::from_millis(100);

/// How often child runs are looked at when nothing else moves.
const CHILD_PACE: Duration = Duration::from_millis(500);

/// An answer that the engine has read, and that left its question open for so long, did not count.
const ANSWER_TAKES_MS: u64 = 3_000;

/// How a screen shows a run.
pub(crate) struct Look {
    /// Whether to draw a frame, rather than only lines.
    pub(crate) is_live: bool,
    /// Whether questions may be asked here.
    pub(crate) asks: bool,
    /// Whether the engine is in this process; otherwise lines come from snapshots.
    pub(crate) hosts: bool,
}

/// What prints for people.
pub(crate) struct Screen {
    feed: Arc<Feed>,
    folder: RunFolder,
    hints: Hints,
    paint: Paint,
    live: Option<Live>,
    tty: Option<Tty>,
    prompt: Prompt,
    hosts: bool,
    /// The newest snapshot.
    own: Option<Status>,
    /// The same with what child runs ask.
    status: Option<Status>,
    /// Questions that were shown in full.
    shown: BTreeSet<(String, Option<String>, Option<Asker>)>,
    attempts_max: BTreeMap<String, u32>,
    /// Whether nobody can read any more.
    is_gone: bool,
}

impl Screen {
    pub(crate) fn new(feed: Arc<Feed>, folder: RunFolder, look: &Look) -> Self {
        Self {
            feed,
            hints: Hints::of(&folder),
            folder,
            paint: Paint::stderr(),
            live: look.is_live.then(Live::default),
            tty: if look.asks { Tty::open() } else { None },
            prompt: Prompt::default(),
            hosts: look.hosts,
            own: None,
            status: None,
            shown: BTreeSet::new(),
            attempts_max: BTreeMap::new(),
            is_gone: false,
        }
    }

    /// Prints until there is nothing more to come.
    pub(crate) fn run(mut self) {
        loop {
            let is_moving = self.live.is_some() || self.prompt.is_asking();
            let has_children = self.own.as_ref().is_some_and(Status::has_children);
            let pace = if is_moving { PACE } else { CHILD_PACE };
            let batch = self.feed.take(((is_moving || has_children) && !self.is_gone).then_some(pace));
            let is_last = batch.is_last;
            self.show(batch);
            if is_last {
                break;
            }
            self.listen();
            self.draw();
        }
        self.end();
    }

    fn show(&mut self, batch: Batch) {
        if let Some(attempts_max) = batch.attempts_max {
            self.attempts_max = attempts_max;
        }
        let mut lines: Vec<Line> = batch.lines.into();
        if let Some(status) = &batch.status
            && !self.hosts
        {
            lines.extend(diff::lines(self.own.as_ref(), status));
        }
        let mut text = vec![];
        if batch.dropped > 0 {
            text.push(format!("… {} lines were not shown: nobody read them", batch.dropped));
        }
        let is_live = self.live.is_some();
        let shown = lines.iter().filter(|line| !(is_live && line.is_start));
        text.extend(shown.flat_map(|line| line.print(&self.folder, self.paint)));
        self.print(&text);
        for question in batch.refused {
            self.prompt.refused(&question);
        }
        let is_new = batch.status.is_some();
        self.own = batch.status.or(self.own.take());
        if let Some(own) = self.own.as_ref().filter(|own| is_new || own.has_children()) {
            // What child runs ask comes with no news of this one.
            self.status = Some(own.clone().with_children(&self.folder.state()));
        }
        if !batch.is_last {
            self.ask();
        } else if let Some(status) = self.status.take() {
            // An engine that leaves because of a question may say so together with it: it is told all the same.
            self.tell(&status);
            self.status = Some(status);
        }
    }

    /// Follows what is open: asks here what can be asked here, and shows the rest with the commands that answer it.
    fn ask(&mut self) {
        let Some(status) = self.status.take() else { return };
        if !self.hosts || self.own.as_ref().is_some_and(Status::has_children) {
            self.notice_refusals(&status);
        }
        if self.tty.is_some() {
            let mut change = self.prompt.follow(&status);
            if change == Change::Gone {
                self.erase_prompt();
                self.print(&["  (this question is closed)".to_owned()]);
                change = self.prompt.follow(&status);
            }
            if let Change::Opened(question) = change {
                self.open(&question, &status);
            }
        } else {
            self.tell(&status);
        }
        self.status = Some(status);
    }

    /// Shows each question once, with the commands that answer it.
    fn tell(&mut self, status: &Status) {
        for question in &status.questions {
            if !self.shown.insert(shown_key(question)) {
                continue;
            }
            let mut lines = question::full(question, status, runbook_runtime::now().0, self.paint);
            lines.extend(question::answer_lines(question, &self.hints.of_asker(question)));
            self.print(&lines);
        }
    }

    /// An answer that another process reads is refused without a word: its file is gone and its question is open.
    fn notice_refusals(&mut self, status: &Status) {
        let before = runbook_runtime::now().0.saturating_sub(ANSWER_TAKES_MS);
        let state = self.folder.state();
        let askers = status.questions.iter().filter_map(|question| question.asker.as_ref());
        let folders = askers.map(|asker| state.run(&RunId::new(&*asker.run))).chain([self.folder.clone()]);
        let waiting: Vec<String> = folders.flat_map(|folder| super::answering::stored(&folder)).collect();
        for id in self.prompt.unanswered_since(before) {
            if status.questions.iter().any(|question| question.id == id) && !waiting.contains(&id) {
                self.prompt.refused(&id);
                self.print(&["  that answer did not count: it came too late, or you may not give it".to_owned()]);
            }
        }
    }

    fn open(&mut self, question: &QuestionStatus, status: &Status) {
        if let Some(live) = &mut self.live {
            live.clear();
        }
        self.shown.insert(shown_key(question));
        let now = runbook_runtime::now().0;
        let lines = question::full(question, status, now, self.paint);
        self.write(&format!("\n{}\n", lines.join("\n")));
        // What was typed before the question could be read is no answer to it.
        if let Some(tty) = &mut self.tty {
            tty.forget();
        }
        self.write_prompt();
    }

    /// Takes what was typed.
    fn listen(&mut self) {
        if !self.prompt.is_asking() || self.is_gone {
            return;
        }
        let Some(tty) = &mut self.tty else { return };
        match tty.read() {
            Typed::Nothing => {}
            Typed::Line(line) => self.typed(&line),
            Typed::Closed => {
                self.tty = None;
                let question = self.prompt.give_up();
                self.write("\n");
                if let Some(question) = question {
                    self.say_open(&question);
                }
            }
        }
    }

    fn typed(&mut self, line: &str) {
        match self.prompt.typed(line, runbook_runtime::now().0) {
            Reply::Again(why) => {
                if !why.is_empty() {
                    self.write(&format!("  {why}\n"));
                }
                self.write_prompt();
            }
            Reply::Later(question) => {
                self.say_open(&question);
                self.ask();
            }
            Reply::Answer(message, asker) => {
                let asker = asker.map(|asker| self.folder.state().run(&RunId::new(asker.run)));
                if let Err(error) = inbox::put(asker.as_ref().unwrap_or(&self.folder), &message) {
                    self.write(&format!("  the answer cannot be stored: {error}\n"));
                    if let inbox::Message::Answer { question, .. } = &message {
                        self.prompt.refused(&question.0);
                    }
                }
                self.ask();
            }
        }
    }

    fn say_open(&mut self, question: &QuestionStatus) {
        let mut lines = vec![format!("the question about `{}` stays open; to answer it:", question.step)];
        lines.extend(question::answer_lines(question, &self.hints.of_asker(question)));
        self.print(&lines);
    }

    fn draw(&mut self) {
        let (Some(live), Some(status)) = (&mut self.live, &self.status) else { return };
        if self.prompt.is_asking() || self.is_gone {
            return;
        }
        let (height, width) = console::Term::stderr().size();
        let folder = &self.folder;
        let scene = Scene {
            now: runbook_runtime::now().0,
            width: usize::from(width),
            height: usize::from(height),
            attempts_max: &self.attempts_max,
            last_line: &|log| tail::last_line(folder, log),
            hosts: self.hosts,
            paint: self.paint,
        };
        live.draw(&frame(status, &scene));
    }

    fn end(&mut self) {
        if self.prompt.give_up().is_some() {
            self.erase_prompt();
        }
        if let Some(live) = &mut self.live {
            live.clear();
        }
        if let Some(status) = self.status.take().filter(|status| status.ended_at.is_some()) {
            let lines = summary::summary(&status, &self.folder, &self.hints, self.paint);
            self.print(&lines);
        }
    }

    /// Prints lines that stay: above the frame, or above the prompt.
    fn print(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let text = lines.join("\n") + "\n";
        if self.prompt.is_asking() {
            self.erase_prompt();
            self.write(&text);
            self.write_prompt();
            return;
        }
        let mut is_gone = self.is_gone;
        match &self.live {
            Some(live) => live.above(|| is_gone |= !write(&text)),
            None => is_gone |= !write(&text),
        }
        self.is_gone = is_gone;
    }

    fn write_prompt(&mut self) {
        let label = self.paint.bold(&self.prompt.label());
        self.write(&label);
    }

    fn erase_prompt(&mut self) {
        self.write(if console::Term::stderr().features().is_attended() && !is_dumb() { "\r\x1b[2K" } else { "\n" });
    }

    fn write(&mut self, text: &str) {
        self.is_gone = self.is_gone || !write(text);
    }
}

fn shown_key(question: &QuestionStatus) -> (String, Option<String>, Option<Asker>) {
    (question.id.clone(), question.digest.clone(), question.asker.clone())
}

/// Whether the terminal knows no more than lines.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb")
}

/// Writes to standard error; whether somebody may read it.
fn write(text: &str) -> bool {
    let mut err = std::io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).is_ok()
}
