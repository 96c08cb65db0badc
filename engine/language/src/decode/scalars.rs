//! Single values.

use std::borrow::Cow;

use runbook_core::plan::FailuresMax;
use runbook_core::units::parse_duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Decode;
use crate::code::Code;
use crate::diagnostic::{Collector, Diagnostic};
use crate::source::Span;
use crate::yaml::{Kind, Node, Style};

/// A value with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// Text.
pub type Text = Spanned<String>;

/// `true` or `false`.
pub type Flag = Spanned<bool>;

/// A whole number from 1.
pub type Count = Spanned<u32>;

/// Reports a value of another type than the one that belongs there.
pub(crate) fn wrong_type<'f>(node: &Node, wanted: &str, found: &'f mut Collector) -> &'f mut Diagnostic {
    let message = match &node.kind {
        Kind::Text(text) if text.len() <= 40 && node.style == Style::Plain => {
            format!("expected {wanted}, found the text `{text}`")
        }
        Kind::Bool(value) => format!("expected {wanted}, found `{value}`"),
        Kind::Number(_) => {
            let written = found.file().slice(node.span).to_owned();
            format!("expected {wanted}, found the number `{written}`")
        }
        other => format!("expected {wanted}, found {}", other.name()),
    };
    found.error(Code::WrongType, node.span, message)
}

impl Decode for Text {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) => Some(Self { value: text.clone(), span: node.span }),
            Kind::Bool(_) | Kind::Number(_) => {
                let written = found.file().slice(node.span).to_owned();
                wrong_type(node, "text", found).help(format!("put quotes round it: \"{written}\""));
                None
            }
            Kind::Map(_) => Scalar::decode(node, found).and(None),
            _ => {
                wrong_type(node, "text", found);
                None
            }
        }
    }
}

impl Decode for Flag {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Bool(value) => Some(Self { value: *value, span: node.span }),
            Kind::Text(text) => {
                let help = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => "write `true`",
                    "no" | "off" | "n" | "false" => "write `false`",
                    _ => "write `true` or `false`",
                };
                wrong_type(node, "`true` or `false`", found).help(help);
                None
            }
            _ => {
                wrong_type(node, "`true` or `false`", found);
                None
            }
        }
    }
}

impl Decode for Count {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        let Kind::Number(number) = &node.kind else {
            wrong_type(node, "a whole number", found);
            return None;
        };
        match number.as_u64().map(u32::try_from) {
            Some(Ok(value)) if value >= 1 => Some(Self { value, span: node.span }),
            _ => {
                found.error(Code::WrongValue, node.span, "expected a whole number from 1 to 4294967295");
                None
            }
        }
    }
}

impl<T: SpannedSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

/// The JSON Schema of a single value.
pub(crate) trait SpannedSchema {
    /// How schemars tells it from others.
    const NAME: &'static str;
    /// The schema.
    fn schema() -> Schema;
}

impl SpannedSchema for String {
    const NAME: &'static str = "Text";
    fn schema() -> Schema {
        json_schema!({"type": "string"})
    }
}

impl SpannedSchema for bool {
    const NAME: &'static str = "Flag";
    fn schema() -> Schema {
        json_schema!({"type": "boolean"})
    }
}

impl SpannedSchema for u32 {
    const NAME: &'static str = "Count";
    fn schema() -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": u32::MAX})
    }
}

