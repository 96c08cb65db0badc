//! `runbook.toml`: what a folder of runbooks says about itself.

use std::collections::BTreeMap;

use runbook_core::units::Role;
use serde::Deserialize;
use toml::Spanned;

use crate::code::Code;
use crate::diagnostic::{Collector, Diagnostics};
use crate::retention::{Retention, WrittenRetention};
use crate::source::{SourceFile, Span};

/// The name of the file.
pub const PROJECT_FILE: &str = "runbook.toml";

/// What `runbook.toml` says. Paths are as written: relative to its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The folders in which runbooks are looked for, in this order; `["runbooks"]` where nothing is written.
    pub runbooks: Vec<String>,
    /// The folders in which environments are looked for; `environments` within each of `runbooks` where nothing is
    /// written.
    pub environments: Vec<String>,
    /// The folders in which plugins are looked for, before `plugins` beside this file; none where nothing is written.
    pub plugins: Vec<String>,
    /// The environment that is used when none is named.
    pub environment: Option<String>,
    /// The folder of the locks of this machine.
    pub locks_dir: Option<String>,
    /// Who holds which role in every environment that does not say otherwise.
    pub roles: BTreeMap<Role, Vec<String>>,
    /// The secret key that sealed records are signed with.
    pub sign: Option<String>,
    /// How long runs are kept.
    pub retention: Retention,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    runbooks: Option<Spanned<Vec<Spanned<String>>>>,
    environments: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    plugins: Vec<Spanned<String>>,
    environment: Option<Spanned<String>>,
    locks: Option<Locks>,
    #[serde(default)]
    roles: BTreeMap<String, Spanned<Vec<String>>>,
    record: Option<WrittenRecord>,
    #[serde(default)]
    retention: WrittenRetention,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRecord {
    sign: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Locks {
    dir: Spanned<String>,
}

impl Default for Project {
    fn default() -> Self {
        let (runbooks, environments) = (vec!["runbooks".to_owned()], vec!["runbooks/environments".to_owned()]);
        let retention = Retention::default();
        Self {
            runbooks,
            environments,
            plugins: vec![],
            environment: None,
            locks_dir: None,
            roles: BTreeMap::new(),
            sign: None,
            retention,
        }
    }
}

/// Reads the text of `runbook.toml`.
///
/// # Errors
/// What is wrong with it, by place.
pub fn parse_project(file: &SourceFile) -> Result<Project, Diagnostics> {
    let mut found = Collector::new(file);
    let written: Written = match toml::from_str(file.text()) {
        Ok(written) => written,
        Err(error) => {
            let span = error.span().map_or(Span::default(), |range| Span::new(range.start, range.end));
            let help = "the keys are `runbooks`, `environments`, `plugins`, `environment`, and the tables `[roles]`, `[locks]`, \
                        `[record]` and `[retention]`";
            found.error(Code::Project, span, error.message().to_owned()).help(help);
            return Err(found.finish());
        }
    };
    if let Some(list) = &written.runbooks
        && list.get_ref().is_empty()
    {
        found
            .error(Code::Project, of(list), "runbooks would be found nowhere")
            .help("name a folder, or remove the key");
    }
    let folders = written
        .runbooks
        .iter()
        .flat_map(Spanned::get_ref)
        .chain(written.environments.iter().flatten())
        .chain(&written.plugins);
    let folders = folders.chain(written.locks.iter().map(|locks| &locks.dir));
    for folder in folders.filter(|folder| folder.get_ref().trim().is_empty()) {
        found.error(Code::Project, of(folder), "there is nothing in it");
    }
    let sign = written.record.and_then(|record| record.sign);
    if let Some(key) = sign.as_ref().filter(|key| key.get_ref().trim().is_empty()) {
        found
            .error(Code::Project, of(key), "no key has an empty name")
            .help("name the file of a secret key, or remove `sign`");
    }
    for (role, people) in written.roles.iter().filter(|(_, people)| people.get_ref().is_empty()) {
        found
            .error(Code::Project, of(people), format!("nobody holds the role `{role}`"))
            .help("name the people by their logins, or write `[\"anyone\"]`");
    }
    let retention = written.retention.read(&mut found);
    if found.has_errors() {
        return Err(found.finish());
    }
    let texts = |list: Vec<Spanned<String>>| list.into_iter().map(Spanned::into_inner).collect::<Vec<String>>();
    let runbooks = written.runbooks.map_or_else(|| Project::default().runbooks, |list| texts(list.into_inner()));
    let environments = written
        .environments
        .map_or_else(|| runbooks.iter().map(|folder| format!("{folder}/environments")).collect(), texts);
    let roles = written.roles.into_iter().map(|(role, people)| (Role::new(role), people.into_inner())).collect();
    let (environment, sign) = (written.environment.map(Spanned::into_inner), sign.map(Spanned::into_inner));
    let locks_dir = written.locks.map(|locks| locks.dir.into_inner());
    let plugins = texts(written.plugins);
    Ok(Project { locks_dir, runbooks, environments, plugins, environment, roles, sign, retention })
}

pub(crate) fn of<T>(written: &Spanned<T>) -> Span {
    let range = written.span();
    Span::new(range.start, range.end)
}
