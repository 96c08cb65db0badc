//! `runbook seal`: seals the record of a run that has ended, and signs it.

use std::path::{Path, PathBuf};

use runbook_language::{SourceFile, parse_project};
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::signing::{self, KeyError, SigningKey};
use runbook_runtime::{Engine, Sign};

use crate::context::Context;
use crate::failure::Failure;

/// Seals the record of a run that has ended, and signs it
///
/// An engine seals the record of its run when the run has ended, so this is for one that died just before, and for signing
/// later. A key named in `runbook.toml` (`[record]`, `sign = "FILE"`) signs each record when it is sealed.
///
/// The key is an Ed25519 key in a PKCS#8 PEM file that nobody but its owner may read. The signature, over the whole record,
/// is stored beside it as `record.<segment>.sig`; `runbook verify --key PUBLIC` checks it, and so does `openssl pkeyutl`.
/// `openssl genpkey -algorithm ed25519 -out key.pem` makes a key.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook seal last\n  runbook seal last --sign key.pem")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Sign the record with this secret key
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let folder = context.find_run(&args.run)?;
    let key = args.sign.as_deref().map(SigningKey::read).transpose()?;
    let mut engine = super::resume::open(folder)?;
    let id = engine.folder().id().clone();
    if engine.run().end().is_none() {
        return Err(Failure::new(
            ExitCode::Precondition,
            format!("run {id} has not ended: there is nothing to seal yet"),
        )
        .hint(format!("runbook resume {id}")));
    }
    match key {
        None => engine.seal(&*key_source(&engine))?,
        Some(key) => {
            engine.seal(&|| Ok(None))?;
            signing::sign(engine.folder(), &key)
                .map_err(|error| Failure::new(ExitCode::Internal, error).hint(format!("runbook verify {id}")))?;
        }
    }
    crate::output::note(format!("run {id} is sealed (`runbook verify {id}`)"));
    Ok(ExitCode::Succeeded)
}

/// Reads the key of the project that a run was started in, anew when its record is sealed.
pub(crate) fn key_source(engine: &Engine) -> Box<Sign> {
    let file = engine.run().created().and_then(|created| created.project_file.clone());
    Box::new(move || {
        let Some(file) = &file else { return Ok(None) };
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let project = parse_project(&SourceFile::new(file.to_owned(), text));
        let sign = project.map_err(|_| format!("{file} is not valid any more"))?.sign;
        key_of(Some(Path::new(file)), sign.as_deref()).map_err(|error| error.to_string())
    })
}

/// The key that a project file names, if it does; paths are relative to its folder.
pub(crate) fn key_of(project_file: Option<&Path>, sign: Option<&str>) -> Result<Option<SigningKey>, KeyError> {
    let folder = project_file.and_then(Path::parent).unwrap_or(Path::new("."));
    sign.map(|sign| SigningKey::read(&folder.join(sign))).transpose()
}
