//! What operators tell a run, and how steps start over.

use super::{Applied, IllegalEvent};
use crate::event::{Event, Phase, Refused, Verb};
use crate::plan::{Body, Section, Step};
use crate::run::{ByHand, Cancel, Locks, Run, ServiceState, Stage, StepState, Told, UndoState};
use crate::units::{StepId, StepIx, Timestamp};

impl Run {
    pub(super) fn apply_verb(&mut self, event: &Event, at: Timestamp) -> Applied {
        match event {
            Event::VerbTaken { verb, by, reason, message, .. } => {
                let (by, reason, message) = (by.clone(), reason.clone(), message.clone());
                self.told.push(Told { verb: verb.clone(), by, guard: None, reason, at, message, refused: None });
                self.take_verb(verb, at, event)
            }
            Event::VerbRefused(refused) => {
                let Refused { verb, by, reason, why, message } = &**refused;
                let (by, reason, message) = (by.clone(), reason.clone(), message.clone());
                let refused = Some(why.clone());
                self.told.push(Told { verb: verb.clone(), by, guard: None, reason, at, message, refused });
                Ok(())
            }
            Event::RunReopened { undoing } => self.reopen(*undoing, event),
            Event::StepsReset { steps, blocks, told } => self.reset(steps, blocks, told, event),
            Event::UndoReset { step } => {
                let at = self.failed_undo(step, event)?;
                let undo = &mut self.steps[at.at()].undo;
                (undo.state, undo.failures, undo.action) = (UndoState::Pending, 0, None);
                if let Some(rollback) = &mut self.rollback {
                    rollback.failed = None;
                }
                Ok(())
            }
            _ => Err(self.illegal(event)),
        }
    }

    fn take_verb(&mut self, verb: &Verb, now: Timestamp, event: &Event) -> Applied {
        let by = self.told.last().map(|told| told.by.clone());
        match verb {
            Verb::Pause => self.paused = by,
            Verb::Continue => self.paused = None,
            Verb::Take => {}
            Verb::Retry { .. } => self.close_failure_question(),
            Verb::Skip { step } | Verb::MarkDone { step, .. } => {
                let at = self.at(step, event)?;
                let is_undo = self.rollback.as_ref().is_some_and(|it| it.failed.as_ref() == Some(step));
                if !is_undo {
                    self.steps[at.at()].by_hand = Some(match verb {
                        Verb::MarkDone { outputs, .. } => ByHand::Done(outputs.clone()),
                        _ => ByHand::Skip,
                    });
                }
                self.close_failure_question();
            }
            Verb::Rollback { to } => {
                let to = to.as_ref().map(|step| self.at(step, event)).transpose()?;
                self.way_back = Some(to);
                self.paused = None;
                self.close_failure_question();
                // What runs may end by itself for a while, as when the run is cancelled; how it ends is another matter.
                let Some(by) = by.filter(|_| self.stage == Stage::Main) else { return Ok(()) };
                let first =
                    Cancel { level: 1, at: now, by, in_main: false, grace_over: false, messages: Default::default() };
                self.cancel.get_or_insert(first);
            }
        }
        Ok(())
    }

    /// The question what follows on the failure of the run has its answer.
    pub(super) fn close_failure_question(&mut self) {
        if let Some(question) = self.failure_question().cloned() {
            self.questions.remove(&question);
        }
    }

    fn reopen(&mut self, undoing: bool, event: &Event) -> Applied {
        self.must(self.stage == Stage::Ended, event)?;
        let is_stuck = self.rollback.as_ref().is_some_and(|rollback| rollback.failed.is_some());
        self.stage = if is_stuck { Stage::RollingBack } else { Stage::Main };
        if !is_stuck {
            self.rollback = None;
        }
        self.cancel = self.cancel.take().filter(|_| undoing);
        if let Some(cancel) = &mut self.cancel {
            (cancel.level, cancel.grace_over) = (1, true);
        }
        (self.end, self.host, self.paused, self.service_failed) = (None, None, None, None);
        self.services.values_mut().for_each(|state| *state = ServiceState::Starting);
        self.reopened += 1;
        self.cleaning.clear();
        let Some(made) = self.made.clone() else { return Ok(()) };
        // As after a crash: a run that has begun waits for its locks as long as its engine is patient.
        let had = self.lock_refused.take().is_none();
        self.locks.clear();
        if !made.created.locks.is_empty() {
            self.locks.insert(None, Locks { had, was_held: had, ..Locks::new(made.created.locks.clone()) });
        }
        // What watches the steps does so again when they go on.
        let again = |step: &Step| step.always || (step.guard().is_some() && !undoing);
        for (at, step) in made.created.plan.iter().filter(|(_, step)| again(step)) {
            let is_block = !matches!(step.body, Body::Action(_));
            self.steps[at.at()].start_over(is_block, false);
        }
        self.derive();
        Ok(())
    }

    fn reset(&mut self, steps: &[StepId], blocks: &[StepId], told: &[StepId], event: &Event) -> Applied {
        let Some(made) = self.made.clone() else { return Err(self.illegal(event)) };
        for step in steps {
            let at = self.at(step, event)?;
            let state = &self.steps[at.at()].state;
            let rests = state.is_settled()
                || matches!(state, StepState::Pending | StepState::Asked | StepState::Cleared | StepState::Retrying);
            let goes_on = [Phase::Do, Phase::Probe].iter().any(|phase| self.live.contains_key(&(at, *phase)));
            if !rests || goes_on || self.is_asked(at) {
                return Err(self.illegal_at(at, event));
            }
            self.drop_retry((at, Phase::Do));
            self.drop_retry((at, Phase::Probe));
            self.locks.remove(&Some((at, Phase::Do)));
            let is_block = !matches!(made.created.plan.step(at).body, Body::Action(_));
            self.steps[at.at()].start_over(is_block, told.contains(step));
        }
        // From the inside out, so that each block sees which of its steps are open.
        for step in blocks.iter().rev() {
            let at = self.at(step, event)?;
            if !self.was_entered(at) || !self.steps[at.at()].state.is_settled() {
                return Err(self.illegal_at(at, event));
            }
            self.open_again(made.created.plan.step(at), at);
        }
        self.derive();
        Ok(())
    }

    /// Opens a block again, in the first of its lists in which a step is to settle.
    fn open_again(&mut self, step: &Step, at: StepIx) {
        let is_open =
            |section: &Section| step.section(*section).iter().any(|child| !self.steps[child.at()].state.is_settled());
        let lists = [Section::Main, Section::Rescue, Section::Always];
        let section = lists.into_iter().find(is_open).unwrap_or(self.steps[at.at()].section);
        let run = &mut self.steps[at.at()];
        run.state = StepState::Entered;
        (run.ended_at, run.settled_as) = (None, 0);
        run.outputs.clear();
        run.in_trouble = match section {
            Section::Main => false,
            Section::Rescue => true,
            Section::Always => run.in_trouble,
        };
        run.section = section;
        // The other items of its loop may leave no room for it.
        run.parked = step.is_root();
        if section == Section::Always && !step.always {
            self.cleaning.insert(at, false);
        }
    }

    /// The step at which the rollback is stuck.
    pub(super) fn failed_undo(&self, step: &StepId, event: &Event) -> Result<StepIx, IllegalEvent> {
        let at = self.at(step, event)?;
        let is_it = self.rollback.as_ref().is_some_and(|it| it.failed.as_ref() == Some(step));
        if is_it && self.stage == Stage::RollingBack { Ok(at) } else { Err(self.illegal_at(at, event)) }
    }
}
