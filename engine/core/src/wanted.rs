//! What should be going on now, derived from the state alone. After a crash nothing is going on, so resuming is to make
//! it so: an ordinary reconcile.

use std::collections::BTreeSet;

use crate::event::{AttemptId, LockScope, Phase, QuestionId, Timer, Verb};
use crate::run::{Doing, LockState, Run, ServiceState, Stage, Told};
use crate::units::{ServiceName, StepIx, Timestamp};

/// Something that should be going on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The locks of this scope are held: those of [`Run::locks`].
    Locks(LockScope),
    /// A service runs.
    Service(ServiceName),
    /// A process or request runs. One that was never started is started once [`Run::services_answer`].
    Execute(AttemptId),
    /// That process or request is being ended.
    Stop {
        /// Which.
        attempt: AttemptId,
        /// Killed, rather than asked to end.
        force: bool,
    },
    /// A child run is being ended: its own engine is told so.
    EndChild {
        /// Of which attempt.
        attempt: AttemptId,
        /// How hard: as the request to cancel says.
        level: u8,
        /// Whether because the step is overdue.
        overdue: bool,
    },
    /// A child run is held with this run, or goes on with it: its own engine is told so.
    HoldChild {
        /// Of which attempt.
        attempt: AttemptId,
        /// The place of that among what operators told this run.
        number: usize,
        /// Whether it is held.
        paused: bool,
    },
    /// A person is asked.
    Ask(QuestionId),
    /// `decide` is to be told when a moment has come.
    Timer {
        /// When.
        at: Timestamp,
        /// What for.
        timer: Timer,
    },
}

impl Run {
    /// What should be going on now.
    pub fn wanted(&self) -> BTreeSet<Effect> {
        let mut wanted = BTreeSet::new();
        let Some(created) = self.created() else { return wanted };
        self.want_locks(&mut wanted);
        // Services are a part of what the locks protect: none starts before they are held.
        let has_begun = self.locks.get(&None).is_none_or(|locks| locks.had) && self.lock_refused.is_none();
        if self.stage < Stage::Stopping && has_begun {
            let running = self.services.iter().filter(|(_, state)| **state != ServiceState::Failed);
            wanted.extend(running.map(|(name, _)| Effect::Service(name.clone())));
        }
        for ((at, _), live) in &self.live {
            self.want_live(*at, live, &mut wanted);
        }
        // A retry that could not start when its time has come needs no timer: what makes way for it starts it.
        wanted.extend(self.retries.iter().filter(|(key, _)| self.may_repeat(**key)).map(|((at, phase), due)| {
            let step = created.plan.step(*at).id.clone();
            Effect::Timer { at: *due, timer: Timer::Retry(step, *phase) }
        }));
        for question in self.questions.values() {
            wanted.insert(Effect::Ask(question.id.clone()));
            if let Some(at) = question.due {
                wanted.insert(Effect::Timer { at, timer: Timer::Question(question.id.clone()) });
            }
        }
        wanted.extend(self.deadlines().map(|(step, at)| {
            let timer = Timer::Deadline(step.id.clone());
            Effect::Timer { at, timer }
        }));
        let grace = self.cancel.as_ref().filter(|cancel| !cancel.grace_over);
        if let (Some(cancel), Stage::Main, 1..) = (grace, self.stage, self.outside + self.outside_beside) {
            let at = cancel.at.after(created.plan.cancel_grace_ms);
            wanted.insert(Effect::Timer { at, timer: Timer::CancelGrace });
        }
        wanted
    }

