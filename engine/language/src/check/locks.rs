//! Locks that can never be free: a block holds one, and cannot end before a step outside of it has, which waits for it.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Order;
use super::outline::Outline;
use crate::code::Code;
use crate::diagnostic::Collector;
use crate::source::Span;

/// A lock of a step, or of the document.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// The step; none for the document.
    pub(crate) step: Option<usize>,
    /// Its name as written. Two that are written alike are one lock.
    pub(crate) name: String,
    /// Where.
    pub(crate) span: Span,
}

/// Reports each step that waits for a lock of a block which waits for it.
pub(crate) fn check(outline: &Outline<'_>, order: &Order, locks: &[Held], found: &mut Collector) {
    let mut by_name: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
    for held in locks {
        by_name.entry(held.name.as_str()).or_default().push(held);
    }
    // Who has it by what is around it neither takes it nor waits for it.
    let of_run = |name: &str| by_name.get(name).is_some_and(|all| all.iter().any(|held| held.step.is_none()));
    for (name, all) in &by_name {
        if all.len() < 2 || of_run(name) {
            continue;
        }
        let holders: BTreeSet<usize> = all.iter().filter_map(|held| held.step).collect();
        let takes = |at: usize| !outline.outwards(at).skip(1).any(|around| holders.contains(&around));
        let holds = |at: usize| takes(at) && outline.items[at].holds_steps() && !outline.items[at].is_loop();
        let blocks: Vec<usize> = holders.iter().copied().filter(|at| holds(*at)).collect();
        let others: Vec<usize> = holders.iter().copied().filter(|at| takes(*at)).collect();
        for (block, other) in order.locked_out(&blocks, &others) {
            report(outline, all, (block, other), found);
        }
    }
}

fn report(outline: &Outline<'_>, all: &[&Held], (block, other): (usize, usize), found: &mut Collector) {
    let span = |at: usize| all.iter().find(|held| held.step == Some(at)).map(|held| held.span);
    let (Some(own), Some(held)) = (span(other), span(block)) else { return };
    let (name, block, other) = (&all[0].name, outline.name(block), outline.name(other));
    let message = format!("`{other}` would wait for the lock `{name}` for ever");
    found
        .error(Code::LockedOut, own, message)
        .label(format!("held by `{block}`, which ends after `{other}`"))
        .related(held, format!("`{block}` holds it until all in it has ended"))
        .help(format!(
            "let `{block}` as a whole wait for `{other}`, by its `needs`, or put `{other}` into `{block}`, which has the \
             lock already"
        ));
}
