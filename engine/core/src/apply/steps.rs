//! How steps are entered and settled, and what that means for the steps around them.

use super::Applied;
use crate::event::{Event, Phase, QuestionId};
use crate::plan::{Body, Plan, Section};
use crate::run::{ByHand, Prepared, Run, Stage, StepState};
use crate::units::{StepId, StepIx, Timestamp};

impl Run {
    pub(super) fn apply_step(&mut self, event: &Event, now: Timestamp) -> Applied {
        let (Event::BlockEntered { step, .. }
        | Event::LoopEntered { step, .. }
        | Event::SectionEntered { step, .. }
        | Event::StepSkipped { step, .. }
        | Event::StepBlocked { step, .. }
        | Event::StepPrepared { step, .. }
        | Event::StepSucceeded { step, .. }
        | Event::StepFailed { step, .. }
        | Event::StepCancelled { step }) = event
        else {
            return Err(self.illegal(event));
        };
        let at = self.at(step, event)?;
        self.must_accept(at, event)?;
        match event {
            Event::BlockEntered { case, .. } => self.enter(at, *case, now),
            Event::LoopEntered { items, failures_max, .. } => {
                let is_loop = self.plan().is_some_and(|plan| matches!(plan.step(at).body, Body::ForEach(_)));
                self.must(is_loop, event)?;
                self.enter_loop(at, items, *failures_max, now);
            }
            Event::SectionEntered { section, trouble, .. } => {
                let later = *section > self.steps[at.at()].section && self.steps[at.at()].state == StepState::Entered;
                self.must(later, event)?;
                self.steps[at.at()].in_trouble = !trouble.is_empty();
                self.enter_section(at, *section);
            }
            Event::StepPrepared { action, digest, probe, .. } => {
                let prepared = Prepared::new(action.clone(), digest.clone(), probe.clone());
                self.steps[at.at()].prepared = Some(prepared);
                self.steps[at.at()].state = StepState::Cleared;
                self.ready.remove(&at);
                self.cleared.insert(at);
            }
            Event::StepSkipped { reason, .. } => self.settle(at, StepState::Skipped(reason.clone()), now),
            Event::StepBlocked { reason, .. } => self.settle(at, StepState::Blocked(reason.clone()), now),
            Event::StepSucceeded { outputs, already_done, .. } => {
                let run = &mut self.steps[at.at()];
                run.outputs.clone_from(outputs);
                run.already_done = *already_done;
                self.settle(at, StepState::Succeeded, now);
            }
            Event::StepFailed { failure, .. } => {
                self.settle(at, StepState::Failed(failure.clone()), now);
                self.spread_failure(at);
            }
            Event::StepCancelled { .. } => self.settle(at, StepState::Cancelled, now),
            _ => return Err(self.illegal(event)),
        }
        Ok(())
    }

