//! What each step waits for.

use runbook_core::plan::Section;

use super::outline::Outline;
use crate::code::Code;
use crate::decode::Text;
use crate::diagnostic::Collector;
use crate::document::{NeedsDoc, SomeOfDoc};
use crate::source::Span;
use crate::suggest::{did_you_mean, some_of};

/// A step that another waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// Which.
    pub(crate) on: usize,
    /// Where that is written; none when it follows from the order.
    pub(crate) written: Option<Span>,
}

/// For each step, what it waits for; reports what cannot be waited for.
pub(crate) fn resolve(outline: &Outline<'_>, found: &mut Collector) -> Vec<Vec<Need>> {
    (0..outline.items.len()).map(|at| of_step(outline, at, found)).collect()
}

fn of_step(outline: &Outline<'_>, at: usize, found: &mut Collector) -> Vec<Need> {
    let item = &outline.items[at];
    let implied = item.before.map(|on| Need { on, written: None });
    let Some(needs) = &item.doc.needs else { return implied.into_iter().collect() };
    if item.runs_anyway() {
        found
            .error(Code::Misplaced, item.doc.place.key_or_start("needs"), "a step of `always` takes no `needs`")
            .help("they run one after the other, whatever became of the one before; put those with `needs` in a block");
        return implied.into_iter().collect();
    }
    let mut result: Vec<Need> = Vec::with_capacity(needs.names().len());
    if let NeedsDoc::Some(some) = needs {
        check_count(some, found);
    }
    for name in needs.names() {
        let Some(on) = outline.find(&name.value) else {
            let help = did_you_mean(&name.value, outline.ids())
                .unwrap_or_else(|| format!("the steps are {}", some_of(outline.ids())));
            found.error(Code::UnknownNeed, name.span, format!("there is no step `{}`", name.value)).help(help);
            continue;
        };
        if result.iter().any(|need| need.on == on) {
            found.error(Code::WrongValue, name.span, format!("`{}` is named twice", name.value)).help("remove one");
        } else if reachable(outline, at, on, name, found) {
            result.push(Need { on, written: Some(name.span) });
        }
    }
    result
}

/// Checks that so many can be done.
fn check_count(some: &SomeOfDoc, found: &mut Collector) {
    let (Some(any), Some(of)) = (some.any.get(), some.of.get()) else { return };
    if of.empty {
        found.error(Code::Empty, of.span, "there are no steps in it").help("`needs: []` starts at once");
    } else if any.value as usize > of.items.len() {
        let message = format!("{} of {} steps can never be done", any.value, of.items.len());
        found.error(Code::WrongValue, any.span, message).help("write a smaller number, or name more steps");
    }
}

/// Whether one step can wait for another; a cycle is no matter of this.
fn reachable(outline: &Outline<'_>, at: usize, on: usize, name: &Text, found: &mut Collector) -> bool {
    let (reader, needed) = (&outline.items[at], &outline.items[on]);
    let id = &name.value;
    if at == on {
        return true;
    }
    let (message, help) = if outline.within(at, on) {
        (
            format!("`{id}` holds this step"),
            "a step starts after the block around it by itself: remove the name".to_owned(),
        )
    } else if outline.within(on, at) {
        (
            format!("`{id}` lies in this step"),
            "a block ends after the steps in it by itself: remove the name".to_owned(),
        )
    } else if needed.always != reader.always {
        let message = if needed.always {
            format!("`{id}` belongs to `always`")
        } else {
            format!("`{id}` is no step of `always`")
        };
        (message, "the steps of `always` start when all others have ended: remove the name".to_owned())
    } else if needed.beside != reader.beside {
        of_deadline(id, needed.beside.map(|at| outline.name(at)))
    } else if let Some(around) = outline.loop_without(on, Some(at)) {
        let around = outline.name(around);
        (
            format!("`{id}` lies in the loop `{around}`, and is there once for each item"),
            format!("wait for the whole loop: `needs: [{around}]`"),
        )
    } else if let Some(around) = outline.loop_without(at, Some(on)) {
        let around = outline.name(around);
        (
            format!("`{id}` lies outside of the loop `{around}`"),
            format!("let the loop wait for it: `needs: [{id}]` on `{around}`"),
        )
    } else if let Some((block, there, here)) = foreign_section(outline, at, on) {
        let (block, there) = (outline.name(block), word(there));
        match here {
            None => (
                format!("`{id}` belongs to `{there}` of `{block}`"),
                format!("wait for the whole block: `needs: [{block}]`"),
            ),
            Some(here) => (
                format!("`{id}` belongs to `{there}` of `{block}`, and this step to `{}`", word(here)),
                "the parts of a block run one after the other by themselves: remove the name".to_owned(),
            ),
        }
    } else if let Some(branch) = foreign_branch(outline, at, on) {
        let switch = outline.name(branch);
        (
            format!("`{id}` lies in another branch, of `{switch}`"),
            format!("wait for the whole switch: `needs: [{switch}]`"),
        )
    } else {
        return true;
    };
    found.error(Code::UnreachableNeed, name.span, message).help(help);
    false
}

/// What is wrong with a need across the border of a deadline, and the way out.
fn of_deadline(id: &str, deadline: Option<&str>) -> (String, String) {
    let (message, help) = match deadline {
        Some(deadline) => (
            format!("`{id}` runs beside the steps, as a part of `{deadline}`"),
            "no step waits for a deadline or a guard: remove the name",
        ),
        None => (
            format!("`{id}` does not belong to this deadline"),
            "a deadline waits for nothing but its time: say `unless: steps.….succeeded`, or remove the name",
        ),
    };
    (message, help.to_owned())
}

/// The key of a section.
pub(crate) fn word(section: Section) -> &'static str {
    match section {
        Section::Main => "steps",
        Section::Rescue => "rescue",
        Section::Always => "always",
    }
}

/// The outermost block of which `on` lies in another section than `at`, with both; from outside of a block only its
/// `steps` can be waited for.
pub(crate) fn foreign_section(
    outline: &Outline<'_>,
    at: usize,
    on: usize,
) -> Option<(usize, Section, Option<Section>)> {
    let mut outermost = None;
    for inner in outline.outwards(on) {
        let item = &outline.items[inner];
        let Some(block) = item.parent else { continue };
        let here = outline.section_in(at, block);
        if here.unwrap_or(Section::Main) != item.section {
            outermost = Some((block, item.section, here));
        }
    }
    outermost
}

/// The outermost switch of which `on` lies in a branch and `at` does not lie in the same.
pub(crate) fn foreign_branch(outline: &Outline<'_>, at: usize, on: usize) -> Option<usize> {
    let mut outermost = None;
    for inner in outline.outwards(on) {
        let item = &outline.items[inner];
        if let Some(parent) = item.parent
            && outline.items[parent].is_switch()
            && !outline.in_case(at, parent, item.case)
        {
            outermost = Some(parent);
        }
    }
    outermost
}
