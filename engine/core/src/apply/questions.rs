//! How questions open and close.

use super::Applied;
use crate::event::{Event, Question, QuestionKind};
use crate::input::Answer;
use crate::run::{Doing, Run, Stage, StepState};

impl Run {
    pub(super) fn apply_question(&mut self, event: &Event) -> Applied {
        let id = match event {
            Event::QuestionAsked { question } => return self.ask(question, event),
            Event::ApprovalGiven { question, by, written_at, .. } => {
                let given = self.approvals.entry(question.clone()).or_default();
                let is_new = given.iter().all(|(other, _)| other.uid != by.uid);
                given.push((by.clone(), *written_at));
                let is_open = self.questions.get(question).map(|question| &question.kind);
                let counts = matches!(is_open, Some(QuestionKind::Approval { min, .. }) if *min > 1);
                return self.must(is_new && counts, event);
            }
            Event::QuestionEscalated { question, due } => {
                let Some(open) = self.questions.get_mut(question) else { return Err(self.illegal(event)) };
                let QuestionKind::Approval { escalation: Some(escalation), .. } = &mut open.kind else {
                    return Err(self.illegal(event));
                };
                let is_first = escalation.since.is_none();
                escalation.since = open.due;
                open.due = Some(*due);
                return self.must(is_first, event);
            }
            Event::AnswerRefused { .. } => return Ok(()),
            Event::QuestionAnswered { question, .. }
            | Event::QuestionExpired { question }
            | Event::QuestionWithdrawn { question, .. } => question,
            _ => return Err(self.illegal(event)),
        };
        let Some(question) = self.questions.remove(id) else { return Err(self.illegal(event)) };
        self.approvals.remove(id);
        let agreed = |answer: &Answer| matches!(answer, Answer::Approve { .. } | Answer::BreakGlass { .. });
        let approved = matches!(event, Event::QuestionAnswered { answer, .. } if agreed(answer));
        if approved && matches!(question.kind, QuestionKind::Approval { .. }) {
            let at = self.at(&question.step, event)?;
            self.steps[at.at()].state = StepState::Cleared;
            self.cleared.insert(at);
        }
        Ok(())
    }

    fn ask(&mut self, question: &Question, event: &Event) -> Applied {
        self.must(!self.questions.contains_key(&question.id), event)?;
        let at = self.at(&question.step, event)?;
        let doing = |attempt: &crate::event::AttemptId| {
            self.live.get(&(at, attempt.phase)).filter(|live| live.attempt == *attempt).map(|live| live.doing)
        };
        let fits = match &question.kind {
            QuestionKind::Approval { .. } => self.steps[at.at()].state == StepState::Cleared,
            QuestionKind::Manual { attempt } | QuestionKind::Values { attempt, .. } => {
                doing(attempt) == Some(Doing::Asking)
            }
            QuestionKind::Interrupted { attempt } => doing(attempt) == Some(Doing::Interrupted),
            QuestionKind::Failure => self.stage == Stage::Main && self.unsettled_main == 0,
        };
        if !fits {
            return Err(self.illegal_at(at, event));
        }
        if matches!(question.kind, QuestionKind::Approval { .. }) {
            self.cleared.remove(&at);
            let run = &mut self.steps[at.at()];
            run.state = StepState::Asked;
            if let Some(prepared) = &mut run.prepared {
                prepared.was_asked = true;
                // It may be done by the time that somebody has answered.
                prepared.probed_for = 0;
            }
        }
        self.questions.insert(question.id.clone(), question.clone());
        Ok(())
    }
}
