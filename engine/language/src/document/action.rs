//! What a step does.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::code::Code;
use crate::decode::{Decode, Entries, ExpressionText, Free, List, Required, Text, Written, record, wrong_type};
use crate::diagnostic::Collector;
use crate::document::ParamDoc;
use crate::source::Span;
use crate::yaml::{Kind, Node};

record! {
    /// An HTTP request.
    pub struct HttpDoc ("`http`", later: &[]) {
        /// Where to. May hold `{{ … }}`.
        pub url: Required<Written>,
        /// The method; `GET` where nothing is written.
        #[schemars(extend("enum" = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))]
        pub method: Option<Text>,
        /// Request headers, by name.
        pub headers: Option<Entries<EnvDoc>>,
        /// A body, sent as JSON. Texts within may hold `{{ … }}`.
        pub json: Option<Free>,
        /// A body, sent as it is. May hold `{{ … }}`.
        pub body: Option<Written>,
        /// The statuses that are a success: a number, a range such as `200-299`, or a list of these; `200-399` where
        /// nothing is written.
        pub expect: Option<ExpectDoc>,
    }
}

/// The value of an environment variable or header: a text that may hold `{{ … }}`, or a secret.
#[derive(Clone, Debug)]
pub enum EnvDoc {
    /// A text, number or boolean; numbers and booleans are taken as they are written.
    Value(Node),
    /// A secret.
    Secret(Box<SecretRef>),
}

record! {
    /// A secret, by name.
    pub struct SecretRef ("the value of a variable or header", later: &[]) {
        /// The name, as declared under `secrets`.
        pub secret: Required<Text>,
        /// Fixed text before the value, such as `Bearer `.
        pub prefix: Option<Text>,
    }
}

impl Decode for EnvDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => SecretRef::decode(node, found).map(|secret| Self::Secret(Box::new(secret))),
            Kind::Text(_) | Kind::Number(_) | Kind::Bool(_) => Some(Self::Value(node.clone())),
            _ => {
                wrong_type(node, "text or `{secret: name}`", found)
                    .help("pass a list as JSON: \"{{ params.x | tojson }}\"");
                None
            }
        }
    }
}

impl JsonSchema for EnvDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EnvValue".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<SecretRef>();
        json_schema!({"anyOf": [{"type": ["string", "number", "boolean"]}, secret]})
    }
}

/// Statuses that are a success.
#[derive(Clone, Debug)]
pub struct ExpectDoc {
    /// Each number or range.
    pub items: Vec<ResponseCodes>,
}

/// A range of HTTP statuses, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseCodes {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl Decode for ResponseCodes {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        let status = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        let range = match &node.kind {
            Kind::Number(number) => status(&number.to_string()).map(|status| Self { from: status, to: status }),
            Kind::Text(text) => match text.split_once('-') {
                Some((from, to)) => status(from).zip(status(to)).map(|(from, to)| Self { from, to }),
                None => status(text).map(|status| Self { from: status, to: status }),
            },
            _ => {
                wrong_type(node, "an HTTP status or a range such as `200-299`", found);
                return None;
            }
        };
        match range {
            Some(range) if range.from <= range.to => Some(range),
            _ => {
                let message = "an HTTP status is a number from 100 to 599, a range is written `200-299`";
                found.error(Code::WrongValue, node.span, message);
                None
            }
        }
    }
}

impl Decode for ExpectDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::List(_) => {
                let list = List::decode(node, found)?;
                if list.empty {
                    found.error(Code::WrongValue, node.span, "no status would be a success");
                }
                Some(Self { items: list.items })
            }
            _ => ResponseCodes::decode(node, found).map(|range| Self { items: vec![range] }),
        }
    }
}

impl JsonSchema for ExpectDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Expect".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!({"anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"},
        ]});
        json_schema!({"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]})
    }
}

/// Expressions that must hold.
#[derive(Clone, Debug)]
pub struct AssertDoc {
    /// Each of them.
    pub checks: Vec<CheckDoc>,
    /// Where they stand.
    pub span: Span,
    /// Whether nothing was written.
    pub empty: bool,
}

record! {
    /// An expression that must hold, with what to say when it does not.
    pub struct CheckDoc ("a check", later: &[]) {
        /// What must hold.
        pub that: Required<ExpressionText>,
        /// What to say when it does not. May hold `{{ … }}`.
        pub message: Option<Written>,
    }
}

impl AssertDoc {
    fn check(node: &Node, found: &mut Collector) -> Option<CheckDoc> {
        match &node.kind {
            Kind::Map(_) => CheckDoc::decode(node, found),
            _ => {
                let that = Required(ExpressionText::decode(node, found));
                Some(CheckDoc { that, message: None, ..CheckDoc::default() })
            }
        }
    }
}

impl Decode for AssertDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        let checks: Vec<CheckDoc> = match &node.kind {
            Kind::List(items) => items.iter().filter_map(|item| Self::check(item, found)).collect(),
            _ => Self::check(node, found).into_iter().collect(),
        };
        let empty = matches!(&node.kind, Kind::List(items) if items.is_empty());
        Some(Self { checks, span: node.span, empty })
    }
}

impl JsonSchema for AssertDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Assert".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let check = generator.subschema_for::<CheckDoc>();
        let expression = json_schema!({"type": ["string", "boolean"]});
        json_schema!({"anyOf": [
            expression,
            check,
            {"type": "array", "minItems": 1, "items": {"anyOf": [expression, check]}},
        ]})
    }
}

record! {
    /// Values that a person gives.
    pub struct AskDoc ("`ask`", later: &[]) {
        /// What is asked. May hold `{{ … }}`.
        pub prompt: Required<Written>,
        /// The values, by name: each like a param of the runbook.
        #[schemars(extend("minProperties" = 1, "propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub fields: Required<Entries<ParamDoc>>,
    }
}

/// A pause.
#[derive(Clone, Debug)]
pub enum WaitDoc {
    /// For a duration: a text that may hold `{{ … }}`.
    For(Node),
    /// Until a moment: a text that may hold `{{ … }}`.
    Until(Node),
}

record! {
    /// A pause, written out: one of these.
    #[schemars(extend("oneOf" = [{"required": ["for"]}, {"required": ["until"]}]))]
    pub struct WaitMap ("`wait`", later: &[]) {
        /// For so long: a duration. May hold `{{ … }}`.
        pub duration: Option<Free> = "for",
        /// Until this moment: an RFC 3339 time with its offset, such as `2030-01-31T22:00:00Z`. May hold `{{ … }}`.
        pub moment: Option<Free> = "until",
    }
}

impl Decode for WaitDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => {
                let map = WaitMap::decode(node, found)?;
                match (map.duration, map.moment) {
                    (Some(Free(text)), None) => Some(Self::For(text)),
                    (None, Some(Free(text))) => Some(Self::Until(text)),
                    _ => {
                        found.error(Code::WrongValue, node.span, "`wait` needs one of `for` and `until`");
                        None
                    }
                }
            }
            Kind::Text(text) if is_moment(text) => Some(Self::Until(node.clone())),
            Kind::Text(_) | Kind::Number(_) => Some(Self::For(node.clone())),
            _ => {
                wrong_type(node, "a duration such as `30s`, or a time", found);
                None
            }
        }
    }
}

/// Whether a text is an RFC 3339 time with its offset.
pub(crate) fn is_moment(text: &str) -> bool {
    text.trim().parse::<jiff::Timestamp>().is_ok()
}

impl JsonSchema for WaitDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Wait".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<WaitMap>();
        json_schema!({"anyOf": [{"type": "string"}, map]})
    }
}
