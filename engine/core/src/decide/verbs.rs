//! What operators tell a run: whether it makes sense, and what follows.

use super::{Decided, Deciding};
use crate::event::{BlockReason, Event, Phase, Question, QuestionId, QuestionKind, Refused, SkipReason, Verb};
use crate::input::VerbAsked;
use crate::plan::Body;
use crate::run::{ByHand, Resets, Stage, StepState};
use crate::units::{StepId, StepIx};

/// Most failed steps that a question names.
const NAMED_MAX: usize = 5;

impl Deciding<'_> {
    /// Of a message that was read before nothing follows.
    pub(super) fn verb_asked(&mut self, asked: VerbAsked) -> Decided {
        let VerbAsked { verb, by, reason, written_at, message } = asked;
        if message.is_some() && self.run.told.iter().any(|told| told.message == message) {
            return Ok(());
        }
        let has_ended = self.run.stage == Stage::Ended;
        let why = self.run.verb_forbidden(&verb, &by).or_else(|| self.run.verb_refusal(&verb));
        if let Some(why) = why.or_else(|| self.run.hold_refusal(&verb, message.as_deref())) {
            // Nothing is written any more about a run that is over, and stays so.
            let refused = Event::VerbRefused(Box::new(Refused { verb, by, reason, why, message }));
            return if has_ended { Ok(()) } else { self.emit(refused) };
        }
        self.emit(Event::VerbTaken { verb: verb.clone(), by, reason, written_at, message })?;
        if has_ended {
            let stuck = self.run.rollback.as_ref().and_then(|rollback| rollback.failed.clone());
            let undoing = matches!(verb, Verb::Rollback { .. }) || stuck.is_some();
            self.emit(Event::RunReopened { undoing })?;
            if let Some(step) = stuck {
                return self.emit(match verb {
                    Verb::MarkDone { .. } => Event::StepUndone { step },
                    _ => Event::UndoReset { step },
                });
            }
        }
        match verb {
            Verb::Pause | Verb::Continue | Verb::Take => Ok(()),
            Verb::Rollback { .. } => self.end_what_waits(),
            Verb::Retry { step: None, .. } => {
                let resets = self.run.resets_of_all();
                self.reset(&resets, |_| false)
            }
            Verb::Retry { step: Some(step), downstream } => {
                // What a person skipped stays so, unless it is what is meant.
                let skipped = StepState::Skipped(SkipReason::Person);
                let skipped: Vec<bool> = self.run.steps.iter().map(|run| run.state == skipped).collect();
                self.reset_step(&step, |resets, at| resets.meant.contains(&at) || (downstream && !skipped[at.at()]))
            }
            Verb::Skip { step } | Verb::MarkDone { step, .. } => {
                let at = self.run.at_of(&step);
                if let Some(deadline) = at.filter(|at| self.run.is_beside(*at)) {
                    return self.skip(deadline, SkipReason::Person);
                }
                let has_begun = at.is_some_and(|at| self.has_begun(at));
                if has_begun { self.reset_step(&step, |_, _| false) } else { Ok(()) }
            }
        }
    }

    /// Whether something was decided about a step.
    fn has_begun(&self, at: StepIx) -> bool {
        self.run.steps[at.at()].state != StepState::Pending
    }

    fn reset_step(&mut self, step: &StepId, told: impl Fn(&Resets, StepIx) -> bool) -> Decided {
        let Some(at) = self.run.at_of(step) else { return Ok(()) };
        let resets = self.run.resets_of(at);
        self.reset(&resets, |at| told(&resets, at))
    }

    fn reset(&mut self, resets: &Resets, told: impl Fn(StepIx) -> bool) -> Decided {
        if resets.steps.is_empty() && resets.blocks.is_empty() {
            return Ok(());
        }
        for at in &resets.steps {
            self.withdraw_questions(*at, &BlockReason::Verb)?;
        }
        let id = |at: StepIx| self.plan().step(at).id.clone();
        let ids = |all: &mut dyn Iterator<Item = StepIx>| all.map(id).collect::<Vec<_>>();
        let steps = ids(&mut resets.steps.iter().copied());
        let blocks = ids(&mut resets.blocks.iter().copied());
        let told = ids(&mut resets.steps.iter().copied().filter(|at| told(*at)));
        self.emit(Event::StepsReset { steps, blocks, told })?;
        resets.blocks.iter().try_for_each(|block| self.ask_locks_again(*block))
    }

    /// What a person said a step comes to, now that it would start.
    pub(super) fn settle_by_hand(&mut self, at: StepIx, by_hand: ByHand) -> Decided {
        let step = self.plan().step(at).id.clone();
        match by_hand {
            ByHand::Skip => self.skip(at, SkipReason::Person),
            ByHand::Done(mut outputs) => {
                if matches!(self.plan().step(at).body, Body::ForEach(_)) {
                    // Of a loop that was not entered nobody knows the items.
                    outputs = self.loop_outputs(at);
                }
                self.emit(Event::StepSucceeded { step: step.clone(), outputs, already_done: false })?;
                self.skip_within(at, step)
            }
        }
    }

    /// All steps have settled and the run has failed: a person says what follows.
    pub(super) fn ask_after_failure(&mut self) -> Decided {
        let Some(step) = self.run.failing.get(&None).cloned() else { return Ok(()) };
        if self.run.failure_question().is_some() {
            return Ok(());
        }
        let id = QuestionId::failure(&step, self.run.told.len());
        let message = Some(self.what_failed());
        let question = Question { id, step, kind: QuestionKind::Failure, message, due: None };
        self.emit(Event::QuestionAsked { question })
    }

    /// The steps that failed, each with why.
    fn what_failed(&self) -> String {
        let failed = self.run.steps().filter_map(|(at, step, run)| match &run.state {
            StepState::Failed(failure) if !self.run.was_entered(at) => Some(format!("`{}` failed: {failure}", step.id)),
            _ => None,
        });
        let lines: Vec<String> = failed.take(NAMED_MAX).collect();
        lines.join("\n")
    }

    /// Whether the run waits for `continue`.
    pub(super) fn is_paused(&self) -> bool {
        self.run.paused.is_some()
    }

    /// The open questions about a step.
    pub(super) fn questions_about(&self, at: StepIx) -> Vec<QuestionId> {
        let mut about: Vec<QuestionId> = self.run.approval_question(at).into_iter().collect();
        for phase in [Phase::Do, Phase::Undo] {
            let attempt = self.run.live.get(&(at, phase)).map(|live| &live.attempt);
            about.extend(
                attempt
                    .into_iter()
                    .flat_map(|it| [QuestionId::manual(it), QuestionId::values(it), QuestionId::interrupted(it)]),
            );
        }
        about.retain(|question| self.run.questions.contains_key(question));
        about
    }
}
