//! One record as one line of JSON, and the chain of hashes through the lines.

use std::io::Write as _;

use runbook_core::event::Event;
use runbook_core::units::{Digest, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use sha2::Digest as _;

use crate::error::{Flaw, JournalError};
use crate::seal::{self, Seal};
use crate::{Record, parts};

/// How deep an event may be nested. `serde_json` reads 127 levels, of which the line itself takes one.
const DEPTH_MAX: usize = 120;

/// What the first record carries as the hash of the one before: 64 zeros.
pub fn first_prev() -> Digest {
    Digest::new("0".repeat(64))
}

/// Reads lines that were stored or exported, and checks that they are a whole journal from the first record on.
///
/// That the last lines were cut off cannot be seen from lines alone: compare the last hash with one kept elsewhere.
///
/// # Errors
/// [`JournalError::Broken`] names the first line that does not fit.
pub fn verify<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Result<Vec<Record>, JournalError> {
    Ok(Lines::read(lines)?.records)
}

/// Lines that were read and checked, from the first on.
pub(crate) struct Lines {
    /// Those that hold events.
    pub(crate) records: Vec<Record>,
    /// The hash of each line.
    pub(crate) hashes: Vec<Digest>,
    /// The last seal, when it is the last line.
    pub(crate) seal: Option<Seal>,
    /// The end.
    pub(crate) chain: Chain,
}

impl Lines {
    /// Reads lines, each of which must follow the one before.
    pub(crate) fn read<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Result<Self, JournalError> {
        let mut read = Self { records: vec![], hashes: vec![], seal: None, chain: Chain::start() };
        for line in lines {
            read.seal = match read.chain.follow(line.as_ref())? {
                Entry::Event(record) => {
                    read.records.push(*record);
                    None
                }
                Entry::Seal(seal) => Some(seal),
            };
            read.hashes.push(read.chain.head.clone());
        }
        Ok(read)
    }
}

/// What one line holds.
pub(crate) enum Entry {
    /// An event.
    Event(Box<Record>),
    /// The end of a segment.
    Seal(Seal),
}

/// The end of a journal, where the next record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The number of the next record.
    pub(crate) next: u64,
    /// The hash of the last record.
    pub(crate) head: Digest,
}

/// A record with the bytes to store.
pub(crate) struct Sealed {
    pub(crate) line: Vec<u8>,
    pub(crate) record: Record,
}

/// A line as it is read. The words are those that [`write_line`] writes.
#[derive(Deserialize)]
pub(crate) struct Line {
    seq: u64,
    pub(crate) at: Timestamp,
    prev: Digest,
    pub(crate) event: Option<Event>,
    pub(crate) seal: Option<Seal>,
    pub(crate) digest: Option<Digest>,
}

/// The part of a line that ties it to the one before.
#[derive(Deserialize)]
pub(crate) struct Link {
    pub(crate) seq: u64,
    pub(crate) prev: Digest,
    seal: Option<IgnoredAny>,
}

impl Chain {
    /// Of a journal without records.
    pub(crate) fn start() -> Self {
        Self { next: 0, head: first_prev() }
    }

    /// Checks that an append starts here.
    pub(crate) fn expect(&self, expected: u64) -> Result<(), JournalError> {
        if expected == self.next { Ok(()) } else { Err(JournalError::Conflict { expected, actual: self.next }) }
    }

    /// Makes records of events, and moves behind them.
    pub(crate) fn seal(&mut self, at: Timestamp, events: &[Event]) -> Result<Vec<Sealed>, JournalError> {
        events.iter().map(|event| self.seal_one(at, event)).collect()
    }

    fn seal_one(&mut self, at: Timestamp, event: &Event) -> Result<Sealed, JournalError> {
        let line = write_line(self.next, at, &self.head, event)?;
        if line.len() > parts::LINE_MAX {
            return Err(JournalError::TooLong { seq: self.next, bytes: line.len(), limit: parts::LINE_MAX });
        }
        let hash = digest_of_bytes(&line);
        let prev = std::mem::replace(&mut self.head, hash.clone());
        let record = Record { seq: self.next, at, prev, hash, event: event.clone() };
        self.next += 1;
        Ok(Sealed { line, record })
    }

