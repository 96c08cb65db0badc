//! Lengths of time, as runbooks write them.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

/// A length of time: `90s`, `30m`, `2h`, `1d`, or a number of seconds.
pub(crate) struct Length(pub(crate) Duration);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let seconds = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => seconds(text),
            _ => None,
        };
        let seconds = seconds.filter(|seconds| *seconds > 0);
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(|| {
            D::Error::custom(format!(
                "{value} is no length of time such as `90s`, `30m`, `2h`, `1d` or a number of seconds"
            ))
        })
    }
}

fn seconds(text: &str) -> Option<u64> {
    let of = |unit: char| -> Option<u64> {
        match unit {
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3_600),
            'd' => Some(86_400),
            _ => None,
        }
    };
    match text.char_indices().last()? {
        (at, unit) if unit.is_ascii_alphabetic() => text[..at].parse::<u64>().ok()?.checked_mul(of(unit)?),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::Length;

    #[test]
    fn lengths_are_read_as_runbooks_write_them() {
        for (text, seconds) in
            [(r#""90s""#, 90), (r#""30m""#, 1800), (r#""2h""#, 7200), (r#""1d""#, 86_400), ("45", 45), (r#""45""#, 45)]
        {
            let Length(length) = serde_json::from_str(text).expect(text);
            assert_eq!(length.as_secs(), seconds, "{text}");
        }
        for text in [r#""""#, r#""m""#, r#""-1s""#, "0", "1.5", r#""2w""#, r#""1é""#, r#""99999999999999999d""#] {
            assert!(serde_json::from_str::<Length>(text).is_err(), "{text}");
        }
    }
}
