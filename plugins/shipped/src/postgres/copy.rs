//! Dumps and restores, by PostgreSQL's own programs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ring::digest::{Context, SHA256};
use serde_json::json;

use super::Inputs;
use crate::program::run as started;
use crate::session::{Failed, Outcome, Session, object};

/// How long it may take where nothing bounds the step.
const COPY_MAX: Duration = Duration::from_secs(24 * 3600);

/// Writes the whole database to a file, which is there whole or not at all.
pub(super) fn dump(inputs: &Inputs, file: &str, session: &Session<'_>) -> Outcome {
    let path = Path::new(file);
    let failed = |error: io::Error| Failed::new(format!("cannot write {file}: {error}"));
    if path.exists() && !inputs.overwrite {
        return Err(Failed::new(format!("there is a {file} already: `overwrite: true` replaces it")));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // Readable by its owner alone: it holds all that the database holds.
    let part = tempfile::Builder::new().prefix(".dump-").tempfile_in(folder).map_err(failed)?;
    let mut command = Command::new("pg_dump");
    command.args(["--format=custom", "--no-password"]).arg("--file").arg(part.path());
    started(command.envs(inputs.environment()?), b"", COPY_MAX, session)?.success("`pg_dump`")?;
    let (bytes, sha256) = digest(part.path()).map_err(failed)?;
    part.as_file().sync_all().map_err(failed)?;
    part.persist(path).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    let full = fs::canonicalize(path).map_or_else(|_| file.to_owned(), |path| path.display().to_string());
    Ok(object(json!({"file": full, "bytes": bytes, "sha256": sha256})))
}

/// Brings what a dump holds into the database: all of it, or nothing.
pub(super) fn restore(inputs: &Inputs, file: &str, session: &Session<'_>) -> Outcome {
    let (bytes, sha256) =
        digest(Path::new(file)).map_err(|error| Failed::new(format!("cannot read {file}: {error}")))?;
    let mut command = Command::new("pg_restore");
    command.args(["--no-password", "--exit-on-error", "--single-transaction"]);
    command.arg(format!("--dbname={}", inputs.database));
    if inputs.clean {
        command.args(["--clean", "--if-exists"]);
    }
    // A path that begins with a dash is still a path.
    command.arg("--").arg(file);
    started(command.envs(inputs.environment()?), b"", COPY_MAX, session)?.success("`pg_restore`")?;
    Ok(object(json!({"file": file, "bytes": bytes, "sha256": sha256})))
}

/// How long a file is, and its digest.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut context, mut bytes, mut part) = (Context::new(&SHA256), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok((bytes, data_encoding::HEXLOWER.encode(context.finish().as_ref())));
        }
        context.update(&part[..read]);
        bytes += read as u64;
    }
}
