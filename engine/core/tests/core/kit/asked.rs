//! Who is asked, and what for.

use runbook_core::event::QuestionKind;
use runbook_core::run::{Doing, Run, StepState};

use super::done;

/// Of any state: each question belongs to what waits for it, and nothing waits for a question that nobody asks.
pub(crate) fn state(run: &Run) {
    for live in run.live() {
        let asked = |kind: &QuestionKind| match kind {
            QuestionKind::Manual { attempt } | QuestionKind::Values { attempt, .. } => {
                live.doing == Doing::Asking && *attempt == live.attempt
            }
            QuestionKind::Interrupted { attempt } => live.doing == Doing::Interrupted && *attempt == live.attempt,
            QuestionKind::Approval { .. } | QuestionKind::Failure => false,
        };
        let questions = run.questions().values().filter(|question| asked(&question.kind)).count();
        let asks = matches!(live.doing, Doing::Asking | Doing::Interrupted) && !done::is_to_be_looked_at(run, live);
        let expected = usize::from(asks);
        assert_eq!(questions, expected, "{} is {:?}", live.attempt, live.doing);
    }
    let approvals = |kind: &QuestionKind| matches!(kind, QuestionKind::Approval { .. });
    let open = run.questions().values().filter(|question| approvals(&question.kind)).count();
    assert_eq!(open, run.steps().filter(|(_, _, step)| step.state == StepState::Asked).count());
}
