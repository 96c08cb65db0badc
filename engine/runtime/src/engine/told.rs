//! Where news comes from: the supervisor, requests, services, timers, the inbox, signals.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook_core::Effect;
use runbook_core::event::{AttemptId, Event, Identity, Timer};
use runbook_core::input::{AttemptResult, Input};
use runbook_core::units::Timestamp;
use runbook_journal::Record;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Driver, EngineError, now};
use crate::folder::RunFolder;
use crate::supervisor::{Ended, Exit, Lost, Notification, ProcessId};

/// A file may be dropped without the bell, and clocks are set: never sleep longer than this.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Long enough that who rings without end is a small load, and shorter than anyone notices.
const DEAF: Duration = Duration::from_millis(20);

/// So many answers of one person that do not count are recorded by one engine; a person who errs gives up long before.
const REFUSED_MAX: usize = 100;

/// The signals that mean something to a run.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Listened to and ignored: a lost terminal leaves the run going.
    hangup: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, EngineError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal; whether it asks the run to end.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => true,
            _ = self.hangup.recv() => false,
        }
    }
}

/// Says when something was dropped into the inbox.
pub(super) struct Inbox {
    /// None where the system gives no pipe, and then looking suffices.
    bell: Option<pipe::Receiver>,
    /// Not listened to again before: where others can ring, one of them may do nothing else.
    deaf_until: tokio::time::Instant,
    /// How many answers of each person did not count.
    refused: BTreeMap<u32, usize>,
}

impl Inbox {
    pub(super) fn listen(run: &RunFolder) -> Self {
        let bell = crate::inbox::bell(run);
        if let Err(error) = &bell {
            tracing::warn!(%error, "cannot hear of answers; looking every two seconds");
        }
        Self { bell: bell.ok(), deaf_until: tokio::time::Instant::now(), refused: BTreeMap::new() }
    }

    /// Counts the answers that did not count.
    pub(super) fn note_refusals(&mut self, records: &[Record]) {
        for record in records {
            if let Event::AnswerRefused { by, .. } = &record.event {
                self.note_uncounted(by);
            }
        }
    }

    /// Counts one that did not count.
    pub(super) fn note_uncounted(&mut self, by: &Identity) {
        let count = self.refused.entry(by.uid).or_default();
        *count += 1;
        if *count == REFUSED_MAX {
            tracing::warn!(by = by.name, "{REFUSED_MAX} answers did not count: no more are looked at");
        }
    }

    /// Whether somebody gave so many answers that did not count that the record would be full of them.
    pub(super) fn is_tired_of(&self, person: &Identity) -> bool {
        self.refused.get(&person.uid).is_some_and(|count| *count >= REFUSED_MAX)
    }

    async fn next(&mut self) {
        let Some(bell) = &self.bell else { return std::future::pending().await };
        if let Err(error) = bell.readable().await {
            tracing::warn!(%error, "cannot hear of answers any more; looking every two seconds");
            self.bell = None;
            return;
        }
        tokio::time::sleep_until(self.deaf_until).await;
        // How often it rang does not matter; it is read once, as somebody may ring all the time.
        let mut rung = [0; 4096];
        let _ = bell.try_read(&mut rung);
        self.deaf_until = tokio::time::Instant::now() + DEAF;
    }
}

/// One piece of news.
enum News {
    Supervisor(Result<Notification, Lost>),
    Finished(AttemptId, AttemptResult),
    Service(super::services::Answered),
    LookedUp(super::lookup::LookedUp),
    Signal(bool),
    Inbox,
    Time,
}

impl Driver {
    /// Waits until something happens, and takes it.
    pub(super) async fn wait_for_news(&mut self) -> Result<(), EngineError> {
        let sleep = tokio::time::sleep(self.until_next_timer());
        let news = tokio::select! {
            said = self.supervisor.next() => News::Supervisor(said),
            Some((attempt, result)) = self.finished.1.recv() => News::Finished(attempt, result),
            Some(answered) = self.services.next() => News::Service(answered),
            Some(looked_up) = self.lookups.next() => News::LookedUp(looked_up),
            asks_to_end = self.signals.next() => News::Signal(asks_to_end),
            () = self.inbox.next() => News::Inbox,
            () = sleep => News::Time,
        };
        match news {
            News::Supervisor(Ok(said)) => self.supervisor_said(said),
            News::Supervisor(Err(Lost)) => self.replace_supervisor().await,
            News::Finished(attempt, result) => {
                self.requests.remove(&attempt);
                self.take(Input::Ended { attempt, result: Box::new(result) })
            }
            News::Service(answered) => self.service_answered(answered).await,
            News::LookedUp(looked_up) => {
                self.lookups.is_over(looked_up);
                Ok(())
            }
            News::Signal(asks_to_end) => {
                if asks_to_end {
                    self.cancel_harder()
                } else {
                    Ok(())
                }
            }
            News::Inbox => self.read_inbox(),
            News::Time => {
                // An answer written in time counts although it is read late: look before any timer is told.
                self.read_inbox()?;
                self.tell_due_timers()
            }
        }
    }

