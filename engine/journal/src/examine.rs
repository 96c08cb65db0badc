//! Reading a record as somebody who trusts nothing in it: all that is wrong, line by line, instead of the first thing.
//!
//! After a line that does not fit, the next one is compared with what was found, not with what was expected, so that each
//! alteration is told where it is, and once.

use runbook_core::event::Event;
use runbook_core::run::Run;
use runbook_core::units::Digest;
use runbook_core::{canonical, hex};
use serde_json::Value;
use sha2::Digest as _;

use crate::finding::{Finding, Wrong};
use crate::line::{Chain, Line, Link, digest_of_bytes, is_canonical};
use crate::seal::{self, Seal};

/// What a record turned out to be.
#[derive(Debug)]
pub struct Examined {
    /// All that is wrong, in the order of the lines. Nothing when the record is sealed and as it was written.
    pub findings: Vec<Finding>,
    /// How many lines there are, seals included.
    pub lines: u64,
    /// How many lines there are up to each seal, the seal included.
    pub seals: Vec<u64>,
    /// The hash of the last line: whoever keeps it elsewhere can tell later that nothing was exchanged.
    pub head: Digest,
    /// The run as far as the events could be applied.
    pub run: Run,
}

/// Examines the bytes of a record: form, order, chain, seals, the digest of the plan, and whether a run can have gone so.
pub fn examine(bytes: &[u8]) -> Examined {
    let mut examiner = Examiner::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (line, after) = rest.iter().position(|byte| *byte == b'\n').map_or((rest, None), |end| {
            let (line, after) = rest.split_at(end);
            (line, Some(&after[1..]))
        });
        examiner.line(line);
        if after.is_none() {
            examiner.tell(Wrong::Cut);
        }
        rest = after.unwrap_or_default();
    }
    examiner.finish()
}

struct Examiner {
    found: Examined,
    /// The number that the next line should have.
    next: u64,
    /// The hash of the line before; none when that line is no help.
    before: Option<Digest>,
    /// Whether events can still be applied: not after one that is missing or illegal.
    replays: bool,
    plan: Option<Digest>,
    segment: u32,
    segment_lines: u64,
    ends_sealed: bool,
}

impl Examiner {
    fn new() -> Self {
        let Chain { next, head } = Chain::start();
        Self {
            found: Examined { findings: vec![], lines: 0, seals: vec![], head: head.clone(), run: Run::default() },
            next,
            before: Some(head),
            replays: true,
            plan: None,
            segment: 1,
            segment_lines: 0,
            ends_sealed: false,
        }
    }

    /// Tells what is wrong with the present line.
    fn tell(&mut self, wrong: Wrong) {
        self.tell_of(self.found.lines, wrong);
    }

    fn tell_of(&mut self, line: u64, wrong: Wrong) {
        self.found.findings.push(Finding { line, wrong });
    }

    fn line(&mut self, line: &[u8]) {
        self.found.lines += 1;
        self.ends_sealed = false;
        self.found.head = digest_of_bytes(line);
        let parsed = serde_json::from_slice::<Value>(line).and_then(|value| Ok((value, serde_json::from_slice(line)?)));
        let (value, link): (Value, Link) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                self.tell(Wrong::Unreadable(error.to_string()));
                // What its number and its hash were, nobody knows.
                (self.before, self.replays) = (None, false);
                self.next = self.next.saturating_add(1);
                self.segment_lines += 1;
                return;
            }
        };
        if !is_canonical(line, &value) {
            self.tell(Wrong::Form);
        }
        self.link(&link);
        match serde_json::from_value::<Line>(value.clone()) {
            Ok(Line { event: Some(event), seal: None, digest: None, at, .. }) => {
                self.segment_lines += 1;
                self.event(&event, &value, at);
            }
            Ok(Line { event: None, seal: Some(seal), digest: Some(digest), .. }) => self.seal(line, &seal, &digest),
            Ok(_) => self.unknown("it holds neither one event nor one seal".to_owned()),
            Err(error) => self.unknown(error.to_string()),
        }
    }

    /// A line in its place, of which nobody knows what it says.
    fn unknown(&mut self, why: String) {
        self.tell(Wrong::Unreadable(why));
        self.segment_lines += 1;
        self.replays = false;
    }

    /// Checks that the line follows the one before.
    fn link(&mut self, link: &Link) {
        if link.seq != self.next {
            self.tell(Wrong::Order { expected: self.next, found: link.seq });
            self.replays = false;
        } else if let Some(actual) = self.before.take().filter(|before| *before != link.prev) {
            let (next, carried) = (self.found.lines, link.prev.clone());
            match next - 1 {
                0 => self.tell(Wrong::First),
                line => self.tell_of(line, Wrong::Chain { next, carried, actual }),
            }
        }
        self.next = link.seq.saturating_add(1);
        self.before = Some(self.found.head.clone());
    }

    fn event(&mut self, event: &Event, value: &Value, at: runbook_core::units::Timestamp) {
        if let Event::RunCreated(created) = event {
            let actual = Digest::new(hex(&sha2::Sha256::digest(canonical(&value["event"]["plan"]).as_bytes())));
            if actual != created.plan_digest {
                self.tell(Wrong::Plan { says: created.plan_digest.clone(), actual });
            }
            self.plan = Some(created.plan_digest.clone());
        }
        if !self.replays {
            return;
        }
        if let Err(error) = self.found.run.apply(event, at) {
            self.tell(Wrong::Illegal(error.to_string()));
            self.replays = false;
        }
    }

    fn seal(&mut self, line: &[u8], seal: &Seal, digest: &Digest) {
        let mut wrong = vec![];
        if let Err(flaw) = seal::check_digest(line, digest) {
            wrong.push(flaw.to_string());
        }
        if seal.segment != self.segment {
            wrong.push(format!("it is the seal of segment {}, in the place of that of {}", seal.segment, self.segment));
        }
        if seal.lines != self.segment_lines {
            wrong.push(format!("its segment has {} lines, and it says {}", self.segment_lines, seal.lines));
        }
        if self.plan.as_ref().is_some_and(|plan| *plan != seal.plan) {
            wrong.push(format!("it is of a run with the plan {}", seal.plan));
        }
        if self.replays && self.found.run.end().is_none() {
            wrong.push("the run had not ended".to_owned());
        }
        for wrong in wrong {
            self.tell(Wrong::Seal(wrong));
        }
        (self.segment, self.segment_lines) = (seal.segment.saturating_add(1), 0);
        self.found.seals.push(self.found.lines);
        self.ends_sealed = true;
    }

    fn finish(mut self) -> Examined {
        if !self.ends_sealed {
            let has_ended = self.replays && self.found.run.end().is_some();
            self.tell_of(self.found.lines.max(1), Wrong::Unsealed { has_ended });
        }
        self.found.findings.sort_by_key(|finding| finding.line);
        self.found
    }
}
