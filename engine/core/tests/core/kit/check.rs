//! What must hold after every decision, written down a second time and in another way than the engine does it.

use runbook_core::event::{AttemptId, BlockReason, Cause, Event, Phase, SkipReason, StopReason};
use runbook_core::input::Input;
use runbook_core::plan::{Body, Plan, Section};
use runbook_core::run::{Doing, Run, ServiceState, Stage, StepRun, StepState, UndoState};
use runbook_core::units::{RunId, StepId, StepIx, Timestamp};
use runbook_core::{Effect, decide};

use super::expr::Mini;
use super::{asked, beside, done, locks, loops, needs};

pub(crate) fn plan(run: &Run) -> &Plan {
    &run.created().expect("a run").plan
}

pub(crate) fn of(run: &Run, at: StepIx) -> &StepRun {
    run.step(&plan(run).step(at).id).expect("a step of the plan")
}

/// The steps around a step, from the inside out.
fn around(plan: &Plan, at: StepIx) -> Vec<StepIx> {
    std::iter::successors(plan.step(at).parent, |at| plan.step(*at).parent).collect()
}

/// Checks one event against the state before and after it.
pub(crate) fn event(before: &Run, event: &Event, after: &Run) {
    beside::event(before, event);
    match event {
        // A child run that has begun goes on by itself: another engine of it is not another start.
        Event::AttemptStarted { attempt, child: Some(child), .. } if goes_on(before, attempt, child) => {}
        Event::AttemptStarted { attempt, .. } if attempt.phase == Phase::Do => {
            let at = plan(before).find(attempt.step.as_str()).expect("a step");
            started(before, at, attempt.number == 1 && attempt.poll == 1);
        }
        Event::AttemptStarted { attempt, .. } if attempt.phase == Phase::Probe => done::look_started(before, attempt),
        Event::StepSucceeded { step, already_done: true, .. } => done::succeeded(before, step),
        Event::AttemptStarted { attempt, .. } => undo_started(before, &attempt.step),
        Event::BlockEntered { step, case } => {
            let at = plan(before).find(step.as_str()).expect("a step");
            started(before, at, true);
            let cases = plan(before).step(at).children().any(|child| plan(before).step(child).case.is_some());
            assert_eq!(cases, case.is_some(), "a case is taken in a switch only: `{step}`");
        }
        Event::LoopEntered { step, items, .. } => {
            let at = plan(before).find(step.as_str()).expect("a step");
            started(before, at, true);
            loops::entered(after, at, items.len());
        }
        Event::SectionEntered { step, section, .. } => section_entered(before, step, *section),
        Event::RunEnded { .. } => ended(after),
        _ => {}
    }
    if matches!(event, Event::StepsReset { .. } | Event::RunReopened { .. }) {
        return;
    }
    for (at, step, now) in after.steps() {
        let is_old = before.step(&step.id).is_some_and(|old| old.state.is_settled());
        if is_old {
            assert_eq!(of(before, at).state, now.state, "`{}` changed after it had settled", step.id);
        }
    }
}

/// The sections of a block that come before one, or all.
fn sections(plan: &Plan, at: StepIx, before: Option<Section>) -> Vec<StepIx> {
    let children = plan.step(at).children();
    children.filter(|child| before.is_none_or(|before| plan.step(*child).section < before)).collect()
}

fn has_section(plan: &Plan, at: StepIx, section: Section) -> bool {
    plan.step(at).children().any(|child| plan.step(child).section == section)
}

/// Whether a step of this list failed, and that is some matter.
fn failed_in(run: &Run, at: StepIx, section: Section) -> bool {
    plan(run).step(at).children().any(|child| {
        let step = plan(run).step(child);
        step.section == section && matches!(of(run, child).state, StepState::Failed(_)) && !step.continue_on_failure
    })
}

fn section_entered(run: &Run, step: &StepId, section: Section) {
    let at = plan(run).find(step.as_str()).expect("a step");
    for child in sections(plan(run), at, Some(section)) {
        assert!(of(run, child).state.is_settled(), "`{section:?}` of `{step}` begins too early");
    }
    if section == Section::Rescue {
        assert!(failed_in(run, at, Section::Main), "nothing failed in `{step}`");
    }
}

/// Whether a step lies in the `always` of a block.
fn in_cleanup(plan: &Plan, at: StepIx) -> bool {
    std::iter::once(at).chain(around(plan, at)).any(|at| plan.step(at).section == Section::Always)
}

