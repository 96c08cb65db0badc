//! What child runs ask: shown with the run that started them, and answered to them.

use runbook_core::units::RunId;
use serde::{Deserialize, Serialize};

use crate::folder::StateFolder;
use crate::status::Status;

/// What started a child run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentStatus {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
}

/// A child run that asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asker {
    /// The run.
    pub run: String,
    /// Its runbook.
    pub runbook: String,
}

impl Status {
    /// The child runs that go on now, each with the place of its step.
    fn children(&self) -> impl Iterator<Item = (usize, &str)> {
        let goes_on = self.ended_at.is_none();
        let steps = self
            .steps
            .iter()
            .enumerate()
            .filter(move |(_, step)| goes_on && (step.state == "running" || step.is_being_undone()));
        steps.filter_map(|(at, step)| Some((at, step.child.as_deref()?)))
    }

    /// Whether a child run goes on, whose news do not come with those of this run.
    pub fn has_children(&self) -> bool {
        self.children().next().is_some()
    }

    /// The same with what its child runs ask, and those of these. A run that only waits for them waits.
    #[must_use]
    pub fn with_children(mut self, state: &StateFolder) -> Self {
        let children: Vec<(usize, String)> = self.children().map(|(at, run)| (at, run.to_owned())).collect();
        for (at, run) in children {
            let Ok(child) = Self::read(&state.run(&RunId::new(run))) else { continue };
            let child = child.with_children(state);
            // Anybody can say that a run of somebody else is a child of theirs.
            let is_its = child.parent.as_ref().is_some_and(|parent| parent.run == self.run);
            if child.ended_at.is_some() || !is_its {
                continue;
            }
            if child.state == "waiting" {
                let step = &mut self.steps[at];
                let waits = Some(format!("its child run {} waits", child.run));
                if step.is_being_undone() {
                    step.undo_detail = waits;
                } else {
                    (step.state, step.detail) = (child.state.clone(), waits);
                }
            }
            let asker = Asker { run: child.run, runbook: child.runbook };
            self.questions.extend(child.questions.into_iter().map(|mut question| {
                question.asker.get_or_insert_with(|| asker.clone());
                question
            }));
        }
        let acts = |word: &str| matches!(word, "running" | "retrying");
        let is_busy = self.steps.iter().any(|step| !step.is_block && acts(&step.state));
        if self.state == "running" && !is_busy && !self.questions.is_empty() {
            "waiting".clone_into(&mut self.state);
        }
        self
    }
}
