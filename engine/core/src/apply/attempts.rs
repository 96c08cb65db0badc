//! How attempts come and go, of a step and of its undo.

use super::{Applied, IllegalEvent};
use crate::event::{AttemptId, EndState, EndedChild, Event, Failure, Phase, StopReason};
use crate::input::Exit;
use crate::plan::OnInterrupt;
use crate::rendered::Rendered;
use crate::run::{Call, Child, Doing, Interrupted, Live, Run, Stage, StepState, UndoState};
use crate::units::{StepIx, Timestamp};

/// A step, or its undo.
type Key = (StepIx, Phase);

impl Run {
    pub(super) fn apply_attempt(&mut self, event: &Event, now: Timestamp) -> Applied {
        match event {
            Event::AttemptStarted { attempt, due, .. } => {
                self.start_attempt(attempt, *due, now, event)?;
                self.note_child(event);
                Ok(())
            }
            Event::PollMissed { attempt, next, trips, .. } => self.miss_poll(attempt, *next, *trips, event),
            Event::AttemptStopping { attempt, force, why, kill_at } => {
                let (key, doing) = self.live_of(attempt, event)?;
                let why = match doing {
                    Doing::Executing => *why,
                    Doing::Interrupted if matches!(why, StopReason::Interrupted(_)) => *why,
                    // The first reason is the one that counts; nothing is harder than to be killed.
                    Doing::Stopping { force: false, why, .. } if *force => why,
                    _ => return Err(self.illegal_at(key.0, event)),
                };
                self.set_doing(key, Doing::Stopping { force: *force, why, kill_at: *kill_at });
                Ok(())
            }
            Event::ChildEnded(ended) => self.end_child(ended, event),
            Event::AttemptEnded { attempt, exit, failure } => self.end_attempt(attempt, exit, failure.as_ref(), event),
            Event::AttemptInterrupted { attempt, then, survivors, outputs, probed } => {
                let (key, doing) = self.live_of(attempt, event)?;
                // A child run goes on by itself, also while it is being ended.
                let goes_on = self.child_of(attempt).is_some() && matches!(doing, Doing::Stopping { .. });
                self.must(doing == Doing::Executing || goes_on, event)?;
                let declares = self.plan().is_some_and(|plan| !plan.step(key.0).outputs.is_empty());
                if let Some(call) = self.call(key) {
                    call.is_open = *then != OnInterrupt::Fail;
                }
                if attempt.phase == Phase::Do {
                    self.steps[key.0.at()].outputs_unknown = declares && outputs.is_none();
                }
                if *then == OnInterrupt::Ask || !survivors.is_empty() || *probed {
                    self.set_doing(key, Doing::Interrupted);
                    let lost = Interrupted { survivors: survivors.clone(), outputs: outputs.clone() };
                    if let Some(live) = self.live.get_mut(&key) {
                        live.lost = Some(Box::new(lost));
                    }
                    return Ok(());
                }
                self.drop_live(key);
                if *then == OnInterrupt::Fail {
                    *self.failures(key) += 1;
                }
                Ok(())
            }
            Event::RetryScheduled { step, phase, due } => {
                let key = (self.at(step, event)?, *phase);
                let interrupted = |live: &Live| live.doing.is_interrupted();
                let between = self.live.get(&key).is_none_or(interrupted) && !self.retries.contains_key(&key);
                self.must(between && self.is_running(key), event)?;
                self.drop_live(key);
                self.retries.insert(key, *due);
                self.retry_queue.insert((*due, key));
                if *phase == Phase::Do {
                    self.steps[key.0.at()].state = StepState::Retrying;
                }
                Ok(())
            }
            _ => Err(self.illegal(event)),
        }
    }

    fn miss_poll(&mut self, attempt: &AttemptId, next: Timestamp, trips: u32, event: &Event) -> Applied {
        let (key, doing) = self.live_of(attempt, event)?;
        let is_guard = self.is_guard(key.0);
        // A guard whose look is overdue looks again.
        let overdue = matches!(doing, Doing::Stopping { why: StopReason::Timeout, .. });
        self.must(doing == Doing::Executing || (is_guard && overdue), event)?;
        self.set_doing(key, Doing::Polling { next });
        if let Some(live) = self.live.get_mut(&key).filter(|_| is_guard) {
            (live.trips, live.due) = (trips, None);
        }
        Ok(())
    }