    /// The transitions that a step allows; anything else is a bug or a changed journal.
    fn must_accept(&self, at: StepIx, event: &Event) -> Applied {
        use StepState::{Asked, Cleared, Entered, Pending, Retrying, Running};
        let live = self.live.get(&(at, Phase::Do));
        let unlooked = !self.live.contains_key(&(at, Phase::Probe));
        let done = live.is_none() && unlooked;
        let interrupted = live.is_none_or(|live| live.doing == crate::run::Doing::Interrupted) && unlooked;
        let (ready, closing) = (self.ready.contains(&at), self.closing.contains(&at));
        let passed =
            self.deadlines().any(|(step, _)| matches!(event, Event::BlockEntered { step: id, .. } if *id == step.id));
        let fits = match (&self.steps[at.at()].state, event) {
            (Pending, Event::BlockEntered { .. }) if passed => true,
            (
                Pending,
                Event::BlockEntered { .. }
                | Event::LoopEntered { .. }
                | Event::StepPrepared { .. }
                | Event::StepFailed { .. },
            ) => ready,
            (
                Cleared,
                Event::BlockEntered { .. }
                | Event::LoopEntered { .. }
                | Event::StepBlocked { .. }
                | Event::StepFailed { .. },
            ) => true,
            (Pending, Event::StepSkipped { .. } | Event::StepBlocked { .. }) => true,
            (Pending, Event::StepSucceeded { .. }) => {
                ready && matches!(self.steps[at.at()].by_hand, Some(ByHand::Done(_)))
            }
            (Asked, Event::StepBlocked { .. } | Event::StepFailed { .. }) => !self.is_asked(at),
            (
                Entered,
                Event::SectionEntered { .. }
                | Event::StepSucceeded { .. }
                | Event::StepFailed { .. }
                | Event::StepBlocked { .. }
                | Event::StepCancelled { .. },
            ) => closing,
            (Cleared | Retrying, Event::StepSucceeded { already_done, .. }) => *already_done,
            (Running, Event::StepSucceeded { .. } | Event::StepFailed { .. }) => done,
            (Running, Event::StepCancelled { .. }) => interrupted,
            (Retrying, Event::StepFailed { .. } | Event::StepCancelled { .. }) => true,
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.illegal_at(at, event)) }
    }

    pub(super) fn is_asked(&self, at: StepIx) -> bool {
        self.approval_question(at).is_some_and(|question| self.questions.contains_key(&question))
    }

    /// The name of the question whether a step may run.
    pub(crate) fn approval_question(&self, at: StepIx) -> Option<QuestionId> {
        let plan = self.plan()?;
        Some(QuestionId::approval(&plan.step(at).id, self.steps[at.at()].resets))
    }

    pub(super) fn enter(&mut self, at: StepIx, case: Option<u32>, now: Timestamp) {
        let Some(made) = self.made.clone() else { return };
        let step = made.created.plan.step(at);
        // Whoever enters a block in spite of a failure wants its steps to run.
        let inherited = if step.asks_status() { None } else { self.taint_of_needs(at) };
        self.ready.remove(&at);
        self.cleared.remove(&at);
        let run = &mut self.steps[at.at()];
        run.state = StepState::Entered;
        run.started_at = Some(now);
        run.taken = case;
        for child in step.section(Section::Main) {
            self.steps[child.at()].inherited.clone_from(&inherited);
            let taken = made.created.plan.step(child).case == case;
            // How many items of a loop begin at once is its own affair.
            let taken = taken && !made.created.plan.step(child).is_root();
            if taken && self.steps[child.at()].unmet == 0 && self.steps[child.at()].state == StepState::Pending {
                self.ready.insert(child);
            }
        }
        if self.steps[at.at()].open_children == 0 {
            self.closing.insert(at);
        }
    }

    /// Begins the `rescue` or `always` of a block. Its steps do not build on what went before.
    fn enter_section(&mut self, at: StepIx, section: Section) {
        let Some(made) = self.made.clone() else { return };
        let step = made.created.plan.step(at);
        self.closing.remove(&at);
        let mut open = 0;
        for child in step.section(section) {
            let run = &self.steps[child.at()];
            open += u32::from(!run.state.is_settled());
            if run.unmet == 0 && run.state == StepState::Pending {
                self.ready.insert(child);
            }
        }
        let run = &mut self.steps[at.at()];
        (run.section, run.open_children) = (section, open);
        if open == 0 {
            self.closing.insert(at);
        }
        if section == Section::Always && !step.always {
            // Like a stage of the run: a request to cancel that was made before counts as made once.
            self.cleaning.insert(at, false);
            if let Some(cancel) = &mut self.cancel {
                cancel.level = 1;
            }
        }
    }

    /// Ends a step, and tells those that wait for it.
    fn settle(&mut self, at: StepIx, state: StepState, now: Timestamp) {
        let Some(made) = self.made.clone() else { return };
        let step = made.created.plan.step(at);
        self.settled += 1;
        let run = &mut self.steps[at.at()];
        run.state = state;
        run.ended_at = Some(now);
        run.settled_as = self.settled;
        (run.told, run.by_hand, run.parked) = (false, None, false);
        let taint = self.taint_when_settled(at);
        self.steps[at.at()].taint = taint;
        self.ready.remove(&at);
        self.cleared.remove(&at);
        self.closing.remove(&at);
        self.cleaning.remove(&at);
        self.locks.remove(&Some((at, Phase::Do)));
        for phase in [Phase::Do, Phase::Probe] {
            self.drop_live((at, phase));
            self.drop_retry((at, phase));
        }
        let unsettled = self.unsettled(at);
        *unsettled = unsettled.saturating_sub(1);
        for next in &made.dependents[at.at()] {
            let unmet = match made.created.plan.step(*next).needs_any {
                None => self.steps[next.at()].unmet.saturating_sub(1),
                Some(_) => self.unmet_of(*next),
            };
            self.steps[next.at()].unmet = unmet;
            if unmet == 0 && self.is_reachable(&made.created.plan, *next) {
                self.ready.insert(*next);
            }
        }
        if let Some(parent) = step.parent
            && step.is_root()
        {
            self.item_settled(&made.created.plan, parent, at);
        }
        if let Some(parent) = step.parent
            && self.steps[parent.at()].section == step.section
        {
            let open = &mut self.steps[parent.at()].open_children;
            *open = open.saturating_sub(1);
            if *open == 0 && self.steps[parent.at()].state == StepState::Entered {
                self.closing.insert(parent);
            }
        }
    }

    /// The step that spoils a settled one for those that need it.
    pub(super) fn taint_when_settled(&self, at: StepIx) -> Option<StepId> {
        let step = self.plan()?.step(at);
        let spoils = match &self.steps[at.at()].state {
            StepState::Failed(_) => !step.continue_on_failure,
            StepState::Blocked(_) | StepState::Cancelled => true,
            _ => false,
        };
        if spoils { Some(step.id.clone()) } else { self.taint_of_needs(at) }
    }

    /// Whether a pending step lies where the run now is.
    pub(super) fn is_reachable(&self, plan: &Plan, at: StepIx) -> bool {
        let step = plan.step(at);
        let in_stage = !step.always || self.stage == Stage::Always;
        if step.is_root() || step.deadline().is_some() || self.is_parked(plan, at) {
            return false;
        }
        let in_parent = step.parent.is_none_or(|parent| {
            let around = &self.steps[parent.at()];
            around.state == StepState::Entered && around.taken == step.case && around.section == step.section
        });
        self.steps[at.at()].state == StepState::Pending && in_stage && in_parent
    }
}
