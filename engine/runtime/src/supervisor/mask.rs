//! Masks secrets in output, also when one is split over many writes.
//!
//! What is masked: each value (without white space at its ends), each longer line of a value of several lines, and the forms a
//! program is likely to print it in: base64 (alone, inside something longer, and wrapped into lines), hexadecimal, as in a URL,
//! as in a string of JSON, a shell, Python or XML. Values under [`MASK_MIN_BYTES`] bytes are not masked: they occur everywhere, and
//! stars in all those places would give them away. Whoever takes in secrets should refuse such a value.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use serde_json::Value;

use super::forms::add_forms;
use super::protocol::Secret;

/// Shortest value that is masked, in bytes.
pub const MASK_MIN_BYTES: usize = 4;
/// Most bytes in all patterns for which the quickest kind of automaton is made: it takes some milliseconds and megabytes.
const QUICK_MAX: usize = 4 * 1024;
/// What stands in the place of a secret.
const STARS: &[u8] = b"***";

/// The secrets are too large to be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secrets are too large to be masked")]
pub struct MaskError;

/// Knows a set of secrets in all their forms.
pub struct Masker {
    automaton: AhoCorasick,
    /// Sorted, so that all patterns with a common beginning stand together.
    patterns: Vec<Vec<u8>>,
    /// Which bytes begin a pattern.
    first: [bool; 256],
    longest: usize,
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masker").field("patterns", &self.patterns.len()).finish_non_exhaustive()
    }
}

impl Masker {
    /// Prepares to mask these secrets.
    ///
    /// # Errors
    /// When they are so large that no automaton for them can be built (gigabytes).
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Result<Self, MaskError> {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            add_forms(secret.expose().trim(), &mut forms);
        }
        let patterns: Vec<Vec<u8>> = forms.into_iter().collect();
        let mut first = [false; 256];
        for byte in patterns.iter().filter_map(|pattern| pattern.first()) {
            first[usize::from(*byte)] = true;
        }
        let mut automaton = AhoCorasick::builder();
        let automaton = automaton.match_kind(MatchKind::LeftmostLongest);
        // The quickest kind takes most memory: it is for the few secrets that a run usually has.
        let is_small = patterns.iter().map(Vec::len).sum::<usize>() <= QUICK_MAX;
        let automaton = automaton.kind(is_small.then_some(AhoCorasickKind::DFA)).build(&patterns);
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Self { automaton: automaton.map_err(|_| MaskError)?, patterns, first, longest })
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The text with every secret in it replaced by `***`.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        let mut state = Edge::default();
        self.advance(text.as_bytes(), text.len(), &mut state, &mut out);
        // A secret is whole characters, so what is cut out leaves whole characters.
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The value with every secret in its texts and keys replaced by `***`.
    #[must_use]
    pub fn mask_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.mask(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.mask_value(item)).collect(),
            Value::Object(entries) => {
                entries.into_iter().map(|(key, value)| (self.mask(&key), self.mask_value(value))).collect()
            }
            Value::Number(number) => match self.mask(&number.to_string()) {
                masked if masked == number.to_string() => Value::Number(number),
                masked => Value::String(masked),
            },
            other => other,
        }
    }

    /// Writes `text[..hold]` masked, going on from `edge`. All patterns that begin before `hold` must be complete in `text`.
    fn advance(&self, text: &[u8], hold: usize, edge: &mut Edge, out: &mut Vec<u8>) {
        let mut from = 0;
        while let Some(found) = self.automaton.find(Input::new(text).range(from..)) {
            if found.start() >= hold {
                break;
            }
            let end = self.extent(text, found.start(), found.end());
            if end > edge.written {
                if found.start() > edge.written {
                    out.extend_from_slice(&text[edge.written..found.start()]);
                }
                if found.start() >= edge.masked {
                    out.extend_from_slice(STARS);
                }
                *edge = Edge { written: end, masked: end };
            }
            from = end;
        }
        if hold > edge.written {
            out.extend_from_slice(&text[edge.written..hold]);
            edge.written = hold;
        }
    }

    /// The places of the secrets in `text` that begin before `hold`, in order; none overlaps another.
    pub(super) fn places(&self, text: &[u8], hold: usize) -> Vec<Range<usize>> {
        let (mut places, mut from) = (vec![], 0);
        while let Some(found) = self.automaton.find(Input::new(text).range(from..)) {
            if found.start() >= hold {
                break;
            }
            from = self.extent(text, found.start(), found.end());
            places.push(found.start()..from);
        }
        places
    }

    /// Length of the longest pattern, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Where the secrets end that begin inside a found one, so that no end of an overlapping one is left to be read.
    fn extent(&self, text: &[u8], start: usize, mut end: usize) -> usize {
        let mut at = start + 1;
        while at < end {
            end = end.max(at + self.longest_at(&text[at..]));
            at += 1;
        }
        end
    }

    /// Length of the longest pattern at the beginning of `text`, 0 for none.
    fn longest_at(&self, text: &[u8]) -> usize {
        if !text.first().is_some_and(|byte| self.first[usize::from(*byte)]) {
            return 0;
        }
        let (mut same, mut longest) = (self.patterns.as_slice(), 0);
        for (at, byte) in text.iter().enumerate() {
            // All that begin with `text[..at]` stand together, the one that is no longer than that first.
            let key = |pattern: &Vec<u8>| pattern.get(at).copied();
            let begin = same.partition_point(|pattern| key(pattern) < Some(*byte));
            let end = same.partition_point(|pattern| key(pattern) <= Some(*byte));
            same = &same[begin..end];
            match same.first() {
                None => break,
                Some(first) if first.len() == at + 1 => longest = at + 1,
                Some(_) => {}
            }
        }
        longest
    }

    /// Where the part of `text` begins that could be the beginning of a secret whose rest is still to come.
    fn hold_from(&self, text: &[u8]) -> usize {
        let begin = (text.len() + 1).saturating_sub(self.longest);
        (begin..text.len()).find(|&at| self.is_beginning(&text[at..])).unwrap_or(text.len())
    }

    fn is_beginning(&self, part: &[u8]) -> bool {
        if !self.first[usize::from(part[0])] {
            return false;
        }
        let at = self.patterns.partition_point(|pattern| pattern.as_slice() <= part);
        self.patterns.get(at).is_some_and(|pattern| pattern.starts_with(part))
    }
}

