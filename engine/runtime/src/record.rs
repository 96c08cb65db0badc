//! The record of a run as lines of text: what is verified, signed and handed on.

use runbook_journal::RECORD;

use crate::engine::EngineError;
use crate::folder::RunFolder;

/// The record of a run, byte for byte; of one that is not sealed, what its journal has so far, in the same form.
///
/// # Errors
/// When an engine has the run, so that there is no record yet; when the journal is damaged.
pub fn read(folder: &RunFolder) -> Result<Vec<u8>, EngineError> {
    // As it lies there, also when it is damaged: to find out how is what it is read for.
    if runbook_journal::is_sealed(folder.path()) {
        return Ok(std::fs::read(folder.path().join(RECORD))?);
    }
    let _lock = folder.lock()?;
    let mut bytes = vec![];
    for line in runbook_journal::lines(folder.path())? {
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
    }
    Ok(bytes)
}
