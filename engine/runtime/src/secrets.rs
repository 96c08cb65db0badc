//! Secrets: read at the start of each attempt, handed over, forgotten. Never stored, logged, or put into arguments.

use std::collections::BTreeMap;
use std::fs;

use runbook_core::plan::SecretSource;
use runbook_core::units::SecretName;

use crate::supervisor::{MASK_MIN_BYTES, Secret};

/// Why a secret has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Neither the runbook nor the environment says where it is.
    #[error("secret `{0}` is declared nowhere")]
    Undeclared(SecretName),
    /// The environment variable is not set.
    #[error(
        "secret `{name}`: the environment variable `{variable}` is not set; set it for the engine, in the shell that starts or resumes the run"
    )]
    NoVariable {
        /// Which secret.
        name: SecretName,
        /// Which variable.
        variable: String,
    },
    /// The file cannot be read.
    #[error("secret `{name}`: cannot read {file}: {reason}; the file holds the value and nothing else")]
    NoFile {
        /// Which secret.
        name: SecretName,
        /// Which file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The value is too short to be masked.
    #[error("secret `{0}` has fewer than {MASK_MIN_BYTES} characters")]
    TooShort(SecretName),
}

/// Where the secrets of a run are.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    sources: BTreeMap<SecretName, SecretSource>,
}

impl Secrets {
    /// Takes the declared sources.
    pub fn new(sources: BTreeMap<SecretName, SecretSource>) -> Self {
        Self { sources }
    }

    /// The value of a secret, now.
    ///
    /// # Errors
    /// When it has none; says which and where it was looked for.
    pub fn resolve(&self, name: &SecretName) -> Result<Secret, SecretError> {
        let value = match self.sources.get(name) {
            None => return Err(SecretError::Undeclared(name.clone())),
            Some(SecretSource::Env(variable)) => std::env::var(variable)
                .map_err(|_| SecretError::NoVariable { name: name.clone(), variable: variable.clone() })?,
            Some(SecretSource::File(file)) => {
                let text = fs::read_to_string(file).map_err(|error| SecretError::NoFile {
                    name: name.clone(),
                    file: file.clone(),
                    reason: error.to_string(),
                })?;
                text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text).to_owned()
            }
        };
        if value.len() < MASK_MIN_BYTES { Err(SecretError::TooShort(name.clone())) } else { Ok(Secret::new(value)) }
    }

    /// All values that can be had now: what is to be masked.
    pub fn known(&self) -> Vec<Secret> {
        self.sources.keys().filter_map(|name| self.resolve(name).ok()).collect()
    }

    /// The environment variables that secrets come from: no command inherits them.
    pub fn variables(&self) -> Vec<String> {
        let variable = |source: &SecretSource| match source {
            SecretSource::Env(variable) => Some(variable.clone()),
            SecretSource::File(_) => None,
        };
        self.sources.values().filter_map(variable).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(file: &str) -> Secrets {
        Secrets::new(BTreeMap::from([
            (SecretName::new("token"), SecretSource::File(file.to_owned())),
            (SecretName::new("nowhere"), SecretSource::Env("RUNBOOK_TEST_SURELY_UNSET".to_owned())),
        ]))
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, value) in [("abcd\n", "abcd"), ("abcd\r\n", "abcd"), ("abcd\n\n", "abcd\n"), ("abcd", "abcd")] {
            fs::write(&file, text).unwrap();
            let secret = secrets(file.to_str().unwrap()).resolve(&SecretName::new("token")).unwrap();
            assert_eq!(secret.expose(), value);
        }
        fs::write(&file, "abc\n").unwrap();
        let short = secrets(file.to_str().unwrap()).resolve(&SecretName::new("token"));
        assert_eq!(short, Err(SecretError::TooShort(SecretName::new("token"))));
    }

    #[test]
    fn a_missing_one_is_named_with_its_place() {
        let secrets = secrets("/nonexistent/token");
        let error = |name: &str| secrets.resolve(&SecretName::new(name)).unwrap_err().to_string();
        assert!(error("token").contains("/nonexistent/token"));
        assert!(error("nowhere").contains("RUNBOOK_TEST_SURELY_UNSET"));
        assert!(error("other").contains("declared nowhere"));
        assert_eq!(secrets.variables(), ["RUNBOOK_TEST_SURELY_UNSET"]);
    }
}
