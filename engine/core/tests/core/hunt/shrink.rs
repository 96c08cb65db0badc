//! Makes a case that breaks a law as small as it gets: without each step, block and attribute that it takes not.

use runbook_core::plan::OnFailure;

use crate::case::Case;
use crate::crash::trouble;
use crate::kit::book::Book;
use crate::kit::build::{Inside, Spec};

/// Something to leave out of a step; whether there was something.
type Cut = fn(&mut Spec) -> bool;

/// The smallest case found that breaks the law, too.
pub(crate) fn shrunk(case: &Case, holds: fn(&Case)) -> Case {
    let kind = trouble(|| holds(case)).map(|why| kind(&why));
    let breaks = |case: &Case| is_sound(case) && trouble(|| holds(case)).map(|why| self::kind(&why)) == kind;
    let mut best = case.clone();
    loop {
        let before = size(&best);
        best = with_less(best, &breaks);
        if size(&best) == before {
            return best;
        }
    }
}

/// The same for the same trouble with other steps.
fn kind(why: &str) -> String {
    let words = why.split(|c: char| c.is_whitespace() || c == ':').filter(|word| !word.contains(['`', '"']));
    words.filter(|word| !word.contains(|c: char| c.is_ascii_digit())).take(6).collect()
}

fn size(case: &Case) -> String {
    format!("{:?}{:?}", case.book, case.fate)
}

fn with_less(mut best: Case, breaks: &dyn Fn(&Case) -> bool) -> Case {
    for cut in OF_CASE {
        let mut less = best.clone();
        cut(&mut less);
        if size(&less) != size(&best) && breaks(&less) {
            best = less;
        }
    }
    // Whole steps first, then what is left of each.
    let mut at = 0;
    while at < count(&best.book) {
        let places: [fn(&mut Vec<Spec>, usize); 2] = [|list, at| drop(list.remove(at)), unwrap_block];
        let smaller = places.iter().find_map(|change| {
            let mut less = best.clone();
            change_step(&mut less.book, at, *change);
            forget_needs(&mut less.book);
            (size(&less) != size(&best) && breaks(&less)).then_some(less)
        });
        match smaller {
            Some(less) => best = less,
            None => at += 1,
        }
    }
    for at in 0..count(&best.book) {
        for cut in OF_STEP {
            let mut less = best.clone();
            let mut changed = false;
            visit(&mut less.book, at, &mut |spec| changed |= cut(spec));
            forget_needs(&mut less.book);
            if changed && breaks(&less) {
                best = less;
            }
        }
    }
    best
}

const OF_CASE: &[fn(&mut Case)] = &[
    |case| case.fate.cancels = false,
    |case| case.fate.verbs = false,
    |case| case.fate.moody = false,
    |case| case.fate.service_fails = false,
    |case| case.fate.failing = 0,
    |case| case.fate.failing = 3,
    |case| case.book.always.clear(),
    |case| case.book.deadlines.clear(),
    |case| drop(case.book.deadlines.pop()),
    |case| case.book.guards.clear(),
    |case| drop(case.book.guards.pop()),
    |case| case.book.services.clear(),
    |case| drop(case.book.services.pop()),
    |case| case.book.locks.clear(),
    |case| case.book.part = None,
    |case| case.book.outputs.clear(),
    |case| case.book.break_glass.clear(),
    |case| case.book.parallel = false,
    |case| case.book.max_parallel = 100,
    |case| case.book.cancel_grace_ms = 10_000,
    |case| case.book.on_failure = OnFailure::Stop,
    |case| case.moments = None,
];

const OF_STEP: &[Cut] = &[
    |spec| spec.step.condition.take().is_some(),
    |spec| spec.step.approval.take().is_some(),
    |spec| spec.step.retry.take().is_some(),
    |spec| spec.step.until.take().is_some(),
    |spec| spec.step.timeout_ms.take().is_some(),
    |spec| spec.step.done_when.take().is_some(),
    |spec| spec.step.rollback.take().is_some(),
    |spec| spec.step.rollback.as_mut().is_some_and(|undo| undo.retry.take().is_some()),
    |spec| spec.step.rollback.as_mut().is_some_and(|undo| std::mem::take(&mut undo.also_failed)),
    |spec| std::mem::take(&mut spec.step.irreversible),
    |spec| std::mem::take(&mut spec.step.continue_on_failure),
    |spec| std::mem::take(&mut spec.step.ask_on_failure),
    |spec| spec.step.locks.pop().is_some(),
    |spec| !std::mem::take(&mut spec.step.outputs).is_empty(),
    |spec| spec.step.needs_any.take().is_some(),
    |spec| spec.needs.take().is_some(),
    |spec| spec.needs.as_mut().is_some_and(|needs| needs.pop().is_some()),
    |spec| spec.each.take().is_some(),
    |spec| spec.each.as_mut().is_some_and(|each| each.width.replace(1) != Some(1)),
    |spec| std::mem::take(&mut spec.parallel),
    |spec| cut_section(spec, 0),
    |spec| cut_section(spec, 1),
    |spec| match &mut spec.inside {
        Inside::Switch(_, _, default) => default.take().is_some(),
        _ => false,
    },
];

