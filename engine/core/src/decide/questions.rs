//! Questions to people, and their answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::apply::IllegalEvent;
use crate::event::{
    AfterLoss, AttemptId, BlockReason, Escalation, Event, Failure, Identity, Phase, Question, QuestionId, QuestionKind,
};
use crate::input::{Answer, Answered};
use crate::plan::Field;
use crate::run::{Doing, Live, Prepared};
use crate::units::{Digest, Role, StepIx, Timestamp};

impl Deciding<'_> {
    pub(super) fn ask_approval(&mut self, at: StepIx, digest: Digest) -> Decided {
        let step = self.plan().step(at).id.clone();
        let Some(approval) = self.plan().step(at).approval.clone() else { return Ok(()) };
        let message = match approval.message.map(|message| self.text(at, &message, &Locals::new())).transpose() {
            Ok(message) => message,
            Err(error) => {
                let failure = Failure::Evaluate(format!("`approval.message`: {error}"));
                return self.fail_unstarted(at, failure);
            }
        };
        let question = Question {
            id: QuestionId::approval(&step, self.run.steps[at.at()].resets),
            step,
            kind: QuestionKind::Approval {
                from: approval.from,
                digest,
                min: approval.min,
                exclude_initiator: approval.exclude_initiator,
                escalation: approval
                    .timeout_ms
                    .filter(|_| !approval.escalate_to.is_empty())
                    .map(|timeout_ms| Escalation { to: approval.escalate_to, timeout_ms, since: None }),
            },
            message,
            due: approval.timeout_ms.map(|ms| self.now.after(ms)),
        };
        self.emit(Event::QuestionAsked { question })
    }

    pub(super) fn ask_manual(&mut self, attempt: AttemptId, text: String, due: Option<Timestamp>) -> Decided {
        let question = Question {
            id: QuestionId::manual(&attempt),
            step: attempt.step.clone(),
            kind: QuestionKind::Manual { attempt },
            message: Some(text),
            due,
        };
        self.emit(Event::QuestionAsked { question })
    }

    pub(super) fn ask_values(
        &mut self,
        attempt: AttemptId,
        prompt: String,
        fields: Vec<Field>,
        due: Option<Timestamp>,
    ) -> Decided {
        let question = Question {
            id: QuestionId::values(&attempt),
            step: attempt.step.clone(),
            kind: QuestionKind::Values { attempt, fields },
            message: Some(prompt),
            due,
        };
        self.emit(Event::QuestionAsked { question })
    }

    pub(super) fn ask_interrupted(&mut self, attempt: AttemptId, message: Option<String>) -> Decided {
        let question = Question {
            id: QuestionId::interrupted(&attempt),
            step: attempt.step.clone(),
            kind: QuestionKind::Interrupted { attempt },
            message,
            due: None,
        };
        self.emit(Event::QuestionAsked { question })
    }

    /// A person answered. An answer to a question that is not open changes nothing: it may have been read twice.
    pub(super) fn answered(&mut self, answered: Answered) -> Decided {
        if self.was_counted(&answered) {
            return Ok(());
        }
        self.escalate_before(&answered)?;
        let Some(question) = self.run.questions.get(&answered.question).cloned() else { return Ok(()) };
        let refused = refusal(&question, &answered, &self.made.created.break_glass);
        let refused = refused.or_else(|| self.cannot_agree(&question, &answered));
        let fitting = match refused {
            Some(reason) => Err(reason),
            None => self.fitted(&question.kind, &answered.answer),
        };
        let answer = match fitting {
            Ok(answer) => answer,
            Err(reason) => {
                let Answered { question, by, .. } = answered;
                return self.emit(Event::AnswerRefused { question, by, reason });
            }
        };
        let Answered { by, roles, written_at, .. } = answered;
        if let (Answer::Approve { reason }, true) = (&answer, self.needs_more(&question)) {
            let (question, reason) = (question.id, reason.clone());
            return self.emit(Event::ApprovalGiven { question, by, roles, reason, written_at });
        }
        let accepted = Event::QuestionAnswered {
            question: question.id.clone(),
            answer: answer.clone(),
            by: by.clone(),
            roles,
            written_at,
        };
        self.emit(accepted)?;
        let Some(at) = self.made.index.get(&question.step).copied() else { return Ok(()) };
        match (question.kind, answer) {
            (QuestionKind::Approval { .. }, Answer::Approve { .. } | Answer::BreakGlass { .. }) => self.approved(at),
            (QuestionKind::Approval { .. }, Answer::Reject { reason }) => {
                self.fail_unstarted(at, Failure::Rejected { by, reason })
            }
            (QuestionKind::Manual { attempt }, Answer::Confirm { .. }) => {
                self.settle_asked(&attempt, Ok(BTreeMap::new()))
            }
            (QuestionKind::Values { attempt, .. }, Answer::Values { values, .. }) => {
                self.settle_asked(&attempt, Ok(values))
            }
            (QuestionKind::Manual { attempt } | QuestionKind::Values { attempt, .. }, Answer::Reject { reason }) => {
                self.settle_asked(&attempt, Err(Failure::Rejected { by, reason }))
            }
            (QuestionKind::Interrupted { attempt }, Answer::TookEffect { .. }) => {
                self.interrupted_was(at, &attempt, AfterLoss::TookEffect)
            }
            (QuestionKind::Interrupted { attempt }, Answer::DidNot { .. }) => {
                self.interrupted_was(at, &attempt, AfterLoss::Failed)
            }
            (QuestionKind::Interrupted { attempt }, Answer::RunAgain { .. }) => {
                self.interrupted_was(at, &attempt, AfterLoss::Rerun)
            }
            // `refusal` lets no other pair through.
            (_, _) => Ok(()),
        }
    }

    /// Whether this very approval was counted: a message may be read twice.
    fn was_counted(&self, answered: &Answered) -> bool {
        let given = self.run.approvals.get(&answered.question);
        let same = |(by, at): &(Identity, Timestamp)| by.uid == answered.by.uid && *at == answered.written_at;
        matches!(answered.answer, Answer::Approve { .. }) && given.into_iter().flatten().any(same)
    }

    /// Whether one more approval is not yet the last.
    fn needs_more(&self, question: &Question) -> bool {
        let given = self.run.approvals.get(&question.id).map_or(0, Vec::len);
        matches!(question.kind, QuestionKind::Approval { min, .. } if given + 1 < min as usize)
    }

    /// Why somebody who may approve in general may not here: who started the run, or agreed already.
    fn cannot_agree(&self, question: &Question, answered: &Answered) -> Option<String> {
        let (QuestionKind::Approval { exclude_initiator, .. }, Answer::Approve { .. }) =
            (&question.kind, &answered.answer)
        else {
            return None;
        };
        let name = &answered.by.name;
        if *exclude_initiator && answered.by.uid == self.made.created.by.uid {
            return Some(format!("`{name}` started the run, and somebody else must approve"));
        }
        let agreed = self.run.approved_by(&question.id).any(|by| by.uid == answered.by.uid);
        agreed.then(|| format!("`{name}` has approved already, and other people must"))
    }

    /// The answer as it counts: values in their one form, with the defaults of those that were not given.
    fn fitted(&self, kind: &QuestionKind, answer: &Answer) -> Result<Answer, String> {
        let (QuestionKind::Values { fields, .. }, Answer::Values { values: given, reason }) = (kind, answer) else {
            return Ok(answer.clone());
        };
        if let Some(name) = given.keys().find(|name| !fields.iter().any(|field| field.name == **name)) {
            return Err(format!("`{name}` is not asked for"));
        }
        let mut values = BTreeMap::new();
        for Field { name, param } in fields {
            let value = match given.get(name).filter(|value| !value.is_null()).or(param.default.as_ref()) {
                Some(value) => self.evaluate.fit(param, value).map_err(|reason| format!("`{name}`: {reason}"))?,
                None if param.required => return Err(format!("`{name}` is missing")),
                None => Value::Null,
            };
            values.insert(name.clone(), value);
        }
        Ok(Answer::Values { values, reason: reason.clone() })
    }

    fn approved(&mut self, at: StepIx) -> Decided {
        let external = self.run.steps[at.at()].prepared.as_ref().is_some_and(Prepared::may_take_place);
        if external || !self.run.holds_locks((at, Phase::Do)) || !self.may_start() { Ok(()) } else { self.start(at) }
    }

    pub(super) fn question_due(&mut self, id: &QuestionId) -> Decided {
        let Some(question) = self.run.questions.get(id).cloned() else { return Ok(()) };
        if question.due.is_none_or(|due| self.now < due) {
            return Ok(());
        }
        if self.escalate(&question)? {
            return Ok(());
        }
        self.emit(Event::QuestionExpired { question: id.clone() })?;
        let Some(at) = self.made.index.get(&question.step).copied() else { return Ok(()) };
        match question.kind {
            QuestionKind::Approval { .. } => self.fail_unstarted(at, Failure::Expired),
            QuestionKind::Manual { attempt } | QuestionKind::Values { attempt, .. } => {
                self.settle_asked(&attempt, Err(Failure::Expired))
            }
            QuestionKind::Interrupted { .. } | QuestionKind::Failure => Ok(()),
        }
    }

    /// An answer that was written after the time was over, and is read before anything else: others may answer by then.
    fn escalate_before(&mut self, answered: &Answered) -> Decided {
        let is_over = |due: Timestamp| answered.written_at > due && self.now >= due;
        let question = self.run.questions.get(&answered.question).filter(|question| question.due.is_some_and(is_over));
        if let Some(question) = question.cloned() {
            self.escalate(&question)?;
        }
        Ok(())
    }

    /// Lets others answer, too, once, when the time for an approval is over and the plan names them. Whether it does.
    fn escalate(&mut self, question: &Question) -> Result<bool, IllegalEvent> {
        let QuestionKind::Approval { escalation: Some(Escalation { timeout_ms, since: None, .. }), .. } = question.kind
        else {
            return Ok(false);
        };
        // From now: those who are asked only now have the whole time, however long no engine was there.
        let due = self.now.after(timeout_ms);
        self.emit(Event::QuestionEscalated { question: question.id.clone(), due })?;
        Ok(true)
    }

    /// Withdraws the open questions about a step.
    pub(super) fn withdraw_questions(&mut self, at: StepIx, reason: &BlockReason) -> Decided {
        let about = self.questions_about(at);
        for question in about {
            self.emit(Event::QuestionWithdrawn { question, reason: reason.clone() })?;
        }
        Ok(())
    }

    /// Withdraws the questions of manual steps that would not start any more: the run goes another way.
    pub(super) fn withdraw_manual(&mut self, reason: &BlockReason) -> Decided {
        let asking = |(_, live): &(_, &Live)| live.doing == Doing::Asking;
        let keys: Vec<_> = self.run.live.iter().filter(asking).map(|(key, _)| *key).collect();
        for (at, phase) in keys {
            if self.held_back(at).is_some() {
                self.withdraw_questions(at, reason)?;
                self.end_waiting(at, phase)?;
            }
        }
        Ok(())
    }
}

