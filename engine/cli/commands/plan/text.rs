//! A plan for people: what is known at the top, then the steps as a tree.

use std::collections::BTreeSet;

use runbook_core::plan::{Action, Body, OnFailure, Plan, RunbookCall, Step};
use runbook_core::units::{Digest, StepIx, format_duration};

use super::beside::top;
use super::model::{ParamView, PlanView, StepView};
use super::order::{Flow, flow};
use super::words;
use runbook_runtime::probe::Probed;

use crate::menu::wrapped;
use crate::view::action::planned;
use crate::view::paint::{Paint, Tone};
use crate::view::text::{count, cut, pad, value, visible, visible_line};

/// The column of the labels at the top.
const HEADING: usize = 13;

/// The column of the labels of a step.
const LABEL: usize = 9;

/// Text is never squeezed into fewer columns than this, however deep it lies.
const TEXT_MIN: usize = 24;

/// The lines of a plan, at most `width` columns wide where words allow it.
pub(super) fn lines(view: &PlanView, plan: &Plan, is_full: bool, width: usize, paint: Paint) -> Vec<String> {
    let mut out = head(view, width, paint);
    let seen = BTreeSet::new();
    let mut tree = Tree { view, root: plan, plan, steps: &view.steps, is_full, width, paint, seen, out: vec![] };
    let [steps, deadlines, guards, always] = top(plan);
    tree.out.push(String::new());
    tree.out.push(format!("{}: {}", paint.bold("do"), flow_words(plan, &steps)));
    tree.list(&steps, "");
    let beside = [("deadlines", "when their time has come", deadlines), ("guards", "again and again", guards)];
    for (name, when, list) in beside.into_iter().filter(|(.., list)| !list.is_empty()) {
        tree.out.push(String::new());
        tree.out.push(format!("{}, beside the steps {when}", paint.bold(name)));
        tree.list(&list, "");
    }
    if !always.is_empty() {
        tree.out.push(String::new());
        tree.out.push(format!("{}, at the end of every run: {}", paint.bold("always"), flow_words(plan, &always)));
        tree.list(&always, "");
    }
    out.extend(tree.out);
    out
}

fn flow_words(plan: &Plan, list: &[StepIx]) -> String {
    let how = match flow(plan, list) {
        Flow::OneByOne => "one after the other",
        Flow::AllAtOnce => "at the same time",
        Flow::ByNeeds => "as their needs say",
    };
    if list.len() == 1 { count(1, "step") } else { format!("{}, {how}", count(list.len(), "step")) }
}

fn head(view: &PlanView, width: usize, paint: Paint) -> Vec<String> {
    let mut out = vec![format!("{}  {}", paint.bold(&view.runbook), visible_line(&view.title))];
    let mut add = |name: &str, text: &str| out.extend(labelled("  ", name, HEADING, text, width, paint));
    add("file", &view.file);
    if let Some(severity) = &view.severity {
        add("severity", severity);
    }
    if let Some(owner) = &view.owner {
        add("owner", owner);
    }
    if !view.tags.is_empty() {
        add("tags", &view.tags.join(", "));
    }
    match &view.environment {
        None => add("environment", "none"),
        Some(environment) => {
            let services = match environment.services.as_slice() {
                [] => String::new(),
                services => format!(", starts {}", services.join(", ")),
            };
            add("environment", &format!("{} ({}){services}", environment.name, environment.file));
        }
    }
    add(
        "on failure",
        match view.on_failure {
            OnFailure::Stop => "stop: nothing more starts, nothing is undone",
            OnFailure::Rollback => "roll back: what succeeded is undone, the latest first",
            OnFailure::Ask => "ask: nothing more starts, and a person says what follows",
        },
    );
    add("at once", &format!("at most {}", count(view.max_parallel as usize, "command")));
    if !view.locks.is_empty() {
        add("locks", &view.locks.join("; "));
    }
    add("digest", &view.digest);
    if !view.params.is_empty() {
        out.push(format!("  {}", paint.dim("params")));
        let widest = view.params.iter().map(|param| param.name.len()).max().unwrap_or_default();
        for param in &view.params {
            let text = param_words(param);
            let lines = labelled("    ", &param.name, widest + 2, &text, width, Paint::PLAIN);
            let tone = |line: String| if param.state == "missing" { paint.tone(Tone::Asks, &line) } else { line };
            out.extend(lines.into_iter().map(tone));
        }
    }
    if !view.secrets.is_empty() {
        out.push(format!("  {}", paint.dim("secrets")));
        let widest = view.secrets.iter().map(|secret| secret.name.len()).max().unwrap_or_default();
        for secret in &view.secrets {
            let source = if secret.source == "env" { "environment variable" } else { secret.source };
            let text = format!("{source} {}", secret.place);
            out.extend(labelled("    ", &secret.name, widest + 2, &text, width, Paint::PLAIN));
        }
    }
    out
}

