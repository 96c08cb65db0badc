//! What happens in a simulated world: fixed by a seed, and by nothing that the engine does.

use std::collections::BTreeMap;

use runbook_core::event::{AttemptId, Cause, ChildEnd, EndState, Phase, Question, QuestionKind};
use runbook_core::input::{Answer, AttemptResult, Exit};
use runbook_core::units::RunId;
use serde_json::json;

use super::rng::Rng;

/// What will become of a command.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) ends_at: u64,
    pub(crate) result: AttemptResult,
    /// From TERM to its end; none when it ignores TERM.
    pub(crate) term_ms: Option<u64>,
}

/// What kind of command it is.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) is_http: bool,
    pub(crate) polls: bool,
    /// The child run, where it is one.
    pub(crate) child: Option<RunId>,
}

/// An answer that will be written.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// From the question to the writing.
    pub(crate) after_ms: u64,
    /// From the writing to the reading.
    pub(crate) read_ms: u64,
    pub(crate) answer: Answer,
    pub(crate) by: String,
    pub(crate) roles: Vec<String>,
    pub(crate) wrong_digest: bool,
}

/// Which things may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) seed: u64,
    /// In percent.
    pub(crate) failing: u64,
    /// Whether people cancel.
    pub(crate) cancels: bool,
    /// Whether people refuse, are late, or lack the role; else they agree in time.
    pub(crate) moody: bool,
    /// Whether a service may fail to come up.
    pub(crate) service_fails: bool,
    /// Whether operators say something beside answers and requests to cancel, also after the end.
    pub(crate) verbs: bool,
}

impl Fate {
    /// What becomes of an attempt that starts now. Depends on how many failed before it, not on its number, so that an
    /// attempt that is run again because nobody knows its fate fares like the lost one, and ends when that would have.
    pub(crate) fn job(
        &self,
        attempt: &AttemptId,
        (resets, failures): (u32, u32),
        kind: &Kind,
        now: u64,
        ends_at: Option<u64>,
    ) -> Job {
        let undo = attempt.phase == Phase::Undo;
        let again = if resets > 0 { format!(" again {resets}") } else { String::new() };
        let mut rng = Rng::of(self.seed, &format!("job {} {undo} {failures}{again}", attempt.step));
        let failing = if undo { self.failing / 2 } else { self.failing };
        let fails = rng.percent(failing);
        let after_ms = match kind {
            Kind { polls: true, .. } => 1 + rng.below(90),
            _ if rng.percent(10) => 5_000 + rng.below(4_000),
            _ => 1 + rng.below(900),
        };
        let ends_at = ends_at.unwrap_or(now + after_ms);
        // The world that a poll looks at changes at a moment of its own.
        let true_from = 500 + Rng::of(self.seed, &format!("poll {}", attempt.step)).below(3_000);
        // An unexpected answer means "not yet": one that never changes would be polled for ever.
        let fails = fails && !(kind.polls && kind.is_http && ends_at >= true_from);
        let exit = match (kind.is_http, fails) {
            (true, true) if rng.percent(50) => Exit::Error("connection refused".to_owned()),
            (true, true) => Exit::Status(500),
            (true, false) => Exit::Status(200),
            (false, true) if rng.percent(10) => Exit::Signal(11),
            (false, true) => Exit::Code(1 + rng.below(3) as i32),
            (false, false) => Exit::Code(0),
        };
        let term_ms = (!rng.percent(30)).then(|| rng.below(600));
        let result = AttemptResult {
            exit,
            outputs: BTreeMap::from([("given".to_owned(), json!(rng.below(3)))]),
            locals: BTreeMap::from([
                ("stdout".to_owned(), json!(if rng.percent(50) { "yes" } else { "no" })),
                ("response".to_owned(), json!({"status": 200, "up": ends_at >= true_from})),
            ]),
            unusable: (!undo && rng.percent(2)).then(|| "output too long".to_owned()),
            said: None,
            child: None,
        };
        let result = match &kind.child {
            Some(child) if undo => of_way_back(child.clone(), fails, &mut rng, result),
            Some(child) => of_child(child.clone(), fails, &mut rng, result),
            None => result,
        };
        Job { ends_at, result, term_ms }
    }

