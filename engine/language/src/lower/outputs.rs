//! Which results of other steps an expression may read.
//!
//! Two questions: has the step certainly ended (the order says), and has it certainly succeeded, so that its outputs
//! are there (its own conditions, and those of what lies around it, say)?

use std::collections::BTreeSet;

use runbook_core::plan::Section;
use runbook_core::units::StepId;

use super::Lowering;
use super::site::{Locals, Site};
use crate::check::graph::{Order, Read};
use crate::check::needs::{foreign_branch, foreign_section, word};
use crate::code::Code;
use crate::document::{OnStepFailureWord, OutputsDoc};
use crate::expression::NameUse;
use crate::source::Span;
use crate::suggest::{did_you_mean, some_of};

/// What expressions may read of a step, besides `outputs`.
const RESULTS: [&str; 5] = ["succeeded", "failed", "skipped", "already_done", "exit_code"];

/// What a loop hands on.
const LOOP_OUTPUTS: [&str; 2] = ["results", "failed"];

impl Lowering<'_, '_> {
    /// Checks a use of `steps.…`.
    pub(crate) fn check_step(&mut self, name: &NameUse, span: Span, site: &Site) {
        if site.step.is_none() && !site.ended {
            self.found.error(Code::ReadTooEarly, span, "no step has ended when this is evaluated").help(
                "the runbook's `env` is computed before the first step: move it to `env` of the steps that need it",
            );
            return;
        }
        let Some(id) = name.path.get(1) else {
            self.found
                .error(Code::UnknownStep, span, "the step must be named here")
                .help("write `steps.<id>.outputs.<name>`: what a run will do must be known before it");
            return;
        };
        let Some(target) = self.outline.find(id) else {
            let help = did_you_mean(id, self.outline.ids())
                .unwrap_or_else(|| format!("the steps are {}", some_of(self.outline.ids())));
            self.found.error(Code::UnknownStep, span, format!("there is no step `{id}`")).help(help);
            return;
        };
        // When the runbook hands something on, every step has ended.
        if let Some(around) = self.outline.loop_without(target, site.step) {
            let around = self.outline.name(around);
            let message = format!("`{id}` lies in the loop `{around}`, and is there once for each item");
            self.found
                .error(Code::ReadTooEarly, span, message)
                .help(format!("read `steps.{around}.outputs.results`, the list of what the items handed on"));
            return;
        }
        if let Some(reader) = site.step {
            let own = reader == target && site.undo.is_some();
            if !own && !self.can_end(site, reader, target, span) {
                return;
            }
        }
        match name.path.get(2).map(String::as_str) {
            Some("outputs") => self.check_output(target, name, span, site),
            Some(result) if RESULTS.contains(&result) => {}
            Some(other) => {
                let all = RESULTS.iter().chain(&["outputs"]).copied();
                let declared = self.output_names(target);
                let help = if declared.iter().any(|name| name == other) {
                    format!("write `steps.{id}.outputs.{other}`")
                } else {
                    did_you_mean(other, all.clone()).unwrap_or_else(|| format!("there are {}", some_of(all)))
                };
                self.found.error(Code::UnknownName, span, format!("a step has no `{other}`")).help(help);
            }
            None => {
                self.found
                    .error(Code::UnknownName, span, "what is to be read of the step?")
                    .help(format!("write `steps.{id}.succeeded` or `steps.{id}.outputs.<name>`"));
            }
        }
    }

