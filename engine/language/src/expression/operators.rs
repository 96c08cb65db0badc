//! What the operators of an expression do where they must do other than minijinja's.
//!
//! [`bind`](super::bind) puts these in their place, as filters whose names nobody can write. Each takes the text of
//! what it works on as its last argument, for its message.

use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

use super::values::{TEXT_MAX, kind_of, to_text};

/// Most bytes of text that filters and operators may write on the way to one result.
///
/// Fuel counts instructions, of which one can write any amount; this counts what they write.
pub const WORK_MAX: usize = 8 << 20;

/// A list item costs as much as so many bytes of text.
const ITEM_BYTES: usize = 64;

pub(super) const UNDEFINED: &str = "!undefined";
pub(super) const GET: &str = "!get";
pub(super) const FOUND: &str = "!found";
pub(super) const BOOL: &str = "!bool";
pub(super) const NUMBER: &str = "!number";
pub(super) const BOUNDED: &str = "!bounded";
pub(super) const CONCAT: &str = "!concat";
pub(super) const COMPARE: &str = "!compare";

/// Registers them.
pub(super) fn register(env: &mut Environment<'_>) {
    env.add_filter(UNDEFINED, |message: &str| -> Result<Value, Error> { Err(fail(message)) });
    env.add_filter(GET, get);
    env.add_filter(FOUND, found);
    env.add_filter(BOOL, |value: &Value, label: &str| boolean(value, label).map(Value::from).map_err(fail));
    env.add_filter(NUMBER, number);
    env.add_filter(BOUNDED, bounded);
    env.add_filter(CONCAT, concat);
    env.add_filter(COMPARE, compare_chain);
}

/// An error with a sentence for the reader.
pub(super) fn fail(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// How much work an evaluation has done.
#[derive(Default)]
struct Work(usize);

/// Counts bytes that are about to be written.
pub(super) fn spend(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let work = state.get_or_insert_extension(Work::default());
    work.0 = work.0.saturating_add(bytes);
    if work.0 > WORK_MAX { Err(fail("it needs too much work")) } else { Ok(()) }
}

/// Counts list items that are about to be made.
pub(super) fn spend_items(state: &mut State<'_, '_>, items: usize) -> Result<(), Error> {
    spend(state, items.saturating_mul(ITEM_BYTES))
}

/// A subscript or attribute that only the run knows. Without a label it may be missing.
fn get(value: &Value, key: &Value, label: Option<&str>) -> Result<Value, Error> {
    let item = if value.is_undefined() { Value::UNDEFINED } else { value.get_item(key).unwrap_or(Value::UNDEFINED) };
    match label {
        Some(label) => found(item, label),
        None => Ok(item),
    }
}

fn found(value: Value, label: &str) -> Result<Value, Error> {
    if value.is_undefined() { Err(fail(format!("{label} is undefined"))) } else { Ok(value) }
}

/// A value where `true` or `false` is due.
pub(super) fn boolean(value: &Value, label: &str) -> Result<bool, String> {
    let inner = label.trim_matches('`');
    let way_out = match value.kind() {
        ValueKind::Bool => return Ok(value.is_true()),
        ValueKind::Undefined | ValueKind::None => format!("write `{inner} | default(false)`"),
        ValueKind::String => format!("compare it, as in `{inner} == 'yes'`, or convert it with `| bool`"),
        ValueKind::Number => format!("compare it, as in `{inner} > 0`"),
        _ => format!("write `{inner} | length > 0`"),
    };
    Err(format!("{label} is {}, not true or false; {way_out}", kind_of(value)))
}

fn number(value: Value, label: &str) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Number => Ok(value),
        ValueKind::String => Err(fail(format!("{label} is text, not a number; convert it with `| int`"))),
        _ => Err(fail(format!("{label} is {}, not a number", kind_of(&value)))),
    }
}

/// The sum of two texts or lists, which only now is known.
fn bounded(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => {
            let len = value.as_str().map_or(0, str::len);
            if len > TEXT_MAX {
                return Err(fail(format!("a text is larger than {} KiB", TEXT_MAX / 1024)));
            }
            spend(state, len)?;
        }
        ValueKind::Seq | ValueKind::Iterable => spend_items(state, value.len().unwrap_or(0))?,
        _ => {}
    }
    Ok(value)
}

fn concat(state: &mut State<'_, '_>, left: &Value, right: &Value, label: &str) -> Result<Value, Error> {
    let mut room = TEXT_MAX;
    let sentence = |problem: String| fail(format!("a part of {label} {problem}"));
    let text = to_text(left, &mut room).map_err(sentence)? + &to_text(right, &mut room).map_err(sentence)?;
    spend(state, text.len())?;
    Ok(Value::from(text))
}

/// `a < b == c`: a first value, then operators and values in turn, then the label.
fn compare_chain(first: &Value, rest: Rest<Value>) -> Result<bool, Error> {
    let Some((label, pairs)) = rest.split_last() else { return Err(fail("a comparison without an operator")) };
    let label = label.as_str().unwrap_or_default();
    let mut left = first;
    for pair in pairs.chunks_exact(2) {
        let right = &pair[1];
        if !compare(pair[0].as_str().unwrap_or_default(), left, right)
            .map_err(|problem| fail(format!("{label} {problem}")))?
        {
            return Ok(false);
        }
        left = right;
    }
    Ok(true)
}

/// Compares two values of one type, or says why they cannot be compared.
pub(super) fn compare(operator: &str, left: &Value, right: &Value) -> Result<bool, String> {
    let equality = matches!(operator, "==" | "!=");
    if operator.ends_with("in") {
        return contains(right, left).map(|found| found == (operator == "in"));
    }
    let comparable = match (left.kind(), right.kind()) {
        (ValueKind::Undefined, _) | (_, ValueKind::Undefined) => false,
        (ValueKind::None, _) | (_, ValueKind::None) => equality,
        (ValueKind::Seq | ValueKind::Iterable, ValueKind::Seq | ValueKind::Iterable) => equality,
        (ValueKind::Number, ValueKind::Number) | (ValueKind::String, ValueKind::String) => true,
        (one, other) => equality && one == other,
    };
    if !comparable {
        let way_out = match (left.kind(), right.kind()) {
            (ValueKind::String, ValueKind::Number) | (ValueKind::Number, ValueKind::String) => {
                "; convert the text with `| int` or `| float`"
            }
            (ValueKind::String, ValueKind::Bool) | (ValueKind::Bool, ValueKind::String) => {
                "; convert the text with `| bool`"
            }
            (ValueKind::None, _) | (_, ValueKind::None) => "; use `| default(…)`",
            _ => "",
        };
        return Err(format!("compares {} with {}{way_out}", kind_of(left), kind_of(right)));
    }
    Ok(match operator {
        "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    })
}

/// Whether a text, a list or the keys of an object contain a value.
pub(super) fn contains(container: &Value, value: &Value) -> Result<bool, String> {
    match container.kind() {
        ValueKind::String => match (container.as_str(), value.as_str()) {
            (Some(text), Some(part)) => Ok(text.contains(part)),
            _ => Err(format!("looks for {} in text; convert it with `| string`", kind_of(value))),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            Ok(container.try_iter().map_err(|_| "cannot read a list".to_owned())?.any(|item| item == *value))
        }
        ValueKind::Map => Ok(container.get_item(value).is_ok_and(|item| !item.is_undefined())),
        _ => Err(format!("looks for a value in {}", kind_of(container))),
    }
}
