//! Outputs as a snapshot has them: it is written anew at each change, and what is long would make each one long.

use std::collections::BTreeMap;

use serde_json::Value;

/// The most of one output that a snapshot holds, in bytes of its text, or of its JSON where it is no text.
const OUTPUT_MAX: usize = 4 * 1024;

/// The outputs, and of those that were cut how many bytes each has in all. What is cut and no text is cut as JSON.
pub(crate) fn shortened(outputs: &BTreeMap<String, Value>) -> (BTreeMap<String, Value>, BTreeMap<String, u64>) {
    let mut cut = BTreeMap::new();
    let mut short = |name: &String, text: &str| {
        cut.insert(name.clone(), text.len() as u64);
        Value::from(&text[..text.floor_char_boundary(OUTPUT_MAX)])
    };
    let one = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) if text.len() > OUTPUT_MAX => short(name, text),
            Value::Array(_) | Value::Object(_) => match value.to_string() {
                json if json.len() > OUTPUT_MAX => short(name, &json),
                _ => value.clone(),
            },
            _ => value.clone(),
        };
        (name.clone(), value)
    };
    (outputs.iter().map(one).collect(), cut)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_long_is_cut_at_a_character_and_counted() {
        let list = json!(vec!["x"; 2_000]);
        let outputs = BTreeMap::from([
            ("fits".to_owned(), json!("x".repeat(OUTPUT_MAX))),
            ("number".to_owned(), json!(7)),
            ("object".to_owned(), json!({"a": [1]})),
            ("text".to_owned(), json!("xé".repeat(10_000))),
            ("list".to_owned(), list.clone()),
        ]);
        let (short, cut) = shortened(&outputs);
        for same in ["fits", "number", "object"] {
            assert_eq!(short[same], outputs[same]);
        }
        assert_eq!(cut, BTreeMap::from([("text".to_owned(), 30_000), ("list".to_owned(), 8_001)]));
        assert_eq!(short["text"].as_str().unwrap(), &"xé".repeat(10_000)[..OUTPUT_MAX]);
        assert_eq!(short["list"].as_str().unwrap(), &list.to_string()[..OUTPUT_MAX]);
        let odd = BTreeMap::from([("odd".to_owned(), json!("é".repeat(4_000).replacen('é', "x", 1)))]);
        assert_eq!(shortened(&odd).0["odd"].as_str().unwrap().len(), OUTPUT_MAX - 1);
    }
}
