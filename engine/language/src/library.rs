//! Where the runbooks come from that steps name, and what is known of each once it is checked.
//!
//! This crate reads no file: whoever loads a runbook hands in a [`Library`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use runbook_core::digest_of;
use runbook_core::plan::{CHILD_DEPTH_MAX, Param, Plan, SecretSource};
use runbook_core::units::{Digest, SecretName};

use crate::code::Code;
use crate::decode::Text;
use crate::diagnostic::{Collector, Diagnostic};
use crate::environment::Environment;
use crate::load::read_runbook;
use crate::plugin::{Definition, FoundPlugin};
use crate::source::SourceFile;

/// Files that are read within each other, each on the stack of the one before: further than any that could be run.
const READ_DEPTH_MAX: usize = 50;

/// Finds the runbooks that steps name.
pub trait Library {
    /// The runbook that a step of `from` names: by a path from that file, or by its id. One file has one name, however it is
    /// found: by that it is known that a runbook runs itself.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn find(&self, name: &str, from: &SourceFile) -> Result<SourceFile, Missing>;

    /// The plugin that a step of `from` uses: by the path of its folder from that file, or by its id.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn plugin(&self, name: &str, from: &SourceFile) -> Result<FoundPlugin, Missing>;
}

/// Why a runbook was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// A fragment in lower case.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

/// A library without any runbook.
#[derive(Clone, Copy, Debug)]
pub struct NoLibrary;

impl Library for NoLibrary {
    fn find(&self, name: &str, _: &SourceFile) -> Result<SourceFile, Missing> {
        Err(Missing { message: format!("there is no runbook `{name}`"), help: None })
    }

    fn plugin(&self, name: &str, _: &SourceFile) -> Result<FoundPlugin, Missing> {
        Err(Missing { message: format!("there is no plugin `{name}`"), help: None })
    }
}

/// A runbook that a step names, checked.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) plan: Digest,
    pub(crate) params: BTreeMap<String, Param>,
    /// The names of what it hands on.
    pub(crate) outputs: Vec<String>,
    /// Whether a rollback finds something in it, be it that it cannot be undone.
    pub(crate) has_way_back: bool,
    /// How deep the child runs lie within each other that it starts itself.
    pub(crate) depth: u32,
}

/// The secrets that a plugin of steps is given by the step that uses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenSecrets {
    /// Its inputs, and the secrets that the run knows them by.
    pub(crate) names: BTreeMap<String, SecretName>,
    /// Where these come from, unless the environment says so.
    pub(crate) sources: BTreeMap<SecretName, SecretSource>,
}

/// The runbooks that are named on the way from a file to the ends: each is read and checked once.
pub(crate) struct Children<'l> {
    pub(crate) library: &'l dyn Library,
    pub(crate) environment: Option<&'l Environment>,
    /// The files that the present one lies within, each with its id, the outermost first.
    around: Vec<(String, String)>,
    known: BTreeMap<String, Option<Rc<Child>>>,
    /// The plugins that were read, by their files.
    pub(crate) plugins: BTreeMap<String, Option<Rc<Definition>>>,
    /// The secrets that the plugins of steps around the present file were given.
    pub(crate) given: Vec<Option<GivenSecrets>>,
    pub(crate) plans: BTreeMap<Digest, Plan>,
    /// What is wrong with them.
    pub(crate) found: Vec<Diagnostic>,
}

impl<'l> Children<'l> {
    pub(crate) fn new(library: &'l dyn Library, environment: Option<&'l Environment>) -> Self {
        let (known, plugins, plans) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { library, environment, around: vec![], known, plugins, given: vec![], plans, found: vec![] }
    }

    /// Goes into a file, of a runbook with this id.
    pub(crate) fn enter(&mut self, file: &SourceFile, id: &str) {
        self.enter_with(file, id, None);
    }

    /// The same for a plugin of steps, which has the secrets that it is given.
    pub(crate) fn enter_with(&mut self, file: &SourceFile, id: &str, given: Option<GivenSecrets>) {
        self.around.push((file.name().to_owned(), id.to_owned()));
        self.given.push(given);
    }

