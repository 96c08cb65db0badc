//! A run of a part of a runbook: which of its steps are left out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Body, Plan, Section};
use crate::units::{StepId, StepIx};

/// Which part of the steps a run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// One step, with the steps within it.
    Only,
    /// One step, and all that are written behind it.
    From,
}

/// The part of the steps that a run is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which.
    pub kind: PartKind,
    /// The step that it is named by.
    pub step: StepId,
    /// The steps that are skipped when their turn comes.
    pub left_out: BTreeSet<StepId>,
}

/// Why a step cannot name a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPart {
    /// There is no such step.
    #[error("there is no step `{0}`")]
    Unknown(String),
    /// It is there once for each item.
    #[error("step `{0}` lies in the loop `{1}`, which runs as a whole")]
    InLoop(StepId, StepId),
    /// It runs at the end of every run.
    #[error("step `{0}` belongs to `always`, which runs in any case")]
    Always(StepId),
    /// It runs when its time has come.
    #[error("step `{0}` belongs to what runs beside the steps, and does so in any case")]
    Beside(StepId),
    /// It runs when its block asks for it.
    #[error("step `{0}` lies in `rescue` or `always` of `{1}`, which run when that block needs them")]
    Section(StepId, StepId),
}

impl Plan {
    /// A part of the steps. The blocks around the step are entered, and their `rescue` and `always` are not left out, nor
    /// are the runbook's `always` and deadlines: whatever runs may fail, or take too long.
    ///
    /// # Errors
    /// When no part can be named by that step.
    pub fn part(&self, kind: PartKind, step: &str) -> Result<Part, NoPart> {
        let Some(at) = self.find(step) else {
            let around = self.steps.iter().find(|outer| is_within(outer, step));
            let id = || StepId::new(step.to_owned());
            return Err(match around {
                Some(outer) => NoPart::InLoop(id(), outer.id.clone()),
                None => NoPart::Unknown(step.to_owned()),
            });
        };
        let found = self.step(at);
        if found.always {
            return Err(NoPart::Always(found.id.clone()));
        }
        if found.beside.is_some() {
            return Err(NoPart::Beside(found.id.clone()));
        }
        let around: Vec<StepIx> = self.outwards(at).skip(1).collect();
        let in_section = self.outwards(at).find(|place| self.step(*place).section != Section::Main);
        if let Some(block) = in_section.and_then(|place| self.step(place).parent) {
            return Err(NoPart::Section(found.id.clone(), self.step(block).id.clone()));
        }
        let runs = |place: StepIx| {
            let chain: Vec<StepIx> = self.outwards(place).collect();
            let is_cleanup = |one: &StepIx| {
                let one = self.step(*one);
                one.section != Section::Main && one.parent.is_some_and(|block| around.contains(&block))
            };
            let is_behind = kind == PartKind::From && place > at;
            is_behind || chain.contains(&at) || around.contains(&place) || chain.iter().any(is_cleanup)
        };
        let left_out = self.iter().filter(|(place, step)| !step.always && step.beside.is_none() && !runs(*place));
        let left_out = left_out.map(|(_, step)| step.id.clone()).collect();
        Ok(Part { kind, step: found.id.clone(), left_out })
    }

    /// A step, and the blocks around it.
    fn outwards(&self, at: StepIx) -> impl Iterator<Item = StepIx> {
        std::iter::successors(Some(at), |place| self.step(*place).parent)
    }
}

fn is_within(outer: &super::Step, id: &str) -> bool {
    let Body::ForEach(each) = &outer.body else { return false };
    each.body.iter().any(|step| step.id.as_str() == id || is_within(step, id))
}