    /// Notes which child run an attempt starts, or goes on with.
    fn note_child(&mut self, event: &Event) {
        let Event::AttemptStarted { attempt, due, child: Some(child), .. } = event else { return };
        let Some(step) = self.made.as_ref().and_then(|made| made.index.get(&attempt.step).copied()) else { return };
        let told = self.told.len();
        let step = &mut self.steps[step.at()];
        let (resets, is_way_back) = (step.resets, attempt.phase == Phase::Undo);
        let action = step.prepared.as_ref().map(|prepared| prepared.action.clone());
        match step.child_mut(child) {
            Some(known) if !known.is_over => known.starts += 1,
            Some(known) => {
                (known.asked, known.went_on, known.due) = (attempt.clone(), true, *due);
                (known.starts, known.is_over, known.has_end, known.is_undone) = (1, false, false, false);
                (known.resets, known.told, known.is_way_back) = (resets, told, is_way_back);
            }
            None => step.children.push(Child {
                run: child.clone(),
                asked: attempt.clone(),
                went_on: false,
                due: *due,
                starts: 1,
                is_over: false,
                has_end: false,
                end: None,
                action,
                resets,
                told,
                is_way_back,
                is_undone: false,
            }),
        }
    }

    fn end_child(&mut self, ended: &EndedChild, event: &Event) -> Applied {
        let EndedChild { attempt, end } = ended;
        let (key, _) = self.live_of(attempt, event)?;
        let is_child = self.child_of(attempt).is_some_and(|child| child.run == end.run && !child.has_end);
        self.must(is_child, event)?;
        if let Some(child) = self.steps[key.0.at()].child_mut(&end.run) {
            (child.end, child.has_end) = (Some(end.clone()), true);
        }
        // Only now is it known that not all of it could be undone.
        let stays = attempt.phase == Phase::Undo && end.irreversible && end.state != EndState::Stuck;
        if let Some(rollback) = self.rollback.as_mut().filter(|_| stays)
            && !rollback.irreversible.contains(&attempt.step)
        {
            rollback.irreversible.push(attempt.step.clone());
        }
        Ok(())
    }

    fn start_attempt(&mut self, attempt: &AttemptId, due: Option<Timestamp>, now: Timestamp, event: &Event) -> Applied {
        let key = (self.at(&attempt.step, event)?, attempt.phase);
        let doing = match self.action_of(attempt) {
            Some(Rendered::WaitFor(_) | Rendered::WaitUntil(_)) => Doing::Waiting,
            Some(Rendered::Manual(_) | Rendered::Ask { .. }) => Doing::Asking,
            Some(_) => Doing::Executing,
            None => return Err(self.illegal_at(key.0, event)),
        };
        let started_at = self.starts_at(key, attempt, now).ok_or_else(|| self.illegal_at(key.0, event))?;
        let trips = self.live.get(&key).map_or(0, |live| live.trips);
        self.drop_live(key);
        self.drop_retry(key);
        self.take_place(key.0, doing);
        self.live.insert(key, Live { attempt: attempt.clone(), due, started_at, doing, trips, lost: None });
        self.cleared.remove(&key.0);
        if let Some(call) = self.call(key).filter(|_| attempt.poll == 1) {
            call.begin(attempt.number);
        }
        let run = &mut self.steps[key.0.at()];
        match attempt.phase {
            Phase::Do => {
                run.state = StepState::Running;
                run.started_at.get_or_insert(now);
                run.attempts = attempt.number;
                run.outputs_unknown = false;
                if let Some(prepared) = &mut run.prepared {
                    prepared.has_begun = true;
                }
            }
            Phase::Probe => {
                run.state = StepState::Running;
                run.probes = attempt.number;
                self.drop_retry((key.0, Phase::Do));
            }
            Phase::Undo => {
                run.undo.state = UndoState::Running;
                run.undo.attempts = attempt.number;
            }
        }
        Ok(())
    }

