//! What follows a failed attempt: another one, or the end.

use serde_json::{Value, json};

use super::scope::Locals;
use super::{Decided, Deciding};
use crate::event::{Event, Failure, Phase};
use crate::input::Exit;
use crate::plan::{Expression, RetryOn};
use crate::units::StepIx;

impl Deciding<'_> {
    /// After a failed attempt: another one, or the end. `seen` is what is known of the attempt.
    pub(super) fn retry_or_fail(&mut self, at: StepIx, phase: Phase, failure: Failure, seen: &Locals) -> Decided {
        let step = self.plan().step(at).id.clone();
        let Some(retry) = self.rules(at, phase).retry else { return self.end_badly(step, phase, failure) };
        let run = &self.run.steps[at.at()];
        let failures = if phase == Phase::Do { run.failures } else { run.undo.failures };
        if failure.is_final()
            || failures >= retry.attempts_max
            || self.cancel_stops(at, phase)
            || self.run.service_failed.is_some()
        {
            return self.end_badly(step, phase, failure);
        }
        match retry.on.as_ref().map_or(Ok(true), |on| self.is_repeated(at, phase, on, &failure, seen)) {
            Ok(true) => {
                let due = self.now.after(retry.delay_after(failures));
                self.emit(Event::RetryScheduled { step, phase, due })
            }
            Ok(false) => self.end_badly(step, phase, failure),
            Err(reason) => {
                let failure =
                    Failure::Evaluate(format!("{failure}; not repeated, as `retry.on.if` has no value: {reason}"));
                self.end_badly(step, phase, failure)
            }
        }
    }

    /// Whether `retry.on` names the failure: by its exit code, or by its expression.
    fn is_repeated(
        &self,
        at: StepIx,
        phase: Phase,
        on: &RetryOn,
        failure: &Failure,
        seen: &Locals,
    ) -> Result<bool, String> {
        let code = match failure {
            Failure::Exit(Exit::Code(code)) => Some(i64::from(*code)),
            Failure::Child(_) | Failure::Plugin(_) => seen.get("exit_code").and_then(Value::as_i64),
            _ => None,
        };
        if code.is_some_and(|code| on.exit_codes.iter().any(|named| i64::from(*named) == code)) {
            return Ok(true);
        }
        let Some(condition) = &on.condition else { return Ok(false) };
        let mut locals = self.undo_locals(at, phase);
        locals.extend(seen.clone());
        // What a command did in the time that it had too little of is nothing to go by.
        if code.is_none() {
            locals.remove("exit_code");
        }
        fill(&mut locals, condition);
        self.holds(at, condition, &locals).map_err(|error| error.to_string())
    }
}

/// What is not known of an attempt is `none`, or empty: no exit code after a signal or a timeout, no response where no
/// answer came.
pub(super) fn fill(locals: &mut Locals, condition: &Expression) {
    for name in &condition.locals {
        let value = match name.as_str() {
            "stdout" | "stderr" => json!(""),
            "response" => json!({"status": null, "headers": {}, "body": "", "json": null}),
            _ => Value::Null,
        };
        locals.entry(name.clone()).or_insert(value);
    }
}
