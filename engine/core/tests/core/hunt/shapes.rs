//! Runbooks that are full of a few things at a time.

use runbook_core::plan::{Action, Body, FailuresMax, OnFailure, OnInterrupt, OnTrip};

use super::shrink::each_step;
use crate::case::Case;
use crate::crash::{RICH, rich_fate};
use crate::kit::build::{Inside, Spec, http, run, set};
use crate::kit::rng::Rng;
use crate::random::Style;

/// A kind of runbooks.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    style: Style,
    /// What is made of a random runbook.
    twist: fn(&mut Rng, &mut Case),
    /// Of a long run only about so many moments are tried; none: all.
    pub(crate) moments: Option<usize>,
}

const SMALL: Style = Style { guards: false, ..RICH };

/// All kinds.
pub(crate) const SHAPES: &[Shape] = &[
    Shape { name: "any", style: RICH, twist: |_, _| (), moments: None },
    Shape { name: "long", style: Style { size: 60, ..RICH }, twist: |_, _| (), moments: Some(12) },
    Shape { name: "dense", style: Style { size: 20, ..RICH }, twist: dense, moments: Some(30) },
    Shape { name: "services-locks", style: SMALL, twist: services_and_locks, moments: None },
    Shape { name: "some-of", style: SMALL, twist: some_of, moments: None },
    Shape { name: "way-back", style: SMALL, twist: way_back, moments: None },
    Shape { name: "guards", style: RICH, twist: guards, moments: None },
    Shape { name: "loops", style: SMALL, twist: loops, moments: None },
    Shape { name: "children", style: SMALL, twist: children, moments: None },
    Shape { name: "interrupt", style: SMALL, twist: interrupt, moments: None },
    Shape { name: "done", style: SMALL, twist: done, moments: None },
    Shape { name: "rare", style: SMALL, twist: rare, moments: None },
];

impl Shape {
    /// The case of a seed.
    pub(crate) fn case(&self, seed: u64) -> Case {
        let mut case = Case { moments: self.moments, ..Case::of(seed, self.style, rich_fate(seed)) };
        (self.twist)(&mut Rng::of(seed, self.name), &mut case);
        case
    }
}

fn is_action(spec: &Spec) -> bool {
    matches!(spec.inside, Inside::Nothing)
}

fn is_command(spec: &Spec) -> bool {
    let acts =
        matches!(spec.step.body, Body::Action(Action::Run(_) | Action::Argv(_) | Action::Http(_) | Action::Plugin(_)));
    acts && is_action(spec)
}

/// Some of everything.
fn dense(rng: &mut Rng, case: &mut Case) {
    let all = [services_and_locks, some_of, way_back, guards, loops, children, interrupt, done];
    for _ in 0..2 {
        rng.pick(&all)(rng, case);
    }
}

/// So many percent of the steps are changed.
fn each(case: &mut Case, chance: u64, rng: &mut Rng, mut then: impl FnMut(&mut Rng, &mut Spec)) {
    each_step(&mut case.book, &mut |spec| {
        if rng.percent(chance) {
            then(rng, spec);
        }
    });
}

/// Services beside locks that many steps and the run want, some of them two at once.
fn services_and_locks(rng: &mut Rng, case: &mut Case) {
    for name in ["db", "mq"] {
        if rng.percent(60) && !case.book.services.contains(&name.to_owned()) {
            case.book.services.push(name.to_owned());
        }
    }
    case.book.parallel |= rng.percent(60);
    case.book.max_parallel = if rng.percent(70) { 100 } else { 2 };
    if rng.percent(20) {
        case.book.locks.clear();
        case.book = case.book.clone().lock(rng.pick(&["x", "y", "z"]), rng.pick(&[0, 1_000, 9_000]));
    }
    each(case, 45, rng, |rng, spec| {
        spec.step.locks.clear();
        let mut more = spec.clone().lock(rng.pick(&["x", "y", "z", "{{ params.kind }}"]), Some(9_000));
        if rng.percent(25) {
            more = more.lock(rng.pick(&["x", "y", "z"]), rng.pick(&[Some(9_000), Some(700), None]));
        }
        more.parallel |= rng.percent(40);
        *spec = more;
    });
}