    /// Notes that one step must have ended when another starts; false when it never can have.
    fn can_end(&mut self, site: &Site, reader: usize, target: usize, span: Span) -> bool {
        let (from, to) = (&self.outline.items[reader], &self.outline.items[target]);
        match (from.always, to.always) {
            // All other steps have ended when those of `always` start.
            (true, false) => {}
            _ if from.is_guard() && site.locals == Locals::None => {
                self.found
                    .error(
                        Code::ReadTooEarly,
                        span,
                        "a guard begins with the run: no step has ended when this is computed",
                    )
                    .help("`trip_if` may read what the steps came to");
                return false;
            }
            // What runs beside the others reads of them what is known when it looks.
            _ if from.beside.is_some() && from.beside != to.beside && !to.always => {}
            (false, false) if from.beside != to.beside => {
                let id = self.outline.name(target).to_owned();
                let other = to.beside.map_or("?", |at| self.outline.name(at));
                let kind = if to.is_guard() { "is the guard" } else { "belongs to the deadline" };
                let message = format!("`{id}` {kind} `{other}`, which runs beside the steps");
                self.found
                    .error(Code::ReadTooEarly, span, message)
                    .help("no step waits for it: read it in `always`, or in a deadline");
                return false;
            }
            (false, true) => {
                let id = self.outline.name(target).to_owned();
                self.found
                    .error(Code::ReadTooEarly, span, format!("`{id}` belongs to `always`, which runs at the end"))
                    .help("move the step out of `always`");
                return false;
            }
            // Whether it has ended is seen when the step starts; its outputs need a guard.
            _ if self.some_of(reader, target).is_some() => {}
            // A step does not end before itself, whatever the order says about its two nodes.
            _ if reader == target => self.too_early(Read { reader, at_end: false, target, span }),
            _ => self.reads.push(Read { reader, at_end: site.ended, target, span }),
        }
        true
    }

    /// Reports the reads of steps that may not have ended, and locks that can never be free.
    pub(crate) fn check_order(&mut self, order: &Order) {
        for read in order.too_early(&self.reads) {
            self.too_early(read);
        }
        crate::check::locks::check(self.outline, order, &self.locks_held, self.found);
    }

    fn too_early(&mut self, read: Read) {
        let outline = self.outline;
        let (id, own) = (outline.name(read.target), outline.name(read.reader));
        let help = if read.reader == read.target {
            "in `until` and `outputs`, read `stdout`, `exit_code`, `outputs` or `response` of the attempt itself"
                .to_owned()
        } else if outline.within(read.reader, read.target) {
            format!("`{id}` ends only after the steps in it, and `{own}` is one of them")
        } else if let Some((block, section, Some(_))) = foreign_section(outline, read.reader, read.target) {
            format!("`{}` of `{}` runs after `{own}`", word(section), outline.name(block))
        } else if let Some(switch) = foreign_branch(outline, read.reader, read.target) {
            let switch = outline.name(switch);
            format!("it lies in a branch of `{switch}`: let `{own}` wait for that, with `needs: [{switch}]`")
        } else {
            format!("let `{own}` wait for it: add `{id}` to its `needs`")
        };
        let message = format!("`{id}` may not have ended when `{own}` starts");
        self.found.error(Code::ReadTooEarly, read.span, message).help(help);
    }

    /// In an undo, `outputs` are those of its step.
    pub(crate) fn check_own_output(&mut self, name: &NameUse, span: Span, site: &Site) {
        let (Some(at), Some(_)) = (site.step, site.undo) else { return };
        let own = ["steps", self.outline.name(at)].map(str::to_owned);
        let path = own.into_iter().chain(name.path.iter().cloned()).collect();
        self.check_output(at, &NameUse { path, ..name.clone() }, span, site);
    }

    /// The names of what a step hands on.
    fn output_names(&self, at: usize) -> Vec<String> {
        let doc = self.outline.items[at].doc;
        let mut names: Vec<String> = match &doc.outputs {
            Some(OutputsDoc::Names(list)) => list.items.iter().map(|name| name.0.value.clone()).collect(),
            Some(OutputsDoc::Templates(entries)) => entries.items.iter().map(|entry| entry.key.value.clone()).collect(),
            None => vec![],
        };
        let fields = doc.ask.iter().filter_map(|ask| ask.fields.get()).flat_map(|fields| &fields.items);
        names.extend(fields.map(|entry| entry.key.value.clone()));
        names.extend(doc.set.iter().flat_map(|entries| &entries.items).map(|entry| entry.key.value.clone()));
        names.extend(self.uses[at].iter().flat_map(|used| used.definition.outputs.clone()));
        names.extend(self.calls[at].iter().flat_map(|child| child.outputs.clone()));
        names
    }