/// How far a text has been dealt with.
#[derive(Debug, Clone, Copy, Default)]
struct Edge {
    /// Bytes of the text whose masked form has been written.
    written: usize,
    /// Up to here, the last thing written stands for a secret.
    masked: usize,
}

/// Masks a stream that comes in pieces. Without `Debug`: it holds parts of secrets.
pub(super) struct MaskStream {
    masker: Arc<Masker>,
    /// The end of what came in: the beginning of what may become a secret. Shorter than the longest pattern.
    carry: Vec<u8>,
    /// How much of `carry` has been written already.
    edge: Edge,
}

impl MaskStream {
    pub(super) fn new(masker: Arc<Masker>) -> Self {
        Self { masker, carry: Vec::new(), edge: Edge::default() }
    }

    /// Takes the next piece and writes what is certain to `out`.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.carry.extend_from_slice(piece);
        let hold = self.masker.hold_from(&self.carry);
        self.masker.advance(&self.carry, hold, &mut self.edge, out);
        self.carry.drain(..hold);
        let Edge { written, masked } = self.edge;
        self.edge = Edge { written: written - hold, masked: masked.saturating_sub(hold) };
    }

    /// Writes what is held back, because nothing more is expected for now. More may come all the same.
    ///
    /// What is held back is the beginning of a secret: from [`MASK_MIN_BYTES`] bytes on it is masked too.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        let held = self.carry.len();
        if self.edge.written >= held {
            return;
        }
        if held < MASK_MIN_BYTES {
            out.extend_from_slice(&self.carry[self.edge.written..]);
            self.edge.written = held;
            return;
        }
        if self.edge.masked == 0 {
            out.extend_from_slice(STARS);
        }
        self.edge = Edge { written: held, masked: held };
    }
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
