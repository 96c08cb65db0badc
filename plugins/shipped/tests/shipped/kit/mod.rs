//! Makes calls as the engine does, and holds what goes in and comes out against the `plugin.yaml`.

pub(crate) mod authority;
pub(crate) mod counterparts;
pub(crate) mod sink;

use std::io::BufReader;

use runbook_plugin_protocol::{Call, Operation, PROTOCOL, Reply, Request};
use serde_json::{Map, Value, json};

/// What every call of a test has as its idempotency key.
pub(crate) const KEY: &str = "01K0000000000000000000TEST/notify.1";

/// How a call ended.
pub(crate) type Outcome = Result<Value, Refused>;

/// Why it did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: u8,
    pub(crate) message: String,
}

/// Makes a call.
pub(crate) fn run(id: &str, inputs: Value) -> Outcome {
    call(id, Operation::Run, inputs, json!({}))
}

/// Has a call undone that handed something back.
pub(crate) fn undo(id: &str, inputs: Value, outputs: &Value) -> Outcome {
    call(id, Operation::Undo, inputs, outputs.clone())
}

/// The message of a call that fails.
pub(crate) fn refused(id: &str, inputs: Value) -> String {
    run(id, inputs).expect_err("it fails").message
}

fn call(id: &str, operation: Operation, inputs: Value, outputs: Value) -> Outcome {
    let about = about(id);
    fits(&about["inputs"], &inputs);
    let map = |value: Value| value.as_object().cloned().expect("an object");
    let call = Call {
        protocol: PROTOCOL,
        id: "notify.1".to_owned(),
        operation,
        inputs: map(inputs),
        outputs: map(outputs),
        idempotency_key: KEY.to_owned(),
        run: "01K0000000000000000000TEST".to_owned(),
        step: "notify".to_owned(),
        timeout_ms: Some(60_000),
    };
    let mut line = serde_json::to_vec(&Request::Call(Box::new(call))).expect("JSON");
    line.push(b'\n');
    let program = runbook_plugins::find(id).expect("it is shipped").run.expect("it is a program");
    let mut said = vec![];
    runbook_plugins::serve(program, &mut BufReader::new(&*line), &mut said).expect("it answers");
    let said = String::from_utf8(said).expect("text");
    match serde_json::from_str(said.lines().last().unwrap_or_default()).expect("a reply") {
        Reply::Result { outputs, .. } => {
            let outputs = Value::Object(outputs);
            if operation == Operation::Run {
                fits(&about["outputs"], &outputs);
            }
            Ok(outputs)
        }
        Reply::Error { message, exit_code, .. } => Err(Refused { code: exit_code.unwrap_or(1), message }),
        other => panic!("{other:?}"),
    }
}

/// What its `plugin.yaml` says.
pub(crate) fn about(id: &str) -> Value {
    let yaml = runbook_plugins::find(id).expect("it is shipped").yaml;
    serde_yaml::from_str(yaml).expect("YAML")
}

/// Nothing but what is described may be there, as in the engine.
fn fits(schema: &Value, value: &Value) {
    let mut schema: Map<String, Value> = schema.as_object().cloned().unwrap_or_default();
    schema.entry("additionalProperties").or_insert(false.into());
    let schema = Value::Object(schema);
    if let Err(error) = jsonschema::validate(&schema, value) {
        panic!("{value} does not fit: {error}");
    }
}
