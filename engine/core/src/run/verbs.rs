//! Which verbs make sense in which state. The one place that says so: asked before a person's wish is stored, when it is
//! read, and for the list of what may be said now.

use std::collections::BTreeSet;

use super::{Doing, Run, Stage, StepState, UndoState};
use crate::event::{Cause, EndState, FROM_PARENT, Failure, Identity, Phase, Verb};
use crate::plan::{Action, Body};
use crate::units::{StepId, StepIx};

impl Run {
    /// Why a verb makes no sense now, in a sentence with a way out; nothing when it does.
    pub fn verb_refusal(&self, verb: &Verb) -> Option<String> {
        let Some(made) = &self.made else { return Some("the run does not exist yet".to_owned()) };
        if let Some(unknown) = verb.step().filter(|step| !made.index.contains_key(*step)) {
            return Some(format!("the run has no step `{unknown}`"));
        }
        if self.stage == Stage::Ended {
            return self.refusal_after_end(verb);
        }
        match verb {
            Verb::Take => None,
            Verb::Pause => self.pause_refusal(),
            Verb::Continue if self.paused.is_some() => None,
            Verb::Continue => Some("the run is not paused: there is nothing to continue".to_owned()),
            Verb::Rollback { to } => self.rollback_refusal(to.as_ref()),
            Verb::Retry { .. } | Verb::Skip { .. } | Verb::MarkDone { .. } => {
                self.ending_refusal(verb).or_else(|| self.steps_refusal(verb))
            }
        }
    }

    /// Why this person may not say it; nothing when they may. What holds or ends a run anybody can say who reaches it; the rest
    /// has commands run with the rights of who started it.
    pub fn verb_forbidden(&self, verb: &Verb, by: &Identity) -> Option<String> {
        let starter = &self.created()?.by;
        let may = match verb {
            Verb::Pause | Verb::Take => true,
            Verb::Continue => self.paused.as_ref().is_some_and(|who| who.uid == by.uid),
            Verb::Retry { .. } | Verb::Skip { .. } | Verb::MarkDone { .. } | Verb::Rollback { .. } => false,
        };
        (!may && by.uid != starter.uid).then(|| {
            format!(
                "only `{}`, who started the run, can say that: others can say `pause`, `take` and `cancel`",
                starter.name
            )
        })
    }

    /// Why it is paused, if it is: what was said, or what a guard found.
    pub fn paused_because(&self) -> Option<&str> {
        self.paused.as_ref()?;
        let pause = self.told.iter().rfind(|told| told.verb == Verb::Pause && told.refused.is_none())?;
        Some(&pause.reason)
    }

    fn pause_refusal(&self) -> Option<String> {
        if let Some(by) = &self.paused {
            return Some(format!("the run is paused already, by {}: `continue` goes on", by.name));
        }
        let is_ending = self.cancel.is_some() && self.stage == Stage::Main;
        match self.stage {
            Stage::Stopping => Some("all steps have run: there is nothing left that could be held back".to_owned()),
            _ if is_ending => Some("the run is being ended: nothing more starts in any case".to_owned()),
            _ => None,
        }
    }

    /// Why the end of a pause of the run that started this one does not end the pause of this one: a person paused it itself.
    pub(crate) fn hold_refusal(&self, verb: &Verb, message: Option<&str>) -> Option<String> {
        let from_parent = |message: Option<&str>| message.is_some_and(|name| name.starts_with(FROM_PARENT));
        let pause = self.told.iter().rfind(|told| told.verb == Verb::Pause && told.refused.is_none())?;
        let is_own = *verb == Verb::Continue && from_parent(message) && !from_parent(pause.message.as_deref());
        is_own.then(|| format!("{} paused this very run: `continue` of it goes on", pause.by.name))
    }

    fn rollback_refusal(&self, to: Option<&StepId>) -> Option<String> {
        match self.stage {
            Stage::RollingBack => Some("the run is being rolled back already".to_owned()),
            Stage::Always | Stage::Stopping => {
                Some("the last steps of the run are running: wait for its end, then roll it back".to_owned())
            }
            _ if self.way_back.is_some() => Some("the run is about to be rolled back already".to_owned()),
            _ => self.to_refusal(to),
        }
    }

