//! The seal: the line that closes a segment of a record. It is a link of the chain like any other, and vouches for itself
//! too, since no line follows the last one.
//!
//! ```text
//! {"seq":9,"at":…,"prev":"<hash of line 8>","seal":{"engine":"…","lines":9,"plan":"…","segment":1},"digest":"…"}
//! ```
//!
//! `digest` is the SHA-256 of the line as it would be without it.

use runbook_core::units::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Flaw, JournalError};
use crate::line::{Chain, digest_of_bytes};

/// What a seal says. The fields are in the order of their names, as everything in a record is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The version of the engine that sealed.
    pub engine: String,
    /// How many lines the segment has, without the seal.
    pub lines: u64,
    /// The digest of the run's plan.
    pub plan: Digest,
    /// Which segment of the record ends here, counted from 1.
    pub segment: u32,
}

/// Between the seal and the digest of its line.
const DIGEST: &str = r#","digest":""#;

/// Writes a seal to the end of a chain, and moves behind it.
pub(crate) fn write(chain: &mut Chain, at: Timestamp, seal: &Seal) -> Result<Vec<u8>, JournalError> {
    let text = serde_json::to_string(seal).map_err(|source| JournalError::Encode { seq: chain.next, source })?;
    let body = format!(r#"{{"seq":{},"at":{},"prev":"{}","seal":{text}"#, chain.next, at.0, chain.head);
    let digest = digest_of_bytes(format!("{body}}}").as_bytes());
    let line = format!("{body}{DIGEST}{digest}\"}}").into_bytes();
    chain.head = digest_of_bytes(&line);
    chain.next += 1;
    Ok(line)
}

/// Checks that a line that holds a seal vouches for itself.
pub(crate) fn check_digest(line: &[u8], digest: &Digest) -> Result<(), Flaw> {
    let tail = format!("{DIGEST}{digest}\"}}");
    let body = line.strip_suffix(tail.as_bytes()).ok_or(Flaw::Seal("its digest is not at its end".to_owned()))?;
    let actual = digest_of_bytes(&[body, b"}"].concat());
    if actual == *digest {
        return Ok(());
    }
    Err(Flaw::Seal(format!("it has the digest {actual}, and says {digest}: it was altered")))
}
