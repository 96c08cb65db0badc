//! Matchers of labels, as Alertmanager has them: in the JSON of a silence, and as text such as `service=~"gate.*"`.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::reply::Failure;

/// The labels of an alert, by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// What one label has to be, or must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Matcher {
    name: String,
    value: String,
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

/// Refuses matchers that no silence may have: none, wrong ones, and those that would silence whatever there is.
pub(crate) fn check(matchers: &[Matcher]) -> Result<(), Failure> {
    if matchers.is_empty() {
        return Err(Failure::invalid("a silence needs at least one matcher"));
    }
    let mut any = true;
    for matcher in matchers {
        matcher.check()?;
        any &= matcher.is_equal && matcher.fits("")?;
    }
    if any {
        return Err(Failure::invalid("at least one matcher must not match the empty string"));
    }
    Ok(())
}

/// Whether all of `matchers` hold for `labels`; a label that is not there is empty.
pub(crate) fn all_match(matchers: &[Matcher], labels: &Labels) -> Result<bool, Failure> {
    for matcher in matchers {
        let value = labels.get(&matcher.name).map_or("", String::as_str);
        if matcher.fits(value)? != matcher.is_equal {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Matcher {
    /// Reads `name=value`, `name!=value`, `name=~regex` or `name!~regex`; the value may stand in double quotes.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let bad = || Failure::invalid(format!("bad matcher `{text}`: it has to look like `service=\"gateway\"`"));
        let at = text.find(['=', '!']).ok_or_else(bad)?;
        let (name, rest) = text.split_at(at);
        let operators = [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
        let found = operators.into_iter().find(|(operator, ..)| rest.starts_with(operator));
        let (operator, is_regex, is_equal) = found.ok_or_else(bad)?;
        let value = unquoted(rest[operator.len()..].trim()).ok_or_else(bad)?;
        let matcher = Self { name: name.trim().to_owned(), value, is_regex, is_equal };
        matcher.check()?;
        Ok(matcher)
    }

    fn check(&self) -> Result<(), Failure> {
        let mut letters = self.name.chars();
        let begins = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
        if !begins || !letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            return Err(Failure::invalid(format!("`{}` is no name of a label", self.name)));
        }
        if self.is_regex {
            // By itself first: what only makes sense between the anchors is no regular expression.
            compiled(&self.value)?;
            self.fits("")?;
        }
        Ok(())
    }

    /// Whether the value fits, before `=` or `!=` is looked at. A regular expression has to fit all of it.
    fn fits(&self, value: &str) -> Result<bool, Failure> {
        if self.is_regex {
            return Ok(compiled(&format!("^(?:{})$", self.value))?.is_match(value));
        }
        Ok(self.value == value)
    }
}

fn compiled(expression: &str) -> Result<Regex, Failure> {
    Regex::new(expression).map_err(|error| Failure::invalid(format!("bad regular expression: {error}")))
}

/// The value without its quotes, with `\"`, `\\` and `\n` replaced; none where a quote stands alone.
fn unquoted(raw: &str) -> Option<String> {
    let within = match raw.strip_prefix('"') {
        Some(_) if raw.len() < 2 => return None,
        Some(rest) => rest.strip_suffix('"')?,
        None => raw,
    };
    let mut value = String::new();
    let mut letters = within.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return None,
            '\\' => match letters.next() {
                Some('n') => value.push('\n'),
                Some(quoted @ ('"' | '\\')) => value.push(quoted),
                Some(other) => value.extend(['\\', other]),
                // The closing quote was one that is quoted itself.
                None if within.len() < raw.len() => return None,
                None => value.push('\\'),
            },
            _ => value.push(letter),
        }
    }
    Some(value)
}