    fn to_refusal(&self, to: Option<&StepId>) -> Option<String> {
        let at = self.at_of(to?)?;
        let is_always = self.plan().is_some_and(|plan| plan.step(at).always);
        let stays = matches!(self.steps[at.at()].state, StepState::Succeeded | StepState::Skipped(_));
        (is_always || !stays).then(|| {
            let step = to.map_or("", StepId::as_str);
            format!("`{step}` has not succeeded, so there is no way back to it: name one that has, or none")
        })
    }

    /// Why nothing can be said of single steps while the run is being ended or undone.
    fn ending_refusal(&self, verb: &Verb) -> Option<String> {
        let then = format!("wait for its end, then `{}`", verb.word());
        if self.stage == Stage::RollingBack {
            return Some("the run is being rolled back: what it did is undone, so that no step can be told".to_owned());
        }
        if self.stage == Stage::Stopping {
            return Some(format!("all steps of the run have run: {then}"));
        }
        if let Some(service) = &self.service_failed {
            return Some(format!("service `{service}` did not come up, so the run is ending: {then}"));
        }
        if let Some(name) = &self.lock_refused {
            return Some(format!("the lock `{name}` is held by somebody else, so the run is ending: {then}"));
        }
        let level = self.cancel.as_ref().map_or(0, |cancel| cancel.level);
        if (self.stage == Stage::Main && level > 0) || level > 1 {
            return Some(format!("the run is being cancelled: {then}"));
        }
        let of_main = verb.step().and_then(|step| self.step_plan(step)).is_none_or(|step| !step.always);
        (self.stage == Stage::Always && of_main).then(|| format!("the last steps of the run are running: {then}"))
    }

    fn refusal_after_end(&self, verb: &Verb) -> Option<String> {
        let end = self.end.as_ref()?;
        if matches!(verb, Verb::Pause | Verb::Continue | Verb::Take) {
            return Some("the run has ended".to_owned());
        }
        if let Cause::Undo(step) = &end.cause {
            return self.refusal_when_stuck(verb, step);
        }
        if let Verb::Rollback { to } = verb {
            return match self.has_something_to_undo(to.as_ref()) {
                true => self.to_refusal(to.as_ref()),
                false => Some(nothing_to_undo(to.as_ref())),
            };
        }
        if self.rollback.is_some() {
            return Some("the run was rolled back: start a new one".to_owned());
        }
        match (verb, &end.cause) {
            (Verb::Retry { step: None, .. }, Cause::Cancelled | Cause::Service(_) | Cause::Lock(_)) => None,
            (_, Cause::Cancelled) => Some("the run was cancelled: `retry` without a step goes on with it".to_owned()),
            (_, Cause::Service(service)) => {
                Some(format!("service `{service}` did not come up: `retry` without a step goes on with the run"))
            }
            (_, Cause::Lock(name)) => Some(format!(
                "the lock `{name}` was held by somebody else: `retry` without a step goes on with the run"
            )),
            (Verb::Retry { step: None, .. }, Cause::Always(_)) => None,
            _ => self.steps_refusal(verb),
        }
    }

    fn refusal_when_stuck(&self, verb: &Verb, stuck: &StepId) -> Option<String> {
        let ways = format!("`retry` tries that again, `mark-done {stuck}` says that it is undone by hand");
        match verb {
            Verb::Retry { step, downstream: false } if step.as_ref().is_none_or(|step| step == stuck) => None,
            Verb::MarkDone { step, outputs } if step == stuck && outputs.is_empty() => None,
            _ => Some(format!("the rollback of `{stuck}` failed: {ways}")),
        }
    }