    /// Comes out of it again.
    pub(crate) fn leave(&mut self) {
        self.around.pop();
        self.given.pop();
    }

    /// The runbook that a step of the present file names; none when it cannot be used, which is reported.
    pub(crate) fn call(&mut self, name: &Text, found: &mut Collector) -> Option<Rc<Child>> {
        let file = match self.library.find(&name.value, found.file()) {
            Ok(file) => file,
            Err(missing) => {
                let error = found.error(Code::UnknownRunbook, name.span, missing.message);
                if let Some(help) = missing.help {
                    error.help(help);
                }
                return None;
            }
        };
        if self.runs_itself(&file, name, found) {
            return None;
        }
        if self.around.len() > READ_DEPTH_MAX {
            return too_deep(name, found);
        }
        // What follows from a mistake in another file is said once, where the way began.
        let is_first = self.around.len() == 1;
        let child = match self.known.get(file.name()) {
            Some(known) => known.clone(),
            None => {
                let child = self.load(&file).map(Rc::new);
                self.known.insert(file.name().to_owned(), child.clone());
                child
            }
        };
        match child {
            None if !is_first => None,
            None => {
                found
                    .error(Code::BrokenRunbook, name.span, format!("the runbook `{}` has errors", name.value))
                    .help(format!("they are reported for {}", file.name()));
                None
            }
            Some(child) if is_first && child.depth >= CHILD_DEPTH_MAX => too_deep(name, found),
            Some(child) => Some(child),
        }
    }

    /// Whether the present file lies within that one, which is reported.
    pub(crate) fn runs_itself(&self, file: &SourceFile, name: &Text, found: &mut Collector) -> bool {
        let Some(first) = self.around.iter().position(|(around, _)| around == file.name()) else { return false };
        let mut chain: Vec<&str> = self.around[first..].iter().map(|(_, id)| id.as_str()).collect();
        chain.push(chain[0]);
        found
            .error(Code::RunbookRunsItself, name.span, format!("this runbook would run itself: {}", chain.join(" -> ")))
            .help("let one of them end without the other; to do something again, use `retry` or `until`");
        true
    }

    /// Whether the present file is the first, in which what follows from mistakes elsewhere is said.
    pub(crate) fn is_first(&self) -> bool {
        self.around.len() == 1
    }

    fn load(&mut self, file: &SourceFile) -> Option<Child> {
        let (read, found) = read_runbook(file, self.environment, self, &BTreeSet::new());
        let is_broken = found.has_errors();
        self.found.extend(found.finish());
        let plan = read.map(|(_, plan)| plan).filter(|_| !is_broken)?;
        Some(self.add(plan))
    }

    /// Adds the plan of a child run.
    pub(crate) fn add(&mut self, plan: Plan) -> Child {
        let depth = depth_of(&plan, &self.plans);
        let child = Child {
            plan: digest_of(&plan),
            params: plan.params.clone(),
            outputs: plan.outputs.keys().cloned().collect(),
            has_way_back: plan.written().iter().any(|step| step.rollback.is_some() || step.irreversible),
            depth,
        };
        self.plans.insert(child.plan.clone(), plan);
        child
    }
}

pub(crate) fn too_deep<T>(name: &Text, found: &mut Collector) -> Option<T> {
    found
        .error(
            Code::RunbooksTooDeep,
            name.span,
            format!("runbooks would run more than {CHILD_DEPTH_MAX} deep within each other"),
        )
        .help("let the outer runbooks name the inner ones one after the other");
    None
}

/// How deep the child runs of a plan lie within each other; those that it calls have been added.
fn depth_of(plan: &Plan, plans: &BTreeMap<Digest, Plan>) -> u32 {
    plan.calls().filter_map(|call| plans.get(&call.plan)).map(|child| depth_of(child, plans) + 1).max().unwrap_or(0)
}
