//! Where the parts of a run lie within its folder.

use std::path::PathBuf;

use runbook_core::units::Digest;

use crate::folder::RunFolder;

impl RunFolder {
    /// Where a detached engine says what goes wrong with it.
    pub fn engine_log(&self) -> PathBuf {
        self.path().join("engine.log")
    }

    /// The log of one attempt: `out` or `err`.
    pub fn log(&self, attempt: &str, stream: &str) -> PathBuf {
        self.path().join("logs").join(format!("{attempt}.{stream}"))
    }

    /// The folder of all logs.
    pub fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    /// Where the text of a script lies for its shell.
    pub fn script(&self, name: &str) -> PathBuf {
        self.path().join("scripts").join(name)
    }

    /// Where an attempt hands back values.
    pub fn outputs(&self, attempt: &str) -> PathBuf {
        self.path().join("outputs").join(attempt)
    }

    /// The data of all services, a folder for each.
    pub fn services(&self) -> PathBuf {
        self.path().join("services")
    }

    /// The data of a service.
    pub fn service(&self, name: &str) -> PathBuf {
        self.services().join(name)
    }

    /// The files of a plugin, as they were when the run was started; the folder is named by their digest.
    pub fn plugin(&self, digest: &Digest) -> PathBuf {
        self.path().join("plugins").join(digest.as_str())
    }

    /// What scripts find first on PATH.
    pub fn bin(&self) -> PathBuf {
        self.path().join("bin")
    }
}
