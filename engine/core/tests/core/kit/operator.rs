//! What operators say at random: at any moment, when they are asked what follows on a failure, and after the end.

use std::collections::BTreeMap;

use runbook_core::event::Verb;
use runbook_core::input::{Input, VerbAsked};
use runbook_core::plan::{Action, Body, Plan, Step};
use runbook_core::run::Run;
use runbook_core::units::{StepId, Timestamp};
use serde_json::json;

use super::book::person;
use super::rng::Rng;

/// Operators, with what they are about to say.
#[derive(Clone, Debug)]
pub(crate) struct Operators {
    seed: u64,
    /// Said at these moments, whatever goes on.
    pub(crate) by_time: Vec<(u64, Verb)>,
    /// Said about what was seen; with a mark, so that it is said once.
    pub(crate) seen: Vec<(u64, Option<Verb>)>,
    marks: Vec<String>,
    /// How often somebody comes back to a run that has ended.
    after_end: u32,
    said: u32,
}

impl Operators {
    pub(crate) fn new(seed: u64, verbs: bool, plan: &Plan) -> Self {
        let mut rng = Rng::of(seed, "operators");
        let mut by_time: Vec<(u64, Verb)> = vec![];
        let count = if verbs && rng.percent(70) { rng.below(5) } else { 0 };
        for _ in 0..count {
            let at = rng.below(5_000);
            by_time.push((at, any_verb(&mut rng, plan)));
        }
        by_time.sort_by_key(|(at, _)| *at);
        let after_end = if verbs { 1 + rng.below(4) as u32 } else { 0 };
        Self { seed, by_time, seen: vec![], marks: vec![], after_end, said: 0 }
    }

    /// Somebody looks at the run: at a failure that is asked about, or a pause.
    pub(crate) fn look(&mut self, run: &Run, now: u64) {
        let told = run.told().len();
        let asks = run.questions().values().find(|question| question.id.0.starts_with("failure:"));
        let mark = match (asks, run.paused()) {
            (Some(question), _) => format!("{} {told}", question.id.0),
            (None, Some(_)) => format!("paused {told}"),
            (None, None) => return,
        };
        if self.marks.contains(&mark) {
            return;
        }
        let mut rng = Rng::of(self.seed, &mark);
        self.marks.push(mark);
        let at = now + 1 + rng.below(1_200);
        let verb = match asks {
            None => Some(Verb::Continue),
            // Nobody tries for ever.
            Some(_) if told > 6 || rng.percent(15) => None,
            Some(question) => {
                let plan = &run.created().expect("a run").plan;
                let step = plan.step(plan.find(question.step.as_str()).expect("a step"));
                let verbs = [
                    Verb::Retry { step: None, downstream: false },
                    Verb::Retry { step: Some(step.id.clone()), downstream: false },
                    Verb::Skip { step: step.id.clone() },
                    done(step),
                    Verb::Rollback { to: None },
                    Verb::Pause,
                ];
                Some(rng.pick(&verbs))
            }
        };
        self.seen.push((at, verb));
    }

    /// What is said next, and when.
    pub(crate) fn next(&self) -> Option<(u64, bool)> {
        let by_time = self.by_time.first().map(|(at, _)| (*at, true));
        let seen = self.seen.first().map(|(at, _)| (*at, false));
        by_time.into_iter().chain(seen).min()
    }

    /// The words for it.
    pub(crate) fn tell(&mut self, by_time: bool, now: u64) -> Input {
        let verb = if by_time { Some(self.by_time.remove(0).1) } else { self.seen.remove(0).1 };
        match verb {
            None => Input::CancelAsked { level: 1, by: person("ann"), reason: None, message: None },
            Some(verb) => self.say(verb, now),
        }
    }

    pub(crate) fn say(&mut self, verb: Verb, now: u64) -> Input {
        self.said += 1;
        let message = Some(format!("verb {}", self.said));
        // Now and then it is somebody else.
        let by = person(if self.said % 16 == 5 { "ann" } else { "starter" });
        let reason = "it has to be".to_owned();
        Input::Verb(Box::new(VerbAsked { verb, by, reason, written_at: Timestamp(now), message }))
    }

    /// Whether somebody may come back to the run after its end.
    pub(crate) fn may_come_back(&self) -> bool {
        self.after_end > 0
    }

    /// What somebody says who comes back to a run that has ended; nothing when nothing makes sense.
    pub(crate) fn come_back(&mut self, run: &Run, now: u64) -> Option<Input> {
        self.after_end = self.after_end.checked_sub(1)?;
        let mut rng = Rng::of(self.seed, &format!("after the end {}", self.after_end));
        let plan = &run.created().expect("a run").plan;
        let mut verbs = run.verbs(5);
        verbs.extend((0..4).map(|_| any_verb(&mut rng, plan)).filter(|verb| run.verb_refusal(verb).is_none()));
        let verb = (!verbs.is_empty()).then(|| rng.pick(&verbs));
        verb.map(|verb| self.say(verb, now))
    }
}

fn any_verb(rng: &mut Rng, plan: &Plan) -> Verb {
    let at = rng.below(plan.steps.len() as u64) as usize;
    let step = &plan.steps[at];
    let id: StepId = step.id.clone();
    match rng.below(12) {
        0 => Verb::Pause,
        1 => Verb::Continue,
        2 => Verb::Take,
        3 => Verb::Rollback { to: rng.percent(50).then_some(id) },
        4 | 5 => Verb::Skip { step: id },
        6 | 7 => done(step),
        8 => Verb::Retry { step: None, downstream: false },
        _ => Verb::Retry { step: Some(id), downstream: rng.percent(50) },
    }
}

/// That a step was done by hand, with all that it hands on.
fn done(step: &Step) -> Verb {
    let mut outputs: BTreeMap<_, _> = step.outputs.keys().map(|name| (name.clone(), json!("by hand"))).collect();
    if let Body::Action(Action::Set(values)) = &step.body {
        outputs.extend(values.keys().map(|name| (name.clone(), json!("by hand"))));
    }
    Verb::MarkDone { step: step.id.clone(), outputs }
}
