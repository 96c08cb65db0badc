//! Specs as the steps of a plan.

use std::collections::BTreeMap;

use runbook_core::plan::{Beside, Body, Case, ForEach, Section, Step};
use runbook_core::units::StepIx;

use super::build::{Inside, Spec, expr, run};

/// Lays specs out in one list, parents before children, with explicit needs.
pub(crate) fn lower(main: &[Spec], parallel: bool, beside: &[Spec], always: &[Spec]) -> Vec<Step> {
    let mut out = Lowering::default();
    let top = Around { parent: None, case: None, section: Section::Main, parallel, part: Part::Main };
    out.list(main, top);
    out.list(beside, Around { parallel: true, part: Part::Beside, ..top });
    out.list(always, Around { parallel: false, part: Part::Always, ..top });
    for (at, names) in std::mem::take(&mut out.named) {
        let places = names.iter().map(|name| *out.places.get(name).unwrap_or_else(|| panic!("no step `{name}`")));
        out.steps[at].needs = places.collect();
    }
    out.steps
}

/// A loop as two: what is said of the whole, and what of each item.
fn whole(spec: &Spec) -> Spec {
    if spec.each.is_none() || matches!(spec.inside, Inside::Item(_)) {
        return spec.clone();
    }
    let mut item = Spec { each: None, needs: None, ..spec.clone() };
    (item.step.condition, item.step.approval, item.step.continue_on_failure) = (None, None, false);
    let mut whole = run(spec.step.id.as_str());
    whole.step.condition.clone_from(&spec.step.condition);
    whole.step.approval.clone_from(&spec.step.approval);
    (whole.step.needs_any, item.step.needs_any) = (spec.step.needs_any, None);
    whole.step.continue_on_failure = spec.step.continue_on_failure;
    Spec { needs: spec.needs.clone(), inside: Inside::Item(Box::new(item)), each: spec.each.clone(), ..whole }
}

fn each(spec: &Spec, item: &Spec, part: Part) -> ForEach {
    let item = std::slice::from_ref(item);
    let body = match part {
        Part::Main => lower(item, false, &[], &[]),
        Part::Beside => lower(&[], false, item, &[]),
        Part::Always => lower(&[], false, &[], item),
    };
    ForEach { body, ..spec.each.clone().expect("a loop") }
}

#[derive(Default)]
struct Lowering {
    steps: Vec<Step>,
    places: BTreeMap<String, StepIx>,
    named: Vec<(usize, Vec<String>)>,
}

/// What a list of steps lies in.
#[derive(Clone, Copy)]
struct Around {
    parent: Option<StepIx>,
    case: Option<u32>,
    section: Section,
    parallel: bool,
    part: Part,
}

/// What steps belong to.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Main,
    Beside,
    Always,
}

impl Lowering {
    fn list(&mut self, specs: &[Spec], around: Around) -> Vec<StepIx> {
        let Around { parent, case, section, parallel, part } = around;
        let mut before = None;
        let mut placed = vec![];
        for spec in specs {
            let at = self.steps.len();
            let place = StepIx(at as u32);
            let spec = &whole(spec);
            let mut step = spec.step.clone();
            (step.parent, step.case, step.section, step.always) = (parent, case, section, part == Part::Always);
            if part == Part::Beside && step.beside.is_none() {
                step.beside = Some(Beside::Within);
            }
            self.places.insert(step.id.as_str().to_owned(), place);
            step.needs_any =
                step.needs_any.filter(|any| spec.needs.as_ref().is_some_and(|it| it.len() >= *any as usize));
            match &spec.needs {
                Some(names) => self.named.push((at, names.clone())),
                None if parallel => {}
                None => step.needs = before.into_iter().collect(),
            }
            self.steps.push(step);
            let body = match &spec.inside {
                Inside::Nothing => None,
                Inside::Item(item) => Some(Body::ForEach(Box::new(each(spec, item, part)))),
                Inside::Block(main, rescue, cleanup) => {
                    let inner =
                        Around { parent: Some(place), case: None, section: Section::Main, parallel: false, part };
                    Some(Body::Block {
                        children: self.list(main, Around { parallel: spec.parallel, ..inner }),
                        rescue: self.list(rescue, Around { section: Section::Rescue, ..inner }),
                        always: self.list(cleanup, Around { section: Section::Always, ..inner }),
                    })
                }
                Inside::Switch(on, cases, default) => Some(self.switch(place, on, cases, default.as_deref(), part)),
            };
            if let Some(body) = body {
                self.steps[at].body = body;
            }
            before = Some(place);
            placed.push(place);
        }
        placed
    }

    fn switch(
        &mut self,
        place: StepIx,
        on: &str,
        cases: &[(String, Vec<Spec>)],
        default: Option<&[Spec]>,
        part: Part,
    ) -> Body {
        let inner = Around { parent: Some(place), case: None, section: Section::Main, parallel: false, part };
        let mut taken = vec![];
        for (case, (value, children)) in (0u32..).zip(cases) {
            let children = self.list(children, Around { case: Some(case), ..inner });
            taken.push(Case { value: value.clone(), children });
        }
        let last = cases.len() as u32;
        let default = default.map(|children| self.list(children, Around { case: Some(last), ..inner }));
        Body::Switch { on: expr(on), cases: taken, default }
    }
}
