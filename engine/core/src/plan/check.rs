//! Whether a plan holds together, so that a journal that was changed cannot make the engine panic or wait for ever.

use std::collections::BTreeSet;

use super::{Action, Beside, Body, CHILD_DEPTH_MAX, Plan, Section, Step};
use crate::units::{StepId, StepIx};

/// Why a plan cannot be run. The language makes no such plan: this is for what was stored and came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenPlan {
    /// Two steps have one id.
    #[error("the id `{0}` is there twice")]
    TwiceThere(StepId),
    /// A step that is named by its place does not exist, or comes before the block that it lies in.
    #[error("step `{0}` names a step that is not there")]
    NotThere(StepId),
    /// A block and the steps in it do not say the same about each other.
    #[error("step `{0}` does not lie where its block says")]
    Misplaced(StepId),
    /// These steps wait for each other, or for a block that they lie in.
    #[error("these steps wait for each other: {0:?}")]
    Cycle(Vec<StepId>),
    /// A plan of a child run is missing, or they lie too deep within each other, as when they start each other.
    #[error("its child runs have no plan, or lie deeper than {CHILD_DEPTH_MAX} within each other")]
    Children,
    /// A step calls a plugin that the plan does not have.
    #[error("step `{0}` calls a plugin that is not there")]
    Plugin(StepId),
}

impl Plan {
    /// Checks that the steps hold together, those of loops among themselves.
    ///
    /// # Errors
    /// Says what does not.
    pub fn check(&self) -> Result<(), BrokenPlan> {
        self.check_steps()?;
        self.runbooks.values().try_for_each(Self::check_steps)?;
        match self.child_depth() {
            Some(..=CHILD_DEPTH_MAX) => Ok(()),
            _ => Err(BrokenPlan::Children),
        }
    }

    fn check_steps(&self) -> Result<(), BrokenPlan> {
        let mut ids = BTreeSet::new();
        List(&self.steps).check(&mut ids)?;
        let calls =
            |action: &Action| matches!(action, Action::Plugin(call) if !self.plugins.contains_key(&call.plugin));
        let broken = |step: &&&Step| {
            let undo = step.rollback.as_ref().map(|undo| &undo.action);
            let own = match &step.body {
                Body::Action(action) => Some(action),
                Body::Block { .. } | Body::Switch { .. } | Body::ForEach(_) => None,
            };
            own.into_iter().chain(undo).any(calls)
        };
        match self.written().iter().find(broken) {
            Some(step) => Err(BrokenPlan::Plugin(step.id.clone())),
            None => Ok(()),
        }
    }
}

/// The steps of a plan, or of one item of a loop.
struct List<'p>(&'p [Step]);