fn goes_on(before: &Run, attempt: &AttemptId, child: &RunId) -> bool {
    let known = before.step(&attempt.step).into_iter().flat_map(|step| &step.children);
    known.into_iter().any(|known| known.run == *child && !known.is_over)
}

/// A step, or block, begins: all that it builds on has settled, it lies in what is entered, and nothing holds it back.
fn started(run: &Run, at: StepIx, first: bool) {
    let plan = plan(run);
    let step = plan.step(at);
    let expected = if step.always { Stage::Always } else { Stage::Main };
    assert_eq!(run.stage(), expected, "`{}` starts", step.id);
    assert!(run.is_equipped(), "`{}` starts before the services answer and the locks are held", step.id);
    let mut chain = vec![at];
    chain.extend(around(plan, at));
    for holder in chain.iter().filter(|at| !plan.step(**at).locks.is_empty()) {
        assert!(locks::holds(run, *holder), "`{}` starts without the locks of `{}`", step.id, plan.step(*holder).id);
    }
    for inner in &chain {
        needs::are_met(run, plan.step(*inner));
    }
    for block in &chain[1..] {
        assert_eq!(of(run, *block).state, StepState::Entered, "`{}` starts outside of its block", step.id);
    }
    if first && !in_cleanup(plan, at) {
        beside::begins(run, step);
    }
    if let (true, false, Some(held)) = (first, of(run, at).told, held_back(run, at)) {
        panic!("`{}` starts although {held}", step.id);
    }
    if step.approval.is_some() && first {
        assert_eq!(of(run, at).state, StepState::Cleared, "`{}` starts without approval", step.id);
    }
}

/// Why a step must not start, from first principles.
fn held_back(run: &Run, at: StepIx) -> Option<String> {
    let plan = plan(run);
    let cancelled = run.cancel().is_some_and(|cancel| match run.stage() {
        // What a second request cuts is told in tables.
        Stage::Main => !in_cleanup(plan, at),
        _ => cancel.level >= 2,
    });
    if cancelled {
        return Some("the run is cancelled".to_owned());
    }
    let free = |at: StepIx| {
        let step = plan.step(at);
        let anyway = step.section == Section::Always || (step.always && step.parent.is_none());
        step.condition.as_ref().is_some_and(|it| it.asks_status) || anyway
    };
    // How far out one must go from this step until somebody said that a failure is no matter.
    let mut bound: Vec<(StepIx, Section)> = vec![];
    let mut open = !free(at);
    for (block, section) in lists_around(plan, at) {
        if open {
            bound.push((block, section));
        }
        open &= section == Section::Main && !free(block);
    }
    if free(at) {
        return None;
    }
    for (failed, step, state) in run.steps() {
        if !matches!(state.state, StepState::Failed(_)) || step.continue_on_failure {
            continue;
        }
        let mut reach = vec![];
        let mut to_the_top = true;
        for (block, section) in lists_around(plan, failed) {
            if let Body::ForEach(each) = &plan.step(block).body {
                // What fails in an item is contained until the item has failed, and that until too many have.
                if step.parent != Some(block) || loops::bears(run, block, each) {
                    to_the_top = false;
                    break;
                }
            }
            reach.push((block, section));
            let rescues = section == Section::Main && has_section(plan, block, Section::Rescue);
            if plan.step(block).continue_on_failure || rescues || plan.step(block).deadline().is_some() {
                to_the_top = false;
                break;
            }
        }
        // Within a block that bounds failures, the failure of one holds back the others.
        let bounds = |at: StepIx| {
            let several = has_section(plan, at, Section::Rescue) || has_section(plan, at, Section::Always);
            let is_of_loop = matches!(plan.step(at).body, Body::ForEach(_))
                || plan.step(at).parent.is_some_and(|it| matches!(plan.step(it).body, Body::ForEach(_)));
            let is_deadline = plan.step(at).deadline().is_some();
            plan.step(at).continue_on_failure || free(at) || several || is_of_loop || is_deadline
        };
        if let Some((block, _)) = reach.iter().find(|list| bound.contains(list) && bounds(list.0)) {
            return Some(format!("`{}` failed within `{}`", step.id, plan.step(*block).id));
        }
        let is_beside = step.beside.is_some() || plan.step(at).beside.is_some();
        let ends_all = step.guard().is_some() && plan.step(at).beside.is_none();
        if to_the_top && open && !step.always && (!is_beside || ends_all) {
            return Some(format!("`{}` failed the run", step.id));
        }
    }
    None
}

