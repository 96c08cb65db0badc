//! One step.

use std::collections::BTreeMap;

use runbook_core::plan::{
    Action, Approval, Body, Case, Condition, Expression, OnInterrupt, Retry, RetryOn, Section, Step, Template, Undo,
    Until,
};
use runbook_core::units::{Role, StepId, StepIx};

use super::Lowering;
use super::beside::LOOK_MS;
use super::site::{Locals, Site};
use crate::check::needs::Need;
use crate::check::outline::Inside;
use crate::code::Code;
use crate::decode::DurationText;
use crate::document::{
    ApprovalDoc, BackoffWord, OnInterruptWord, OnStepFailureWord, OnTimeoutWord, OutputsDoc, RetryDoc, RetryOnDoc,
    StepDoc, UndoDoc, UndoWhenWord,
};

/// From TERM to KILL where nothing is written, in milliseconds.
pub(crate) const KILL_GRACE_MS: u64 = 10_000;

/// From a failure to the next attempt where nothing is written, in milliseconds.
const RETRY_DELAY_MS: u64 = 1_000;

/// From one poll to the next where nothing is written, in milliseconds.
const EVERY_MS: u64 = 5_000;

impl<'d> Lowering<'d, '_> {
    /// A step; none when something in it cannot be used, which has been reported.
    pub(crate) fn step(&mut self, at: usize, needs: &[Need]) -> Option<Step> {
        let outline = self.outline;
        let item = &outline.items[at];
        let doc = item.doc;
        // All parts are lowered before any is found missing, so that one mistake does not hide another.
        let condition = doc.condition.as_ref().map(|text| self.condition(at, &text.0));
        self.for_each(at);
        let body = self.body(at);
        let until = self.until(at, doc);
        let outputs = self.outputs(at, doc);
        let retry = doc.retry.as_ref().and_then(|retry| self.retry(retry, &Site::step(at), Self::locals(doc)));
        let approval = doc.approval.as_ref().and_then(|approval| self.approval(at, approval));
        let timeout_ms = doc.timeout.as_ref().map(|time| self.positive(time));
        let done_when = self.done_when(at);
        let timeout_ms = if item.is_guard() { timeout_ms.or(Some(LOOK_MS)) } else { timeout_ms };
        let locks = self.locks(doc.locks.as_ref(), &Site::step(at));
        let rollback = doc.rollback.as_ref().map(|undo| self.undo(at, undo));
        let beside = self.beside(at);
        let rollback = rollback.or_else(|| self.way_back(at).map(Some));
        let body = body?;
        let irreversible = doc.irreversible.as_ref().is_some_and(|flag| flag.value);
        let rollback = match (&body, &doc.rollback) {
            (Body::Action(action @ Action::Plugin(_)), None) if !irreversible => {
                self.undo_by_plugin(at, action, timeout_ms, retry.as_ref())
            }
            _ => rollback.flatten(),
        };
        let on_interrupt = match &body {
            Body::Action(action) if doc.on_interrupt.is_none() && self.is_idempotent(action) => OnInterrupt::Rerun,
            _ if item.is_guard() => OnInterrupt::Rerun,
            _ => on_interrupt(doc, &body),
        };
        let id = doc.id.get()?.0.value.clone();
        Some(Step {
            title: doc.title.as_ref().map_or_else(|| id.clone(), |title| title.value.clone()),
            id: StepId::new(id),
            parent: item.parent.map(place),
            case: item.case,
            section: item.section,
            always: item.always,
            beside: beside?,
            needs: needs.iter().map(|need| place(need.on)).collect(),
            needs_any: item.needs_any(),
            condition: condition.flatten(),
            on_interrupt,
            body,
            timeout_ms,
            kill_grace_ms: doc.kill_grace.as_ref().map_or(KILL_GRACE_MS, |grace| grace.0.value),
            retry,
            until,
            done_when,
            approval,
            locks,
            continue_on_failure: doc.on_failure == Some(OnStepFailureWord::Continue),
            ask_on_failure: doc.on_failure == Some(OnStepFailureWord::Ask),
            rollback,
            irreversible,
            outputs,
            item: None,
        })
    }

    fn condition(&mut self, at: usize, node: &crate::yaml::Node) -> Option<Condition> {
        let (expression, analysis) = self.analysed(node, &Site::condition(at))?;
        self.assures[at] = analysis.assures;
        self.asks_status[at] = analysis.asks_status;
        Some(Condition { expression, asks_status: analysis.asks_status })
    }

    fn body(&mut self, at: usize) -> Option<Body> {
        let outline = self.outline;
        match &outline.items[at].inside {
            Inside::Nothing => self.action(at).map(Body::Action),
            Inside::Block { steps, rescue, always } => {
                let places = |list: &Vec<usize>| list.iter().copied().map(place).collect();
                Some(Body::Block { children: places(steps), rescue: places(rescue), always: places(always) })
            }
            Inside::Switch { cases, default } => {
                let on = outline.items[at].doc.switch.as_ref().and_then(|on| self.expression(&on.0, &Site::step(at)));
                if let Some(on) = &on {
                    self.check_cases(at, on);
                }
                let places = |list: &Vec<usize>| list.iter().copied().map(place).collect();
                Some(Body::Switch {
                    on: on?,
                    cases: cases
                        .iter()
                        .map(|(value, list)| Case { value: value.clone(), children: places(list) })
                        .collect(),
                    default: default.as_ref().map(places),
                })
            }
        }
    }

    /// Which names exist after an attempt of the step.
    pub(super) fn locals(doc: &StepDoc) -> Locals {
        if doc.http.is_some() {
            Locals::Response
        } else if doc.uses.is_some() {
            Locals::Plugin
        } else if doc.run.is_some() || doc.argv.is_some() {
            Locals::Process
        } else {
            Locals::None
        }
    }

    fn until(&mut self, at: usize, doc: &'d StepDoc) -> Option<Until> {
        let every = doc.every.as_ref().map_or(EVERY_MS, |every| self.positive(every));
        let condition = self.expression(&doc.until.as_ref()?.0, &Site::result(at, Self::locals(doc)))?;
        Some(Until { condition, every_ms: every })
    }

    fn outputs(&mut self, at: usize, doc: &'d StepDoc) -> BTreeMap<String, Template> {
        let site = Site::result(at, Self::locals(doc));
        let of_plugin = self.uses[at].as_ref().filter(|used| used.child.is_none());
        let own = of_plugin.map(|used| used.definition.outputs.clone()).unwrap_or_default();
        let mut outputs: BTreeMap<_, _> = own.into_iter().map(|name| (name.clone(), handed_back(&name))).collect();
        match &doc.outputs {
            None => outputs,
            Some(OutputsDoc::Templates(entries)) => {
                outputs.extend(self.named(entries, &site));
                outputs
            }
            Some(OutputsDoc::Names(names)) => {
                if doc.uses.is_some() {
                    self.found
                        .error(
                            Code::WrongValue,
                            names.span,
                            "what a plugin hands back can be read without naming it here",
                        )
                        .help("remove `outputs`, or write templates: `outputs: {total: \"{{ outputs.lines }}\"}`");
                }
                if doc.http.is_some() {
                    self.found
                        .error(Code::WrongValue, names.span, "a response hands back no names")
                        .help("write templates: `outputs: {status: \"{{ response.status }}\"}`");
                }
                let names = names.items.iter().map(|name| name.0.value.clone());
                names.map(|name| (name.clone(), handed_back(&name))).collect()
            }
        }
    }

    fn retry(&mut self, doc: &RetryDoc, site: &Site, locals: Locals) -> Option<Retry> {
        let delay_ms = doc.delay.as_ref().map_or(RETRY_DELAY_MS, |delay| delay.0.value);
        let exponential = doc.backoff == Some(BackoffWord::Exponential);
        if let Some(max) = &doc.max_delay {
            if !exponential {
                self.found
                    .error(
                        Code::Misplaced,
                        doc.place.key_or_start("max_delay"),
                        "`max_delay` makes no sense with a delay that stays",
                    )
                    .help("add `backoff: exponential`, or remove it");
            } else if max.0.value < delay_ms {
                self.found.error(Code::WrongValue, max.0.span, "`max_delay` is shorter than `delay`");
            }
        }
        let on = doc.on.as_ref().map(|on| self.retry_on(on, site, locals));
        Some(Retry {
            attempts_max: doc.max_attempts.get()?.value,
            delay_ms,
            exponential,
            delay_max_ms: doc.max_delay.as_ref().map(|max| max.0.value),
            on,
        })
    }

    fn retry_on(&mut self, doc: &RetryOnDoc, site: &Site, locals: Locals) -> RetryOn {
        if doc.place.keys.is_empty() {
            self.found
                .error(Code::Empty, doc.place.span, "no failure would be repeated")
                .help("add `exit_codes` or `if`, or remove `on`: then every failure is repeated");
        }
        if let (Some(span), Locals::Response) = (doc.place.key("exit_codes"), locals) {
            self.found
                .error(Code::Misplaced, span, "a request has no exit code")
                .help("write `if: response.status == 503`");
        }
        let codes = doc.exit_codes.iter().flat_map(|list| &list.items);
        for code in codes.clone().filter(|code| code.value > 255) {
            self.found.error(Code::WrongValue, code.span, "exit codes of failures are 1 to 255");
        }
        if let Some(list) = doc.exit_codes.as_ref().filter(|list| list.empty) {
            self.found.error(Code::Empty, list.span, "there are no exit codes in it");
        }
        let site = Site { locals: locals.of_failure(), ..*site };
        RetryOn {
            exit_codes: codes.filter_map(|code| i32::try_from(code.value).ok()).collect(),
            condition: doc.condition.as_ref().and_then(|condition| self.expression(&condition.0, &site)),
        }
    }

    fn approval(&mut self, at: usize, doc: &'d ApprovalDoc) -> Option<Approval> {
        let from = doc.from.as_ref();
        if doc.place.key("from").is_none() || from.is_some_and(|list| list.empty) {
            let span = from.map_or(doc.place.span, |list| list.span);
            self.found
                .error(Code::ApprovalFrom, span, "nobody could give this approval")
                .help("say who can: `from: [incident-commander]`, with roles of the environment or login names");
        }
        let timeout_ms = doc.timeout.as_ref().map(|time| self.positive(time));
        if doc.on_timeout.is_some() && doc.timeout.is_none() {
            let span = doc.place.key_or_start("on_timeout");
            self.found
                .error(Code::Misplaced, span, "`on_timeout` makes no sense without `timeout`")
                .help("add `timeout`");
        }
        let escalate_to = self.escalate_to(doc);
        let message = doc.message.as_ref().and_then(|text| self.template(&text.0, &Site::once(at)));
        for role in from.iter().flat_map(|list| &list.items).filter(|role| role.value.trim().is_empty()) {
            self.found.error(Code::WrongValue, role.span, "there is nothing in it");
        }
        let from = from.iter().flat_map(|list| &list.items).map(|role| Role::new(role.value.clone())).collect();
        Some(Approval {
            from,
            min: doc.min.as_ref().map_or(1, |min| min.value),
            exclude_initiator: doc.exclude_initiator.as_ref().is_some_and(|flag| flag.value),
            timeout_ms,
            escalate_to,
            message,
            step_by_step: false,
        })
    }

    /// Who may answer, too, when nobody did in time: named where, and only where, the question is to escalate.
    fn escalate_to(&mut self, doc: &ApprovalDoc) -> Vec<Role> {
        let escalates = doc.on_timeout == Some(OnTimeoutWord::Escalate);
        let named = doc.escalate_to.as_ref();
        if escalates && doc.place.key("escalate_to").is_none() {
            let span = doc.place.key_or_start("on_timeout");
            self.found
                .error(Code::Misplaced, span, "`on_timeout: escalate` makes no sense without `escalate_to`")
                .help("say to whom: `escalate_to: [head-of-operations]`");
        }
        if let Some(list) = named.filter(|list| list.empty) {
            self.found.error(Code::Empty, list.span, "there is nobody to escalate to");
        }
        if doc.escalate_to.is_some() && !escalates {
            let span = doc.place.key_or_start("escalate_to");
            self.found
                .error(Code::Misplaced, span, "`escalate_to` makes no sense without `on_timeout: escalate`")
                .help("add `on_timeout: escalate`, and a `timeout`");
        }
        let roles = named.iter().flat_map(|list| &list.items);
        for role in roles.clone().filter(|role| role.value.trim().is_empty()) {
            self.found.error(Code::WrongValue, role.span, "there is nothing in it");
        }
        roles.map(|role| Role::new(role.value.clone())).collect()
    }

    fn undo(&mut self, at: usize, doc: &'d UndoDoc) -> Option<Undo> {
        let also_failed = doc.when.as_ref().is_some_and(|when| when.items.contains(&UndoWhenWord::Failed));
        let action = self.undo_action(at, doc, &Site::undo(at, also_failed));
        let locals = match (&doc.http, &doc.uses) {
            (Some(_), _) => Locals::Response,
            (None, Some(_)) => Locals::Plugin,
            (None, None) => Locals::Process,
        };
        let retry = doc.retry.as_ref().and_then(|retry| self.retry(retry, &Site::undo(at, also_failed), locals));
        let timeout_ms = doc.timeout.as_ref().map(|time| self.positive(time));
        let action = action?;
        Some(Undo {
            also_failed,
            timeout_ms,
            kill_grace_ms: doc.kill_grace.as_ref().map_or(KILL_GRACE_MS, |grace| grace.0.value),
            retry,
            on_interrupt: match doc.on_interrupt {
                Some(written) => word(written),
                None if self.is_idempotent(&action) => OnInterrupt::Rerun,
                None => unless_written(&action),
            },
            action,
        })
    }

    /// What an `always` does is never undone.
    pub(super) fn is_cleanup(&self, at: usize) -> bool {
        let items = &self.outline.items;
        let mut around = std::iter::successors(Some(&items[at]), |item| item.parent.map(|at| &items[at]));
        items[at].always || around.any(|item| item.section == Section::Always)
    }

    /// A child run is undone by rolling it back, where nothing else is written.
    fn way_back(&self, at: usize) -> Option<Undo> {
        let outline = self.outline;
        let item = &outline.items[at];
        let is_irreversible = item.doc.irreversible.as_ref().is_some_and(|flag| flag.value);
        let is_cleanup = self.is_cleanup(at);
        let has_way_back = self.calls[at].as_ref().is_some_and(|child| child.has_way_back);
        (has_way_back && !is_irreversible && !is_cleanup).then_some(Undo {
            action: Action::UndoRunbook,
            also_failed: true,
            timeout_ms: None,
            kill_grace_ms: KILL_GRACE_MS,
            retry: None,
            on_interrupt: OnInterrupt::Rerun,
        })
    }

    /// A duration that has to be longer than nothing.
    pub(crate) fn positive(&mut self, time: &DurationText) -> u64 {
        if time.0.value == 0 {
            self.found.error(Code::WrongValue, time.0.span, "it must be longer than nothing");
        }
        time.0.value
    }
}

