//! The way in: from a text to a plan, or to all that is wrong with it.

use std::collections::BTreeSet;

use runbook_core::plan::Plan;
use runbook_core::units::StepId;

use crate::check::{header, secrets};
use crate::code::Code;
use crate::decode::Decode;
use crate::diagnostic::{Collector, Diagnostics};
use crate::document::{EnvironmentDoc, RunbookDoc};
use crate::environment::Environment;
use crate::library::{Children, Library, NoLibrary};
use crate::source::{SourceFile, Span};
use crate::yaml;

/// A runbook that can be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the engine reads.
    pub plan: Plan,
    /// What probably does not do what was meant.
    pub warnings: Diagnostics,
    /// As it is written.
    pub document: RunbookDoc,
}

/// Reads, checks and lowers a runbook. With an environment, its names and secrets are checked too.
///
/// # Errors
/// All that is wrong, by place; at least one is an error, warnings are among them.
pub fn load_runbook(file: &SourceFile, environment: Option<&Environment>) -> Result<Loaded, Diagnostics> {
    load_runbook_with(file, environment, &NoLibrary)
}

/// The same for a runbook whose steps may run others: those are read, checked and lowered too.
///
/// # Errors
/// All that is wrong, by place; that of other files behind that of this one.
pub fn load_runbook_with(
    file: &SourceFile,
    environment: Option<&Environment>,
    library: &dyn Library,
) -> Result<Loaded, Diagnostics> {
    load_part(file, environment, library, &BTreeSet::new())
}

/// The same for a run of a part of the steps: what runs cannot read what steps hand on that are left out.
///
/// # Errors
/// All that is wrong, by place; that of other files behind that of this one.
pub fn load_part(
    file: &SourceFile,
    environment: Option<&Environment>,
    library: &dyn Library,
    left_out: &BTreeSet<StepId>,
) -> Result<Loaded, Diagnostics> {
    let mut children = Children::new(library, environment);
    let (read, mut found) = read_runbook(file, environment, &mut children, left_out);
    found.of_others(children.found);
    let plans = children.plans;
    finish(read, found).map(|((document, plan), warnings)| {
        let plan = Plan { runbooks: plans, ..plan };
        Loaded { plan, warnings, document }
    })
}

/// Reads, checks and lowers one file; the plans of those that its steps name are with `children`.
pub(crate) fn read_runbook(
    file: &SourceFile,
    environment: Option<&Environment>,
    children: &mut Children<'_>,
    left_out: &BTreeSet<StepId>,
) -> (Option<(RunbookDoc, Plan)>, Collector) {
    let mut found = Collector::new(file);
    let document: Option<RunbookDoc> = read(file, "runbook/v1", &mut found);
    let plan = document.as_ref().and_then(|document| {
        children.enter(file, document.id.get().map_or(file.name(), |id| id.value.as_str()));
        let environment = environment.map(|environment| &environment.document);
        let plan = crate::lower::lower(document, environment, children, left_out, &mut found);
        children.leave();
        plan
    });
    (document.zip(plan), found)
}

/// Reads and checks an environment.
///
/// # Errors
/// All that is wrong, by place.
pub fn load_environment(file: &SourceFile) -> Result<Environment, Diagnostics> {
    let mut found = Collector::new(file);
    let document: Option<EnvironmentDoc> = read(file, "environment/v1", &mut found);
    if let Some(document) = &document {
        header::check_schema(&document.schema, "environment/v1", &mut found);
        header::check_id(&document.id, &mut found);
        secrets::check(document.secrets.as_ref(), &mut found);
        crate::environment::check(document, &mut found);
    }
    finish(document, found).map(|(document, warnings)| Environment { document, warnings, file: file.clone() })
}

/// Reads a document of a kind. A document of another kind gets that one error rather than one for each of its keys.
pub(crate) fn read<T: Decode>(file: &SourceFile, schema: &str, found: &mut Collector) -> Option<T> {
    let before = found.count();
    let Some(node) = yaml::parse(file, found) else {
        if found.count() == before {
            found
                .error(Code::MissingKey, Span::default(), "there is nothing in this file")
                .help(format!("a document begins with `schema: {schema}`"));
        }
        return None;
    };
    if let yaml::Kind::Map(entries) = &node.kind
        && let Some((_, value)) = entries.iter().find(|(key, _)| key.text == "schema")
        && let yaml::Kind::Text(text) = &value.kind
        && text != schema
        && ["runbook/v1", "environment/v1", "plugin/v1"].contains(&text.as_str())
    {
        found.error(Code::WrongValue, value.span, format!("this is `{text}`, and `{schema}` is wanted here"));
        return None;
    }
    T::decode(&node, found)
}

/// The result when nothing is wrong with it, together with its warnings.
pub(crate) fn finish<T>(result: Option<T>, mut found: Collector) -> Result<(T, Diagnostics), Diagnostics> {
    match result {
        Some(result) if !found.has_errors() => Ok((result, found.finish())),
        _ => {
            if !found.has_errors() {
                // No check should let this happen; if one does, a refusal that says so is better than a guess.
                found.error(
                    Code::WrongValue,
                    Span::default(),
                    "this file cannot be used, and no check says why: a bug of runbook",
                );
            }
            Err(found.finish())
        }
    }
}

/// What a file says about itself, for lists: read without any check.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Peek {
    /// Such as `runbook/v1`.
    pub schema: Option<String>,
    /// Such as `p0-response`.
    pub id: Option<String>,
    /// One line.
    pub title: Option<String>,
    /// One paragraph or more.
    pub description: Option<String>,
    /// Such as `P0`.
    pub severity: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Reads what a file says about itself; none when that cannot be read.
pub fn peek(text: &str) -> Option<Peek> {
    serde_yaml::from_str(text.trim_start_matches('\u{feff}')).ok()
}