    fn supervisor_said(&mut self, said: Notification) -> Result<(), EngineError> {
        match said {
            Notification::Ended { key, ended } => self.command_ended(key.as_str(), &ended),
            Notification::Unknown { key } => match self.running.remove(key.as_str()) {
                Some(attempt) if self.engine.run.child_of(&attempt).is_some() => self.child_lost(attempt),
                Some(attempt) => self.lost(attempt, &[]),
                None => Ok(()),
            },
            Notification::Started { key, started } => {
                self.services.runs(&key, started.process.pid);
                Ok(())
            }
            Notification::Locked { scope } => self.locked(&scope),
            Notification::LockInUse { scope, name, holder } => self.lock_in_use(&scope, name, holder),
            Notification::LockFailed { message } => Err(EngineError::Precondition(vec![message])),
            Notification::Unlocked { scope } => {
                self.locks.unlocked(&scope);
                Ok(())
            }
            Notification::Welcome(_) | Notification::Refused(_) => Ok(()),
        }
    }

    pub(super) fn command_ended(&mut self, key: &str, ended: &Ended) -> Result<(), EngineError> {
        if let Some(service) = self.services.of_key(key) {
            return self.service_ended(&service, ended);
        }
        let Some(attempt) = self.running.remove(key) else { return Ok(()) };
        if self.engine.run.child_of(&attempt).is_some() {
            return self.child_ended(attempt, ended);
        }
        if ended.exit == Exit::Unknown {
            // Those that outlived KILL are another user's, and nobody can wait for them.
            let survivors = if ended.signalled.is_none() { &ended.survivors[..] } else { &[] };
            return self.lost(attempt, survivors);
        }
        let result = self.result_of(&attempt, ended);
        self.take(Input::Ended { attempt: attempt.clone(), result: Box::new(result) })?;
        self.forget_outputs(&attempt);
        Ok(())
    }

    /// Nobody knows how a command ended; these processes of it live on.
    pub(super) fn lost(&mut self, attempt: AttemptId, survivors: &[ProcessId]) -> Result<(), EngineError> {
        if let Some(result) = self.left_result(&attempt).filter(|_| survivors.is_empty()) {
            self.take(Input::Ended { attempt: attempt.clone(), result: Box::new(result) })?;
            self.forget_outputs(&attempt);
            return Ok(());
        }
        let lost = self.what_is_left_of(&attempt, survivors);
        let lives_on = !lost.survivors.is_empty();
        self.take(Input::Lost(Box::new(lost)))?;
        self.forget_outputs(&attempt);
        if lives_on {
            // Whatever is decided: it is not over for the supervisor.
            self.running.insert(attempt.to_string(), attempt);
        }
        Ok(())
    }

    /// Each signal asks a little harder than what the run is at.
    fn cancel_harder(&mut self) -> Result<(), EngineError> {
        let level = self.engine.run.cancel().map_or(0, |cancel| cancel.level) + 1;
        self.take(Input::CancelAsked { level, by: crate::identity::me(), reason: None, message: None })
    }

    fn timers(&self) -> impl Iterator<Item = (Timestamp, Timer)> {
        let timer = |effect| match effect {
            Effect::Timer { at, timer } => Some((at, timer)),
            _ => None,
        };
        self.engine.run.wanted().into_iter().filter_map(timer).filter(|(_, timer)| !self.muted.contains(timer))
    }

    fn until_next_timer(&self) -> Duration {
        let now = now();
        let timer = self.timers().map(|(at, _)| at).min();
        let until = timer.map_or(LOOK_AGAIN, |at| Duration::from_millis(at.0.saturating_sub(now.0)));
        let until = if self.is_stale { until.min(self.publish_pause) } else { until };
        let until = self.locks.until_next().map_or(until, |ask| until.min(ask));
        let until = self.services.until_next_kill(now).map_or(until, |kill| until.min(kill));
        until.min(LOOK_AGAIN)
    }

    fn tell_due_timers(&mut self) -> Result<(), EngineError> {
        let now = now();
        let mut due: Vec<(Timestamp, Timer)> = self.timers().filter(|(at, _)| *at <= now).collect();
        due.sort();
        for (_, timer) in due {
            // One that changes nothing would otherwise be told for ever.
            let before = self.engine.journal_len();
            self.take(Input::Due(timer.clone()))?;
            if self.engine.journal_len() == before {
                self.muted.insert(timer);
            }
        }
        Ok(())
    }
}