/// The lists that a step lies in, from the inside out: of which block, and which of its sections.
fn lists_around(plan: &Plan, at: StepIx) -> Vec<(StepIx, Section)> {
    let chain: Vec<StepIx> = std::iter::once(at).chain(around(plan, at)).collect();
    chain.windows(2).map(|pair| (pair[1], plan.step(pair[0]).section)).collect()
}

/// Whether one step builds on another: by needs, of its own or of a block around it, or as the block around it. Steps in a
/// block that was never entered, or in a branch that was not taken, waited for nothing.
fn builds_on(run: &Run, at: StepIx, on: StepIx) -> bool {
    let plan = plan(run);
    let mut seen = vec![false; plan.steps.len()];
    let mut open = vec![at];
    while let Some(next) = open.pop() {
        if std::mem::replace(&mut seen[next.at()], true) {
            continue;
        }
        // What is skipped because of what lies around it waits for nothing.
        if let StepState::Skipped(SkipReason::Branch | SkipReason::Parent(_) | SkipReason::Rescue(_)) =
            state_of(run, next)
        {
            continue;
        }
        let step = plan.step(next);
        let went_with_its_block = matches!(
            of(run, next).state,
            StepState::Skipped(SkipReason::Branch | SkipReason::Parent(_)) | StepState::Blocked(BlockReason::Parent(_))
        );
        if !went_with_its_block {
            open.extend(needs::waited_for(run, next));
        }
        if of(run, next).started_at.is_some() {
            open.extend(step.children());
        }
        for (block, section) in lists_around(plan, next) {
            open.extend(sections(plan, block, Some(section)));
            open.extend(needs::waited_for(run, block));
        }
    }
    at != on && seen[on.at()]
}

fn undo_started(run: &Run, step: &StepId) {
    let plan = plan(run);
    let at = plan.find(step.as_str()).expect("a step");
    assert_eq!(run.stage(), Stage::RollingBack);
    assert!(run.services_answer(), "`{step}` is undone before the services answer");
    let rollback = run.rollback().expect("a rollback");
    for other in &rollback.order {
        let undo = &of(run, *other).undo.state;
        if *other != at {
            assert_ne!(*undo, UndoState::Running, "two undos at once");
            assert!(!matches!(undo, UndoState::Failed(_)), "`{step}` is undone after an undo failed");
        }
        if builds_on(run, *other, at) {
            assert_eq!(*undo, UndoState::Undone, "`{step}` is undone before `{}`", plan.step(*other).id);
        }
    }
    let StepRun { state, had_succeeded, .. } = of(run, at);
    let also_failed = plan.step(at).rollback.as_ref().is_some_and(|undo| undo.also_failed);
    assert!(*state == StepState::Succeeded || *had_succeeded || also_failed, "`{step}` is undone and was {state:?}");
    let by_hand = !of(run, at).already_done;
    assert!(of(run, at).attempts > 0 || of(run, at).started_at.is_some() || by_hand, "`{step}` did nothing");
    assert!(!plan.step(at).always && !in_cleanup(plan, at), "`{step}` of `always` is undone");
}

/// The end: all has settled, nothing is wanted, and `always` ran.
fn ended(run: &Run) {
    assert!(run.wanted().is_empty(), "after the end: {:?}", run.wanted());
    let undisturbed = run.cancel().is_none() && run.services().values().all(|it| *it == ServiceState::Stopped);
    let service_failed = matches!(run.end().expect("an end").cause, Cause::Service(_));
    for (at, step, state) in run.steps() {
        assert!(state.state.is_settled(), "`{}` is {:?} at the end", step.id, state.state);
        if let Body::ForEach(each) = &step.body {
            loops::ended(run, at, each);
        }
        if matches!(step.body, Body::Block { .. }) {
            // What runs beside the steps does not start over after an end, with which it may have been cut.
            let is_of_before = step.beside.is_some() && run.reopened() > 0;
            block_ended(run, at, undisturbed && !service_failed && !is_of_before);
        }
        let case = step.parent.map(|parent| &of(run, parent).state);
        if matches!(case, Some(StepState::Skipped(_))) {
            assert!(matches!(state.state, StepState::Skipped(_)), "`{}` lies in a skipped block", step.id);
        }
        assert_ne!(state.undo.state, UndoState::Running, "`{}` is being undone at the end", step.id);
        if let (StepState::Blocked(reason), true, None) = (&state.state, step.always, step.parent) {
            let fits = match reason {
                BlockReason::Cancelled => run.cancel().is_some(),
                BlockReason::Service(_) => {
                    matches!(run.end().expect("an end").cause, Cause::Service(_) | Cause::Undo(_))
                }
                BlockReason::Lock(_) => matches!(run.end().expect("an end").cause, Cause::Lock(_)),
                // Entered, and one of the steps within was held back.
                _ => of_children(run, at).any(|state| matches!(state, StepState::Blocked(_))),
            };
            assert!(fits, "`{}` of `always` was held back: {reason:?}", step.id);
        }
    }
}

