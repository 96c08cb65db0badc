//! From a document to a plan, checking every name on the way.

mod action;
mod beside;
mod done;
mod lock;
mod loops;
mod names;
mod outputs;
mod runbook;
mod site;
mod step;
mod template;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use runbook_core::plan::{
    About, EnvSource, OnFailure, PLAN_VERSION, Plan, Plugin, SecretCommand, SecretSource, Source,
};
use runbook_core::units::{Digest, SecretName, StepId};

use crate::check::env_names::Exported;
use crate::check::graph::{Order, Read};
use crate::check::locks::Held;
use crate::check::outline::{Beyond, Item, Outline};
use crate::check::{fit, header, needs, params, secrets};
use crate::code::Code;
use crate::decode::{Entries, Free, Scalar, Text};
use crate::diagnostic::Collector;
use crate::document::{DoneWhenDoc, EnvDoc, EnvironmentDoc, OnFailureWord, RunbookDoc, SecretDoc};
use crate::library::{Child, Children};
use crate::plugin::Used;
use crate::source::SourceFile;
use crate::yaml::Kind;
use site::Site;

pub(crate) use template::Reader;

/// From the first request to cancel to TERM where nothing is written, in milliseconds.
const CANCEL_GRACE_MS: u64 = 10_000;

/// Attempts at once where nothing is written: enough for any procedure, too few to hurt the machine.
const MAX_PARALLEL: u32 = 16;

/// How long the command of a secret may take where nothing is written, in milliseconds.
const SECRET_TIMEOUT_MS: u64 = 10_000;

/// What is known while a document is lowered.
pub(crate) struct Lowering<'d, 'f> {
    pub(crate) doc: &'d RunbookDoc,
    pub(crate) environment: Option<&'d EnvironmentDoc>,
    pub(crate) outline: &'d Outline<'d>,
    pub(crate) found: &'f mut Collector,
    /// What expressions read, to be held against the order in the end.
    pub(crate) reads: Vec<Read>,
    /// For each step, those that have succeeded if its own `if` holds.
    pub(crate) assures: Vec<BTreeSet<String>>,
    /// For each step, whether its own `if` asks for failures.
    pub(crate) asks_status: Vec<bool>,
    pub(crate) secrets_used: BTreeSet<String>,
    /// For each step, the runbook that it names.
    pub(crate) calls: Vec<Option<Rc<Child>>>,
    /// For each step, the plugin that it uses, and the one that its rollback uses.
    pub(crate) uses: Vec<Option<Rc<Used>>>,
    pub(crate) undo_uses: Vec<Option<Rc<Used>>>,
    /// The plugins that are programs, as they are used.
    pub(crate) plugins: BTreeMap<Digest, Plugin>,
    /// For a plugin of steps: the secrets that its inputs are.
    pub(crate) secret_names: BTreeMap<String, SecretName>,
    /// The steps that a run of a part leaves out.
    pub(crate) left_out: &'d BTreeSet<StepId>,
    /// What is said of each loop.
    pub(crate) loops: BTreeMap<usize, loops::Loop>,
    /// The locks whose names are known to be the same wherever they are written.
    pub(crate) locks_held: Vec<Held>,
}