impl<'p> List<'p> {
    fn check(&self, ids: &mut BTreeSet<&'p StepId>) -> Result<(), BrokenPlan> {
        for (at, step) in self.iter() {
            if !ids.insert(&step.id) {
                return Err(BrokenPlan::TwiceThere(step.id.clone()));
            }
            let exists = |other: &StepIx| self.0.get(other.at()).is_some_and(|other| other.goes_with(step));
            let before = step.parent.is_none_or(|parent| parent < at);
            if !before || !step.needs.iter().all(exists) || !step.children().all(|child| exists(&child)) {
                return Err(BrokenPlan::NotThere(step.id.clone()));
            }
        }
        self.check_places()?;
        self.check_cycles()?;
        for (_, step) in self.iter() {
            if let Body::ForEach(each) = &step.body {
                let one_root = each.body.first().is_some_and(|root| root.parent.is_none() && root.needs.is_empty());
                let all_in_it = each.body.iter().skip(1).all(|step| step.parent.is_some());
                let all_with_it = each
                    .body
                    .iter()
                    .all(|inner| inner.goes_with(step) && inner.deadline().is_none() && inner.guard().is_none());
                if !one_root || !all_in_it || !all_with_it || !each.roots.is_empty() {
                    return Err(BrokenPlan::Misplaced(step.id.clone()));
                }
                // The first step is called like the loop itself.
                ids.remove(&step.id);
                List(&each.body).check(ids)?;
            }
            if step.item.is_some() || !step.may_be_beside() {
                return Err(BrokenPlan::Misplaced(step.id.clone()));
            }
        }
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = (StepIx, &'p Step)> + use<'p> {
        (0u32..).map(StepIx).zip(self.0)
    }

    fn step(&self, at: StepIx) -> &'p Step {
        &self.0[at.at()]
    }

    /// Each step is a child of its parent exactly once, and of no other step.
    fn check_places(&self) -> Result<(), BrokenPlan> {
        let mut seen = vec![false; self.0.len()];
        for (at, step) in self.iter() {
            for (case, section, child) in step.places() {
                let of = self.step(child);
                let fits = of.parent == Some(at) && (of.case, of.section) == (case, section);
                if !fits || !of.goes_with(step) || std::mem::replace(&mut seen[child.at()], true) {
                    return Err(BrokenPlan::Misplaced(of.id.clone()));
                }
            }
        }
        let lost = self.iter().find(|(at, step)| step.parent.is_some() != seen[at.at()]);
        lost.map_or(Ok(()), |(_, step)| Err(BrokenPlan::Misplaced(step.id.clone())))
    }

    /// Every step can start one day: a block starts before the steps in it and ends after them, its sections come one
    /// after the other, a step starts after the end of what it needs. Each step has nodes for its start, its end, and the
    /// begin of its `rescue` and of its `always`; what cannot be sorted is a cycle.
    fn check_cycles(&self) -> Result<(), BrokenPlan> {
        let count = self.0.len();
        let (start, end) = (|at: StepIx| 4 * at.at(), |at: StepIx| 4 * at.at() + 1);
        let begin = |at: StepIx, section: Section| match section {
            Section::Main => 4 * at.at(),
            Section::Rescue => 4 * at.at() + 2,
            Section::Always => 4 * at.at() + 3,
        };
        let mut after = vec![vec![]; 4 * count];
        let mut waits = vec![0u32; 4 * count];
        let mut edge = |from: usize, to: usize| {
            after[from].push(to);
            waits[to] += 1;
        };
        for (at, step) in self.iter() {
            edge(start(at), begin(at, Section::Rescue));
            edge(begin(at, Section::Rescue), begin(at, Section::Always));
            edge(begin(at, Section::Always), end(at));
            if let Some(parent) = step.parent {
                edge(begin(parent, step.section), start(at));
                edge(
                    end(at),
                    match step.section {
                        Section::Main => begin(parent, Section::Rescue),
                        Section::Rescue => begin(parent, Section::Always),
                        Section::Always => end(parent),
                    },
                );
            }
            step.needs.iter().for_each(|need| edge(end(*need), start(at)));
        }
        let mut free: Vec<usize> = (0..4 * count).filter(|node| waits[*node] == 0).collect();
        let mut sorted = 0;
        while let Some(node) = free.pop() {
            sorted += 1;
            for next in &after[node] {
                waits[*next] -= 1;
                if waits[*next] == 0 {
                    free.push(*next);
                }
            }
        }
        if sorted == 4 * count {
            return Ok(());
        }
        let stuck = self.iter().filter(|(at, _)| waits[start(*at)] > 0).map(|(_, step)| step.id.clone());
        Err(BrokenPlan::Cycle(stuck.collect()))
    }
}

impl Step {
    /// Whether both belong to the steps, to what runs beside them, or to `always`.
    fn goes_with(&self, other: &Self) -> bool {
        (self.always, self.beside.is_some()) == (other.always, other.beside.is_some())
    }

    /// Whether it can be what it is beside the steps: only a block that waits for nothing can be a deadline,
    /// and only what looks at something a guard.
    fn may_be_beside(&self) -> bool {
        let is_outermost = self.parent.is_none() && self.needs.is_empty() && !self.always;
        match &self.beside {
            None => true,
            Some(Beside::Deadline(_)) => is_outermost && matches!(self.body, Body::Block { .. }),
            Some(Beside::Within) => !self.always,
            Some(Beside::Guard(_)) => {
                let looks = matches!(
                    self.body,
                    Body::Action(Action::Run(_) | Action::Argv(_) | Action::Http(_) | Action::Plugin(_))
                );
                is_outermost && looks && self.until.is_none() && self.retry.is_none()
            }
        }
    }

    /// Its direct children with the case and section that they lie in.
    fn places(&self) -> Vec<(Option<u32>, Section, StepIx)> {
        match &self.body {
            Body::Action(_) | Body::ForEach(_) => vec![],
            Body::Block { children, rescue, always } => {
                let lists = [(Section::Main, children), (Section::Rescue, rescue), (Section::Always, always)];
                lists.into_iter().flat_map(|(section, list)| list.iter().map(move |at| (None, section, *at))).collect()
            }
            Body::Switch { cases, default, .. } => {
                let lists = cases.iter().map(|case| &case.children).chain(default);
                let one = |(case, list): (u32, &'_ Vec<StepIx>)| -> Vec<_> {
                    list.iter().map(|at| (Some(case), Section::Main, *at)).collect()
                };
                (0u32..).zip(lists).flat_map(one).collect()
            }
        }
    }
}