    fn check_output(&mut self, target: usize, name: &NameUse, span: Span, site: &Site) {
        let id = self.outline.name(target).to_owned();
        let of_loop = self.outline.items[target].is_loop() && site.step != Some(target);
        let declared = if of_loop { LOOP_OUTPUTS.map(str::to_owned).to_vec() } else { self.output_names(target) };
        let Some(output) = name.path.get(3) else {
            if name.dynamic {
                self.found
                    .error(Code::UnknownOutput, span, "the output must be named here")
                    .help(format!("write `steps.{id}.outputs.<name>`"));
            }
            return;
        };
        let doc = self.outline.items[target].doc;
        let is_lost = (doc.runbook.is_some() && self.calls[target].is_none())
            || (doc.uses.is_some() && self.uses[target].is_none());
        if is_lost {
            // The other runbook cannot be used, which is reported: nobody knows what it hands on.
            return;
        }
        if !declared.contains(output) {
            let help = did_you_mean(output, &declared).unwrap_or_else(|| match declared.is_empty() {
                true if self.calls[target].is_some() => {
                    format!("declare it in the runbook that `{id}` runs: `outputs: {{{output}: …}}`")
                }
                true => format!("declare it: `outputs: [{output}]` on `{id}`, and let its script write `{output}=…` to \"$RUNBOOK_OUTPUT\""),
                false => format!("its outputs are {}", some_of(declared.iter().map(String::as_str))),
            });
            self.found.error(Code::UnknownOutput, span, format!("`{id}` has no output `{output}`")).help(help);
            return;
        }
        let missing =
            self.missing_when_done(target, output).filter(|_| !name.defaulted && !of_loop && site.undo.is_none());
        if let Some(why) = missing {
            self.found
                .error(Code::UncertainOutput, span, format!("the output may be missing: {why}"))
                .help("write `… | default(…)`, or let a script in `done_when` write it to \"$RUNBOOK_OUTPUT\"");
            return;
        }
        if name.defaulted || name.guards.contains(&id) || self.assured(site, &id) {
            return;
        }
        if let Some(why) = self.uncertain(target, site) {
            self.found
                .error(Code::UncertainOutput, span, format!("the output may be missing: {why}"))
                .help(format!("write `… | default(…)`, or `… if steps.{id}.succeeded else …`"));
        }
    }

    /// Whether the conditions of the step, and of the blocks around it, hold only if `id` succeeded. What its own `if`
    /// assures is noted once that is lowered, so it says nothing about itself.
    fn assured(&self, site: &Site, id: &str) -> bool {
        let Some(reader) = site.step else { return false };
        self.outline.outwards(reader).any(|at| self.assures[at].contains(id))
    }

    /// Why a step of a block may not have succeeded where another step is evaluated, as its section and the other say.
    fn other_section(&self, block: usize, at: usize, here: Option<Section>) -> Option<String> {
        let (outline, name) = (self.outline, self.outline.name(at));
        match (outline.items[at].section, here) {
            (Section::Main, Some(Section::Rescue)) => Some(format!("`rescue` runs when `{name}`, or another, failed")),
            (Section::Main | Section::Rescue, Some(Section::Always)) => {
                Some(format!("`always` runs also when `{name}` did not succeed"))
            }
            (Section::Main, None) if outline.items[block].can_rescue() => {
                Some(format!("`{}` has a `rescue`, and so may have succeeded without `{name}`", outline.name(block)))
            }
            (Section::Rescue, None) => Some(format!("`rescue` of `{}` runs only after a failure", outline.name(block))),
            _ => None,
        }
    }

