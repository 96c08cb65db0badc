//! `prometheus`: asks for a value, and holds it against a condition.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{client, send, under};
use crate::session::{Failed, Outcome, Session, UNMET, object};

/// The most samples that are shown in a message.
const SHOWN_MAX: usize = 3;

#[derive(Deserialize)]
struct Inputs {
    url: String,
    query: String,
    condition: Option<Condition>,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Condition {
    op: String,
    value: f64,
}

impl Condition {
    /// What is no number holds nothing.
    fn holds(&self, value: f64) -> bool {
        match self.op.as_str() {
            "<" => value < self.value,
            "<=" => value <= self.value,
            ">" => value > self.value,
            ">=" => value >= self.value,
            "==" => value == self.value,
            "!=" => !value.is_nan() && value != self.value,
            _ => false,
        }
    }
}

/// One value of the answer.
struct Sample {
    labels: Value,
    value: f64,
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let (client, base) = client(&inputs.url, session)?;
    let form = reqwest::Url::parse_with_params("http://x/", [("query", &inputs.query)]);
    let form = form.map_err(|error| Failed::new(format!("`query`: {error}")))?;
    let mut request = client
        .post(under(&base, &["api", "v1", "query"])?)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form.query().unwrap_or_default().to_owned());
    if let Some(token) = &inputs.token {
        request = request.bearer_auth(token);
    }
    let answer = send(request)?;
    let json = answer.json();
    if let Some(error) = json["error"].as_str() {
        return Err(Failed::new(format!("the query failed: {error}")));
    }
    let answer = answer.success()?;
    let samples = samples(&json["data"])
        .ok_or_else(|| Failed::new(format!("the answer is no value or vector of values: {}", answer.shown())))?;
    if let Some(condition) = &inputs.condition {
        check(condition, &samples)?;
    }
    let value = match samples.as_slice() {
        [one] => json!(one.value),
        _ => Value::Null,
    };
    let vector = samples.iter().map(|sample| json!({"labels": sample.labels, "value": sample.value}));
    Ok(object(json!({"value": value, "vector": vector.collect::<Vec<_>>()})))
}

/// The values of an answer; none where it is something else. A scalar is one value without labels.
fn samples(data: &Value) -> Option<Vec<Sample>> {
    let number = |pair: &Value| pair[1].as_str()?.parse().ok();
    match data["resultType"].as_str()? {
        "scalar" => Some(vec![Sample { labels: json!({}), value: number(&data["result"])? }]),
        "vector" => {
            let one =
                |sample: &Value| Some(Sample { labels: sample["metric"].clone(), value: number(&sample["value"])? });
            data["result"].as_array()?.iter().map(one).collect()
        }
        _ => None,
    }
}

/// All values must keep to it, and one there must be: a service that is gone has no bad values either.
fn check(condition: &Condition, samples: &[Sample]) -> Result<(), Failed> {
    let wanted = format!("{} {}", condition.op, condition.value);
    if samples.is_empty() {
        return Err(Failed::with_code(UNMET, format!("the query has no value, and `{wanted}` was expected")));
    }
    let wrong: Vec<&Sample> = samples.iter().filter(|sample| !condition.holds(sample.value)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let shown = wrong.iter().take(SHOWN_MAX).map(|sample| match sample.labels.as_object() {
        Some(labels) if !labels.is_empty() => format!("{} ({})", sample.value, sample.labels),
        _ => sample.value.to_string(),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = if wrong.len() > SHOWN_MAX { format!(" and {} more", wrong.len() - SHOWN_MAX) } else { String::new() };
    Err(Failed::with_code(UNMET, format!("`{wanted}` does not hold: the value is {shown}{more}")))
}
