//! Secrets: read at the start of each attempt, handed over, forgotten. Never stored, logged, or put into arguments.

mod command;

pub(crate) use command::last_words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use runbook_core::event::Created;
use runbook_core::plan::SecretSource;
use runbook_core::units::SecretName;
use tokio::task::JoinSet;

use crate::supervisor::{MASK_MIN_BYTES, Secret};

/// How many values of one secret are remembered to be masked: a program may print another one each time.
const REMEMBERED_MAX: usize = 8;

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
    /// The program did not print it.
    #[error("secret `{name}`: {reason}")]
    NotPrinted {
        /// Which secret.
        name: SecretName,
        /// Why.
        reason: String,
    },
    /// The value is too short to be masked.
    #[error("secret `{0}` has fewer than {MASK_MIN_BYTES} bytes: what is so short cannot be masked")]
    TooShort(SecretName),
}

/// Values by name.
pub type Values = BTreeMap<SecretName, Secret>;

/// Where the secrets of a run are.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    sources: Arc<BTreeMap<SecretName, SecretSource>>,
    /// Those of child runs: not for commands of this run, and hidden from them all the same.
    of_children: Arc<Vec<SecretSource>>,
    /// Where programs are run.
    dir: PathBuf,
    /// What programs printed, to be masked, the newest last: they are not run anew for each output that may hold it.
    printed: Arc<Mutex<BTreeMap<SecretName, VecDeque<Secret>>>>,
}

impl Secrets {
    /// Takes the declared sources, and the folder in which their programs are run.
    pub fn new(sources: BTreeMap<SecretName, SecretSource>, dir: &Path) -> Self {
        Self { sources: Arc::new(sources), of_children: Arc::default(), dir: dir.to_owned(), printed: Arc::default() }
    }

    /// The secrets of a run.
    pub fn of(created: &Created) -> Self {
        let own = Self::new(created.plan.secrets.clone(), Path::new(&created.dir));
        let children = created.plan.runbooks.values();
        let of_children = children.flat_map(|child| child.secrets.values().cloned()).collect();
        Self { of_children: Arc::new(of_children), ..own }
    }

    /// The value of a secret, now; of one that a program prints it is in `printed`.
    ///
    /// # Errors
    /// When it has none; says which and where it was looked for.
    pub fn resolve(&self, name: &SecretName, printed: &Values) -> Result<Secret, SecretError> {
        resolve(name, self.sources.get(name), printed)
    }

    /// Those of the secrets that a program prints.
    pub fn printed_by_programs<'n>(&self, names: impl IntoIterator<Item = &'n SecretName>) -> BTreeSet<SecretName> {
        let is_printed = |name: &&SecretName| matches!(self.sources.get(*name), Some(SecretSource::Command(_)));
        names.into_iter().filter(is_printed).cloned().collect()
    }

    /// Runs the programs of these secrets, all at once, and gives what they print.
    ///
    /// # Errors
    /// All that have no value, by name.
    pub async fn print(&self, names: BTreeSet<SecretName>) -> Result<Values, Vec<SecretError>> {
        let known: Arc<[Secret]> = self.known().into();
        let mut programs = JoinSet::new();
        for name in names {
            let Some(SecretSource::Command(command)) = self.sources.get(&name).cloned() else { continue };
            let (dir, known) = (self.dir.clone(), Arc::clone(&known));
            programs.spawn(async move {
                let value = command::value_of(&command, &dir, &known).await;
                let value = value.map_err(|reason| SecretError::NotPrinted { name: name.clone(), reason });
                (name.clone(), value.and_then(|value| long_enough(&name, value)))
            });
        }
        let ended: BTreeMap<SecretName, _> = programs.join_all().await.into_iter().collect();
        let (mut values, mut errors) = (Values::new(), vec![]);
        for (name, value) in ended {
            match value {
                Ok(value) => drop(values.insert(name, value)),
                Err(error) => errors.push(error),
            }
        }
        self.remember(&values);
        if errors.is_empty() { Ok(values) } else { Err(errors) }
    }

    /// Checks that these can be had. A program that was run before is not run again for that.
    pub async fn missing(&self, names: BTreeSet<SecretName>) -> Vec<SecretError> {
        let printed = self.printed_by_programs(&names);
        let unseen = {
            let seen = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
            printed.iter().filter(|name| !seen.contains_key(*name)).cloned().collect()
        };
        let others = names.difference(&printed);
        let mut missing: Vec<SecretError> =
            others.filter_map(|name| self.resolve(name, &Values::new()).err()).collect();
        missing.extend(self.print(unseen).await.err().unwrap_or_default());
        missing
    }

    /// All values that can be had now without running a program, and those that programs printed before: what is to be
    /// masked.
    pub fn known(&self) -> Vec<Secret> {
        let nothing = Values::new();
        let mut known: Vec<Secret> = self.sources.keys().filter_map(|name| self.resolve(name, &nothing).ok()).collect();
        let of_child = SecretName::new("of a child run");
        known.extend(self.of_children.iter().filter_map(|source| resolve(&of_child, Some(source), &nothing).ok()));
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(printed.values().flatten().cloned());
        known
    }

    /// The environment variables that secrets come from: no command inherits them.
    pub fn variables(&self) -> Vec<String> {
        let variable = |source: &SecretSource| match source {
            SecretSource::Env(variable) => Some(variable.clone()),
            SecretSource::File(_) | SecretSource::Command(_) => None,
        };
        self.sources.values().chain(&*self.of_children).filter_map(variable).collect()
    }

    fn remember(&self, values: &Values) {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in values {
            let seen = printed.entry(name.clone()).or_default();
            seen.retain(|other| other != value);
            seen.push_back(value.clone());
            if seen.len() > REMEMBERED_MAX {
                seen.pop_front();
            }
        }
    }
}

