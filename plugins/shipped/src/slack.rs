//! `slack`: a message through an incoming webhook.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::http::{client, post_json};
use crate::session::{Outcome, Session};

#[derive(Deserialize)]
struct Inputs {
    url: String,
    text: String,
    channel: Option<String>,
    blocks: Option<Vec<Value>>,
    #[serde(default)]
    markup: bool,
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let (client, url) = client(&inputs.url, session)?;
    let text = if inputs.markup { inputs.text } else { escaped(&inputs.text) };
    let mut message = json!({"text": text});
    if let Some(channel) = inputs.channel {
        message["channel"] = channel.into();
    }
    if let Some(blocks) = inputs.blocks {
        message["blocks"] = blocks.into();
    }
    post_json(&client, url, &message)?.success()?;
    Ok(Map::new())
}

/// The text as it is: a value in it calls nobody, and makes no links.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
