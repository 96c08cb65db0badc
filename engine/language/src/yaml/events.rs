//! The first reading: places, styles, doubled keys, limits.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::node::Style;
use crate::code::Code;
use crate::diagnostic::Collector;
use crate::source::Span;

/// Deeper than any procedure a person can follow, and below the limit at which serde_yaml gives up.
const DEPTH_MAX: usize = 100;

/// Values after all aliases are followed: far beyond a runbook of 10,000 steps, far below what hurts.
const VALUES_MAX: usize = 1_000_000;

/// A value, by its place.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) span: Span,
    pub(super) shape: Shape,
    /// Itself and all within, aliases followed.
    size: usize,
    /// Levels within.
    depth: usize,
}

/// What kind of value it is.
#[derive(Debug)]
pub(super) enum Shape {
    Scalar { style: Style },
    List(Vec<Rc<Tree>>),
    Map(Vec<(TreeKey, Rc<Tree>)>),
}

/// A key of a map; `doubled` ones are reported and dropped.
#[derive(Debug)]
pub(super) struct TreeKey {
    pub(super) text: String,
    pub(super) span: Span,
    pub(super) dropped: bool,
}

/// A list or map that is being read.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Rc<Tree>>),
    Map { entries: Vec<(TreeKey, Rc<Tree>)>, seen: BTreeSet<String>, key: Option<TreeKey> },
}

/// Reads the first document; problems go to `found`. None when nothing can be read.
pub(super) fn read(text: &str, found: &mut Collector) -> Option<Rc<Tree>> {
    let mut reader = Reader {
        text,
        places: Places::of(text),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        root: None,
        total: 0,
        tagged: false,
        found,
    };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                let span = Span::new(reader.places.byte(span.start.index()), reader.places.byte(span.end.index()));
                reader.take(event, span)?;
            }
            Err(error) => {
                let at = reader.places.byte(error.marker().index());
                let span = Span::new(at, at);
                let what = error.info();
                let entry = reader.found.error(Code::Syntax, span, format!("this is not YAML: {what}"));
                if let Some(help) = way_out(what) {
                    entry.help(help);
                }
                return None;
            }
        }
    }
    if reader.tagged { None } else { reader.root }
}

/// What to do about the mistakes that people make most, by what the parser says.
fn way_out(what: &str) -> Option<&'static str> {
    let ways = [
        ("tab", "indent with spaces"),
        (
            "mapping values are not allowed",
            "put quotes round a text with `: ` in it, or write `|` and the text on the lines below",
        ),
        ("block collection", "indent this line exactly like the others of its list"),
        ("block mapping", "indent this line exactly like the other keys beside it"),
        ("quoted scalar", "a quote that is opened must be closed"),
        ("flow", "a bracket or brace that is opened must be closed, with commas between its entries"),
        ("simple key", "write the key as `key: value`, with a space after the colon"),
    ];
    ways.iter().find(|(said, _)| what.contains(said)).map(|(_, help)| *help)
}

struct Reader<'a> {
    text: &'a str,
    places: Places,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Rc<Tree>>,
    root: Option<Rc<Tree>>,
    /// All values so far, aliases followed.
    total: usize,
    /// Whether a tag was met: serde_yaml would give it a meaning, so the values are not read.
    tagged: bool,
    found: &'a mut Collector,
}