/// Checks a runbook and makes a plan of it. The plan is good only if `found` has no errors afterwards.
pub(crate) fn lower(
    doc: &RunbookDoc,
    environment: Option<&EnvironmentDoc>,
    children: &mut Children<'_>,
    left_out: &BTreeSet<StepId>,
    found: &mut Collector,
) -> Option<Plan> {
    header::check_schema(&doc.schema, "runbook/v1", found);
    header::check_id(&doc.id, found);
    header::check_filled(doc.title.get(), found);
    secrets::check(doc.secrets.as_ref(), found);
    let params = params::lower(doc.params.as_ref(), found);
    let exported = Exported::of(doc, found);
    let outline = Outline::of(doc, found);
    check_keys(&outline, &exported, found);
    let needs = needs::resolve(&outline, found);
    let order = Order::of(&outline, needs.clone(), found);

    let given = children.given.last().cloned().flatten();
    let sources = match &given {
        Some(given) => given.sources.clone(),
        None => secret_sources(doc.secrets.as_ref(), found.file()),
    };
    let named = Named::of(&outline, children, &sources, found);
    let count = outline.items.len();
    let mut lowering = Lowering {
        doc,
        environment,
        outline: &outline,
        found,
        reads: Vec::new(),
        assures: vec![BTreeSet::new(); count],
        asks_status: vec![false; count],
        secrets_used: BTreeSet::new(),
        calls: named.calls,
        uses: named.uses,
        undo_uses: named.undo_uses,
        plugins: BTreeMap::new(),
        secret_names: given.map(|given| given.names).unwrap_or_default(),
        left_out,
        loops: BTreeMap::new(),
        locks_held: Vec::new(),
    };
    let env = lowering.env(doc.env.as_ref(), &Site::document());
    let own_locks = lowering.locks(doc.locks.as_ref(), &Site::document());
    let steps: Vec<_> = (0..count).map(|at| lowering.step(at, &needs[at])).collect();
    let outputs = doc.outputs.as_ref().map(|outputs| lowering.named(outputs, &Site::end())).unwrap_or_default();
    lowering.check_order(&order);
    lowering.check_unused_secrets();
    let loops = std::mem::take(&mut lowering.loops);
    let plugins = std::mem::take(&mut lowering.plugins);
    Some(Plan {
        version: PLAN_VERSION,
        about: about(doc)?,
        params,
        env,
        secrets: sources,
        max_parallel: doc.max_parallel.as_ref().map_or(MAX_PARALLEL, |count| count.value),
        locks: own_locks,
        on_failure: match doc.on_failure {
            Some(OnFailureWord::Rollback) => OnFailure::Rollback,
            Some(OnFailureWord::Ask) => OnFailure::Ask,
            Some(OnFailureWord::Stop) | None => OnFailure::Stop,
        },
        cancel_grace_ms: doc.cancel_grace.as_ref().map_or(CANCEL_GRACE_MS, |grace| grace.0.value),
        steps: loops::fold(&outline, &loops, &steps.into_iter().collect::<Option<Vec<_>>>()?),
        outputs,
        runbooks: BTreeMap::new(),
        plugins,
    })
}

/// Checks the keys of each step against each other, and the names that scripts get.
fn check_keys(outline: &Outline<'_>, exported: &Exported, found: &mut Collector) {
    for item in &outline.items {
        match item.beyond {
            None => fit::check(item, found),
            Some(Beyond::Guard(guard)) => fit::check_guard(guard, found),
            Some(Beyond::Deadline(_)) => {}
        }
        item.doc.env.iter().for_each(|env| exported.check_step(env, found));
        if let Some(DoneWhenDoc::Probe(probe)) = &item.doc.done_when {
            probe.env.iter().for_each(|env| exported.check_step(env, found));
        }
        if let Some(undo) = &item.doc.rollback {
            fit::check_undo(undo, found);
            undo.env.iter().for_each(|env| exported.check_step(env, found));
        }
    }
}

/// What steps name outside of the document.
struct Named {
    calls: Vec<Option<Rc<Child>>>,
    uses: Vec<Option<Rc<Used>>>,
    undo_uses: Vec<Option<Rc<Used>>>,
}

impl Named {
    fn of(
        outline: &Outline<'_>,
        children: &mut Children<'_>,
        sources: &BTreeMap<SecretName, SecretSource>,
        found: &mut Collector,
    ) -> Self {
        let call = |item: &Item<'_>| item.doc.runbook.as_ref().and_then(|name| children.call(name, found));
        let calls: Vec<_> = outline.items.iter().map(call).collect();
        let mut used = |name: &Option<Text>, with: &Option<Entries<Free>>| {
            name.as_ref().and_then(|name| children.uses(name, with.as_ref(), sources, found)).map(Rc::new)
        };
        let uses: Vec<_> = outline.items.iter().map(|item| used(&item.doc.uses, &item.doc.with)).collect();
        let undo = |item: &Item<'_>| item.doc.rollback.as_ref().and_then(|undo| used(&undo.uses, &undo.with));
        let undo_uses = outline.items.iter().map(undo).collect();
        // To those who read them, what a plugin of steps runs is a child run like any other.
        let call = |(call, used): (Option<Rc<Child>>, &Option<Rc<Used>>)| call.or_else(|| used.as_ref()?.child.clone());
        let calls = calls.into_iter().zip(&uses).map(call).collect();
        Self { calls, uses, undo_uses }
    }
}

fn about(doc: &RunbookDoc) -> Option<About> {
    let text = |text: &Option<crate::decode::Text>| text.as_ref().map(|text| text.value.clone());
    let sources = doc.source.iter().flat_map(|list| &list.items);
    Some(About {
        id: doc.id.get()?.value.clone(),
        title: doc.title.get()?.value.clone(),
        description: text(&doc.description),
        owner: text(&doc.owner),
        severity: text(&doc.severity),
        tags: doc.tags.iter().flat_map(|list| &list.items).map(|tag| tag.value.clone()).collect(),
        source: sources
            .filter_map(|one| {
                Some(Source { manual: one.manual.get()?.value.clone(), section: one.section.get()?.value.clone() })
            })
            .collect(),
        sla: doc.sla.iter().flat_map(|sla| sla.iter()).map(|(name, time)| (name.value.clone(), time.0.value)).collect(),
    })
}

