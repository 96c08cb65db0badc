//! Secrets that programs print are looked up beside everything else: the engine goes on deciding, and an attempt starts
//! once its own are there.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::event::AttemptId;
use runbook_core::input::Input;
use runbook_core::rendered::{Rendered, RenderedSource};
use runbook_core::units::SecretName;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Driver, EngineError};
use crate::secrets::Values;

/// What programs printed for one attempt, or why there is nothing.
type Printed = Result<Values, String>;

/// What is looked up for attempts that are to start.
pub(super) struct Lookups {
    of: BTreeMap<AttemptId, Lookup>,
    told: (mpsc::UnboundedSender<LookedUp>, mpsc::UnboundedReceiver<LookedUp>),
}

/// News: a lookup is over.
pub(super) struct LookedUp {
    attempt: AttemptId,
    printed: Printed,
}

enum Lookup {
    UnderWay(JoinHandle<()>),
    Over(Printed),
}

impl Drop for Lookup {
    fn drop(&mut self) {
        if let Self::UnderWay(task) = self {
            task.abort();
        }
    }
}

impl Lookups {
    pub(super) fn new() -> Self {
        Self { of: BTreeMap::new(), told: mpsc::unbounded_channel() }
    }

    pub(super) async fn next(&mut self) -> Option<LookedUp> {
        self.told.1.recv().await
    }

    /// The attempt may start now, if it is still wanted.
    pub(super) fn is_over(&mut self, looked_up: LookedUp) {
        let LookedUp { attempt, printed } = looked_up;
        if let Some(lookup) = self.of.get_mut(&attempt) {
            *lookup = Lookup::Over(printed);
        }
    }

    /// Gives up what is looked up for an attempt.
    pub(super) fn forget(&mut self, attempt: &AttemptId) {
        self.of.remove(attempt);
    }

    fn take(&mut self, attempt: &AttemptId) -> Option<Printed> {
        if !matches!(self.of.get(attempt), Some(Lookup::Over(_))) {
            return None;
        }
        match self.of.remove(attempt) {
            Some(Lookup::Over(ref mut printed)) => Some(std::mem::replace(printed, Ok(Values::new()))),
            _ => None,
        }
    }
}

impl Driver {
    /// What programs print for an attempt; none while that is being looked up.
    pub(super) fn printed_for(&mut self, attempt: &AttemptId, action: &Rendered) -> Option<Printed> {
        let wanted = self.secrets.printed_by_programs(&self.secrets_of(action));
        if wanted.is_empty() {
            return Some(Ok(Values::new()));
        }
        if self.lookups.of.contains_key(attempt) {
            return self.lookups.take(attempt);
        }
        let (secrets, tell, told_of) = (self.secrets.clone(), self.lookups.told.0.clone(), attempt.clone());
        let task = tokio::spawn(async move {
            let printed = secrets.print(wanted).await.map_err(|errors| {
                let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
                reasons.join("; ")
            });
            // Nobody listens any more when the engine is leaving.
            let _ = tell.send(LookedUp { attempt: told_of, printed });
        });
        self.lookups.of.insert(attempt.clone(), Lookup::UnderWay(task));
        None
    }

    /// An attempt that is to end before it has its secrets was never started.
    pub(super) fn give_up_lookup(&mut self, attempt: &AttemptId) -> Result<(), EngineError> {
        self.lookups.forget(attempt);
        self.take(Input::NotStarted(attempt.clone()))
    }

    /// The secrets that an action gets: its own, and for a command those of the runbook's `env`.
    fn secrets_of(&self, action: &Rendered) -> BTreeSet<SecretName> {
        let of_runbook = match action {
            Rendered::Run { .. } | Rendered::Argv { .. } => self.engine.run.created().map(|created| &created.env),
            _ => None,
        };
        let inherited = of_runbook.into_iter().flatten().filter_map(|(_, source)| match source {
            RenderedSource::Secret { name, .. } => Some(name),
            RenderedSource::Value(_) => None,
        });
        action.secrets().into_iter().chain(inherited).cloned().collect()
    }
}