    fn want_live(&self, at: StepIx, live: &crate::run::Live, wanted: &mut BTreeSet<Effect>) {
        let attempt = live.attempt.clone();
        if self.child_of(&attempt).is_some() {
            return self.want_child(at, live, wanted);
        }
        let mut timer = |at, timer| wanted.insert(Effect::Timer { at, timer });
        match live.doing {
            Doing::Executing => {
                if let Some(due) = live.due {
                    timer(due, Timer::Overdue(attempt.clone()));
                }
                wanted.insert(Effect::Execute(attempt));
            }
            Doing::Stopping { force, kill_at, .. } => {
                if !force {
                    timer(kill_at, Timer::Kill(attempt.clone()));
                }
                if !live.doing.is_interrupted() {
                    wanted.insert(Effect::Execute(attempt.clone()));
                }
                wanted.insert(Effect::Stop { attempt, force });
            }
            Doing::Polling { next } => {
                if let Some(due) = live.due {
                    timer(due, Timer::Overdue(attempt.clone()));
                }
                // What watches the steps looks on while they are held.
                if self.is_equipped_for(&attempt) && (self.paused.is_none() || self.is_look(&attempt)) {
                    timer(next, Timer::Poll(attempt));
                }
            }
            Doing::Waiting => {
                if let Some(due) = live.due {
                    timer(due, Timer::Wait(attempt));
                }
            }
            Doing::Asking | Doing::Interrupted => {}
        }
    }

    /// The engine of a child run goes on until the child run has ended; it is never killed.
    fn want_child(&self, at: StepIx, live: &crate::run::Live, wanted: &mut BTreeSet<Effect>) {
        let attempt = live.attempt.clone();
        let overdue = matches!(live.doing, Doing::Stopping { .. });
        if let (Doing::Executing, Some(at)) = (live.doing, live.due) {
            wanted.insert(Effect::Timer { at, timer: Timer::Overdue(attempt.clone()) });
        }
        // In an `always`, of the runbook or of a block, a request to cancel counts from the second on.
        let asked = self.cancel.as_ref().map_or(0, |cancel| cancel.level);
        let counts = if self.stage == Stage::Main { self.is_cut(at).unwrap_or(true) } else { asked >= 2 };
        let level = if counts { asked } else { 0 };
        if level > 0 {
            wanted.insert(Effect::EndChild { attempt: attempt.clone(), level, overdue: false });
        }
        if overdue {
            wanted.insert(Effect::EndChild { attempt: attempt.clone(), level: 1, overdue });
        }
        wanted.extend(self.held_child(&attempt));
        wanted.insert(Effect::Execute(attempt));
    }

    /// What a child run is told of the last pause since it was asked to run, or of the end of that.
    fn held_child(&self, attempt: &AttemptId) -> Option<Effect> {
        let said = |told: &Told| told.refused.is_none() && matches!(told.verb, Verb::Pause | Verb::Continue);
        let number = self.told.iter().rposition(said)?;
        let is_pause = self.told[number].verb == Verb::Pause;
        let since = self.child_of(attempt)?.told;
        // A pause that a request to cancel ended is over for the child run by that request.
        let counts = number >= since && (!is_pause || self.paused.is_some());
        counts.then(|| Effect::HoldChild { attempt: attempt.clone(), number, paused: is_pause })
    }

    fn want_locks(&self, wanted: &mut BTreeSet<Effect>) {
        if self.ends_unbegun() {
            return;
        }
        let waits = self.waits_within();
        for (key, locks) in self.locks.iter().filter(|(key, _)| !self.is_kept_waiting(**key, &waits)) {
            // After a crash those of a block are taken before those within it, as they were at first.
            if key.is_some_and(|(at, phase)| phase == Phase::Do && !self.holds_locks_around(at)) {
                continue;
            }
            // What begins asks once all is there that every command needs. It would come in another order if it took
            // its locks while the services of another engine come up.
            if key.is_some() && !locks.was_held && !self.is_equipped() {
                continue;
            }
            let Some(scope) = self.lock_scope(*key) else { continue };
            if let LockState::Awaited { until, .. } = locks.state
                && !locks.had
                && locks.told
            {
                wanted.insert(Effect::Timer { at: until, timer: Timer::Lock(scope.clone()) });
            }
            wanted.insert(Effect::Locks(scope));
        }
    }

    /// Whether all services answer, so that steps may start.
    pub fn services_answer(&self) -> bool {
        self.services.values().all(|state| matches!(state, ServiceState::Ready { .. }))
    }
}