/// The `rescue` of a block ran if it had to, and its `always` if it was entered.
fn block_ended(run: &Run, at: StepIx, undisturbed: bool) {
    let (plan, id) = (plan(run), &plan(run).step(at).id);
    let entered = of(run, at).started_at.is_some();
    for child in plan.step(at).children() {
        let (step, state) = (plan.step(child), &of(run, child).state);
        let unneeded = matches!(state, StepState::Skipped(SkipReason::Rescue(_)));
        match step.section {
            Section::Main => assert!(!unneeded),
            Section::Rescue if entered => assert_eq!(unneeded, !failed_in(run, at, Section::Main), "`{}`", step.id),
            Section::Always if entered && undisturbed => {
                let held = matches!(state, StepState::Blocked(_)) && of(run, child).started_at.is_none();
                assert!(!held, "`{}` of the `always` of `{id}` did not run", step.id);
            }
            Section::Rescue | Section::Always => {}
        }
    }
    let rescued = has_section(plan, at, Section::Rescue) && !failed_in(run, at, Section::Rescue);
    if *state_of(run, at) == StepState::Succeeded && failed_in(run, at, Section::Main) {
        assert!(rescued, "`{id}` succeeded and a step in it failed");
    }
    if *state_of(run, at) == StepState::Succeeded {
        assert!(!failed_in(run, at, Section::Always), "`{id}` succeeded and a step of its `always` failed");
    }
}

pub(crate) fn state_of(run: &Run, at: StepIx) -> &StepState {
    &of(run, at).state
}

fn of_children(run: &Run, at: StepIx) -> impl Iterator<Item = &StepState> {
    plan(run).step(at).children().map(move |child| &of(run, child).state)
}

/// What can be said of any state.
pub(crate) fn state(run: &Run) {
    locks::are_held_once(run);
    let Some(created) = run.created() else { return };
    let outside = |doing| match doing {
        Doing::Stopping { why, .. } => !matches!(why, StopReason::Interrupted(_)),
        _ => matches!(doing, Doing::Executing | Doing::Polling { .. }),
    };
    beside::places(run, created.plan.max_parallel, |live| outside(live.doing));
    let undos = run.live().filter(|live| live.attempt.phase == Phase::Undo).count();
    assert!(undos <= 1, "{undos} undos at once");
    loops::state(run, created.plan.max_parallel);
    let wanted = run.wanted();
    for live in run.live().filter(|live| run.child_of(&live.attempt).is_some()) {
        let killed = |effect: &Effect| matches!(effect, Effect::Stop { attempt, .. } if *attempt == live.attempt);
        assert!(!wanted.iter().any(killed), "the engine of the child run {} is killed", live.attempt);
        assert!(wanted.contains(&Effect::Execute(live.attempt.clone())), "{} is not gone on with", live.attempt);
    }
    for effect in &wanted {
        if let Effect::Execute(attempt) | Effect::Stop { attempt, .. } = effect {
            assert!(run.live().any(|live| live.attempt == *attempt), "{attempt} is wanted and not running");
        }
    }
    asked::state(run);
    if run.stage() != Stage::Ended && run.host().is_some() && run.paused().is_none() {
        assert!(!wanted.is_empty() || !run.services().is_empty(), "nothing is wanted and the run has not ended");
    }
}

/// The same input once more decides nothing: an answer read twice, a timer that fires twice, a result told twice.
pub(crate) fn once(run: &Run, input: &Input, at: Timestamp) {
    match input {
        // A second engine is a new fact; a refused answer is refused again.
        Input::EngineStarted(_) | Input::Answered(_) => return,
        // What was asked of one stage may be asked of the next.
        Input::CancelAsked { .. } => return,
        _ => {}
    }
    let again = decide(run.clone(), input.clone(), at, &Mini).expect("the same input once more");
    assert!(again.events.is_empty(), "{input:?} once more leads to {:?}", again.events);
    if let Input::Due(timer) = input {
        let open =
            |effect: &Effect| matches!(effect, Effect::Timer { at: due, timer: it } if it == timer && *due <= at);
        assert!(!run.wanted().iter().any(open), "{timer:?} would fire for ever");
    }
}
