//! Values in and out: JSON to minijinja's values and back, as text, and what they are called in messages.

use minijinja::value::{Value, ValueKind};
use serde_json::Value as Json;

/// Most bytes that a result may have: text as it is, anything else as JSON.
pub const TEXT_MAX: usize = 1 << 20;

/// What a value is called in a message. Never the value itself: it may be long, or not for every eye.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "undefined",
        ValueKind::None => "none",
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a number",
        ValueKind::String => "text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "an object",
        _ => "no value",
    }
}

/// A JSON value for minijinja.
pub(super) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(entries) => Value::from_pairs(entries.iter().map(|(name, item)| (name.as_str(), from_json(item)))),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64()),
        },
    }
}

/// A value of minijinja as JSON. `room` is how many bytes it may still take, and shrinks by what it takes.
pub(super) fn to_json(value: &Value, room: &mut usize) -> Result<Json, String> {
    take(room, 1)?;
    match value.kind() {
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            take(room, text.len())?;
            Ok(Json::String(text.to_owned()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|_| "has a list that cannot be read".to_owned())?;
            items.map(|item| to_json(&item, room)).collect()
        }
        ValueKind::Map => {
            let keys = value.try_iter().map_err(|_| "has an object that cannot be read".to_owned())?;
            let mut object = serde_json::Map::new();
            for key in keys {
                let name = key.as_str().ok_or("has an object with a key that is not text")?;
                take(room, name.len())?;
                let item = value.get_item(&key).map_err(|_| "has an object that cannot be read".to_owned())?;
                object.insert(name.to_owned(), to_json(&item, room)?);
            }
            Ok(Json::Object(object))
        }
        _ => Err(format!("is or holds {}", kind_of(value))),
    }
}

fn take(room: &mut usize, bytes: usize) -> Result<(), String> {
    *room = room.checked_sub(bytes).ok_or_else(too_large)?;
    Ok(())
}

fn too_large() -> String {
    format!("is larger than {} KiB", TEXT_MAX / 1024)
}

fn number(value: &Value) -> Result<Json, String> {
    if value.is_integer() {
        let fits =
            i64::try_from(value.clone()).map(Json::from).or_else(|_| u64::try_from(value.clone()).map(Json::from));
        return fits.map_err(|_| "is or holds a number of more than 64 bits".to_owned());
    }
    let float = f64::try_from(value.clone()).unwrap_or(f64::NAN);
    serde_json::Number::from_f64(float)
        .map(Json::Number)
        .ok_or_else(|| "is or holds a number that is not finite".to_owned())
}

/// A value as it stands within a text: as in YAML, lists and objects as JSON.
pub(super) fn to_text(value: &Value, room: &mut usize) -> Result<String, String> {
    match to_json(value, room)? {
        Json::Null => Err("is none".to_owned()),
        Json::String(text) => Ok(text),
        other => Ok(other.to_string()),
    }
}

/// A part of an expression for a message: on one line, and short.
pub(super) fn label(source: &str) -> String {
    const LABEL_MAX: usize = 60;
    let words: Vec<&str> = source.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LABEL_MAX) {
        Some((at, _)) => format!("`{}…`", &line[..at]),
        None => format!("`{line}`"),
    }
}
