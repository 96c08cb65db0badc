//! Which steps start over when a person says something else about one of them.
//!
//! All that builds on a step and has settled starts over with it: what was blocked because of it, what looked at its
//! failure (`failure()`, `always()`), and, where the person says so, what has succeeded. So a step never settles after
//! one that builds on it, and undoing against the order of settling stays right.

use std::collections::BTreeSet;

use super::{Run, StepState};
use crate::event::{BlockReason, SkipReason};
use crate::plan::Section;
use crate::units::StepIx;

/// What starts over.
#[derive(Debug, Default)]
pub(crate) struct Resets {
    /// These are pending again.
    pub(crate) steps: BTreeSet<StepIx>,
    /// The blocks around them, which are open again.
    pub(crate) blocks: BTreeSet<StepIx>,
    /// The steps that were meant, of which the others follow.
    pub(crate) meant: BTreeSet<StepIx>,
    /// One that builds on them, and goes on: then nothing can start over now.
    pub(crate) busy: Option<StepIx>,
    /// One that builds on them, and ran although they did not fail it.
    pub(crate) done: Option<StepIx>,
}

impl Run {
    /// What starts over with a step. Of a block that was entered these are the steps in it that did not end well.
    pub(crate) fn resets_of(&self, step: StepIx) -> Resets {
        let mut resets = Resets::default();
        let mut open = vec![];
        self.mean(step, &mut resets, &mut open);
        self.spread_resets(open, &mut resets);
        resets
    }

    /// What starts over when all that failed the run, was ended, or did not start does.
    pub(crate) fn resets_of_all(&self) -> Resets {
        let Some(plan) = self.plan() else { return Resets::default() };
        let mut resets = Resets::default();
        let mut open = vec![];
        for (at, step) in plan.iter() {
            let held_back_by_person = matches!(
                self.steps[at.at()].state,
                StepState::Cancelled
                    | StepState::Blocked(
                        BlockReason::Cancelled | BlockReason::Service(_) | BlockReason::Lock(_) | BlockReason::Guard(_)
                    )
            );
            let ended_badly = matches!(
                self.steps[at.at()].state,
                StepState::Failed(_) | StepState::Cancelled | StepState::Blocked(_)
            );
            let counts = held_back_by_person || (ended_badly && !self.is_contained(at));
            if counts && !step.always && step.beside.is_none() && !resets.steps.contains(&at) {
                self.mean(at, &mut resets, &mut open);
            }
        }
        self.spread_resets(open, &mut resets);
        resets
    }

    /// Whether a failure of a step, or around it, counts as done.
    fn is_contained(&self, at: StepIx) -> bool {
        let Some(plan) = self.plan() else { return false };
        let mut around = std::iter::successors(Some(at), |at| plan.step(*at).parent);
        around.any(|at| {
            let step = plan.step(at);
            let counts_as_done = step.continue_on_failure && matches!(self.steps[at.at()].state, StepState::Failed(_));
            let is_rescued = step.section == Section::Main
                && step.parent.is_some_and(|block| {
                    let state = &self.steps[block.at()].state;
                    plan.step(block).can_rescue() && matches!(state, StepState::Entered | StepState::Succeeded)
                });
            counts_as_done || is_rescued || (step.is_root() && self.is_borne(step.parent))
        })
    }

    /// Whether no more items of a loop failed than may.
    fn is_borne(&self, looped: Option<StepIx>) -> bool {
        let Some((at, run)) = looped.and_then(|at| Some((at, self.loops.get(&at)?))) else { return false };
        let goes_on = matches!(self.steps[at.at()].state, StepState::Entered | StepState::Succeeded);
        goes_on && run.failed <= run.failures_max
    }

    fn mean(&self, at: StepIx, resets: &mut Resets, open: &mut Vec<StepIx>) {
        let Some(plan) = self.plan() else { return };
        let ended_badly = |at: &StepIx| {
            matches!(self.steps[at.at()].state, StepState::Failed(_) | StepState::Cancelled | StepState::Blocked(_))
        };
        if self.was_entered(at) && ended_badly(&at) {
            self.reopen_block(at, resets, open);
            let within: Vec<StepIx> = plan.step(at).children().filter(ended_badly).collect();
            within.into_iter().for_each(|child| self.mean(child, resets, open));
            return;
        }
        resets.meant.insert(at);
        self.start_over(at, resets, open);
    }

    fn start_over(&self, at: StepIx, resets: &mut Resets, open: &mut Vec<StepIx>) {
        let Some(plan) = self.plan() else { return };
        if !resets.steps.insert(at) {
            return;
        }
        resets.blocks.remove(&at);
        open.push(at);
        for child in plan.step(at).children() {
            self.start_over(child, resets, open);
        }
    }

    fn reopen_block(&self, at: StepIx, resets: &mut Resets, open: &mut Vec<StepIx>) {
        if !resets.steps.contains(&at) && resets.blocks.insert(at) {
            open.push(at);
        }
    }

