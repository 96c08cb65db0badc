//! Tokens nobody can guess, and what is kept of them.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::error::Error;

/// A new bearer secret: `prefix` and 32 random bytes in hex.
pub(crate) fn random_token(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
    Ok(format!("{prefix}{}", hex(&bytes)))
}

/// A random UUID (version 4).
pub(crate) fn random_uuid() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]];
    Ok(parts.map(hex).join("-"))
}

/// The digest of `bytes` in hex. Databases keep this instead of a secret.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether `given` is `expected`. Digests are compared, so that timing says nothing about the secret.
pub(crate) fn same(given: &str, expected: &str) -> bool {
    sha256(given.as_bytes()) == sha256(expected.as_bytes())
}