/// Some of several suffice, in parallel, with steps that look at failures.
fn some_of(rng: &mut Rng, case: &mut Case) {
    case.book.parallel = rng.percent(70);
    case.fate.failing = rng.pick(&[3, 15, 40]);
    let mut before: Vec<String> = vec![];
    // Those before it in the same list: so that nothing waits in a circle.
    for spec in &mut case.book.main {
        if before.len() > 1 && rng.percent(60) {
            let count = 2 + rng.below(3) as usize;
            let mut needs: Vec<String> = (0..count).map(|_| rng.pick(&before)).collect();
            needs.sort();
            needs.dedup();
            let any = 1 + rng.below(needs.len() as u64) as u32;
            spec.needs = Some(needs);
            spec.step.needs_any = Some(any);
        }
        before.push(spec.step.id.to_string());
    }
    each(case, 35, rng, |rng, spec| {
        let conditions = ["always()", "always()", "failure()", "failure() or params.kind == 'a'", "params.kind == 'b'"];
        *spec = spec.clone().when(rng.pick(&conditions));
    });
    each(case, 15, rng, |_, spec| spec.step.continue_on_failure = true);
}

/// Deadlines, undos, and people who cancel.
fn way_back(rng: &mut Rng, case: &mut Case) {
    case.book.on_failure = OnFailure::Rollback;
    (case.fate.cancels, case.fate.failing) = (true, rng.pick(&[3, 15, 30]));
    each(case, 60, rng, |rng, spec| {
        if spec.step.rollback.is_none() {
            let (also_failed, retry) = (rng.percent(40), rng.percent(40));
            *spec = spec.clone().undo().undoing(|undo| {
                (undo.also_failed, undo.timeout_ms) = (also_failed, rng.percent(30).then(|| 50 + rng.below(600)));
                undo.kill_grace_ms = rng.pick(&[0, 200, 1_000]);
                undo.retry = retry.then(|| spec.clone().retry(2, 50).step.retry).flatten();
            });
        }
    });
    let steps = |number: u64| vec![run(&format!("e{number}")).undo(), run(&format!("f{number}")).retry(3, 200)];
    for number in 0..rng.below(3) {
        let (after_ms, id) = (rng.below(2_500), format!("late{number}"));
        let unless = rng.pick(&[None, Some("params.kind == 'b'"), Some("steps.s0.succeeded")]);
        case.book = case.book.clone().deadline(&id, after_ms, unless, steps(number));
    }
}

/// Several guards, and people who say much.
fn guards(rng: &mut Rng, case: &mut Case) {
    case.fate.verbs = true;
    for number in 0..1 + rng.below(3) {
        let id = format!("g{number}");
        let probe = if rng.percent(50) { http(&id) } else { run(&id) };
        let trip_if = rng.pick(&["response.up", "response.up", "exit_code == 1", "stdout == 'yes'", "params.kind"]);
        let on_trip = rng.pick(&[OnTrip::Stop, OnTrip::Rollback, OnTrip::Pause, OnTrip::Pause]);
        case.book = case.book.clone().guard(probe, trip_if, 1 + rng.below(3) as u32, on_trip);
    }
}

/// Loops over all sorts of steps, which are repeated, asked about, and told to start over.
fn loops(rng: &mut Rng, case: &mut Case) {
    case.book.on_failure = rng.pick(&[OnFailure::Ask, OnFailure::Ask, OnFailure::Rollback]);
    (case.fate.verbs, case.fate.failing) = (true, rng.pick(&[5, 15, 30]));
    each(case, 30, rng, |rng, spec| {
        if spec.each.is_none() && is_command(spec) {
            let failures = [FailuresMax::Count(0), FailuresMax::Count(1), FailuresMax::Percent(70)];
            let over = rng.pick(&["params.hosts", "params.hosts", "params.none"]);
            let (wide, failures) = (rng.pick(&[Some(1), Some(2), None]), rng.pick(&failures));
            *spec = spec.clone().for_each(over).wide(wide).may_fail(failures);
        }
    });
    each(case, 40, rng, |rng, spec| {
        if is_command(spec) {
            *spec = spec.clone().retry(2 + rng.below(2) as u32, rng.below(400));
        }
    });
    each(case, 10, rng, |_, spec| spec.step.ask_on_failure = !spec.step.continue_on_failure);
}

/// Child runs that are rolled back with their parents, gone on with, and cancelled.
fn children(rng: &mut Rng, case: &mut Case) {
    case.book.on_failure = rng.pick(&[OnFailure::Rollback, OnFailure::Rollback, OnFailure::Ask]);
    case.fate.failing = rng.pick(&[5, 15, 30]);
    each(case, 40, rng, |rng, spec| {
        if is_command(spec) {
            let child = crate::kit::build::child(spec.step.id.as_str());
            let (body, undo) = (child.step.body.clone(), rng.percent(75));
            (spec.step.body, spec.step.on_interrupt) = (body, OnInterrupt::Rerun);
            (spec.step.until, spec.step.done_when) = (None, None);
            spec.step.outputs.clear();
            if undo {
                *spec = spec.clone().undoes_child();
            }
        }
    });
}