fn param_words(param: &ParamView) -> String {
    let choices: Vec<String> = param.choices.iter().map(value).collect();
    match (&param.value, param.state) {
        (None, _) if choices.is_empty() => "missing: a run needs it".to_owned(),
        (None, _) => format!("missing: one of {}", choices.join(", ")),
        (Some(_), "none") => "none".to_owned(),
        (Some(found), "default") => format!("{} (default)", shown(found)),
        (Some(found), _) => shown(found),
    }
}

fn shown(found: &serde_json::Value) -> String {
    if found.as_str() == Some("") { "\"\"".to_owned() } else { value(found) }
}

/// A label and its text, which goes on below itself.
fn labelled(before: &str, label: &str, column: usize, text: &str, width: usize, paint: Paint) -> Vec<String> {
    let taken = console::measure_text_width(before) + column;
    let room = width.saturating_sub(taken).max(TEXT_MIN);
    let mut out = vec![];
    for (index, line) in wrapped(&visible(text), room).into_iter().enumerate() {
        let label = if index == 0 { paint.dim(&pad(label, column)) } else { " ".repeat(column) };
        out.push(format!("{before}{label}{line}").trim_end().to_owned());
    }
    out
}

/// The steps, drawn one list within the other.
struct Tree<'a> {
    view: &'a PlanView,
    /// The outermost plan, which has those of child runs.
    root: &'a Plan,
    /// The plan whose steps are drawn now, and how they are shown.
    plan: &'a Plan,
    steps: &'a [StepView],
    is_full: bool,
    width: usize,
    paint: Paint,
    /// The runbooks of child runs that were drawn: each is drawn once.
    seen: BTreeSet<&'a Digest>,
    out: Vec<String>,
}

impl<'a> Tree<'a> {
    fn list(&mut self, list: &[StepIx], rails: &str) {
        self.some(list, rails, true);
    }

    /// A list behind which others of the same block may follow.
    fn some(&mut self, list: &[StepIx], rails: &str, is_all: bool) {
        let by_needs = flow(self.plan, list) == Flow::ByNeeds;
        for (index, at) in list.iter().enumerate() {
            let is_last = is_all && index + 1 == list.len();
            self.step(*at, rails, is_last, by_needs);
        }
    }

    fn fork(&self, rails: &str, is_last: bool) -> String {
        self.paint.dim(&format!("{rails}{}", if is_last { "└─ " } else { "├─ " }))
    }