    /// Why the named steps cannot be told so.
    fn steps_refusal(&self, verb: &Verb) -> Option<String> {
        let Some(step) = verb.step() else {
            let resets = self.resets_of_all();
            if resets.steps.is_empty() && resets.blocks.is_empty() {
                let repeats =
                    self.steps().find(|(.., run)| run.state == StepState::Retrying).map(|(_, step, _)| &step.id);
                let now = |step| format!("nothing has failed yet: `retry` with the step `{step}` repeats that now");
                return Some(repeats.map_or_else(|| "nothing has failed: there is nothing to retry".to_owned(), now));
            }
            if let Some(left) = resets.meant.iter().find_map(|at| self.left_refusal(*at)) {
                return Some(left);
            }
            let at = resets.busy?;
            return Some(self.goes_on(&format!("`{}`, which builds on what failed,", self.plan()?.step(at).id), at));
        };
        let at = self.at_of(step)?;
        if self.is_beside(at) {
            let is_to_come =
                self.plan()?.step(at).deadline().is_some() && self.steps[at.at()].state == StepState::Pending;
            let makes_sense = is_to_come && matches!(verb, Verb::Skip { .. });
            return (!makes_sense)
                .then(|| format!("`{step}` runs beside the steps: only a deadline to come can be skipped"));
        }
        if let Verb::Retry { downstream, .. } = verb {
            let refusal = self.retry_refusal(step, at, *downstream).or_else(|| self.left_refusal(at));
            return refusal.or_else(|| self.builds_on_refusal(step, at, *downstream));
        }
        let refusal = self.by_hand_refusal(step, at).or_else(|| self.builds_on_refusal(step, at, false));
        match verb {
            Verb::MarkDone { outputs, .. } => refusal.or_else(|| self.outputs_refusal(at, outputs.keys().collect())),
            _ => refusal,
        }
    }

    fn retry_refusal(&self, step: &StepId, at: StepIx, downstream: bool) -> Option<String> {
        if self.is_out_of_the_way(at) {
            return Some(format!("`{step}` lies in a branch or block that is not to run"));
        }
        match &self.steps[at.at()].state {
            StepState::Pending | StepState::Asked | StepState::Cleared => {
                Some(format!("`{step}` has not run yet: there is nothing to retry"))
            }
            StepState::Running => Some(self.goes_on(&format!("`{step}`"), at)),
            StepState::Entered => Some(format!("`{step}` goes on: name the step in it that failed")),
            StepState::Succeeded | StepState::Skipped(_) if !downstream => {
                let word = self.steps[at.at()].state.word();
                Some(
                    format!("`{step}` has {word}: with `--downstream` it runs again, with all that builds on it")
                        .replace("has skipped", "was skipped"),
                )
            }
            StepState::Blocked(_) => {
                Some(format!("`{step}` never started: retry or skip what held it back, see `show`"))
            }
            StepState::Succeeded
            | StepState::Skipped(_)
            | StepState::Failed(_)
            | StepState::Cancelled
            | StepState::Retrying => None,
        }
    }

    /// What a step is at that cannot be told anything, with what ends that.
    fn goes_on(&self, what: &str, at: StepIx) -> String {
        let doing = self.live.get(&(at, Phase::Do)).map(|live| &live.doing);
        let (is, then) = match (doing, &self.steps[at.at()].state) {
            (Some(Doing::Asking), _) => ("asks a person", "answer that, or cancel the run"),
            (Some(Doing::Interrupted), _) => ("was interrupted", "answer what became of it, or cancel the run"),
            (_, StepState::Retrying) => ("is about to be repeated", "wait for it, skip it, or cancel the run"),
            _ => ("is running", "wait for it, or cancel the run"),
        };
        format!("{what} {is}: {then}")
    }

    /// Why a step whose child run left something that it could not undo must not run again.
    fn left_refusal(&self, at: StepIx) -> Option<String> {
        let StepState::Failed(Failure::Child(end)) = &self.steps[at.at()].state else { return None };
        let step = &self.plan()?.step(at).id;
        // Where an undo in it failed, that is tried again.
        end.irreversible.then(|| {
            format!(
                "`{step}` left something undone in its child run {}: clear that up, then `mark-done {step}`",
                end.run
            )
        })
    }

    fn by_hand_refusal(&self, step: &StepId, at: StepIx) -> Option<String> {
        if let Some(block) = self.unentered_around(at).and_then(|block| Some(&self.plan()?.step(block).id)) {
            return Some(format!("`{step}` lies in `{block}`, which did not start: name that one"));
        }
        match &self.steps[at.at()].state {
            StepState::Running => Some(self.goes_on(&format!("`{step}`"), at)),
            StepState::Entered => Some(format!("`{step}` goes on: name the steps in it")),
            StepState::Succeeded => Some(format!("`{step}` has succeeded already")),
            StepState::Skipped(_) => Some(format!("`{step}` was skipped already")),
            _ if self.was_entered(at) => Some(format!("steps in `{step}` have run: name the one that failed")),
            _ => None,
        }
    }

