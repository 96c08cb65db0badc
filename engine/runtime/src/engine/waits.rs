//! Whether a run waits for people alone.

use runbook_core::Effect;
use runbook_core::event::Timer;
use runbook_core::run::{LockState, Locks};

use super::Driver;

impl Driver {
    /// Whether nothing goes on any more before somebody answers. A guard that would look again, and a deadline that is to
    /// come, do not count: whoever leaves a run at its questions leaves these, too.
    pub(super) fn only_questions_remain(&self) -> bool {
        let run = &self.engine.run;
        let asks = |effect: &Effect| {
            use Effect::{Ask, Execute, Locks, Service, Timer as At};
            match effect {
                Ask(_) | Service(_) | Locks(_) => true,
                At { timer: Timer::Question(_) | Timer::Deadline(_), .. } => true,
                Effect::HoldChild { .. } => true,
                At { timer: Timer::Poll(look), .. } => run.is_look(look),
                Execute(attempt) | At { timer: Timer::Overdue(attempt), .. } => self.child_waits(attempt),
                _ => false,
            }
        };
        let is_held = |locks: &Locks| locks.state == LockState::Held;
        let has_locks = run.locks().all(|(_, locks)| is_held(locks));
        let asks_somebody = !run.questions().is_empty() || run.live().any(|live| self.child_waits(&live.attempt));
        (asks_somebody || run.paused().is_some()) && run.is_equipped() && has_locks && run.wanted().iter().all(asks)
    }
}