    /// The same when the run has succeeded: only what may be skipped, or may fail all the same, may be missing.
    fn uncertain_at_end(&self, target: usize) -> Option<String> {
        let items = &self.outline.items;
        self.outline.outwards(target).find_map(|at| {
            let (item, name) = (&items[at], self.outline.name(at));
            if item.beyond.is_some() {
                return Some(format!("the deadline `{name}` does not pass in every run"));
            }
            if item.doc.condition.is_some() {
                return Some(format!("`{name}` is skipped when its `if` does not hold"));
            }
            if item.doc.on_failure == Some(OnStepFailureWord::Continue) {
                return Some(format!("`{name}` may have failed: it has `on_failure: continue`"));
            }
            if let Some(why) = item.parent.and_then(|block| self.other_section(block, at, None)) {
                return Some(why);
            }
            let switch = item.parent.filter(|parent| items[*parent].is_switch())?;
            Some(format!("`{name}` lies in a branch of `{}` that may not be taken", self.outline.name(switch)))
        })
    }

    /// Whether a run of a part leaves the step out, or what lies around it.
    fn is_left_out(&self, at: usize) -> bool {
        let is_named = |at: usize| self.left_out.contains(&StepId::new(self.outline.name(at)));
        !self.left_out.is_empty() && self.outline.outwards(at).any(is_named)
    }

    /// The step around `reader`, or itself, to which some of several suffice, of which `target` is one.
    fn some_of(&self, reader: usize, target: usize) -> Option<usize> {
        let names = |at: &usize| {
            let item = &self.outline.items[*at];
            let needs = item.doc.needs.as_ref().filter(|_| item.needs_any().is_some());
            needs.is_some_and(|needs| needs.names().iter().any(|name| self.outline.find(&name.value) == Some(target)))
        };
        self.outline.outwards(reader).find(names)
    }

    /// Why the outputs of `target` may be missing where `site` is evaluated; none when they are certainly there.
    fn uncertain(&self, target: usize, site: &Site) -> Option<String> {
        let id = self.outline.name(target);
        let Some(reader) = site.step else { return self.uncertain_at_end(target) };
        if self.is_left_out(target) {
            return (!self.is_left_out(reader)).then(|| format!("`{id}` is left out of this run"));
        }
        if reader == target {
            return (site.undo == Some(true))
                .then(|| format!("with `when: [.., failed]` `{id}` is undone also after it failed"));
        }
        if let Some(at) = self.some_of(reader, target) {
            let (name, any) = (self.outline.name(at), self.outline.items[at].needs_any().unwrap_or_default());
            return Some(format!(
                "`{name}` starts when {any} of its `needs` are done, and `{id}` may not be one of them"
            ));
        }
        let items = &self.outline.items;
        if items[reader].always && !items[target].always {
            return Some(format!("`always` runs also when `{id}` did not succeed"));
        }
        if items[reader].beside != items[target].beside {
            let who = if items[reader].is_guard() { "guard" } else { "deadline" };
            return Some(format!("a {who} does not wait for `{id}`"));
        }
        let around: BTreeSet<usize> = self.outline.outwards(reader).collect();
        for at in self.outline.outwards(target).take_while(|at| !around.contains(at)) {
            let (item, name) = (&items[at], self.outline.name(at));
            if item.doc.condition.is_some() {
                return Some(format!("`{name}` is skipped when its `if` does not hold"));
            }
            if item.doc.on_failure == Some(OnStepFailureWord::Continue) {
                return Some(format!("`{name}` may have failed: it has `on_failure: continue`"));
            }
            if let Some(parent) = item.parent
                && items[parent].is_switch()
                && !self.outline.in_case(reader, parent, item.case)
            {
                return Some(format!(
                    "`{id}` lies in a branch of `{}` that may not be taken",
                    self.outline.name(parent)
                ));
            }
            if let Some(why) =
                item.parent.and_then(|block| self.other_section(block, at, self.outline.section_in(reader, block)))
            {
                return Some(why);
            }
            let beside = |one: usize| items[one].parent == item.parent && items[one].runs_anyway();
            if item.runs_anyway() && self.outline.outwards(reader).any(beside) {
                return Some(format!("the steps of `always` run also when `{name}` failed"));
            }
        }
        let asking =
            self.outline.outwards(reader).find(|at| self.asks_status[*at] && !self.outline.within(target, *at));
        asking.map(|at| {
            format!("`{}` runs also after a failure, so `{id}` may not have succeeded", self.outline.name(at))
        })
    }
}