/// The output of a name that a script hands back: `outputs` of the attempt itself.
pub(super) fn handed_back(name: &str) -> Template {
    let source = format!("outputs.{name}");
    match crate::expression::analyse_expression(&source) {
        Ok(analysis) => Template::Value(analysis.lower(&source)),
        // A name that is no name has been reported.
        Err(_) => Template::Value(Expression { source, reads: [].into(), locals: ["outputs".to_owned()].into() }),
    }
}

fn place(at: usize) -> StepIx {
    // A file of 8 MiB holds far fewer steps than a 32-bit number counts.
    StepIx(u32::try_from(at).unwrap_or(u32::MAX))
}

fn word(word: OnInterruptWord) -> OnInterrupt {
    match word {
        OnInterruptWord::Rerun => OnInterrupt::Rerun,
        OnInterruptWord::Ask => OnInterrupt::Ask,
        OnInterruptWord::Fail => OnInterrupt::Fail,
    }
}

fn on_interrupt(doc: &StepDoc, body: &Body) -> OnInterrupt {
    let read_only = doc.read_only.as_ref().is_some_and(|flag| flag.value);
    match (doc.on_interrupt, body) {
        (Some(written), _) => word(written),
        (None, _) if read_only => OnInterrupt::Rerun,
        (None, Body::Action(action)) => unless_written(action),
        // A block does nothing itself.
        (None, Body::Block { .. } | Body::Switch { .. } | Body::ForEach(_)) => OnInterrupt::Rerun,
    }
}

/// What follows an interruption where nothing is written: what only looks, or goes on with its stored due time, needs
/// no answer of a person.
fn unless_written(action: &Action) -> OnInterrupt {
    match action {
        Action::Http(http) if http.method == "GET" || http.method == "HEAD" => OnInterrupt::Rerun,
        Action::Assert(_) | Action::Set(_) | Action::Wait(_) | Action::Manual(_) | Action::Ask(_) => OnInterrupt::Rerun,
        // The record of the child run knows what became of it.
        Action::Runbook(_) | Action::UndoRunbook => OnInterrupt::Rerun,
        // What the plugin says of itself is asked elsewhere.
        Action::Run(_) | Action::Argv(_) | Action::Http(_) | Action::Plugin(_) => OnInterrupt::Ask,
    }
}