/// Why an answer does not count.
fn refusal(question: &Question, answered: &Answered, break_glass: &[Role]) -> Option<String> {
    if question.due.is_some_and(|due| answered.written_at > due) {
        return Some("it came too late".to_owned());
    }
    match (&question.kind, &answered.answer) {
        (QuestionKind::Approval { digest, .. }, Answer::BreakGlass { reason }) => {
            if break_glass.is_empty() {
                return Some("nobody may break the glass in this environment".to_owned());
            }
            if reason.trim().is_empty() {
                return Some("the glass is broken only with a reason".to_owned());
            }
            let unless = |held: String| format!("{held}, who may break the glass");
            holds_none_of(break_glass.iter(), answered).map(unless).or_else(|| for_something_else(digest, answered))
        }
        (QuestionKind::Approval { from, digest, escalation, .. }, Answer::Approve { .. } | Answer::Reject { .. }) => {
            let later = |it: &&Escalation| it.since.is_some_and(|since| answered.written_at > since);
            let more = escalation.as_ref().filter(later).into_iter().flat_map(|it| &it.to);
            holds_none_of(from.iter().chain(more), answered).or_else(|| for_something_else(digest, answered))
        }
        (QuestionKind::Manual { .. }, Answer::Confirm { .. } | Answer::Reject { .. }) => None,
        (QuestionKind::Values { .. }, Answer::Values { .. } | Answer::Reject { .. }) => None,
        (
            QuestionKind::Interrupted { .. },
            Answer::TookEffect { .. } | Answer::DidNot { .. } | Answer::RunAgain { .. },
        ) => None,
        (QuestionKind::Failure, _) => {
            Some("what follows on a failure is said by a verb, such as `retry` or `skip`".to_owned())
        }
        (QuestionKind::Approval { .. }, _) => Some("it is neither an approval nor a rejection".to_owned()),
        (QuestionKind::Values { .. }, _) => Some("it neither gives the values nor rejects the step".to_owned()),
        (QuestionKind::Manual { .. }, _) => Some("it neither confirms nor rejects the step".to_owned()),
        (QuestionKind::Interrupted { .. }, _) => {
            Some("it does not say whether the attempt took effect, did not, or is to run again".to_owned())
        }
    }
}

/// Says so when a person neither holds one of these roles nor has one of these names.
fn holds_none_of<'r>(allowed: impl Iterator<Item = &'r Role> + Clone, answered: &Answered) -> Option<String> {
    let login = Role::new(answered.by.name.clone());
    if allowed.clone().any(|role| answered.roles.contains(role) || *role == login) {
        return None;
    }
    let allowed: Vec<_> = allowed.map(Role::as_str).collect();
    Some(format!("`{}` holds none of: {}", answered.by.name, allowed.join(", ")))
}

fn for_something_else(digest: &Digest, answered: &Answered) -> Option<String> {
    (answered.digest.as_ref() != Some(digest)).then(|| "it was given for something else".to_owned())
}