    /// What a look whether a step is done comes to: the truth about an attempt that was lost, where there is one.
    pub(crate) fn look(&self, attempt: &AttemptId, failures: u32, now: u64, lost: Option<(u64, bool)>) -> Job {
        let mut rng = Rng::of(self.seed, &format!("look {} {failures}", attempt.step));
        let by_chance = rng.percent(30);
        let exit = match lost {
            Some((_, fine)) => Exit::Code(i32::from(!fine)),
            None if rng.percent(self.failing) => rng.pick(&[Exit::Code(127), Exit::Signal(9)]),
            None => Exit::Code(i32::from(!by_chance)),
        };
        let ends_at = lost.map_or(now, |(ends_at, _)| ends_at.max(now)) + 1 + rng.below(300);
        let outputs = BTreeMap::from([("given".to_owned(), json!(rng.below(3)))]);
        let result = AttemptResult { exit, outputs, ..AttemptResult::default() };
        Job { ends_at, result, term_ms: (!rng.percent(30)).then(|| rng.below(600)) }
    }

    /// What people write about a question.
    pub(crate) fn replies(&self, question: &Question) -> Vec<Reply> {
        let mut rng = Rng::of(self.seed, &format!("reply {}", question.id.0));
        let fine = Reply {
            after_ms: 1 + rng.below(1_500),
            read_ms: if rng.percent(20) { rng.below(2_000) } else { 0 },
            answer: agreement(&question.kind),
            by: "ann".to_owned(),
            roles: vec!["chief".to_owned()],
            wrong_digest: false,
        };
        let more = |answer: &Answer| others(question, answer, &fine);
        if !self.moody {
            let more = more(&fine.answer);
            return [vec![Reply { read_ms: 0, ..fine }], more].concat();
        }
        let mut replies = vec![];
        if rng.percent(20) {
            let wrong_digest = rng.percent(50);
            let roles = if wrong_digest { vec!["chief".to_owned()] } else { vec!["guest".to_owned()] };
            replies.push(Reply {
                after_ms: fine.after_ms / 2,
                by: "bob".to_owned(),
                roles,
                wrong_digest,
                ..fine.clone()
            });
        }
        if rng.percent(20) && matches!(question.kind, QuestionKind::Approval { exclude_initiator: true, .. }) {
            replies.push(Reply { after_ms: fine.after_ms / 2, by: "starter".to_owned(), ..fine.clone() });
        }
        let answer = match &question.kind {
            QuestionKind::Approval { .. } | QuestionKind::Manual { .. } | QuestionKind::Values { .. }
                if rng.percent(25) =>
            {
                Answer::Reject { reason: Some("no".to_owned()) }
            }
            QuestionKind::Interrupted { .. } => match rng.below(3) {
                0 => Answer::TookEffect { reason: None },
                1 => Answer::DidNot { reason: None },
                _ => Answer::RunAgain { reason: None },
            },
            kind => agreement(kind),
        };
        if let QuestionKind::Values { fields, .. } = &question.kind
            && rng.percent(30)
        {
            let values = fields.iter().map(|field| (field.name.clone(), json!("neither"))).collect();
            let answer = Answer::Values { values, reason: None };
            replies.push(Reply { after_ms: fine.after_ms / 3, answer, ..fine.clone() });
        }
        // Somebody who never answers a question that never expires would keep the run waiting for ever.
        if question.due.is_none() || !rng.percent(15) {
            let more = more(&answer);
            replies.push(Reply { answer, ..fine.clone() });
            // Of those who never come, nobody may be needed for ever.
            if question.due.is_none() || !rng.percent(15) {
                replies.extend(more);
            }
        }
        if rng.percent(20) {
            replies.push(Reply { after_ms: fine.after_ms + rng.below(900), ..fine.clone() });
        }
        replies.extend(in_need(question, &fine, &mut rng));
        replies
    }

    /// When a service answers, and whether it ever does.
    pub(crate) fn service(&self, name: &str) -> (u64, bool) {
        let mut rng = Rng::of(self.seed, &format!("service {name}"));
        (rng.below(800), !(self.service_fails && rng.percent(30)))
    }

    /// Until when another run holds a lock.
    pub(crate) fn lock_free_at(&self, name: &str) -> u64 {
        let mut rng = Rng::of(self.seed, &format!("lock {name}"));
        if rng.percent(60) { 0 } else { rng.below(3_000) }
    }

