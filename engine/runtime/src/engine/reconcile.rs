//! Makes it so: compares what should be going on with what is, and acts on the difference.

use runbook_core::Effect;
use runbook_core::event::{AttemptId, StopReason};
use runbook_core::input::{AttemptResult, Exit, Input};
use runbook_core::rendered::Rendered;
use runbook_core::run::{Doing, Live};

use super::{Driver, EngineError};
use crate::supervisor::{Key, Request};

impl Driver {
    /// Starts what should run and does not, ends what should end.
    pub(super) async fn reconcile(&mut self) -> Result<(), EngineError> {
        loop {
            let wanted = self.engine.run.wanted();
            let before = self.engine.journal_len();
            let services = wanted.iter().filter_map(|effect| match effect {
                Effect::Service(name) => Some(name.clone()),
                _ => None,
            });
            let scopes = wanted.iter().filter_map(|effect| match effect {
                Effect::Locks(scope) => Some(scope.clone()),
                _ => None,
            });
            self.reconcile_locks(&scopes.collect());
            self.reconcile_services(services.collect()).await?;
            for effect in wanted {
                match effect {
                    Effect::Execute(attempt) => self.execute(attempt)?,
                    Effect::Stop { attempt, force } => self.stop(attempt, force)?,
                    Effect::EndChild { attempt, level, overdue } => self.end_child(&attempt, level, overdue)?,
                    Effect::HoldChild { attempt, number, paused } => self.hold_child(&attempt, number, paused)?,
                    Effect::Locks(_) | Effect::Service(_) | Effect::Ask(_) | Effect::Timer { .. } => {}
                }
            }
            // What could not even be started has changed the state: look again.
            if self.engine.journal_len() == before {
                return Ok(());
            }
        }
    }

    fn execute(&mut self, attempt: AttemptId) -> Result<(), EngineError> {
        let key = attempt.to_string();
        if self.running.contains_key(&key) || self.requests.contains_key(&attempt) {
            return Ok(());
        }
        let stops = |live: &Live| live.attempt == attempt && matches!(live.doing, Doing::Stopping { .. });
        // A child run that has begun is gone on with, so that it can end.
        let goes_on = self.engine.run.child_of(&attempt).is_some_and(|child| child.starts > 1);
        if self.engine.run.live().any(stops) && !goes_on {
            return self.give_up_lookup(&attempt);
        }
        // An attempt that was never started before a crash waits for locks and services like any other.
        if !self.engine.run.is_equipped_for(&attempt) {
            return Ok(());
        }
        let Some(action) = self.engine.run.action_of(&attempt).filter(|action| action.is_external()).cloned() else {
            return Ok(());
        };
        let Some(printed) = self.printed_for(&attempt, &action) else { return Ok(()) };
        let started = printed.and_then(|printed| match action {
            Rendered::Http { method, url, headers, body, expect: _ } => {
                let headers = self.headers(&headers, &printed)?;
                self.start_request(&attempt, &method, &url, headers, body)
            }
            Rendered::Runbook { .. } | Rendered::UndoRunbook { .. } => self.start_child(&attempt),
            call @ Rendered::Plugin { .. } => self.start_plugin(&attempt, &call, &printed),
            command => self.start_command(&attempt, &command, &printed),
        });
        match started {
            Ok(()) => Ok(()),
            Err(reason) => {
                let result = AttemptResult { exit: Exit::Error(reason), ..AttemptResult::default() };
                self.take(Input::Ended { attempt, result: Box::new(result) })
            }
        }
    }

    fn stop(&mut self, attempt: AttemptId, force: bool) -> Result<(), EngineError> {
        if !self.stopping.insert((attempt.clone(), force)) {
            return Ok(());
        }
        if let Some(request) = self.requests.remove(&attempt) {
            request.abort();
            let result =
                AttemptResult { exit: Exit::Error("the request was given up".to_owned()), ..Default::default() };
            return self.take(Input::Ended { attempt, result: Box::new(result) });
        }
        let key = attempt.to_string();
        let is_left_over = |live: &Live| {
            live.attempt == attempt && matches!(live.doing, Doing::Stopping { why: StopReason::Interrupted(_), .. })
        };
        if self.engine.run.live().any(is_left_over) {
            // An earlier engine was told what lives on.
            self.running.insert(key.clone(), attempt);
        }
        if self.running.contains_key(&key)
            && let Ok(key) = Key::new(key)
        {
            self.supervisor.send(&Request::Signal { key, force });
        }
        Ok(())
    }
}
