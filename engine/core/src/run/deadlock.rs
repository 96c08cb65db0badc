//! Steps that would wait for each other for ever: a block holds a lock, and cannot settle before a step has that waits for
//! this lock.

use std::collections::BTreeMap;

use super::{Run, StepState};
use crate::event::Phase;
use crate::plan::Plan;
use crate::units::StepIx;

/// Steps each of which waits for the next, and the last for the first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Deadlock {
    /// The step that gives up, first.
    pub(crate) steps: Vec<StepIx>,
    /// The lock that it waits for, which the second holds.
    pub(crate) lock: String,
}

/// Which steps can settle as far as locks and needs are concerned, whatever commands and people do.
struct Outlook<'r> {
    run: &'r Run,
    plan: &'r Plan,
    /// What waits for which steps because of a lock.
    waits: BTreeMap<StepIx, Vec<StepIx>>,
    settles: Vec<bool>,
}

impl Run {
    /// Steps that wait for each other, of which one waits for a lock.
    pub(crate) fn deadlock(&self) -> Option<Deadlock> {
        if self.locks.len() < 2 {
            return None;
        }
        let waits = self.waits_within();
        // An action that holds locks ends by itself.
        let by_block = waits.values().flatten().any(|(at, _)| self.steps[at.at()].state == StepState::Entered);
        let plan = self.plan().filter(|_| by_block)?;
        let only_steps = |(at, phase): (StepIx, Phase), others: Vec<(StepIx, Phase)>| {
            (phase == Phase::Do).then(|| (at, others.into_iter().map(|(at, _)| at).collect()))
        };
        let waits = waits.into_iter().filter_map(|(key, others)| only_steps(key, others)).collect();
        let mut outlook = Outlook { run: self, plan, waits, settles: vec![false; self.steps.len()] };
        outlook.look();
        outlook.cycle()
    }
}

impl Outlook<'_> {
    /// Goes over the steps until nothing new can settle: forwards for what waits for steps before it, backwards for blocks.
    fn look(&mut self) {
        loop {
            let mut is_new = false;
            let places = (0..self.settles.len()).chain((0..self.settles.len()).rev());
            for (at, place) in places.filter_map(|place| Some((StepIx(u32::try_from(place).ok()?), place))) {
                if !self.settles[place] && self.can_settle(at) {
                    self.settles[place] = true;
                    is_new = true;
                }
            }
            if !is_new {
                return;
            }
        }
    }

    fn can_settle(&self, at: StepIx) -> bool {
        let run = &self.run.steps[at.at()];
        if run.state.is_settled() {
            return true;
        }
        let gets_locks = self.around(at).all(|place| self.holder_for(place).is_none());
        gets_locks
            && match run.state {
                StepState::Pending => self.need_for(at).is_none() && self.block_for(at).is_none(),
                StepState::Entered => self.child_for(at).is_none(),
                // What becomes of these is up to commands and people.
                _ => true,
            }
    }

    fn around(&self, at: StepIx) -> impl Iterator<Item = StepIx> {
        std::iter::successors(Some(at), |at| self.plan.step(*at).parent)
    }

    /// The step that keeps this one from its own locks for ever.
    fn holder_for(&self, at: StepIx) -> Option<StepIx> {
        self.waits.get(&at)?.iter().copied().find(|other| !self.settles[other.at()])
    }

    /// The step that this one needs, and needs for ever. Where some of several suffice, as long as one of them can settle it
    /// may be that one.
    fn need_for(&self, at: StepIx) -> Option<StepIx> {
        if self.run.steps[at.at()].unmet == 0 {
            return None;
        }
        let step = self.plan.step(at);
        let open = || step.needs.iter().copied().filter(|need| !self.run.steps[need.at()].state.is_settled());
        let mut stuck = open().filter(|need| !self.settles[need.at()]);
        let is_open = step.needs_any.is_some() && open().any(|need| self.settles[need.at()]);
        if is_open { None } else { stuck.next() }
    }

    /// The block around a step, where it is never entered.
    fn block_for(&self, at: StepIx) -> Option<StepIx> {
        let around = self.plan.step(at).parent?;
        let is_entered = self.run.steps[around.at()].state == StepState::Entered;
        (!is_entered && !self.settles[around.at()]).then_some(around)
    }

    /// The step in a block that keeps it open for ever. What its next section brings is not known yet.
    fn child_for(&self, at: StepIx) -> Option<StepIx> {
        let children = self.plan.step(at).section(self.run.steps[at.at()].section);
        children.into_iter().find(|child| !self.settles[child.at()])
    }

    /// What a step that cannot settle waits for.
    fn next(&self, at: StepIx) -> Option<StepIx> {
        if let Some(holder) = self.holder_for(at) {
            return Some(holder);
        }
        if let Some(around) = self.around(at).find(|place| self.holder_for(*place).is_some()) {
            return Some(around);
        }
        match self.run.steps[at.at()].state {
            StepState::Entered => self.child_for(at),
            _ => self.need_for(at).or_else(|| self.block_for(at)),
        }
    }

    fn cycle(&self) -> Option<Deadlock> {
        let waiting = self.waits.keys().copied().rev().filter(|at| self.holder_for(*at).is_some());
        waiting.into_iter().find_map(|first| self.cycle_from(first))
    }

    fn cycle_from(&self, first: StepIx) -> Option<Deadlock> {
        let mut path: Vec<StepIx> = vec![];
        let mut at = first;
        let mut steps = loop {
            if let Some(place) = path.iter().position(|other| *other == at) {
                break path.split_off(place);
            }
            path.push(at);
            at = self.next(at)?;
        };
        // What has not begun gives up rather than what has, and the last written rather than the first.
        let has_not_begun = |at: StepIx| self.run.steps[at.at()].state == StepState::Cleared;
        let may_give_up = |at: StepIx| {
            let is_open = || self.run.ready.iter().any(|ready| self.around(*ready).any(|around| around == at));
            self.holder_for(at).is_some() && (has_not_begun(at) || is_open())
        };
        let gives_up = (0..steps.len()).filter(|place| may_give_up(steps[*place]));
        let gives_up = gives_up.max_by_key(|place| (has_not_begun(steps[*place]), steps[*place]))?;
        steps.rotate_left(gives_up);
        let names = |at: StepIx| self.run.locks.get(&Some((at, Phase::Do))).into_iter().flat_map(super::Locks::names);
        let (own, other) = (steps[0], steps[1 % steps.len()]);
        let lock = names(own).find(|name| names(other).any(|it| it == *name))?.to_owned();
        Some(Deadlock { steps, lock })
    }
}