    /// When people want the run to end, and how hard.
    pub(crate) fn cancels(&self) -> Vec<(u64, u8)> {
        let mut rng = Rng::of(self.seed, "cancel");
        if !self.cancels || rng.percent(55) {
            return vec![];
        }
        let mut at = rng.below(6_000);
        let mut level = if rng.percent(70) { 1 } else { 1 + rng.below(3) as u8 };
        let mut cancels = vec![];
        while level <= 3 {
            cancels.push((at, level));
            if rng.percent(50) {
                break;
            }
            at += 1 + rng.below(4_000);
            level += 1;
        }
        cancels
    }
}

/// Somebody to whom an approval is escalated, perhaps too early; and somebody who breaks the glass, allowed to or not.
fn in_need(question: &Question, fine: &Reply, rng: &mut Rng) -> Vec<Reply> {
    let QuestionKind::Approval { escalation, .. } = &question.kind else { return vec![] };
    let mut replies = vec![];
    if escalation.is_some() && rng.percent(70) {
        let (after_ms, roles) = (fine.after_ms + rng.below(3_000), vec!["boss".to_owned()]);
        replies.push(Reply { after_ms, by: "eve".to_owned(), roles, ..fine.clone() });
    }
    if rng.percent(25) {
        let answer = Answer::BreakGlass { reason: "all hands".to_owned() };
        let roles = vec![if rng.percent(60) { "boss".to_owned() } else { "guest".to_owned() }];
        replies.push(Reply { after_ms: 1 + rng.below(2_500), by: "eve".to_owned(), roles, answer, ..fine.clone() });
    }
    replies
}

/// The others whom an approval needs, each a little later than the first.
fn others(question: &Question, answer: &Answer, first: &Reply) -> Vec<Reply> {
    let (QuestionKind::Approval { min, .. }, Answer::Approve { .. }) = (&question.kind, answer) else {
        return vec![];
    };
    let one = |(nth, by): (u64, &&str)| {
        let after_ms = first.after_ms + 10 * nth;
        Reply { after_ms, by: (*by).to_owned(), read_ms: 0, ..first.clone() }
    };
    (1..).zip(["cid", "dot"].iter().take(*min as usize - 1)).map(one).collect()
}

/// A child run fails in one of its ways.
fn of_child(run: RunId, fails: bool, rng: &mut Rng, result: AttemptResult) -> AttemptResult {
    let step = || "x".into();
    let (state, cause, code) = match (fails, rng.below(6)) {
        (false, _) => (EndState::Succeeded, Cause::None, 0),
        (true, 0) => (EndState::RolledBack, Cause::Step(step()), 2),
        (true, 1) => (EndState::Failed, Cause::Rejected(step()), 7),
        (true, 2) => (EndState::Stuck, Cause::Undo(step()), 5),
        (true, 3) => (EndState::Cancelled, Cause::Cancelled, 10),
        (true, _) => (EndState::Failed, Cause::Step(step()), 1),
    };
    let irreversible = rng.percent(10) && (fails || rng.percent(50));
    let child = Some(ChildEnd { run, state, cause, irreversible });
    AttemptResult { exit: Exit::Code(code), child, ..result }
}

/// A child run is rolled back, wholly or but for something that cannot be undone; or it is stuck, or was to be undone by
/// somebody else.
fn of_way_back(run: RunId, fails: bool, rng: &mut Rng, result: AttemptResult) -> AttemptResult {
    let (state, cause, irreversible) = match (fails, rng.below(6)) {
        (true, 0) => return AttemptResult { exit: Exit::Error("nobody rolled it back".to_owned()), ..result },
        (true, _) => (EndState::Stuck, Cause::Undo("x".into()), false),
        (false, 0) => (EndState::Failed, Cause::Rollback, true),
        (false, _) => (EndState::RolledBack, Cause::Rollback, false),
    };
    let child = Some(ChildEnd { run, state, cause, irreversible });
    AttemptResult { exit: Exit::Done, child, ..result }
}

/// The answer that lets a run go on.
pub(crate) fn agreement(kind: &QuestionKind) -> Answer {
    match kind {
        QuestionKind::Approval { .. } => Answer::Approve { reason: None },
        QuestionKind::Manual { .. } => Answer::Confirm { reason: None },
        QuestionKind::Values { fields, .. } => Answer::Values {
            values: fields.iter().map(|field| (field.name.clone(), json!("b"))).collect(),
            reason: None,
        },
        QuestionKind::Interrupted { .. } => Answer::TookEffect { reason: None },
        // No answer counts: a verb says what follows.
        QuestionKind::Failure => Answer::Confirm { reason: None },
    }
}