    fn step(&mut self, at: StepIx, rails: &str, is_last: bool, by_needs: bool) {
        let (step, view) = (self.plan.step(at), &self.steps[at.at()]);
        let mut line = format!("{}{}", self.fork(rails, is_last), self.paint.bold(&view.id));
        if view.title != view.id {
            line.push_str("  ");
            line.push_str(&visible_line(&view.title));
        }
        if view.left_out {
            line.push_str(&self.paint.tone(Tone::Quiet, "  (left out)"));
        } else if view.holds == Some(false) && view.condition.is_some() {
            line.push_str(&self.paint.tone(Tone::Quiet, "  (skipped)"));
        }
        if view.done_when.as_ref().is_some_and(|done| done.probed == Some(Probed::Done)) {
            line.push_str(&self.paint.tone(Tone::Good, "  (already done)"));
        }
        self.out.push(cut(&line, self.width));
        let rails = format!("{rails}{}", if is_last { "   " } else { "│  " });
        self.about(step, view, &rails, by_needs);
        match &step.body {
            Body::Action(Action::Runbook(call)) => self.child(call, &rails),
            Body::Action(_) | Body::ForEach(_) => {}
            Body::Block { children, rescue, always } => {
                let sections = [("rescue, when one failed", rescue), ("always, in the end", always)];
                let sections: Vec<_> = sections.into_iter().filter(|(_, list)| !list.is_empty()).collect();
                self.some(children, &rails, sections.is_empty());
                for (index, (name, list)) in sections.iter().enumerate() {
                    self.case(name, list, &rails, index + 1 == sections.len());
                }
            }
            Body::Switch { cases, default, .. } => {
                let named = cases.iter().map(|case| (format!("case {}", visible_line(&case.value)), &case.children));
                let default = default.iter().map(|children| ("default".to_owned(), children));
                let all: Vec<_> = named.chain(default).collect();
                let count = all.len();
                for (index, (name, children)) in all.into_iter().enumerate() {
                    self.case(&name, children, &rails, index + 1 == count);
                }
            }
        }
    }

    /// The steps of a child run.
    fn child(&mut self, call: &'a RunbookCall, rails: &str) {
        let (Some(plan), Some(view)) = (self.root.runbooks.get(&call.plan), self.view.runbooks.get(&call.plan)) else {
            return;
        };
        if !self.seen.insert(&call.plan) {
            self.out.push(format!("{}its steps are those above", self.fork(rails, true)));
            return;
        }
        let around = (self.plan, self.steps);
        (self.plan, self.steps) = (plan, &view.steps);
        let names = ["does", "deadlines", "guards", "at its end, always"];
        let lists = names.into_iter().zip(top(plan)).filter(|(name, list)| *name == "does" || !list.is_empty());
        let lists: Vec<_> = lists.collect();
        for (index, (name, list)) in lists.iter().enumerate() {
            self.named(name, list, rails, index + 1 == lists.len());
        }
        (self.plan, self.steps) = around;
    }

    /// A list under its name.
    fn named(&mut self, name: &str, list: &[StepIx], rails: &str, is_last: bool) {
        let line = format!("{}{name}: {}", self.fork(rails, is_last), flow_words(self.plan, list));
        self.out.push(cut(&line, self.width));
        self.list(list, &format!("{rails}{}", if is_last { "   " } else { "│  " }));
    }

    fn case(&mut self, name: &str, children: &[StepIx], rails: &str, is_last: bool) {
        let holds = children.first().and_then(|at| self.case_is_taken(*at));
        let mark = match holds {
            None => "",
            Some(true) => "  (taken)",
            Some(false) => "  (not taken)",
        };
        let line = format!("{}{name}: {}{mark}", self.fork(rails, is_last), flow_words(self.plan, children));
        self.out.push(cut(&line, self.width));
        self.list(children, &format!("{rails}{}", if is_last { "   " } else { "│  " }));
    }

    fn case_is_taken(&self, first: StepIx) -> Option<bool> {
        self.steps[first.at()].taken
    }

