//! Lines as entries of the database: long ones in parts, because sled puts long values in files that it never syncs.

use crate::error::{Flaw, JournalError};

/// The longest value. Sixteen such, the most that sled keeps on one page, still are half of what it puts in a file.
pub(crate) const PART_BYTES: usize = 4096;

/// The longest line: as many parts as the number of a part can tell.
pub(crate) const LINE_MAX: usize = PART_BYTES * (u16::MAX as usize + 1);

/// The key of the entry that notes where the journal ends. It sorts behind all parts and has another length.
pub(crate) const HEAD_KEY: &[u8] = b"\xffhead";

/// The key of one part: it sorts by record, then by part.
pub(crate) fn key(seq: u64, part: u16) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&seq.to_be_bytes());
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}

/// The record and part that a key names.
fn parse_key(key: &[u8]) -> Option<(u64, u16)> {
    let (seq, part) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*seq), u16::from_be_bytes(part.try_into().ok()?)))
}

/// The parts of a line that is no longer than [`LINE_MAX`].
pub(crate) fn split(line: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    (0..=u16::MAX).zip(line.chunks(PART_BYTES))
}

/// Puts parts together to lines again.
#[derive(Default)]
pub(crate) struct Joiner {
    lines: Vec<Vec<u8>>,
    /// How many parts the last line has so far.
    parts: u32,
}

impl Joiner {
    /// Takes the next entry, in the order of the keys.
    pub(crate) fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        let next = self.lines.len() as u64;
        let Some((seq, part)) = parse_key(key) else {
            return Err(JournalError::Broken { seq: next.saturating_sub(1), flaw: Flaw::Foreign });
        };
        if let (Some(line), true) = (self.lines.last_mut(), seq + 1 == next) {
            if u32::from(part) != self.parts {
                // Keys are unique and sorted, so a part that does not fit leaves one out, whose number fits.
                let part = u16::try_from(self.parts).unwrap_or(u16::MAX);
                return Err(JournalError::Broken { seq, flaw: Flaw::Part { part } });
            }
            line.extend_from_slice(value);
            self.parts += 1;
            return Ok(());
        }
        if seq != next {
            return Err(JournalError::Broken { seq: next, flaw: Flaw::Gap { found: seq } });
        }
        if part != 0 {
            return Err(JournalError::Broken { seq, flaw: Flaw::Part { part: 0 } });
        }
        self.lines.push(value.to_vec());
        self.parts = 1;
        Ok(())
    }

    /// The lines, the first record's first.
    pub(crate) fn finish(self) -> Vec<Vec<u8>> {
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(lines: &[Vec<u8>]) -> Vec<([u8; 10], Vec<u8>)> {
        let parts =
            (0u64..).zip(lines).flat_map(|(seq, line)| split(line).map(move |(part, value)| (seq, part, value)));
        parts.map(|(seq, part, value)| (key(seq, part), value.to_vec())).collect()
    }

    fn join(entries: &[([u8; 10], Vec<u8>)]) -> Result<Vec<Vec<u8>>, (u64, Flaw)> {
        let mut joiner = Joiner::default();
        for (key, value) in entries {
            match joiner.take(key, value) {
                Ok(()) => {}
                Err(JournalError::Broken { seq, flaw }) => return Err((seq, flaw)),
                Err(other) => panic!("{other:?}"),
            }
        }
        Ok(joiner.finish())
    }

    #[test]
    fn lines_of_any_length_come_back() {
        let sizes =
            [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, 3 * PART_BYTES + 1, 300 * PART_BYTES];
        let lines: Vec<_> = sizes.iter().zip(0u8..).map(|(size, byte)| vec![byte; *size]).collect();
        let entries = entries(&lines);
        assert_eq!(entries.len(), 1 + 1 + 1 + 2 + 3 + 4 + 300);
        assert!(entries.iter().all(|(_, value)| value.len() <= PART_BYTES && !value.is_empty()));
        assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "the order of the keys is that of the parts");
        assert!(entries.iter().all(|(key, _)| key.as_slice() < HEAD_KEY));
        assert_eq!(join(&entries), Ok(lines));
    }

    #[test]
    fn the_longest_line_uses_every_part() {
        let line = vec![7; LINE_MAX];
        assert_eq!(split(&line).map(|(_, value)| value.len()).sum::<usize>(), LINE_MAX);
        assert_eq!(split(&line).last().map(|(part, _)| part), Some(u16::MAX));
    }

    #[test]
    fn what_is_missing_is_named() {
        let all = entries(&[vec![1; 3 * PART_BYTES], vec![2; 10], vec![3; 10]]);
        let without = |at: usize| {
            let mut some = all.clone();
            some.remove(at);
            join(&some)
        };
        assert_eq!(without(0), Err((0, Flaw::Part { part: 0 })));
        assert_eq!(without(1), Err((0, Flaw::Part { part: 1 })));
        assert_eq!(without(2).map(|lines| lines[0].len()), Ok(2 * PART_BYTES), "a missing end is for the hash to find");
        assert_eq!(without(3), Err((1, Flaw::Gap { found: 2 })));
        assert!(matches!(Joiner::default().take(b"other", b""), Err(JournalError::Broken { flaw: Flaw::Foreign, .. })));
    }
}