    /// Reads the next line, checks that it goes here, and moves behind it.
    pub(crate) fn follow(&mut self, line: &[u8]) -> Result<Entry, JournalError> {
        let broken = |flaw| JournalError::Broken { seq: self.next, flaw };
        let read: Line = serde_json::from_slice(line).map_err(|error| broken(Flaw::Unreadable(error.to_string())))?;
        self.check_link(read.seq, &read.prev)?;
        let hash = digest_of_bytes(line);
        let entry = match (read.event, read.seal, read.digest) {
            (Some(event), None, None) => Entry::Event(Box::new(Record {
                seq: read.seq,
                at: read.at,
                prev: read.prev,
                hash: hash.clone(),
                event,
            })),
            (None, Some(seal), Some(digest)) => {
                seal::check_digest(line, &digest).map_err(broken)?;
                Entry::Seal(seal)
            }
            _ => return Err(broken(Flaw::Unreadable("it holds neither one event nor one seal".to_owned()))),
        };
        self.head = hash;
        self.next += 1;
        Ok(entry)
    }

    /// Checks that a line that was written before goes here, without a look at what it says, and moves behind it.
    /// Whether it is a seal.
    pub(crate) fn pass(&mut self, line: &[u8]) -> Result<bool, JournalError> {
        let unreadable = |error: serde_json::Error| Flaw::Unreadable(error.to_string());
        let link: Link = serde_json::from_slice(line)
            .map_err(|error| JournalError::Broken { seq: self.next, flaw: unreadable(error) })?;
        self.check_link(link.seq, &link.prev)?;
        self.head = digest_of_bytes(line);
        self.next += 1;
        Ok(link.seal.is_some())
    }

    fn check_link(&self, seq: u64, prev: &Digest) -> Result<(), JournalError> {
        let broken = |flaw| Err(JournalError::Broken { seq: self.next, flaw });
        if seq != self.next {
            return broken(Flaw::Sequence { found: seq });
        }
        if *prev != self.head {
            return broken(Flaw::Chain { carried: prev.clone(), actual: self.head.clone() });
        }
        Ok(())
    }
}

/// The SHA-256 of bytes.
pub(crate) fn digest_of_bytes(bytes: &[u8]) -> Digest {
    Digest::new(runbook_core::hex(&sha2::Sha256::digest(bytes)))
}