impl Reader<'_> {
    /// Takes one event; none when reading cannot go on.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                self.found
                    .error(Code::Unsupported, span, "a second document begins here")
                    .help("a file holds one document: remove the `---`");
                return None;
            }
            Event::Scalar(value, style, anchor, tag) => {
                self.tag(tag.as_deref(), span);
                self.scalar(value, style, anchor, span);
            }
            Event::Alias(anchor) => self.alias(anchor, span)?,
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), span);
                self.begin(Open { start: span.start, anchor, content: Content::List(Vec::new()) }, span)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), span);
                let content = Content::Map { entries: Vec::new(), seen: BTreeSet::new(), key: None };
                self.begin(Open { start: span.start, anchor, content }, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::DocumentStart(_) | Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Some(())
    }

    fn tag(&mut self, tag: Option<&saphyr_parser::Tag>, span: Span) {
        if let Some(tag) = tag {
            self.tagged = true;
            self.found
                .error(Code::Unsupported, span, format!("the tag `{tag}` is not supported"))
                .help("remove it; put quotes round a value that is to be text");
        }
    }

    fn scalar(&mut self, value: Cow<'_, str>, style: ScalarStyle, anchor: usize, span: Span) {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        let span = self.trimmed(span);
        if self.wants_key() {
            self.key(value.into_owned(), span);
        } else {
            self.put(Tree { span, shape: Shape::Scalar { style }, size: 1, depth: 0 }, anchor);
        }
    }

    /// A span without the white space at its end, which saphyr counts to block scalars and collections.
    fn trimmed(&self, span: Span) -> Span {
        let text = self.text.get(span.start..span.end).unwrap_or_default();
        Span::new(span.start, span.start + text.trim_end().len())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, text: String, span: Span) {
        let Some(Open { content: Content::Map { seen, key, .. }, .. }) = self.open.last_mut() else { return };
        let mut dropped = false;
        if text == "<<" {
            dropped = true;
            self.found.error(Code::Unsupported, span, "merge keys are not supported").help("write the keys out");
        } else if !seen.insert(text.clone()) {
            dropped = true;
            self.found
                .error(Code::DoubledKey, span, format!("the key `{text}` is already there"))
                .help("YAML would silently keep only one of them: remove or rename the other");
        }
        *key = Some(TreeKey { text, span, dropped });
    }

    fn begin(&mut self, open: Open, span: Span) -> Option<()> {
        if self.wants_key() {
            self.found
                .error(Code::Unsupported, span, "a key must be a text")
                .help("if this was to be a template, put quotes round it: \"{{ … }}\"");
            return None;
        }
        if self.open.len() >= DEPTH_MAX {
            self.found.error(Code::TooLarge, span, format!("nested deeper than {DEPTH_MAX} levels"));
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn end(&mut self, span: Span) {
        let Some(open) = self.open.pop() else { return };
        let span = self.trimmed(Span::new(open.start, span.end));
        let (shape, size, depth) = match open.content {
            Content::List(items) => {
                let size = items.iter().map(|item| item.size).sum::<usize>();
                let depth = items.iter().map(|item| item.depth + 1).max().unwrap_or(1);
                (Shape::List(items), size, depth)
            }
            Content::Map { entries, .. } => {
                let size = entries.iter().map(|(_, value)| value.size + 1).sum::<usize>();
                let depth = entries.iter().map(|(_, value)| value.depth + 1).max().unwrap_or(1);
                (Shape::Map(entries), size, depth)
            }
        };
        self.put(Tree { span, shape, size: size.saturating_add(1), depth }, open.anchor);
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Option<()> {
        if self.wants_key() {
            self.found.error(Code::Unsupported, span, "an alias cannot be a key");
            return None;
        }
        let Some(tree) = self.anchors.get(&anchor).cloned() else {
            self.found.error(Code::Unsupported, span, "an alias cannot stand within what it repeats");
            return None;
        };
        self.total = self.total.saturating_add(tree.size);
        if self.total > VALUES_MAX || self.open.len() + tree.depth > DEPTH_MAX {
            self.found.error(Code::TooLarge, span, "the aliases make this document too large");
            return None;
        }
        self.attach(tree);
        Some(())
    }

    fn put(&mut self, tree: Tree, anchor: usize) {
        self.total += 1;
        let tree = Rc::new(tree);
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&tree));
        }
        self.attach(tree);
    }

    fn attach(&mut self, tree: Rc<Tree>) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(tree),
            Some(Content::List(items)) => items.push(tree),
            Some(Content::Map { entries, key, .. }) => {
                if let Some(key) = key.take() {
                    entries.push((key, tree));
                }
            }
        }
    }
}

/// saphyr counts characters; everything else here counts bytes.
struct Places {
    /// The byte of each character; empty when the text is ASCII.
    bytes: Vec<usize>,
    len: usize,
}

impl Places {
    fn of(text: &str) -> Self {
        let bytes = if text.is_ascii() { vec![] } else { text.char_indices().map(|(at, _)| at).collect() };
        Self { bytes, len: text.len() }
    }

    fn byte(&self, char: usize) -> usize {
        if self.bytes.is_empty() { char.min(self.len) } else { self.bytes.get(char).copied().unwrap_or(self.len) }
    }
}
