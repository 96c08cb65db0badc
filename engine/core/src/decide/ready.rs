//! Steps that nothing holds back any more: run, ask, skip or block them.

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::event::{BlockReason, Event, Failure, Phase, SkipReason};
use crate::plan::{Body, Condition, Section};
use crate::rendered::Rendered;
use crate::run::{Stage, StepState};
use crate::units::{StepId, StepIx};

impl Deciding<'_> {
    /// Steps of the present stage: decides what can be, then goes to the next stage when all have settled.
    pub(super) fn advance_steps(&mut self) -> Decided {
        let before = self.events.len();
        if std::mem::take(&mut self.recheck) {
            self.block_unstarted()?;
            self.leave_questions()?;
        }
        if self.may_start() {
            while let Some(at) = self.next_ready() {
                self.consider(at)?;
            }
            self.start_cleared()?;
        } else {
            // Even without an engine or a service that can be settled which will not start anyway.
            while let Some((at, reason)) = self.next_held_back() {
                self.block(at, reason)?;
            }
        }
        if self.recheck {
            // Something failed just now: before anything more is decided, see what that holds back.
            return Ok(());
        }
        while let Some(at) = self.run.closing.first().copied() {
            self.close(at)?;
        }
        if self.events.len() == before && self.may_start() {
            // Nothing goes on by itself any more: time to see whether anything ever will.
            self.break_deadlock()?;
        }
        let left = if self.run.stage == Stage::Main { self.run.unsettled_main } else { self.run.unsettled_always };
        if left == 0 && !self.is_paused() { self.leave_steps() } else { Ok(()) }
    }

    /// A step to decide about. After a crash those within a block wait until its locks are taken again.
    fn next_ready(&self) -> Option<StepIx> {
        let is_next = |at: &StepIx| self.run.holds_locks_around(*at) || self.held_back(*at).is_some();
        self.run.ready.iter().copied().find(is_next)
    }

    /// A ready step that a request to cancel, a lock that was refused, or a service that did not come up, keeps from
    /// starting.
    fn next_held_back(&self) -> Option<(StepIx, BlockReason)> {
        let goes_on = self.run.service_failed.is_none() && self.run.cancel.is_none() && !self.run.main_is_over();
        if goes_on && !self.run.ends_unbegun() {
            return None;
        }
        let held = |at: &StepIx| match self.held_back(*at)? {
            reason @ (BlockReason::Cancelled
            | BlockReason::Service(_)
            | BlockReason::Lock(_)
            | BlockReason::Over
            | BlockReason::Guard(_)) => Some((*at, reason)),
            _ => None,
        };
        self.run.ready.iter().find_map(held)
    }

    /// Decides about one ready step.
    fn consider(&mut self, at: StepIx) -> Decided {
        // Before all else: what does not belong to the run is no matter of its failures.
        if self.is_left_out(at) {
            return self.skip(at, SkipReason::LeftOut);
        }
        if let Some(by_hand) = self.run.steps[at.at()].by_hand.clone() {
            return self.settle_by_hand(at, by_hand);
        }
        if let Some(reason) = self.held_back(at) {
            return self.block(at, reason);
        }
        if let Some(Condition { expression, .. }) = self.plan().step(at).condition.clone() {
            match self.holds(at, &expression, &Locals::new()) {
                Ok(true) => {}
                Ok(false) => return self.skip(at, SkipReason::Condition),
                Err(error) => return self.fail_unstarted(at, Failure::Evaluate(format!("`if`: {error}"))),
            }
        }
        let step = self.plan().step(at);
        let is_block = !matches!(step.body, Body::Action(_));
        if is_block && step.approval.is_none() && self.run.holds_locks((at, Phase::Do)) {
            return self.enter(at);
        }
        match self.prepare_step(at) {
            Ok(action) => self.prepared(at, action),
            Err(error) => self.fail_unstarted(at, Failure::Evaluate(error.to_string())),
        }
    }

    fn is_left_out(&self, at: StepIx) -> bool {
        let part = self.made.created.part.as_ref();
        part.is_some_and(|part| part.left_out.contains(&self.plan().step(at).id))
    }

    fn prepared(&mut self, at: StepIx, action: Rendered) -> Decided {
        let external = action.is_external();
        let probe = match self.prepare_probe(at) {
            Ok(probe) => probe,
            Err(error) => return self.fail_unstarted(at, Failure::Evaluate(format!("`done_when`: {error}"))),
        };
        let looks = probe.is_some();
        let digest = self.approval_digest(at, &action, probe.as_ref());
        let step = self.plan().step(at).id.clone();
        self.emit(Event::StepPrepared { step, action, digest: digest.clone(), probe })?;
        if self.plan().step(at).approval.is_some() {
            // Nobody is asked about what is done already. A command that looks waits for a place.
            let is_over = looks || self.looks_first(at)?;
            return if is_over { Ok(()) } else { self.ask_approval(at, digest) };
        }
        // Also for those of a block around it that is open again.
        let waits = external || looks || !self.run.holds_locks((at, Phase::Do));
        if waits { Ok(()) } else { self.start(at) }
    }

    /// Why a step that is otherwise ready must not start.
    pub(super) fn held_back(&self, at: StepIx) -> Option<BlockReason> {
        let step = self.plan().step(at);
        if let Some(guard) = self.run.tripped().filter(|_| self.run.stage == Stage::Main && self.cancel_holds_back(at))
        {
            return Some(BlockReason::Guard(guard.id.clone()));
        }
        let unbegun = self.run.ends_unbegun() && self.run.lock_refused.is_none();
        if unbegun || self.cancel_holds_back(at) {
            return Some(BlockReason::Cancelled);
        }
        if let Some(service) = &self.run.service_failed {
            return Some(BlockReason::Service(service.clone()));
        }
        if let Some(name) = &self.run.lock_refused {
            return Some(BlockReason::Lock(name.clone()));
        }
        if self.run.is_over(at) {
            return Some(BlockReason::Over);
        }
        if step.asks_status() || step.runs_anyway() || step.guard().is_some() {
            return None;
        }
        if let Some(ancestor) = self.run.taint_of_needs(at) {
            return Some(BlockReason::Ancestor(ancestor));
        }
        if self.run.failing.is_empty() || self.run.steps[at.at()].told {
            return None;
        }
        let mut place = step;
        loop {
            let scope = place.parent.map(|parent| (parent, place.section));
            if let Some(failed) = self.run.failing.get(&scope) {
                return Some(BlockReason::Failure(failed.clone()));
            }
            let (around, section) = scope?;
            place = self.plan().step(around);
            // A failure around it does not reach into `rescue` and `always`, nor into a block that was entered in spite of
            // it, nor into what runs beside the steps.
            let is_beside = place.deadline().is_some();
            if section != Section::Main || place.asks_status() || place.runs_anyway() || is_beside {
                return None;
            }
        }
    }

    /// After a failure or a request to cancel, blocks what was ready to start or asked about but has not started.
    pub(super) fn block_unstarted(&mut self) -> Decided {
        let asked = self.run.questions.values().filter_map(|question| self.made.index.get(&question.step).copied());
        let unstarted: Vec<StepIx> = asked.chain(self.run.cleared.iter().copied()).collect();
        for at in unstarted {
            if matches!(self.run.steps[at.at()].state, StepState::Asked | StepState::Cleared)
                && let Some(reason) = self.held_back(at)
            {
                self.withdraw_questions(at, &reason)?;
                self.block(at, reason)?;
            }
        }
        Ok(())
    }

    /// Starts what may start, while there is a place: first what waits to be repeated, and is due. Stops where a failure
    /// may hold back the next.
    fn start_cleared(&mut self) -> Decided {
        while let Some((due, key)) = self.run.retry_queue.first().copied() {
            if self.now < due || !self.run.may_repeat(key) || self.run.is_over(key.0) {
                break;
            }
            self.start_attempt(key.0, key.1)?;
        }
        self.ask_locks()?;
        while !self.recheck {
            let Some(at) = self.next_to_start() else { return Ok(()) };
            self.start(at)?;
        }
        Ok(())
    }

    /// The next step for which there is a place, and which has its locks. Where the steps have no place left, only those
    /// beside them are looked at.
    fn next_to_start(&self) -> Option<StepIx> {
        let mut open = self.run.cleared.iter().copied().filter(|at| self.run.has_place(*at) && !self.run.is_over(*at));
        let is_full = self.run.outside >= self.plan().max_parallel.max(1);
        if is_full && !self.run.has_place_beside() {
            return None;
        }
        // As for what looks: before an approval, the locks around it suffice.
        open.find(|at| self.run.holds_locks((*at, Phase::Probe)))
    }

    /// Enters a block; in a switch, takes the case that fits.
    pub(super) fn enter(&mut self, at: StepIx) -> Decided {
        let step = self.plan().step(at).id.clone();
        let (on, cases, default) = match self.plan().step(at).body.clone() {
            Body::ForEach(each) => return self.enter_loop(at, &each),
            Body::Action(_) | Body::Block { .. } => return self.emit(Event::BlockEntered { step, case: None }),
            Body::Switch { on, cases, default } => (on, cases, default),
        };
        let failure = match self.value(at, &on, &Locals::new()) {
            Err(error) => Failure::Evaluate(format!("`switch`: {error}")),
            Ok(value) => {
                let value = crate::digest::as_text(value);
                let fits = cases.iter().position(|case| case.value == value);
                match fits.or_else(|| default.is_some().then_some(cases.len())) {
                    Some(taken) => return self.take(at, step, taken),
                    None => Failure::NoCase(value),
                }
            }
        };
        self.fail_unstarted(at, failure)
    }

    fn take(&mut self, at: StepIx, step: StepId, taken: usize) -> Decided {
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        self.emit(Event::BlockEntered { step, case: Some(taken) })?;
        let children: Vec<StepIx> = self.plan().step(at).children().collect();
        for child in children {
            let is_open = !self.run.steps[child.at()].state.is_settled();
            if is_open && self.plan().step(child).case != Some(taken) {
                self.skip(child, SkipReason::Branch)?;
            }
        }
        Ok(())
    }

    /// Skips a step and all within it.
    pub(super) fn skip(&mut self, at: StepIx, reason: SkipReason) -> Decided {
        let step = self.plan().step(at).id.clone();
        self.emit(Event::StepSkipped { step: step.clone(), reason })?;
        self.skip_within(at, step)
    }

    /// Skips all within a block that is not entered.
    pub(super) fn skip_within(&mut self, at: StepIx, step: StepId) -> Decided {
        self.settle_within(at, |parent| Some(SkipReason::Parent(parent)), step)
    }

    /// Blocks a step and all within it.
    pub(super) fn block(&mut self, at: StepIx, reason: BlockReason) -> Decided {
        let step = self.plan().step(at).id.clone();
        self.emit(Event::StepBlocked { step: step.clone(), reason })?;
        self.settle_within(at, |_| None, step)
    }

    /// Fails a step that has not started, and blocks all within it.
    pub(super) fn fail_unstarted(&mut self, at: StepIx, failure: Failure) -> Decided {
        let step = self.plan().step(at).id.clone();
        self.emit(Event::StepFailed { step: step.clone(), failure })?;
        self.settle_within(at, |_| None, step)
    }

    /// Settles the steps within a block that is not entered: skipped where `skip` says so, else blocked.
    fn settle_within(&mut self, at: StepIx, skip: impl Fn(StepId) -> Option<SkipReason>, parent: StepId) -> Decided {
        for child in self.subtree(at) {
            // A person may have skipped it before.
            if self.run.steps[child.at()].state.is_settled() {
                continue;
            }
            let step = self.plan().step(child).id.clone();
            self.emit(match skip(parent.clone()) {
                Some(reason) => Event::StepSkipped { step, reason },
                None => Event::StepBlocked { step, reason: BlockReason::Parent(parent.clone()) },
            })?;
        }
        Ok(())
    }
}