/// The line of one record. The same record gives the same bytes wherever and however this is built.
fn write_line(seq: u64, at: Timestamp, prev: &Digest, event: &Event) -> Result<Vec<u8>, JournalError> {
    let encode = |source| JournalError::Encode { seq, source };
    let value = serde_json::to_value(event).map_err(encode)?;
    let mut line = Vec::with_capacity(512);
    write!(line, r#"{{"seq":{seq},"at":{},"prev":"{prev}","event":"#, at.0)
        .map_err(|error| encode(serde_json::Error::io(error)))?;
    if !write_sorted(&value, DEPTH_MAX, &mut line).map_err(encode)? {
        return Err(JournalError::TooDeep { seq, limit: DEPTH_MAX });
    }
    line.push(b'}');
    Ok(line)
}

/// Whether a line has just the bytes that would be written for what it says. A new engine may say more than it knows of an
/// old line, and less than a newer one has written, so the value counts and not what it means.
pub(crate) fn is_canonical(line: &[u8], value: &Value) -> bool {
    const KINDS: [&[&str]; 2] = [&["seq", "at", "prev", "event"], &["seq", "at", "prev", "seal", "digest"]];
    let Some(fields) = value.as_object() else { return false };
    let keys = KINDS.iter().find(|keys| keys.len() == fields.len() && keys.iter().all(|key| fields.contains_key(*key)));
    let mut written = Vec::with_capacity(line.len());
    for (at, key) in keys.into_iter().copied().flatten().enumerate() {
        written.extend_from_slice(format!("{}\"{key}\":", if at == 0 { '{' } else { ',' }).as_bytes());
        if !matches!(write_sorted(&value[key], DEPTH_MAX, &mut written), Ok(true)) {
            return false;
        }
    }
    written.push(b'}');
    written == line
}

/// Writes a value with the keys of its objects sorted, whatever features `serde_json` is built with.
///
/// Returns false when the value is nested deeper than `levels`.
fn write_sorted(value: &Value, levels: usize, out: &mut Vec<u8>) -> serde_json::Result<bool> {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => return Ok(false),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                if !write_sorted(item, levels - 1, out)? {
                    return Ok(false);
                }
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (at, (key, item)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                if !write_sorted(item, levels - 1, out)? {
                    return Ok(false);
                }
            }
            out.push(b'}');
        }
        scalar => serde_json::to_writer(out, scalar)?,
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use runbook_core::units::StepId;
    use serde_json::json;

    use super::*;

    fn skipped(step: &str) -> Event {
        Event::StepUndone { step: StepId::from(step) }
    }

    fn handing_on(value: Value) -> Event {
        Event::StepSucceeded { step: "a".into(), outputs: [("out".to_owned(), value)].into(), already_done: false }
    }

    fn sealed(event: &Event) -> Result<Sealed, JournalError> {
        Chain::start().seal_one(Timestamp(7), event)
    }

    #[test]
    fn a_line_has_these_bytes_and_this_hash() {
        let sealed = sealed(&skipped("a")).unwrap();
        let zeros = "0".repeat(64);
        let line = format!(r#"{{"seq":0,"at":7,"prev":"{zeros}","event":{{"step":"a","type":"step_undone"}}}}"#);
        assert_eq!(String::from_utf8(sealed.line).unwrap(), line);
        // From `printf '%s' LINE | sha256sum`, so that the format is checked against another program.
        assert_eq!(sealed.record.hash.as_str(), "f8b0286490d429452d2076ed6770a493e87c770e76b4893ac030443aa5833c06");
    }

    #[test]
    fn keys_are_sorted_at_every_level() {
        let mut out = vec![];
        let value = json!({"b": {"z": 1, "a": [{"y": null, "x": "\u{e9}\n"}]}, "a": true});
        assert!(write_sorted(&value, DEPTH_MAX, &mut out).unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":true,"b":{"a":[{"x":"é\n","y":null}],"z":1}}"#);
    }

    #[test]
    fn numbers_come_back_as_they_were() {
        let edges = [json!(1.0), json!(-0.0), json!(5e-324), json!(f64::MAX), json!(u64::MAX), json!(i64::MIN)];
        // A reader that is off by the last bit is off for a few in a hundred of these.
        let roots = (1..500).map(|number| json!(f64::from(number).sqrt().exp() * 1e-30));
        for value in edges.into_iter().chain(roots) {
            let event = handing_on(value);
            let line = sealed(&event).unwrap().line;
            let read = verify([&line]).unwrap();
            assert_eq!(read[0].event, event);
            assert_eq!(sealed(&read[0].event).unwrap().line, line, "written again, it is the same");
        }
    }

    #[test]
    fn what_is_too_deep_to_be_read_is_not_written() {
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        // The event and its `outputs` are two levels themselves.
        let deepest = handing_on(nested(DEPTH_MAX - 2));
        assert_eq!(verify([sealed(&deepest).unwrap().line]).unwrap()[0].event, deepest);
        assert!(matches!(sealed(&handing_on(nested(DEPTH_MAX - 1))), Err(JournalError::TooDeep { seq: 0, .. })));
    }

    #[test]
    fn an_altered_line_is_named() {
        let events = [skipped("a"), skipped("b"), skipped("c")];
        let lines: Vec<_> = Chain::start().seal(Timestamp(7), &events).unwrap().into_iter().map(|s| s.line).collect();
        assert_eq!(verify(&lines).unwrap().into_iter().map(|r| r.event).collect::<Vec<_>>(), events);

        let flaw_of = |lines: Vec<Vec<u8>>| match verify(&lines) {
            Err(JournalError::Broken { seq, flaw }) => (seq, flaw),
            other => panic!("{other:?}"),
        };
        let replaced = |at: usize, from: &str, to: &str| {
            let mut lines = lines.clone();
            lines[at] = String::from_utf8(lines[at].clone()).unwrap().replace(from, to).into_bytes();
            lines
        };
        assert!(matches!(flaw_of(replaced(1, r#""b""#, r#""x""#)), (2, Flaw::Chain { .. })));
        assert!(matches!(flaw_of(replaced(1, r#""at":7"#, r#""at":8"#)), (2, Flaw::Chain { .. })));
        assert_eq!(flaw_of(replaced(1, r#""seq":1"#, r#""seq":4"#)), (1, Flaw::Sequence { found: 4 }));
        assert!(matches!(flaw_of(replaced(1, "step_undone", "step_unknown")), (1, Flaw::Unreadable(_))));
        assert!(matches!(flaw_of(replaced(0, "0000", "0001")), (0, Flaw::Chain { .. })));
        assert_eq!(flaw_of(vec![lines[0].clone(), lines[2].clone()]), (1, Flaw::Sequence { found: 2 }));
    }
}
