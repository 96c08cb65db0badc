//! Digests over canonical JSON: keys sorted, no white space, whatever features serde_json was built with.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::units::Digest;

/// The SHA-256 digest of a value's canonical JSON.
pub fn digest_of<T: Serialize>(value: &T) -> Digest {
    // Core's own types always have a JSON form: their keys are strings and their numbers finite.
    let value = serde_json::to_value(value).unwrap_or(Value::Null);
    Digest::new(hex(&Sha256::digest(canonical(&value).as_bytes())))
}

/// Canonical JSON: the keys of objects sorted by their bytes, no white space.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// A value as text: a string as it is, nothing as the empty text, anything else as canonical JSON.
pub fn as_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => canonical(&other),
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_keys_at_every_depth() {
        let value: Value = serde_json::from_str(r#"{"b":[{"d":1,"c":"x\n"}],"a":null}"#).unwrap();
        assert_eq!(canonical(&value), r#"{"a":null,"b":[{"c":"x\n","d":1}]}"#);
    }

    #[test]
    fn the_digest_is_sha_256_of_the_canonical_form() {
        let expected = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; // printf '{}' | sha256sum
        assert_eq!(digest_of(&serde_json::json!({})).as_str(), expected);
    }
}