    /// Why a step cannot start over: because of what builds on it.
    fn builds_on_refusal(&self, step: &StepId, at: StepIx, downstream: bool) -> Option<String> {
        let resets = self.resets_of(at);
        let plan = self.plan()?;
        if let Some(busy) = resets.busy {
            return Some(self.goes_on(&format!("`{}`, which builds on `{step}`,", plan.step(busy).id), busy));
        }
        let done = resets.done.filter(|_| !downstream)?;
        let done = &plan.step(done).id;
        Some(format!("`{done}`, which builds on `{step}`, has run: `retry {step} --downstream` runs both again"))
    }

    fn outputs_refusal(&self, at: StepIx, given: BTreeSet<&String>) -> Option<String> {
        let step = self.plan()?.step(at);
        if matches!(step.body, Body::Action(Action::Ask(_))) {
            return Some(format!("`{}` asks for values: `answer` gives them when it asks", step.id));
        }
        let declared = self.outputs_named(at);
        let declared: BTreeSet<&String> = declared.iter().collect();
        if let Some(unknown) = given.difference(&declared).next() {
            return Some(format!("`{}` declares no output `{unknown}`", step.id));
        }
        let missing: Vec<String> = declared.difference(&given).map(|name| format!("`{name}`")).collect();
        (!missing.is_empty())
            .then(|| format!("`{}` hands on {}: say what with `--output NAME=VALUE`", step.id, missing.join(", ")))
    }

    /// What may be said now, of the run and of each step that failed, waits to be repeated, or was ended; at most so many.
    pub fn verbs(&self, max: usize) -> Vec<Verb> {
        let mut all = vec![Verb::Retry { step: None, downstream: false }];
        let steps = self.steps().filter(|(_, _, run)| {
            let stuck = matches!(run.undo.state, UndoState::Failed(_));
            stuck || matches!(run.state, StepState::Failed(_) | StepState::Retrying)
        });
        for (at, step, _) in steps.filter(|(at, ..)| !self.was_entered(*at)).take(max) {
            let id = step.id.clone();
            all.push(Verb::Retry { step: Some(id.clone()), downstream: false });
            all.push(Verb::Skip { step: id.clone() });
            let outputs = if self.end.as_ref().is_some_and(|end| end.state == EndState::Stuck) {
                vec![]
            } else {
                self.outputs_named(at)
            };
            let outputs = outputs.into_iter().map(|name| (name, "VALUE".into())).collect();
            all.push(Verb::MarkDone { step: id, outputs });
        }
        all.extend([Verb::Pause, Verb::Continue, Verb::Rollback { to: None }, Verb::Take]);
        all.retain(|verb| self.verb_refusal(verb).is_none());
        all
    }

    /// What may be said of a step in place of an answer to the question about it.
    pub fn verbs_instead(&self, step: &StepId) -> Vec<Verb> {
        let outputs = self.at_of(step).map(|at| self.outputs_named(at)).unwrap_or_default();
        let outputs = outputs.into_iter().map(|name| (name, "VALUE".into())).collect();
        let mut all = vec![Verb::Skip { step: step.clone() }, Verb::MarkDone { step: step.clone(), outputs }];
        all.retain(|verb| self.verb_refusal(verb).is_none());
        all
    }

    fn outputs_named(&self, at: StepIx) -> Vec<String> {
        let Some(step) = self.plan().map(|plan| plan.step(at)) else { return vec![] };
        let set = match &step.body {
            Body::Action(Action::Set(values)) => values.keys().cloned().collect(),
            _ => vec![],
        };
        step.outputs.keys().cloned().chain(set).collect()
    }

    pub(crate) fn at_of(&self, step: &StepId) -> Option<StepIx> {
        self.made.as_ref()?.index.get(step).copied()
    }
}

fn nothing_to_undo(after: Option<&StepId>) -> String {
    let of = after.map(|step| format!(" after `{step}`")).unwrap_or_default();
    format!("there is nothing to undo: no step that succeeded{of} has a rollback left")
}