/// The value of a secret from its source; of one that a program prints it is in `printed`.
fn resolve(name: &SecretName, source: Option<&SecretSource>, printed: &Values) -> Result<Secret, SecretError> {
    let value = match source {
        None => return Err(SecretError::Undeclared(name.clone())),
        Some(SecretSource::Env(variable)) => std::env::var(variable)
            .map_err(|_| SecretError::NoVariable { name: name.clone(), variable: variable.clone() })?,
        Some(SecretSource::File(file)) => {
            let text = fs::read_to_string(file).map_err(|error| SecretError::NoFile {
                name: name.clone(),
                file: file.clone(),
                reason: error.to_string(),
            })?;
            without_newline(&text).to_owned()
        }
        Some(SecretSource::Command(_)) => {
            let value = printed.get(name).map(|value| value.expose().to_owned());
            value.ok_or_else(|| SecretError::NotPrinted {
                name: name.clone(),
                reason: "its program was not run".to_owned(),
            })?
        }
    };
    long_enough(name, Secret::new(value))
}

fn long_enough(name: &SecretName, value: Secret) -> Result<Secret, SecretError> {
    if value.expose().trim().len() < MASK_MIN_BYTES { Err(SecretError::TooShort(name.clone())) } else { Ok(value) }
}

/// A text without the newline at its end.
fn without_newline(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use runbook_core::plan::SecretCommand;

    use super::*;

    fn secrets(file: &str) -> Secrets {
        let sources = [
            (SecretName::new("token"), SecretSource::File(file.to_owned())),
            (SecretName::new("nowhere"), SecretSource::Env("RUNBOOK_TEST_SURELY_UNSET".to_owned())),
        ];
        Secrets::new(BTreeMap::from(sources), Path::new("/"))
    }

    fn now(secrets: &Secrets, name: &str) -> Result<Secret, SecretError> {
        secrets.resolve(&SecretName::new(name), &Values::new())
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, value) in [("abcd\n", "abcd"), ("abcd\r\n", "abcd"), ("abcd\n\n", "abcd\n"), ("abcd", "abcd")] {
            fs::write(&file, text).unwrap();
            let secret = now(&secrets(file.to_str().unwrap()), "token").unwrap();
            assert_eq!(secret.expose(), value);
        }
        for short in ["abc\n", "  a  \n", "\n"] {
            fs::write(&file, short).unwrap();
            let short = now(&secrets(file.to_str().unwrap()), "token");
            assert_eq!(short, Err(SecretError::TooShort(SecretName::new("token"))));
        }
    }

    #[test]
    fn a_missing_one_is_named_with_its_place() {
        let secrets = secrets("/nonexistent/token");
        let error = |name: &str| now(&secrets, name).unwrap_err().to_string();
        assert!(error("token").contains("/nonexistent/token"));
        assert!(error("nowhere").contains("RUNBOOK_TEST_SURELY_UNSET"));
        assert!(error("other").contains("declared nowhere"));
        assert_eq!(secrets.variables(), ["RUNBOOK_TEST_SURELY_UNSET"]);
    }

    #[test]
    fn programs_run_once_for_each_attempt_and_what_they_printed_is_masked_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let command = |script: &str| {
            let argv = ["bash", "-c", script].map(str::to_owned).to_vec();
            SecretSource::Command(SecretCommand { argv, timeout_ms: 60_000 })
        };
        let sources = [
            (SecretName::new("changing"), command("echo x >> runs; echo value-$(wc -l < runs)")),
            (SecretName::new("broken"), command("exit 7")),
            (SecretName::new("short"), command("echo abc")),
        ];
        let secrets = Secrets::new(BTreeMap::from(sources), folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let changing = BTreeSet::from([SecretName::new("changing")]);
        let known = || secrets.known().iter().map(|it| it.expose().to_owned()).collect::<Vec<_>>();
        assert!(known().is_empty(), "looking at what is known runs nothing");
        for _ in 0..2 {
            assert!(runtime.block_on(secrets.missing(changing.clone())).is_empty());
        }
        for number in 2..12 {
            let values = runtime.block_on(secrets.print(changing.clone())).unwrap();
            let value = secrets.resolve(&SecretName::new("changing"), &values).unwrap();
            assert_eq!(value.expose(), format!("value-{number}"));
        }
        assert_eq!(known(), (4..12).map(|number| format!("value-{number}")).collect::<Vec<_>>());
        let all = ["broken", "changing", "nowhere", "short"].map(SecretName::new);
        let missing = runtime.block_on(secrets.missing(all.into())).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(missing.len(), 3, "{missing:?}");
        assert!(missing[0].contains("declared nowhere") && missing[1].contains("`bash` ended with exit code 7"));
        assert!(missing[2].contains("fewer than 4 bytes"), "{missing:?}");
    }
}
