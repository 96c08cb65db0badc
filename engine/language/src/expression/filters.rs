//! The filters that are not minijinja's own, or must bound what it leaves unbounded.
//!
//! Filters on text take text alone: `true | upper` would be `TRUE`, and `none | lower` the word "none".

use minijinja::value::{Kwargs, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Error, State, filters};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use runbook_core::units::parse_duration;

use super::operators::{fail, spend, spend_items};
use super::values::{TEXT_MAX, from_json, kind_of, to_json, to_text};

/// What stands for itself in any part of a URL. A slash does not: a value is one segment, or one argument.
const URL_KEEPS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The text that a filter works on.
fn text(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| fail(format!("a filter for text was given {}", kind_of(value))))
}

/// Refuses what is no list. minijinja would take a text for the list of its characters.
fn list(value: &Value) -> Result<&Value, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(value),
        _ => Err(fail(format!("a filter for lists was given {}", kind_of(value)))),
    }
}

/// Its arguments are taken as they are: as an `Option`, `none` would be no argument, and `default(none)` an empty text.
pub(super) fn default(value: &Value, given: Rest<Value>) -> Result<Value, Error> {
    let (other, also_empty) = match given.as_slice() {
        [] => (Value::from(""), false),
        [other] => (other.clone(), false),
        [other, also_empty] => (other.clone(), also_empty.is_true()),
        _ => return Err(fail("`default` takes a value, and `true` where it stands in for empty ones too")),
    };
    let missing = value.is_undefined() || value.is_none() || (also_empty && !value.is_true());
    Ok(if missing { other } else { value.clone() })
}

pub(super) fn lower(value: &Value) -> Result<String, Error> {
    Ok(text(value)?.to_lowercase())
}

pub(super) fn upper(value: &Value) -> Result<String, Error> {
    Ok(text(value)?.to_uppercase())
}

pub(super) fn capitalize(value: &Value) -> Result<String, Error> {
    let mut characters = text(value)?.chars();
    let first: String = characters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    Ok(first + &characters.as_str().to_lowercase())
}

pub(super) fn trim(value: &Value, characters: Option<&str>) -> Result<String, Error> {
    let text = text(value)?;
    Ok(match characters {
        Some(set) => text.trim_matches(|character| set.contains(character)),
        None => text.trim(),
    }
    .to_owned())
}

pub(super) fn replace(state: &mut State<'_, '_>, value: &Value, from: &str, to: &str) -> Result<String, Error> {
    let text = text(value)?;
    let places = text.matches(from).count();
    spend(state, text.len().saturating_add(places.saturating_mul(to.len())))?;
    Ok(text.replace(from, to))
}

pub(super) fn split(state: &mut State<'_, '_>, value: &Value, by: Option<&str>) -> Result<Value, Error> {
    let text = text(value)?;
    let parts = || -> Box<dyn Iterator<Item = &str>> {
        match by {
            Some(by) => Box::new(text.split(by)),
            None => Box::new(text.split_whitespace()),
        }
    };
    spend_items(state, parts().count())?;
    Ok(parts().map(Value::from).collect())
}

pub(super) fn lines(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let text = text(value)?;
    spend_items(state, text.lines().count())?;
    Ok(text.lines().map(Value::from).collect())
}

pub(super) fn join(state: &mut State<'_, '_>, value: &Value, by: Option<&str>) -> Result<String, Error> {
    let by = by.unwrap_or_default();
    let mut out = String::new();
    for (at, item) in list(value)?.try_iter()?.enumerate() {
        let item =
            to_text(&item, &mut TEXT_MAX.clone()).map_err(|problem| fail(format!("an item to join {problem}")))?;
        let glue = if at == 0 { "" } else { by };
        spend(state, glue.len() + item.len())?;
        out.push_str(glue);
        out.push_str(&item);
    }
    Ok(out)
}

pub(super) fn sort(state: &State<'_, '_>, value: &Value, options: Kwargs) -> Result<Value, Error> {
    filters::sort(state, list(value)?.clone(), options)
}

pub(super) fn unique(state: &State<'_, '_>, value: &Value, options: Kwargs) -> Result<Value, Error> {
    filters::unique(state, list(value)?.clone(), options)
}

pub(super) fn min(state: &State<'_, '_>, value: &Value, options: Kwargs) -> Result<Value, Error> {
    filters::min(state, list(value)?.clone(), options)
}

pub(super) fn max(state: &State<'_, '_>, value: &Value, options: Kwargs) -> Result<Value, Error> {
    filters::max(state, list(value)?.clone(), options)
}

pub(super) fn first(value: &Value) -> Result<Value, Error> {
    filters::first(list(value)?)
}

pub(super) fn last(value: &Value) -> Result<Value, Error> {
    filters::last(list(value)?.clone())
}

pub(super) fn reverse(value: &Value) -> Result<Value, Error> {
    filters::reverse(list(value)?)
}

pub(super) fn sum(
    state: &State<'_, '_>,
    value: &Value,
    attribute: Option<&str>,
    options: Kwargs,
) -> Result<Value, Error> {
    filters::sum(state, list(value)?.clone(), attribute, None, options)
}

pub(super) fn map(state: &mut State<'_, '_>, value: &Value, args: Rest<ValueOrKwargs>) -> Result<Vec<Value>, Error> {
    spend_items(state, list(value)?.len().unwrap_or(0))?;
    filters::map(state, value.clone(), args)
}