    fn about(&mut self, step: &Step, view: &StepView, rails: &str, by_needs: bool) {
        let mut add = Lines { rails: format!("{rails}  "), width: self.width, paint: self.paint, out: &mut self.out };
        if let Some(deadline) = &view.deadline {
            add.line("when", &deadline.words());
        }
        if let Some(guard) = &view.guard {
            add.line("trips if", &guard.words());
        }
        if let Some(condition) = &view.condition {
            add.line("if", condition);
        }
        if by_needs {
            let needs = match (view.needs.as_slice(), view.needs_any) {
                ([], _) => "nothing: starts at once".to_owned(),
                (needs, None) => needs.join(", "),
                (needs, Some(any)) => format!("any {any} of {}", needs.join(", ")),
            };
            add.line("needs", &needs);
        }
        if !view.locks.is_empty() {
            add.line("locks", &view.locks.join("; "));
        }
        if let Some(approval) = &view.approval {
            add.line("approval", &words::approval(approval));
        }
        if let Some(done) = &view.done_when {
            add.line("done", &format!("when {}", done.words()));
        }
        if let Some(each) = &view.for_each {
            add.line("for each", &words::for_each(each));
        }
        match &step.body {
            Body::Action(action) => {
                add.action(view.kind, action, self.is_full);
                if let Some(until) = &view.until {
                    let every = format_duration(until.every_ms);
                    add.line("until", &format!("{}, asked every {every}", until.condition));
                }
                let limits = words::limits(action, view.timeout_ms, view.retry.as_ref(), view.on_interrupt);
                add.line("limits", &limits.join("; "));
            }
            Body::Block { children, .. } => add.line("do", &flow_words(self.plan, children)),
            Body::Switch { on, .. } => add.line("switch", &on.source),
            Body::ForEach(_) => {}
        }
        add.line("secrets", &view.secrets.join(", "));
        add.line("outputs", &view.outputs.join(", "));
        if view.continue_on_failure {
            add.line("failure", "the run goes on");
        } else if view.ask_on_failure {
            add.line("failure", "a person says what follows");
        }
        if let Some(undo) = &step.rollback {
            add.action("undo", &undo.action, self.is_full);
            let mut limits = words::limits(&undo.action, undo.timeout_ms, undo.retry.as_ref(), undo.on_interrupt);
            if undo.also_failed {
                limits.insert(0, "also when the step failed".to_owned());
            }
            add.line("", &limits.join("; "));
        }
        if view.irreversible {
            add.line("undo", "none: from here on there is no complete way back");
        }
    }
}

/// The lines about one step.
struct Lines<'a> {
    rails: String,
    width: usize,
    paint: Paint,
    out: &'a mut Vec<String>,
}

impl Lines<'_> {
    /// A label and its text; nothing where the text is empty.
    fn line(&mut self, label: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let rails = self.paint.dim(&self.rails);
        let text = text.replace('\n', " ");
        self.out.extend(labelled(&rails, label, LABEL, &text, self.width, self.paint));
    }

    /// A script is cut rather than broken: what reads as two lines would be two commands.
    fn short(&mut self, label: &str, action: &Action) {
        let (text, more) = words::short(action);
        let more = match more {
            0 => String::new(),
            more => format!(" (and {} more)", count(more, "line")),
        };
        if !matches!(action, Action::Run(_) | Action::Argv(_)) {
            return self.line(label, &format!("{text}{more}"));
        }
        let taken = console::measure_text_width(&self.rails) + LABEL + more.len();
        let text = cut(&text, self.width.saturating_sub(taken).max(TEXT_MIN));
        self.out.push(format!("{}{}{text}{more}", self.paint.dim(&self.rails), self.paint.dim(&pad(label, LABEL))));
    }

    fn action(&mut self, label: &str, action: &Action, is_full: bool) {
        if !is_full {
            self.short(label, action);
            return;
        }
        // What runs is shown as it is, never broken into other lines.
        for (index, line) in planned(action).into_iter().enumerate() {
            let label = if index == 0 { self.paint.dim(&pad(label, LABEL)) } else { " ".repeat(LABEL) };
            self.out.push(format!("{}{label}{line}", self.paint.dim(&self.rails)));
        }
    }
}