/// Leaves out `rescue` or `always` of a block.
fn cut_section(spec: &mut Spec, which: usize) -> bool {
    match &mut spec.inside {
        Inside::Block(_, rescue, always) => !std::mem::take([rescue, always][which]).is_empty(),
        _ => false,
    }
}

/// All lists of steps of a runbook and of a step.
fn lists(spec: &mut Spec) -> Vec<&mut Vec<Spec>> {
    match &mut spec.inside {
        Inside::Nothing | Inside::Item(_) => vec![],
        Inside::Block(main, rescue, always) => vec![main, rescue, always],
        Inside::Switch(_, cases, default) => cases.iter_mut().map(|(_, steps)| steps).chain(default).collect(),
    }
}

fn top(book: &mut Book) -> Vec<&mut Vec<Spec>> {
    let mut found = vec![&mut book.main, &mut book.always];
    found.extend(book.deadlines.iter_mut().flat_map(|(spec, _)| lists(spec)));
    found
}

/// Calls back for each list of steps, from the outside in, until it says that it is done.
fn each_list(list: &mut Vec<Spec>, then: &mut dyn FnMut(&mut Vec<Spec>) -> bool) -> bool {
    if then(list) {
        return true;
    }
    list.iter_mut().any(|spec| lists(spec).into_iter().any(|list| each_list(list, then)))
}

/// Every step, the outer ones first.
pub(crate) fn each_step(book: &mut Book, then: &mut dyn FnMut(&mut Spec)) {
    for list in top(book) {
        each_list(list, &mut |list| {
            list.iter_mut().for_each(&mut *then);
            false
        });
    }
}

fn count(book: &Book) -> usize {
    let mut count = 0;
    each_step(&mut book.clone(), &mut |_| count += 1);
    count
}

fn visit(book: &mut Book, at: usize, then: &mut dyn FnMut(&mut Spec)) {
    let mut place = 0;
    each_step(book, &mut |spec| {
        if place == at {
            then(spec);
        }
        place += 1;
    });
}

/// Changes the list that a step lies in.
fn change_step(book: &mut Book, at: usize, change: fn(&mut Vec<Spec>, usize)) {
    let mut before = 0;
    for list in top(book) {
        let is_done = each_list(list, &mut |list| {
            if at < before + list.len() {
                change(list, at - before);
                return true;
            }
            before += list.len();
            false
        });
        if is_done {
            return;
        }
    }
}

/// The steps of a block in its place.
fn unwrap_block(list: &mut Vec<Spec>, at: usize) {
    let within: Vec<Spec> = lists(&mut list[at]).into_iter().flat_map(std::mem::take).collect();
    if !within.is_empty() {
        list.splice(at..=at, within);
    }
}

/// Leaves out needs of steps that are not there any more.
fn forget_needs(book: &mut Book) {
    let mut names = vec![];
    each_step(book, &mut |spec| names.push(spec.step.id.to_string()));
    each_step(book, &mut |spec| {
        if let Some(needs) = &mut spec.needs {
            needs.retain(|need| names.contains(need));
        }
    });
}

/// Whether such a runbook can be written.
pub(crate) fn is_sound(case: &Case) -> bool {
    let mut empty = false;
    each_step(&mut case.book.clone(), &mut |spec| {
        empty |= matches!(&spec.inside, Inside::Block(main, ..) if main.is_empty());
        empty |= matches!(&spec.inside, Inside::Switch(_, cases, _) if cases.iter().any(|(_, steps)| steps.is_empty()));
    });
    let is_empty = |spec: &Spec| matches!(&spec.inside, Inside::Block(main, ..) if main.is_empty());
    let is_empty = empty || case.book.deadlines.iter().any(|(spec, _)| is_empty(spec));
    let is_whole = || trouble(|| assert_eq!(case.book.plan().check(), Ok(()))).is_none();
    !is_empty && is_whole()
}