    /// When an attempt that may start now began: a next poll belongs to the attempt that runs. None if it may not.
    fn starts_at(&self, key: Key, attempt: &AttemptId, now: Timestamp) -> Option<Timestamp> {
        let run = &self.steps[key.0.at()];
        let last = match key.1 {
            Phase::Do => run.attempts,
            Phase::Undo => run.undo.attempts,
            Phase::Probe => run.probes,
        };
        let is_next = attempt.number == last + 1 && attempt.poll == 1;
        match self.live.get(&key) {
            Some(live) if matches!(live.doing, Doing::Polling { .. }) => {
                (*attempt == live.attempt.next_poll()).then_some(live.started_at)
            }
            Some(live) => (live.doing.is_interrupted() && is_next).then_some(now),
            None => {
                let is_prepared = run.state == StepState::Cleared || self.is_running(key);
                let may = match key.1 {
                    Phase::Do => is_prepared && !self.live.contains_key(&(key.0, Phase::Probe)),
                    Phase::Probe => {
                        let own = self.live.get(&(key.0, Phase::Do));
                        is_prepared && own.is_none_or(|live| live.doing == Doing::Interrupted)
                    }
                    Phase::Undo => self.stage == Stage::RollingBack && self.is_being_undone(key.0),
                };
                (may && is_next).then_some(now)
            }
        }
    }

    /// Whether it has started and not ended, be it between two attempts.
    fn is_running(&self, (at, phase): Key) -> bool {
        let run = &self.steps[at.at()];
        match phase {
            Phase::Do | Phase::Probe => matches!(run.state, StepState::Running | StepState::Retrying),
            Phase::Undo => run.undo.state == UndoState::Running,
        }
    }

    fn end_attempt(&mut self, attempt: &AttemptId, exit: &Exit, failure: Option<&Failure>, event: &Event) -> Applied {
        let (key, _) = self.live_of(attempt, event)?;
        let child = self.child_of(attempt).map(|child| child.run.clone());
        self.drop_live(key);
        if let Some(call) = self.call(key) {
            call.is_open = false;
        }
        if attempt.phase == Phase::Probe {
            self.end_probe(key.0, *exit != Exit::Code(0), failure.is_some());
            return Ok(());
        }
        if let Some(child) = child.and_then(|run| self.steps[key.0.at()].child_mut(&run)) {
            child.is_over = true;
            child.is_undone = attempt.phase == Phase::Undo && failure.is_none();
        }
        // Of a guard the last look is not what it came to.
        if let (Exit::Code(code), Phase::Do, false) = (exit, attempt.phase, self.is_guard(key.0)) {
            self.steps[key.0.at()].exit_code = Some(*code);
        }
        if failure.is_some() {
            *self.failures(key) += 1;
        }
        Ok(())
    }

    /// A command has looked whether a step is done. What comes of an interrupted attempt is decided elsewhere; else the
    /// step is as it was before.
    fn end_probe(&mut self, at: StepIx, left: bool, failed: bool) {
        let interrupted = self.live.contains_key(&(at, Phase::Do));
        let run = &mut self.steps[at.at()];
        let Some(prepared) = &mut run.prepared else { return };
        match (failed, left) {
            (true, _) => run.failures += u32::from(!interrupted),
            (false, true) => {
                prepared.probed_for = run.attempts + 1;
                if !prepared.has_begun {
                    run.state = StepState::Cleared;
                    self.cleared.insert(at);
                }
            }
            (false, false) => {}
        }
    }

    fn call(&mut self, (at, phase): Key) -> Option<&mut Call> {
        let run = &mut self.steps[at.at()];
        match phase {
            Phase::Do => Some(&mut run.call),
            Phase::Undo => Some(&mut run.undo.call),
            Phase::Probe => None,
        }
    }

    fn failures(&mut self, (at, phase): Key) -> &mut u32 {
        let run = &mut self.steps[at.at()];
        match phase {
            Phase::Do | Phase::Probe => &mut run.failures,
            Phase::Undo => &mut run.undo.failures,
        }
    }

    fn live_of(&self, attempt: &AttemptId, event: &Event) -> Result<(Key, Doing), IllegalEvent> {
        let key = (self.at(&attempt.step, event)?, attempt.phase);
        match self.live.get(&key) {
            Some(live) if live.attempt == *attempt => Ok((key, live.doing)),
            _ => Err(self.illegal_at(key.0, event)),
        }
    }

    fn set_doing(&mut self, key: Key, doing: Doing) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let before = std::mem::replace(&mut live.doing, doing);
        self.leave_place(key.0, before);
        self.take_place(key.0, doing);
    }

    pub(super) fn drop_live(&mut self, key: Key) {
        if let Some(live) = self.live.remove(&key) {
            self.leave_place(key.0, live.doing);
        }
    }

    pub(super) fn drop_retry(&mut self, key: Key) {
        if let Some(due) = self.retries.remove(&key) {
            self.retry_queue.remove(&(due, key));
        }
    }
}
