//! What one decision costs in runs of 10, 1,000 and 10,000 steps: `cargo bench -p runbook-core`.
//!
//! Each run goes to its end, every command succeeding at once. A decision that walks the whole plan shows as a median that
//! grows with the plan.
#![expect(clippy::print_stdout, reason = "figures are for the person who runs this")]
#![expect(clippy::disallowed_types, reason = "what is measured is pure, who measures needs a clock")]
#![expect(clippy::unwrap_used, reason = "a failed benchmark may say so in any way")]

use std::time::{Duration, Instant};

use runbook_core::decide;
use runbook_core::evaluate::{Evaluate, EvaluateError, Scope};
use runbook_core::event::{Created, Host};
use runbook_core::input::{AttemptResult, Exit, Input};
use runbook_core::plan::{Expression, Param, Plan, Template};
use runbook_core::run::{Run, Stage};
use runbook_core::units::Timestamp;
use serde_json::{Value, json};

/// Steps below one block.
const BLOCK: usize = 10;

/// Plans without expressions need no language.
struct Literals;

impl Evaluate for Literals {
    fn params(&self, _: &Plan, given: serde_json::Map<String, Value>) -> Result<Value, EvaluateError> {
        Ok(Value::Object(given))
    }

    fn condition(&self, expression: &Expression, _: &Scope<'_>) -> Result<bool, EvaluateError> {
        Err(EvaluateError(expression.source.clone()))
    }

    fn expression(&self, expression: &Expression, _: &Scope<'_>) -> Result<Value, EvaluateError> {
        Err(EvaluateError(expression.source.clone()))
    }

    fn template(&self, template: &Template, _: &Scope<'_>) -> Result<Value, EvaluateError> {
        match template {
            Template::Literal(value) => Ok(value.clone()),
            other => Err(EvaluateError(format!("{other:?}"))),
        }
    }

    fn fit(&self, _: &Param, value: &Value) -> Result<Value, EvaluateError> {
        Ok(value.clone())
    }

    fn schema(&self, _: &Value, _: &Value) -> Result<(), EvaluateError> {
        Ok(())
    }

    fn moment(&self, text: &str) -> Result<Timestamp, EvaluateError> {
        Err(EvaluateError(text.to_owned()))
    }
}

fn step(number: usize, parent: Option<usize>, needs: &[usize], body: &Value) -> Value {
    json!({
        "id": format!("s{number}"), "title": format!("Step {number}"), "parent": parent, "case": null, "always": false,
        "needs": needs, "condition": null, "body": body, "timeout_ms": 600_000, "kill_grace_ms": 10_000, "retry": null,
        "until": null, "approval": null, "on_interrupt": "ask", "continue_on_failure": false, "rollback": null,
        "irreversible": false, "outputs": {},
    })
}

fn command() -> Value {
    json!({"action": {"argv": {"argv": [{"literal": "true"}], "env": {}, "dir": null}}})
}

/// One after the other.
fn chain(count: usize) -> Vec<Value> {
    let needs = |number: usize| number.checked_sub(1).into_iter().collect::<Vec<_>>();
    (0..count).map(|number| step(number, None, &needs(number), &command())).collect()
}

/// All side by side, and a last one that needs all of them.
fn wide(count: usize) -> Vec<Value> {
    let before: Vec<usize> = (0..count - 1).collect();
    let last = step(count - 1, None, &before, &command());
    (0..count - 1).map(|number| step(number, None, &[], &command())).chain([last]).collect()
}

/// Blocks of ten steps side by side, one block after the other.
fn blocks(count: usize) -> Vec<Value> {
    let mut steps: Vec<Value> = vec![];
    while steps.len() + BLOCK < count + BLOCK {
        let at = steps.len();
        let children: Vec<usize> = (at + 1..=at + BLOCK).collect();
        let before: Vec<usize> = at.checked_sub(BLOCK + 1).into_iter().collect();
        steps.push(step(at, None, &before, &json!({"block": {"children": children}})));
        steps.extend(children.iter().map(|number| step(*number, Some(at), &[], &command())));
    }
    steps
}

fn created(steps: Vec<Value>) -> Created {
    let plan: Plan = serde_json::from_value(json!({
        "version": runbook_core::plan::PLAN_VERSION,
        "about": {"id": "bench", "title": "Bench", "description": null, "owner": null, "severity": null, "tags": [],
            "source": [], "sla": {}},
        "params": {}, "env": {}, "secrets": {}, "max_parallel": 8, "on_failure": "rollback", "cancel_grace_ms": 10_000,
        "steps": steps,
    }))
    .unwrap();
    serde_json::from_value(json!({
        "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "plan_digest": "0", "plan": plan, "params": {"region": "eu"},
        "environment_name": null, "environment": {}, "roles": {}, "services": [], "env": {}, "dir": "/", "file": "f",
        "by": {"uid": 0, "name": "root"},
    }))
    .unwrap()
}

/// Takes a run through all its decisions; gives what each took, and each look at what is wanted.
fn run_to_its_end(created: Created) -> (Duration, Vec<Duration>, Vec<Duration>) {
    let (mut decisions, mut looks) = (vec![], vec![]);
    let at = Timestamp(1_700_000_000_000);
    let start = Instant::now();
    let mut run = decide(Run::default(), Input::Launched(Box::new(created)), at, &Literals).unwrap().run;
    let launch = start.elapsed();
    let host = Host { boot_id: "boot".to_owned(), supervisor: "1:1".to_owned() };
    run = decide(run, Input::EngineStarted(host), at, &Literals).unwrap().run;
    while run.stage() != Stage::Ended {
        let attempt = run.live().next().unwrap().attempt.clone();
        let result = AttemptResult { exit: Exit::Code(0), ..AttemptResult::default() };
        let start = Instant::now();
        run = decide(run, Input::Ended { attempt, result: Box::new(result) }, at, &Literals).unwrap().run;
        decisions.push(start.elapsed());
        let start = Instant::now();
        std::hint::black_box(run.wanted());
        looks.push(start.elapsed());
    }
    (launch, decisions, looks)
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn main() {
    println!(
        "{:<8} {:>6} {:>11} {:>11} {:>11} {:>11} {:>11}",
        "plan", "steps", "launch", "median", "p99", "max", "wanted"
    );
    for (name, make) in [("chain", chain as fn(usize) -> Vec<Value>), ("wide", wide), ("blocks", blocks)] {
        for count in [10, 1_000, 10_000] {
            let (launch, mut decisions, mut looks) = run_to_its_end(created(make(count)));
            let [median, p99, max] = [50, 99, 100].map(|percent| percentile(&mut decisions, percent));
            let wanted = percentile(&mut looks, 50);
            println!("{name:<8} {count:>6} {launch:>11.1?} {median:>11.1?} {p99:>11.1?} {max:>11.1?} {wanted:>11.1?}");
        }
    }
}
