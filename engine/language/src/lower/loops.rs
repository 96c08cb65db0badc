//! Loops: what they are over, what their items are called, and their steps as a plan of their own.

use std::collections::BTreeMap;

use runbook_core::plan::{Body, Expression, FailuresMax, ForEach, OnInterrupt, Section, Step};
use runbook_core::units::StepIx;

use super::Lowering;
use super::site::Site;
use crate::check::outline::Outline;
use crate::code::Code;
use crate::document::ParamType;

/// What an item is called where nothing is written.
const ITEM: &str = "item";

/// The number of an item.
const INDEX: &str = "index";

/// Names that an item cannot have: they mean something else somewhere.
const TAKEN: [&str; 13] = [
    "params",
    "environment",
    "run",
    "steps",
    "secrets",
    "outputs",
    "stdout",
    "stderr",
    "exit_code",
    "response",
    "failure",
    "always",
    INDEX,
];

/// What is said of a loop.
pub(crate) struct Loop {
    over: Expression,
    name: String,
    width: Option<u32>,
    failures_max: FailuresMax,
}

impl Lowering<'_, '_> {
    /// Notes what a step says of itself as a loop.
    pub(crate) fn for_each(&mut self, at: usize) {
        let doc = self.outline.items[at].doc;
        let Some(over) = &doc.for_each else { return };
        self.check_name_of_items(at);
        let Some(expression) = self.expression(&over.0, &Site::once(at)) else { return };
        self.check_is_list(&expression, over.0.span);
        let parallel = doc.parallel.as_ref().is_some_and(|flag| flag.value);
        let width = match (&doc.max_parallel, parallel) {
            (Some(count), _) => Some(count.value),
            (None, true) => None,
            (None, false) => Some(1),
        };
        let failures_max = doc.max_failures.as_ref().map_or(FailuresMax::Count(0), |failures| failures.0.value);
        let name = self.name_of_items(at).to_owned();
        self.loops.insert(at, Loop { over: expression, name, width, failures_max });
    }

    fn name_of_items(&self, at: usize) -> &str {
        self.outline.items[at].doc.as_name.as_ref().map_or(ITEM, |name| name.0.value.as_str())
    }

    fn check_name_of_items(&mut self, at: usize) {
        let doc = self.outline.items[at].doc;
        let name = self.name_of_items(at).to_owned();
        let span = doc.as_name.as_ref().map_or_else(|| doc.place.key_or_start("for_each"), |name| name.0.span);
        if TAKEN.contains(&name.as_str()) {
            self.found
                .error(
                    Code::WrongValue,
                    span,
                    format!("items cannot be called `{name}`: that is something else already"),
                )
                .help("choose another name");
        }
        let outer = self.outline.loops(at).find(|one| *one != at && self.name_of_items(*one) == name);
        if let Some(outer) = outer {
            let outer = self.outline.name(outer);
            self.found
                .error(
                    Code::WrongValue,
                    span,
                    format!("the items of the loop `{outer}` around it are called `{name}` too"),
                )
                .help("give one of them a name: `as: host`");
        }
    }

    /// Reports a param that is no list.
    fn check_is_list(&mut self, over: &Expression, span: crate::source::Span) {
        let Some(name) = over.source.trim().strip_prefix("params.") else { return };
        let entry = self.doc.params.as_ref().and_then(|params| params.entry(name));
        let kind = entry.and_then(|entry| entry.value.as_ref()).and_then(|param| param.kind.get());
        if kind.is_some_and(|kind| *kind != ParamType::List) {
            self.found
                .error(Code::WrongType, span, format!("`for_each` wants a list, and the param `{name}` is not one"))
                .help(format!("declare it as one: `{name}: {{type: list}}`"));
        }
    }

    /// Whether a name is that of the items of a loop around an expression, or of their number.
    pub(crate) fn is_of_loop(&self, name: &str, site: &Site) -> bool {
        let Some(at) = site.step else { return false };
        let mut loops = self.outline.loops(at).filter(|one| *one != at || !site.once);
        loops.any(|one| name == INDEX || name == self.name_of_items(one))
    }
}

/// The steps of a plan: those of loops lie in these, placed among themselves.
pub(crate) fn fold(outline: &Outline<'_>, loops: &BTreeMap<usize, Loop>, steps: &[Step]) -> Vec<Step> {
    list(outline, loops, steps, 0..steps.len(), false)
}

/// The steps of a stretch, in which each loop is one step. With `is_item` it is the body of the loop that is its first.
fn list(
    outline: &Outline<'_>,
    loops: &BTreeMap<usize, Loop>,
    steps: &[Step],
    stretch: std::ops::Range<usize>,
    is_item: bool,
) -> Vec<Step> {
    let mut kept = vec![];
    let mut at = stretch.start;
    while at < stretch.end {
        let end =
            if loops.contains_key(&at) && !(is_item && at == stretch.start) { end_of(outline, at) } else { at + 1 };
        kept.push((at, end));
        at = end;
    }
    let places =
        (0u32..).zip(&kept).map(|(new, (old, _))| (StepIx(u32::try_from(*old).unwrap_or(u32::MAX)), StepIx(new)));
    let places: BTreeMap<StepIx, StepIx> = places.collect();
    let one = |(at, end): (usize, usize)| {
        let mut step = match loops.get(&at) {
            Some(_) if is_item && at == stretch.start => root(&steps[at]),
            Some(said) => looped(&steps[at], said, list(outline, loops, steps, at..end, true)),
            None => steps[at].clone(),
        };
        // What is named from elsewhere has been reported.
        step.parent = step.parent.and_then(|place| places.get(&place).copied());
        step.needs = moved(&step.needs, &places);
        move_children(&mut step.body, &places);
        step
    };
    kept.into_iter().map(one).collect()
}

fn moved(list: &[StepIx], places: &BTreeMap<StepIx, StepIx>) -> Vec<StepIx> {
    list.iter().filter_map(|place| places.get(place).copied()).collect()
}

fn move_children(body: &mut Body, places: &BTreeMap<StepIx, StepIx>) {
    let lists: Vec<&mut Vec<StepIx>> = match body {
        Body::Action(_) | Body::ForEach(_) => vec![],
        Body::Block { children, rescue, always } => vec![children, rescue, always],
        Body::Switch { cases, default, .. } => cases.iter_mut().map(|case| &mut case.children).chain(default).collect(),
    };
    lists.into_iter().for_each(|list| *list = moved(list, places));
}

/// Behind the last step that lies in another: parents lie straight before what lies in them.
fn end_of(outline: &Outline<'_>, at: usize) -> usize {
    (at + 1..outline.items.len()).find(|one| !outline.within(*one, at)).unwrap_or(outline.items.len())
}

/// The first step of an item: all that is about one item.
fn root(step: &Step) -> Step {
    Step {
        parent: None,
        case: None,
        section: Section::Main,
        needs: vec![],
        needs_any: None,
        condition: None,
        approval: None,
        continue_on_failure: false,
        ..step.clone()
    }
}

/// The loop itself: all that is about the whole.
fn looped(step: &Step, said: &Loop, body: Vec<Step>) -> Step {
    let each = ForEach {
        over: said.over.clone(),
        name: said.name.clone(),
        width: said.width,
        failures_max: said.failures_max,
        body,
        roots: vec![],
    };
    Step {
        body: Body::ForEach(Box::new(each)),
        timeout_ms: None,
        retry: None,
        locks: vec![],
        until: None,
        done_when: None,
        on_interrupt: OnInterrupt::Rerun,
        rollback: None,
        irreversible: false,
        outputs: BTreeMap::new(),
        ..step.clone()
    }
}