    fn spread_resets(&self, mut open: Vec<StepIx>, resets: &mut Resets) {
        let Some(made) = self.made.as_ref() else { return };
        let plan = &made.created.plan;
        let held_back_by = self.held_back_by();
        let mut loops = BTreeSet::new();
        while let Some(at) = open.pop() {
            for next in &made.dependents[at.at()] {
                if !self.has_enough_without(*next, resets) {
                    self.follow(*next, true, resets, &mut open);
                }
            }
            for blocked in &held_back_by[at.at()] {
                self.follow(*blocked, false, resets, &mut open);
            }
            let step = plan.step(at);
            let Some(parent) = step.parent.filter(|parent| !resets.steps.contains(parent)) else { continue };
            let around = &self.steps[parent.at()];
            if around.state == StepState::Entered && around.section > step.section {
                resets.busy.get_or_insert(parent);
            }
            // What did not begin because too many items failed.
            if step.is_root() && loops.insert(parent) {
                for item in plan.step(parent).children() {
                    if matches!(self.steps[item.at()].state, StepState::Blocked(_)) && !self.was_entered(item) {
                        self.start_over(item, resets, &mut open);
                    }
                }
            }
            // The lists of a block after this one were for what became of it.
            for section in [Section::Rescue, Section::Always].into_iter().filter(|later| *later > step.section) {
                let settled = |later: &StepIx| self.steps[later.at()].state.is_settled();
                for later in plan.step(parent).section(section).into_iter().filter(settled) {
                    self.start_over(later, resets, &mut open);
                }
            }
            if around.state.is_settled() {
                match self.was_entered(parent) {
                    true => self.reopen_block(parent, resets, &mut open),
                    false => self.start_over(parent, resets, &mut open),
                }
            }
        }
    }

    /// Whether a step to which some of several suffice has begun, and enough of them are left as they are. What was done
    /// after it had settled is not what it built on.
    fn has_enough_without(&self, at: StepIx, resets: &Resets) -> bool {
        let stays = |need: StepIx| !resets.steps.contains(&need) && !resets.blocks.contains(&need);
        let has_begun = !matches!(self.steps[at.at()].state, StepState::Blocked(_));
        has_begun && self.has_enough_where(at, stays)
    }

    /// A step that needs one that starts over, or was blocked because of it.
    fn follow(&self, at: StepIx, needs: bool, resets: &mut Resets, open: &mut Vec<StepIx>) {
        if resets.steps.contains(&at) {
            return;
        }
        let Some(plan) = self.plan() else { return };
        match &self.steps[at.at()].state {
            StepState::Pending => {}
            // Only the block around it could have it run.
            StepState::Skipped(_) if self.is_out_of_the_way(at) => {}
            StepState::Running | StepState::Retrying | StepState::Entered => {
                resets.busy.get_or_insert(at);
            }
            // Entered, and one of the steps within was blocked: that one follows by itself.
            StepState::Blocked(_) if self.was_entered(at) && !needs => self.reopen_block(at, resets, open),
            StepState::Blocked(_) if !self.was_entered(at) => self.start_over(at, resets, open),
            StepState::Asked | StepState::Cleared => self.start_over(at, resets, open),
            StepState::Succeeded
            | StepState::Failed(_)
            | StepState::Cancelled
            | StepState::Skipped(_)
            | StepState::Blocked(_) => {
                let by_person = self.steps[at.at()].state == StepState::Skipped(SkipReason::Person);
                if !plan.step(at).asks_status() && !by_person {
                    resets.done.get_or_insert(at);
                }
                self.start_over(at, resets, open);
            }
        }
    }

    /// For each step those that were blocked because of it.
    fn held_back_by(&self) -> Vec<Vec<StepIx>> {
        let mut found = vec![vec![]; self.steps.len()];
        let Some(made) = self.made.as_ref() else { return found };
        for (at, _) in made.created.plan.iter() {
            let StepState::Blocked(BlockReason::Ancestor(by) | BlockReason::Failure(by)) = &self.steps[at.at()].state
            else {
                continue;
            };
            if let Some(by) = made.index.get(by) {
                found[by.at()].push(at);
            }
        }
        found
    }

    /// Whether a step lies in a branch that was not taken, in a block that was skipped, or in a `rescue` that was not needed.
    pub(crate) fn is_out_of_the_way(&self, at: StepIx) -> bool {
        use crate::event::SkipReason::{Branch, LeftOut, List, Parent, Rescue};
        matches!(self.steps[at.at()].state, StepState::Skipped(Branch | LeftOut | List | Parent(_) | Rescue(_)))
    }

    /// The block around a step that settled without having been entered, if there is one.
    pub(crate) fn unentered_around(&self, at: StepIx) -> Option<StepIx> {
        let plan = self.plan()?;
        let mut around = std::iter::successors(plan.step(at).parent, |at| plan.step(*at).parent);
        around.find(|block| self.steps[block.at()].state.is_settled() && !self.was_entered(*block))
    }
}
