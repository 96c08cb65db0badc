//! All steps in one list, parents before their children, in the order written.

use std::collections::BTreeMap;

use runbook_core::plan::Section;

use crate::code::Code;
use crate::decode::List;
use crate::diagnostic::Collector;
use crate::document::{DeadlineDoc, GuardDoc, NeedsDoc, RunbookDoc, StepDoc};
use crate::source::Span;

/// All steps of a runbook.
pub(crate) struct Outline<'d> {
    /// Each with what lies around it.
    pub(crate) items: Vec<Item<'d>>,
    ids: BTreeMap<&'d str, usize>,
}

/// A step with what lies around it.
pub(crate) struct Item<'d> {
    /// As written.
    pub(crate) doc: &'d StepDoc,
    /// The block or switch that it lies in.
    pub(crate) parent: Option<usize>,
    /// Which case of its parent, when that is a switch.
    pub(crate) case: Option<u32>,
    /// Which list of its parent, when that is a block.
    pub(crate) section: Section,
    /// Whether it belongs to `always` of the runbook.
    pub(crate) always: bool,
    /// The deadline or guard that it belongs to, or is.
    pub(crate) beside: Option<usize>,
    /// What makes it a deadline or guard, if it is one.
    pub(crate) beyond: Option<Beyond<'d>>,
    /// The step that it waits for unless `needs` is written: the one before, in a list that is not parallel.
    pub(crate) before: Option<usize>,
    /// What lies in it.
    pub(crate) inside: Inside,
}

/// What is said of a step that runs beside the others.
#[derive(Clone, Copy)]
pub(crate) enum Beyond<'d> {
    Deadline(&'d DeadlineDoc),
    Guard(&'d GuardDoc),
}

/// What lies in a step.
pub(crate) enum Inside {
    /// Nothing: it acts.
    Nothing,
    /// The steps of a block: its `steps`, `rescue` and `always`.
    Block { steps: Vec<usize>, rescue: Vec<usize>, always: Vec<usize> },
    /// The steps of each case of a switch, by value, and of its default.
    Switch { cases: Vec<(String, Vec<usize>)>, default: Option<Vec<usize>> },
}

/// What a list of steps lies in.
#[derive(Clone, Copy)]
struct Around {
    parent: Option<usize>,
    case: Option<u32>,
    section: Section,
    always: bool,
    beside: Option<usize>,
    parallel: bool,
}

impl<'d> Outline<'d> {
    /// Lists the steps and reports ids that are there twice, and lists without steps.
    pub(crate) fn of(doc: &'d RunbookDoc, found: &mut Collector) -> Self {
        let mut outline = Self { items: Vec::new(), ids: BTreeMap::new() };
        let parallel = doc.parallel.as_ref().is_some_and(|flag| flag.value);
        let around = Around { parent: None, case: None, section: Section::Main, always: false, beside: None, parallel };
        if let Some(steps) = doc.steps.get() {
            outline.list(steps, around, found);
        }
        if let Some(deadlines) = &doc.deadlines {
            outline.deadlines(deadlines, around, found);
        }
        if let Some(guards) = &doc.guards {
            outline.guards(guards, around, found);
        }
        if let Some(steps) = &doc.always {
            outline.list(steps, Around { always: true, parallel: false, ..around }, found);
        }
        outline
    }

    fn deadlines(&mut self, list: &'d List<DeadlineDoc>, around: Around, found: &mut Collector) {
        if list.empty {
            found
                .error(Code::Empty, list.span, "there are no deadlines in it")
                .help("write at least one, or remove the key");
        }
        for deadline in &list.items {
            let at = self.items.len();
            self.step(&deadline.block, Around { beside: Some(at), parallel: false, ..around }, None, found);
            self.items[at].beyond = Some(Beyond::Deadline(deadline));
        }
    }

    fn guards(&mut self, list: &'d List<GuardDoc>, around: Around, found: &mut Collector) {
        if list.empty {
            found
                .error(Code::Empty, list.span, "there are no guards in it")
                .help("write at least one, or remove the key");
        }
        for guard in &list.items {
            let at = self.items.len();
            self.step(&guard.probe, Around { beside: Some(at), ..around }, None, found);
            self.items[at].beyond = Some(Beyond::Guard(guard));
        }
    }

    fn list(&mut self, list: &'d List<StepDoc>, around: Around, found: &mut Collector) -> Vec<usize> {
        if list.empty {
            found
                .error(Code::Empty, list.span, "there are no steps in it")
                .help("write at least one step, or remove the key");
        }
        let mut places = Vec::with_capacity(list.items.len());
        for doc in &list.items {
            let before = if around.parallel { None } else { places.last().copied() };
            places.push(self.step(doc, around, before, found));
        }
        places
    }

    fn step(&mut self, doc: &'d StepDoc, around: Around, before: Option<usize>, found: &mut Collector) -> usize {
        let at = self.items.len();
        let Around { parent, case, section, always, beside, .. } = around;
        let (beyond, inside) = (None, Inside::Nothing);
        self.items.push(Item { doc, parent, case, section, always, beside, beyond, before, inside });
        if let Some(id) = doc.id.get() {
            let (id, span) = (id.0.value.as_str(), id.0.span);
            match self.ids.get(id) {
                None => drop(self.ids.insert(id, at)),
                Some(first) => {
                    let first = self.items[*first].id_span();
                    found
                        .error(Code::DoubledId, span, format!("the id `{id}` is taken"))
                        .label("here again")
                        .related(first, "first here")
                        .help("ids are unique in the whole runbook, blocks and branches included");
                }
            }
        }
        let inner = Around { parent: Some(at), case: None, section: Section::Main, always, beside, parallel: false };
        self.items[at].inside = if let Some(steps) = &doc.steps {
            // Of a loop it speaks about the items.
            let parallel = doc.for_each.is_none() && doc.parallel.as_ref().is_some_and(|flag| flag.value);
            let steps = self.list(steps, Around { parallel, ..inner }, found);
            let mut section = |list: &'d Option<List<StepDoc>>, section| {
                list.as_ref().map(|list| self.list(list, Around { section, ..inner }, found)).unwrap_or_default()
            };
            let (rescue, always) = (section(&doc.rescue, Section::Rescue), section(&doc.always, Section::Always));
            Inside::Block { steps, rescue, always }
        } else if doc.switch.is_some() || doc.cases.is_some() {
            self.switch(doc, inner, found)
        } else {
            Inside::Nothing
        };
        at
    }

    fn switch(&mut self, doc: &'d StepDoc, inner: Around, found: &mut Collector) -> Inside {
        let mut cases = Vec::new();
        let mut number = 0u32;
        for entry in doc.cases.iter().flat_map(|cases| &cases.items) {
            let around = Around { case: Some(number), ..inner };
            let steps = entry.value.as_ref().map(|list| self.list(list, around, found)).unwrap_or_default();
            cases.push((entry.key.value.clone(), steps));
            number += 1;
        }
        let default = doc.default.as_ref().map(|list| self.list(list, Around { case: Some(number), ..inner }, found));
        Inside::Switch { cases, default }
    }

    /// Where the step of an id stands.
    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    /// All ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.keys().copied()
    }

    /// The id of a step, for messages.
    pub(crate) fn name(&self, at: usize) -> &str {
        self.items[at].doc.id.get().map_or("?", |id| id.0.value.as_str())
    }

    /// A step and the blocks and switches around it, from the inside out.
    pub(crate) fn outwards(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(at), |at| self.items[*at].parent)
    }

    /// Whether a step lies in another, or is it.
    pub(crate) fn within(&self, at: usize, outer: usize) -> bool {
        self.outwards(at).any(|one| one == outer)
    }

    /// The loops that a step lies in, and itself if it is one, from the inside out.
    pub(crate) fn loops(&self, at: usize) -> impl Iterator<Item = usize> {
        self.outwards(at).filter(|one| self.items[*one].is_loop())
    }

    /// The outermost loop that a step lies in, and not another.
    pub(crate) fn loop_without(&self, at: usize, other: Option<usize>) -> Option<usize> {
        let is_around = |one: &usize| other.is_some_and(|other| self.within(other, *one));
        self.loops(at).filter(|one| *one != at && !is_around(one)).last()
    }

    /// In which section of a block a step lies; none where it does not lie in it.
    pub(crate) fn section_in(&self, at: usize, block: usize) -> Option<Section> {
        self.outwards(at).find(|one| self.items[*one].parent == Some(block)).map(|one| self.items[one].section)
    }

    /// Whether a step lies in one case of a switch.
    pub(crate) fn in_case(&self, at: usize, switch: usize, case: Option<u32>) -> bool {
        self.outwards(at).any(|one| self.items[one].parent == Some(switch) && self.items[one].case == case)
    }
}