/// Defines a kind of single value with a schema of its own.
macro_rules! scalar {
    ($(#[$meta:meta])* $type:ident($inner:ty), $schema:tt) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $type(pub $inner);

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

scalar! {
    /// A duration in milliseconds.
    DurationText(Spanned<u64>),
    {"type": "string", "minLength": 2, "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$", "examples": ["30s", "5m", "1h30m"]}
}

scalar! {
    /// A name that expressions and scripts use: lower-case letters, digits, `_`.
    Name(Text),
    {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$"}
}

scalar! {
    /// An expression, without braces.
    ExpressionText(Node),
    {"type": ["string", "boolean", "number"]}
}

scalar! {
    /// How many items of a loop may fail.
    Failures(Spanned<FailuresMax>),
    {"anyOf": [{"type": "integer", "minimum": 0, "maximum": u32::MAX}, {"type": "string", "pattern": "^(100|[0-9]{1,2})%$"}]}
}

scalar! {
    /// A text, with the way it is written.
    Written(Node),
    {"type": "string"}
}

scalar! {
    /// A text, number or boolean; the latter two stand for the text that they are written as.
    Scalar(Node),
    {"type": ["string", "number", "boolean"]}
}

scalar! {
    /// Any value; texts within may hold `{{ … }}`.
    Free(Node),
    {}
}

impl Decode for DurationText {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text.contains("{{") => {
                found
                    .error(
                        Code::Duration,
                        node.span,
                        "a template cannot stand here: the duration must be known before the run",
                    )
                    .help("write it out, such as `30s`; only `wait` takes a template");
                None
            }
            Kind::Text(text) => match parse_duration(text) {
                Ok(value) => Some(Self(Spanned { value, span: node.span })),
                Err(error) => {
                    found.error(Code::Duration, node.span, error.to_string());
                    None
                }
            },
            Kind::Number(_) => {
                let written = found.file().slice(node.span).to_owned();
                found
                    .error(Code::Duration, node.span, format!("`{written}` has no unit"))
                    .help(format!("write `{written}s`, `{written}m` or `{written}h`"));
                None
            }
            _ => {
                wrong_type(node, "a duration such as `30s` or `5m`", found);
                None
            }
        }
    }
}

impl Decode for Name {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        let text = Text::decode(node, found)?;
        check_name(&text.value, text.span, found);
        Some(Self(text))
    }
}

/// Most characters of an id: names of files and folders are made of ids, with more behind them. The schemas say the same.
pub(crate) const ID_MAX: usize = 64;

/// Reports an id that is too long; whether it is.
pub(crate) fn check_length(name: &str, span: Span, found: &mut Collector) -> bool {
    let length = name.chars().count();
    if length > ID_MAX {
        found
            .error(
                Code::InvalidId,
                span,
                format!("this id has {length} characters, more than the {ID_MAX} it may have"),
            )
            .help("give it a short id; there is room for words in `title` and `description`");
    }
    length > ID_MAX
}

/// Reports a name that expressions could not use.
pub(crate) fn check_name(name: &str, span: Span, found: &mut Collector) {
    if check_length(name, span, found) {
        return;
    }
    let good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if good {
        return;
    }
    let mut better: String =
        name.to_lowercase().chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '_' }).collect();
    if !better.starts_with(|first: char| first.is_ascii_lowercase()) {
        better.insert_str(0, "s_");
    }
    let why = if name.contains('-') { "; a dash would be a minus in expressions" } else { "" };
    found
        .error(Code::InvalidId, span, format!("`{name}` is not an id"))
        .help(format!("ids are lower-case letters, digits and `_`, and begin with a letter{why}: write `{better}`"));
}

impl Decode for ExpressionText {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text.trim().is_empty() => {
                found.error(Code::ExpressionSyntax, node.span, "the expression is empty");
                None
            }
            Kind::Text(_) | Kind::Bool(_) | Kind::Number(_) => Some(Self(node.clone())),
            Kind::Map(_) => {
                wrong_type(node, "an expression", found)
                    .help("expressions have no braces here; put quotes round one that begins with `{`");
                None
            }
            _ => {
                wrong_type(node, "an expression", found);
                None
            }
        }
    }
}

impl Decode for Failures {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        let value = match &node.kind {
            Kind::Number(number) => number.as_u64().and_then(|count| u32::try_from(count).ok()).map(FailuresMax::Count),
            Kind::Text(text) => {
                let percent = text.strip_suffix('%').and_then(|percent| percent.trim().parse::<u32>().ok());
                percent.filter(|percent| *percent <= 100).map(FailuresMax::Percent)
            }
            _ => {
                wrong_type(node, "a number, or a part such as `20%`", found);
                return None;
            }
        };
        if value.is_none() {
            let message = "expected a whole number, or a part of the items from `0%` to `100%`";
            found.error(Code::WrongValue, node.span, message);
        }
        value.map(|value| Self(Spanned { value, span: node.span }))
    }
}

impl Decode for Written {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        Text::decode(node, found).map(|_| Self(node.clone()))
    }
}

impl Written {
    /// The text.
    pub fn text(&self) -> &str {
        match &self.0.kind {
            Kind::Text(text) => text,
            _ => "",
        }
    }
}

impl Decode for Scalar {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Text(_) | Kind::Bool(_) | Kind::Number(_) => Some(Self(node.clone())),
            Kind::Map(entries) if entries.iter().any(|(key, _)| key.text == "secret") => {
                found
                    .error(Code::SecretPlace, node.span, "a secret cannot go here: other programs could see it")
                    .help(crate::check::secrets::WAY_OUT);
                None
            }
            _ => {
                wrong_type(node, "text", found);
                None
            }
        }
    }
}

impl Decode for Free {
    const TAKES_NULL: bool = true;

    fn decode(node: &Node, _: &mut Collector) -> Option<Self> {
        Some(Self(node.clone()))
    }
}