/// Defines filters that keep some items of a list, by minijinja's of the same name.
macro_rules! choose {
    ($($name:ident)*) => {$(
        pub(super) fn $name(
            state: &mut State<'_, '_>,
            value: &Value,
            name: &str,
            args: Rest<ValueOrKwargs>,
        ) -> Result<Vec<Value>, Error> {
            spend_items(state, list(value)?.len().unwrap_or(0))?;
            filters::$name(state, value.clone(), Some(name.into()), args)
        }
    )*};
}

/// Defines filters that keep some items of a list by an attribute.
macro_rules! choose_by_attribute {
    ($($name:ident)*) => {$(
        pub(super) fn $name(
            state: &mut State<'_, '_>,
            value: &Value,
            attribute: &str,
            name: &str,
            args: Rest<ValueOrKwargs>,
        ) -> Result<Vec<Value>, Error> {
            spend_items(state, list(value)?.len().unwrap_or(0))?;
            filters::$name(state, value.clone(), attribute.into(), Some(name.into()), args)
        }
    )*};
}

choose! { select reject }
choose_by_attribute! { selectattr rejectattr }

pub(super) fn int(value: &Value, default: Option<&Value>, options: Kwargs) -> Result<Value, Error> {
    let whole = match value.kind() {
        ValueKind::Number if value.is_integer() => Some(value.clone()),
        // Towards zero; the range within which every whole number has its own float.
        ValueKind::Number => {
            f64::try_from(value.clone()).ok().filter(|float| float.abs() < 9e15).map(|float| Value::from(float as i64))
        }
        ValueKind::String => text(value)?.trim().parse::<i64>().ok().map(Value::from),
        _ => None,
    };
    converted(whole, value, "a whole number", default, &options)
}

pub(super) fn float(value: &Value, default: Option<&Value>, options: Kwargs) -> Result<Value, Error> {
    let float = match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::String => text(value)?.trim().parse::<f64>().ok(),
        _ => None,
    };
    converted(float.filter(|float| float.is_finite()).map(Value::from), value, "a number", default, &options)
}

pub(super) fn bool(value: &Value, default: Option<&Value>, options: Kwargs) -> Result<Value, Error> {
    let boolean = match value.as_str().map(str::trim) {
        Some(text) if text.eq_ignore_ascii_case("true") => Some(Value::from(true)),
        Some(text) if text.eq_ignore_ascii_case("false") => Some(Value::from(false)),
        _ => Some(value.clone()).filter(|value| value.kind() == ValueKind::Bool),
    };
    converted(boolean, value, "`true` or `false`", default, &options)
}

fn converted(
    result: Option<Value>,
    from: &Value,
    to: &str,
    default: Option<&Value>,
    options: &Kwargs,
) -> Result<Value, Error> {
    let default = match default {
        Some(default) => Some(default.clone()),
        None => options.get::<Option<Value>>("default")?,
    };
    options.assert_all_used()?;
    result.or(default).ok_or_else(|| fail(format!("{} could not be converted to {to}", kind_of(from))))
}

pub(super) fn string(state: &mut State<'_, '_>, value: &Value) -> Result<String, Error> {
    let text =
        to_text(value, &mut TEXT_MAX.clone()).map_err(|problem| fail(format!("what `string` converts {problem}")))?;
    spend(state, text.len())?;
    Ok(text)
}

pub(super) fn tojson(state: &mut State<'_, '_>, value: &Value, indented: Option<bool>) -> Result<String, Error> {
    let json =
        to_json(value, &mut TEXT_MAX.clone()).map_err(|problem| fail(format!("what `tojson` writes {problem}")))?;
    let text = if indented == Some(true) { format!("{json:#}") } else { json.to_string() };
    spend(state, text.len())?;
    Ok(text)
}

pub(super) fn fromjson(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let text = text(value)?;
    spend(state, text.len())?;
    let json = serde_json::from_str(text)
        .map_err(|error| fail(format!("the text is not JSON (line {}, column {})", error.line(), error.column())))?;
    Ok(from_json(&json))
}

pub(super) fn urlencode(state: &mut State<'_, '_>, value: &Value) -> Result<String, Error> {
    let text = to_text(value, &mut TEXT_MAX.clone())
        .map_err(|problem| fail(format!("what `urlencode` converts {problem}")))?;
    // Three bytes for each at most.
    spend(state, text.len().saturating_mul(3))?;
    Ok(utf8_percent_encode(&text, URL_KEEPS).to_string())
}

pub(super) fn basename(value: &Value) -> Result<String, Error> {
    let path = text(value)?.trim_end_matches('/');
    Ok(path.rsplit('/').next().unwrap_or_default().to_owned())
}

pub(super) fn dirname(value: &Value) -> Result<String, Error> {
    let path = text(value)?.trim_end_matches('/');
    Ok(match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder.trim_end_matches('/'),
        None => ".",
    }
    .to_owned())
}

pub(super) fn ms(value: &Value) -> Result<u64, Error> {
    parse_duration(text(value)?).map_err(|_| fail("the text is not a duration such as `30s`, `5m` or `1h30m`"))
}

pub(super) fn seconds(value: &Value) -> Result<Value, Error> {
    let ms = ms(value)?;
    Ok(if ms % 1000 == 0 { Value::from(ms / 1000) } else { Value::from(ms as f64 / 1000.0) })
}