impl Item<'_> {
    /// How many of its needs suffice, where not all of them must be done.
    pub(crate) fn needs_any(&self) -> Option<u32> {
        match &self.doc.needs {
            Some(NeedsDoc::Some(some)) if !self.runs_anyway() => some.any.get().map(|any| any.value),
            _ => None,
        }
    }

    /// Where the id is written, or else the step.
    pub(crate) fn id_span(&self) -> Span {
        self.doc.id.get().map_or(self.doc.place.span, |id| id.0.span)
    }

    /// Whether it is a guard.
    pub(crate) fn is_guard(&self) -> bool {
        matches!(self.beyond, Some(Beyond::Guard(_)))
    }

    /// Whether it is repeated for the items of a list.
    pub(crate) fn is_loop(&self) -> bool {
        self.doc.for_each.is_some()
    }

    /// Whether it is a switch.
    pub(crate) fn is_switch(&self) -> bool {
        matches!(self.inside, Inside::Switch { .. })
    }

    /// Whether it is a direct step of an `always`, of the runbook or of a block.
    pub(crate) fn runs_anyway(&self) -> bool {
        self.section == Section::Always || (self.always && self.parent.is_none())
    }

    /// Whether it is a block with a `rescue`.
    pub(crate) fn can_rescue(&self) -> bool {
        matches!(&self.inside, Inside::Block { rescue, .. } if !rescue.is_empty())
    }

    /// Whether it holds other steps.
    pub(crate) fn holds_steps(&self) -> bool {
        !matches!(self.inside, Inside::Nothing)
    }
}
