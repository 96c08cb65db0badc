//! What is checked before a run exists: that nothing is begun which is known not to get far.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use runbook_core::event::Created;
use runbook_core::rendered::RenderedSource;
use runbook_language::exported_name;
use rustix::fs::Access;

use super::command::VARIABLE_MAX;
use super::{Engine, EngineError, needed, params};
use crate::folder::{RunFolder, StateFolder};
use crate::locks::{self, InUse};
use crate::secrets::Secrets;

impl Engine {
    /// Checks all that keeps a run from being created, and makes nothing.
    ///
    /// # Errors
    /// As [`Engine::create`].
    pub fn check(state: &StateFolder, created: &Created) -> Result<(), EngineError> {
        checked(state, created).map(drop)
    }
}

/// Checks all that keeps a run from being created. The secrets come back, which remember what programs printed: these are
/// not run again for the start.
pub(super) fn checked(state: &StateFolder, created: &Created) -> Result<Secrets, EngineError> {
    check_locks(created)?;
    let secrets = Secrets::of(created);
    check(&state.run(&created.run), created, &secrets).map_err(EngineError::Precondition)?;
    check_place(state).map_err(|reason| EngineError::Precondition(vec![reason]))?;
    Ok(secrets)
}

/// Checks all that can be known before the first event: each reason is a sentence.
pub(super) fn check(folder: &RunFolder, created: &Created, secrets: &Secrets) -> Result<(), Vec<String>> {
    let mut reasons: Vec<String> = check_path(folder).err().into_iter().collect();
    reasons.extend(unfit_variables(created));
    reasons.extend(missing(folder, created, secrets));
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// The secrets that cannot be had. Those who ask may be within a runtime of their own, so this one gets a thread.
fn missing(folder: &RunFolder, created: &Created, secrets: &Secrets) -> Vec<String> {
    let look = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| vec![format!("secrets cannot be looked for: {error}")]);
        runtime.map(|it| it.block_on(needed::missing_at_start(created, folder, secrets)))
    };
    let looked = std::thread::scope(|scope| scope.spawn(look).join());
    match looked {
        Ok(Ok(missing) | Err(missing)) => missing,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A run that would not wait for its locks does not begin where somebody holds one.
pub(super) fn check_locks(created: &Created) -> Result<(), EngineError> {
    let asked = created.locks.iter().filter(|wish| wish.wait_ms == 0).map(|wish| wish.name.clone());
    let asked: Vec<String> = asked.collect();
    // A child run has a record in any case: it says there that it did not begin.
    if created.locks.is_empty() || created.parent.is_some() {
        return Ok(());
    }
    let unusable = |error: std::io::Error| EngineError::Precondition(vec![error.to_string()]);
    match locks::first_in_use(Path::new(&created.locks_dir), &asked).map_err(unusable)? {
        None => Ok(()),
        Some(InUse { name, holder }) => Err(EngineError::Locked { name, holder: holder.map(Box::new) }),
    }
}

/// Scripts find the running program by the run's own folder on PATH, where a colon would end its name.
pub(super) fn check_path(folder: &RunFolder) -> Result<(), String> {
    if !folder.path().as_os_str().as_bytes().contains(&b':') {
        return Ok(());
    }
    let path = folder.path().display();
    Err(format!(
        "the folder of the run, {path}, has a `:` in its name, which PATH cannot hold: keep the state elsewhere"
    ))
}

/// The folder of a run could be made.
pub(super) fn check_place(state: &StateFolder) -> Result<(), String> {
    let runs = state.path().join("runs");
    let there = runs.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let may = rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK);
    let says = |error: &dyn std::fmt::Display| format!("cannot make a run in the folder {}: {error}", there.display());
    if !there.is_dir() {
        return Err(says(&"it is no folder"));
    }
    may.map_err(|error| says(&error))
}

/// Params and the runbook's `env` that no command could get.
fn unfit_variables(created: &Created) -> Vec<String> {
    let plan = &created.plan;
    let of_params = plan.params.keys().map(|name| (exported_name(name), format!("the param `{name}`")));
    let of_params: Vec<(String, String)> = of_params.collect();
    let exported = params::export(&plan.params, &created.params);
    let params = of_params.iter().filter_map(|(variable, what)| Some((what.clone(), exported.get(variable)?)));
    let env = created.env.iter().filter_map(|(name, source)| match source {
        RenderedSource::Value(value) => Some((format!("`env.{name}`"), value)),
        RenderedSource::Secret { .. } => None,
    });
    let unfit = |(what, value): (String, &String)| match value.len() {
        _ if value.contains('\0') => Some(format!("{what} holds a NUL byte, which no environment variable can")),
        bytes if bytes > VARIABLE_MAX => Some(format!(
            "{what} has {bytes} bytes; an environment variable may hold {VARIABLE_MAX} (64 KiB): put it into a file"
        )),
        _ => None,
    };
    params.chain(env).filter_map(unfit).collect()
}