/// Where secrets are found; a path or a command is taken as it is written.
fn secret_sources(secrets: Option<&Entries<SecretDoc>>, written_in: &SourceFile) -> BTreeMap<SecretName, SecretSource> {
    let text = |word: &Scalar| match &word.0.kind {
        Kind::Text(text) => text.clone(),
        _ => written_in.slice(word.0.span).to_owned(),
    };
    let source = |secret: &SecretDoc| match (&secret.env, &secret.file, &secret.command) {
        (Some(env), ..) => Some(SecretSource::Env(env.value.clone())),
        (None, Some(file), _) => Some(SecretSource::File(file.text().to_owned())),
        (None, None, Some(command)) => {
            let argv = command.items.iter().map(text).collect();
            Some(SecretSource::Command(SecretCommand { argv, timeout_ms: secret_timeout_ms(secret) }))
        }
        (None, None, None) => None,
    };
    let entries = secrets.iter().flat_map(|secrets| secrets.iter());
    entries.filter_map(|(name, secret)| Some((SecretName::new(name.value.clone()), source(secret)?))).collect()
}

/// How long the command of a secret may take, in milliseconds.
pub(crate) fn secret_timeout_ms(secret: &SecretDoc) -> u64 {
    secret.timeout.as_ref().map_or(SECRET_TIMEOUT_MS, |timeout| timeout.0.value)
}

impl<'d> Lowering<'d, '_> {
    /// Environment variables or headers.
    pub(crate) fn env(&mut self, env: Option<&'d Entries<EnvDoc>>, site: &Site) -> BTreeMap<String, EnvSource> {
        let mut lowered = BTreeMap::new();
        for (name, value) in env.iter().flat_map(|env| env.iter()) {
            let source = match value {
                EnvDoc::Value(node) => self.scalar(node, site).map(EnvSource::Template),
                EnvDoc::Secret(secret) => secret.secret.get().map(|wanted| {
                    self.use_secret(wanted);
                    let prefix = secret.prefix.as_ref().map(|prefix| prefix.value.clone()).unwrap_or_default();
                    EnvSource::Secret { name: self.secret_name(&wanted.value), prefix }
                }),
            };
            if let Some(source) = source {
                lowered.insert(name.value.clone(), source);
            }
        }
        lowered
    }

    /// The names of all secrets that are declared here or in the environment.
    fn declared_secrets(&self) -> Vec<String> {
        let declared = |secrets: &Option<Entries<SecretDoc>>| -> Vec<String> {
            secrets.iter().flat_map(|secrets| &secrets.items).map(|entry| entry.key.value.clone()).collect()
        };
        let mut names = declared(&self.doc.secrets);
        names.extend(self.environment.iter().flat_map(|environment| declared(&environment.secrets)));
        names
    }

    /// The name by which the run knows a secret.
    pub(crate) fn secret_name(&self, written: &str) -> SecretName {
        self.secret_names.get(written).cloned().unwrap_or_else(|| SecretName::new(written.to_owned()))
    }

    pub(crate) fn use_secret(&mut self, wanted: &crate::decode::Text) {
        self.secrets_used.insert(wanted.value.clone());
        let names = self.declared_secrets();
        if names.contains(&wanted.value) {
            return;
        }
        let message = format!("the secret `{}` is not declared", wanted.value);
        let near = crate::suggest::did_you_mean(&wanted.value, &names);
        let help = near.clone().unwrap_or_else(|| {
            format!("declare it: `secrets: {{{}: {{env: NAME}}}}`, here or in the environment", wanted.value)
        });
        // Without an environment nobody knows whether it would declare it; a slip is a slip all the same.
        if self.environment.is_some() || near.is_some() {
            self.found.error(Code::UnknownSecret, wanted.span, message).help(help);
        } else {
            self.found.warning(Code::UnknownSecret, wanted.span, format!("{message} in this runbook")).help(help);
        }
    }

    fn check_unused_secrets(&mut self) {
        for entry in self.doc.secrets.iter().flat_map(|secrets| &secrets.items) {
            if !self.secrets_used.contains(&entry.key.value) {
                let message = format!("the secret `{}` is never used", entry.key.value);
                self.found
                    .warning(Code::UnusedSecret, entry.key.span, message)
                    .help("use it by `{secret: name}`, or remove it");
            }
        }
    }
}
