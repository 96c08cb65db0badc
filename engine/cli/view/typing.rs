//! The values of an `ask`, typed one after the other.

use std::collections::BTreeMap;

use runbook_core::input::Answer;
use runbook_core::plan::Field;
use runbook_language::parse_param;
use serde_json::Value;

use super::text::{value as plain, visible_line};

/// What was typed so far.
#[derive(Default)]
pub(crate) struct Typing {
    values: BTreeMap<String, Value>,
}

/// What a line came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Typed {
    /// It cannot be used, and why.
    Wrong(String),
    /// The next value is to be typed.
    Next,
    /// That was the last one.
    Whole(Answer),
}

impl Typing {
    /// The value that is to be typed now.
    fn open<'f>(&self, fields: &'f [Field]) -> Option<&'f Field> {
        fields.iter().find(|field| !self.values.contains_key(&field.name))
    }

    /// What stands before the place to type at. A value may be any word, so what is none begins with `/`.
    pub(crate) fn label(&self, fields: &[Field]) -> String {
        let Some(Field { name, param }) = self.open(fields) else { return String::new() };
        let empty = match &param.default {
            Some(default) => format!("; Enter for {}", plain(default)),
            None if param.required => String::new(),
            None => "; Enter for none".to_owned(),
        };
        format!("{name} ({}{empty}; /reject or /later): ", crate::menu::allowed(param))
    }

    /// Takes a line as the value that is to be typed now.
    pub(crate) fn typed(&mut self, fields: &[Field], line: &str) -> Typed {
        let Some(Field { name, param }) = self.open(fields) else { return Typed::Next };
        let value = match line.trim().is_empty() {
            true if param.required && param.default.is_none() => return Typed::Wrong("a value is needed".to_owned()),
            true => Ok(param.default.clone().unwrap_or(Value::Null)),
            false => parse_param(param, line.trim_end_matches(['\r', '\n'])),
        };
        match value {
            Ok(value) => drop(self.values.insert(name.clone(), value)),
            Err(reason) => return Typed::Wrong(visible_line(&reason)),
        }
        match self.open(fields) {
            Some(_) => Typed::Next,
            None => Typed::Whole(Answer::Values { values: std::mem::take(&mut self.values), reason: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use runbook_core::plan::{Param, ParamKind};
    use serde_json::json;

    use super::*;

    fn field(name: &str, kind: ParamKind, default: Option<Value>) -> Field {
        let required = name != "note" && default.is_none();
        let param = Param { kind, choices: vec![], required, default, description: None };
        Field { name: name.to_owned(), param }
    }

    #[test]
    fn values_are_typed_one_after_the_other_and_wrong_ones_again() {
        let fields = [
            field("ticket", ParamKind::String, None),
            field("hosts", ParamKind::Integer, Some(json!(3))),
            field("note", ParamKind::String, None),
        ];
        let mut typing = Typing::default();
        assert_eq!(typing.label(&fields), "ticket (a text; /reject or /later): ");
        assert_eq!(typing.typed(&fields, " "), Typed::Wrong("a value is needed".to_owned()));
        assert_eq!(typing.typed(&fields, "later"), Typed::Next, "a value may be any word");
        assert_eq!(typing.label(&fields), "hosts (a whole number; Enter for 3; /reject or /later): ");
        assert_eq!(typing.typed(&fields, "many"), Typed::Wrong("`many` is not a whole number".to_owned()));
        assert_eq!(typing.typed(&fields, ""), Typed::Next);
        assert!(typing.label(&fields).contains("Enter for none"));
        let values = BTreeMap::from([
            ("ticket".to_owned(), json!("later")),
            ("hosts".to_owned(), json!(3)),
            ("note".to_owned(), json!(null)),
        ]);
        assert_eq!(typing.typed(&fields, ""), Typed::Whole(Answer::Values { values, reason: None }));
    }
}