/// Plugins, retries and approvals; interrupted attempts run again, fail, or are asked about.
fn interrupt(rng: &mut Rng, case: &mut Case) {
    each(case, 40, rng, |_, spec| {
        if is_command(spec) && spec.step.until.is_none() {
            spec.step.body = crate::kit::build::plugin("x").step.body;
        }
    });
    each(case, 40, rng, |rng, spec| {
        if is_command(spec) {
            spec.step.on_interrupt = rng.pick(&[OnInterrupt::Rerun, OnInterrupt::Ask, OnInterrupt::Fail]);
            spec.step.kill_grace_ms = rng.pick(&[0, 100, 1_000]);
            *spec = spec.clone().retry(2, rng.below(300));
        }
    });
}

/// Much that may be done already, with approvals, locks and retries.
fn done(rng: &mut Rng, case: &mut Case) {
    each(case, 60, rng, |rng, spec| {
        if is_command(spec) && spec.step.until.is_none() {
            *spec = match rng.below(4) {
                0 => spec.clone().done_when(rng.pick(&["params.kind == 'a'", "params.kind == 'b'", "params.kind"])),
                _ => spec.clone().probed(rng.pick(&[100, 200, 60_000])),
            };
        }
    });
    each(case, 25, rng, |rng, spec| {
        if is_action(spec) {
            *spec = spec.clone().approval(&["chief"], rng.percent(60).then(|| 500 + rng.below(1_500)));
        }
    });
    each(case, 20, rng, |rng, spec| *spec = spec.clone().lock(rng.pick(&["x", "y"]), Some(9_000)));
    each(case, 30, rng, |rng, spec| {
        if is_command(spec) {
            *spec = spec.clone().retry(2, rng.below(300));
        }
    });
}

/// What the random runbooks have not: values that pass into conditions, lists and locks, loops over all sorts of steps, undos
/// that are requests or calls of plugins, outputs of the run.
fn rare(rng: &mut Rng, case: &mut Case) {
    case.book.main.insert(0, set("list", &[("hosts", "{{ params.hosts }}"), ("kind", "{{ params.kind }}")]).needs(&[]));
    let conditions =
        ["steps.list.outputs.kind == 'a'", "steps.s0.failed", "not steps.s1.succeeded", "steps.s0.skipped"];
    each(case, 20, rng, |rng, spec| {
        if spec.step.condition.is_none() {
            *spec = spec.clone().when(rng.pick(&conditions));
        }
    });
    each(case, 30, rng, |rng, spec| {
        let may_repeat = is_action(spec) && spec.each.is_none();
        if may_repeat && rng.percent(50) {
            let over = rng.pick(&["steps.list.outputs.hosts", "params.hosts", "steps.s0.outputs.given"]);
            let (wide, name) = (rng.pick(&[Some(1), Some(2), None]), rng.pick(&["item", "host"]));
            let locked = rng.percent(30);
            *spec = spec.clone().for_each(over).called(name).wide(wide);
            if locked {
                *spec = spec.clone().lock(&format!("{{{{ {name} }}}}"), rng.pick(&[None, Some(9_000)]));
            }
        }
    });
    let (request, call) = (http("u").step.body, crate::kit::build::plugin("u").step.body);
    each(case, 40, rng, |rng, spec| {
        let body = rng.pick(&[request.clone(), call.clone()]);
        if let (Some(undo), Body::Action(action)) = (&mut spec.step.rollback, body)
            && undo.action != Action::UndoRunbook
        {
            (undo.action, undo.timeout_ms) = (action, rng.percent(50).then(|| 100 + rng.below(700)));
            let retry = run("u").retry(3, 100).only_on(&[1], Some("response.status == 500")).step.retry;
            undo.retry = retry.filter(|_| rng.percent(60));
        }
    });
    if rng.percent(50) {
        case.book = case.book.clone().output("made", rng.pick(&["{{ params.kind }}", "{{ steps.s0.outputs.given }}"]));
    }
    if rng.percent(40) {
        case.book.services.push("mq".to_owned());
    }
    if rng.percent(40) {
        case.book.on_failure = OnFailure::Rollback;
    }
}
