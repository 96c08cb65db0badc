//! Environments: where and as whom runbooks run.

use std::collections::BTreeMap;

use runbook_core::evaluate::{Evaluate, Scope};
use runbook_core::event::ServicePlan;
use runbook_core::plan::{SecretCommand, SecretSource, Template};
use runbook_core::units::{Role, SecretName, ServiceName};
use serde_json::{Map, Value, json};

use crate::check::env_names;
use crate::check::secrets::{WAY_OUT, refuse_references};
use crate::code::Code;
use crate::decode::Entries;
use crate::decode::scalars::check_name;
use crate::diagnostic::{Collector, Diagnostics};
use crate::document::{EnvironmentDoc, ServiceDoc};
use crate::expression::{Evaluator, NameUse};
use crate::lower::{Reader, secret_timeout_ms};
use crate::source::{SourceFile, Span};
use crate::suggest::{did_you_mean, some_of};
use crate::yaml::{Kind, Node};

/// From TERM to KILL where nothing is written, in milliseconds.
const KILL_GRACE_MS: u64 = 10_000;

/// How long a service may take to get ready where nothing is written, in milliseconds.
const READY_TIMEOUT_MS: u64 = 30_000;

/// What templates see of a service.
const SERVICE_NAMES: [&str; 3] = ["port", "url", "data"];

/// What templates see of the run.
const RUN_NAMES: [&str; 4] = ["id", "runbook", "binary", "params"];

/// A checked environment.
#[derive(Clone, Debug)]
pub struct Environment {
    /// As it is written.
    pub document: EnvironmentDoc,
    /// What probably does not do what was meant.
    pub warnings: Diagnostics,
    /// Its text.
    pub file: SourceFile,
}

/// What was chosen for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFacts {
    /// A free port of the loopback interface.
    pub port: u16,
    /// Its data folder, inside the run's.
    pub data: String,
}

/// What an environment is told about the run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// The run's id.
    pub id: String,
    /// The runbook's id.
    pub runbook: String,
    /// The full path of the program that runs.
    pub binary: String,
    /// The values of all params: an object.
    pub params: Value,
}

/// An environment with all its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What expressions see as `environment`: an object.
    pub values: Value,
    /// Where its secrets are found.
    pub secrets: BTreeMap<SecretName, SecretSource>,
    /// Who holds which role.
    pub roles: BTreeMap<Role, Vec<String>>,
    /// What is to be started.
    pub services: Vec<ServicePlan>,
}

/// Why an environment has no values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing was chosen for a service.
    #[error("nothing was chosen for the service `{0}`")]
    NoFacts(String),
    /// A template has no value.
    #[error("`{place}` has no value: {reason}")]
    Template {
        /// Where it stands, such as `values.api`.
        place: String,
        /// Why.
        reason: String,
    },
}

impl Environment {
    /// Its id.
    pub fn id(&self) -> &str {
        self.document.id.get().map_or("", |id| id.value.as_str())
    }

    /// The names of its services, for which [`ServiceFacts`] have to be chosen.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.document.services.iter().flat_map(|services| &services.items).map(|entry| entry.key.value.as_str())
    }

    /// Who holds which role.
    pub fn roles(&self) -> BTreeMap<Role, Vec<String>> {
        let roles = self.document.roles.iter().flat_map(|roles| roles.iter());
        roles
            .map(|(role, people)| {
                (Role::new(role.value.clone()), people.items.iter().map(|one| one.value.clone()).collect())
            })
            .collect()
    }

    /// Who may approve alone in an emergency: roles or login names.
    pub fn break_glass(&self) -> Vec<Role> {
        let names = self.document.break_glass.iter().flat_map(|list| &list.items);
        names.map(|name| Role::new(name.value.clone())).collect()
    }
}

/// Gives all templates of an environment their values.
///
/// # Errors
/// When a service has no facts, or a template no value.
pub fn resolve_environment(
    environment: &Environment,
    services: &BTreeMap<String, ServiceFacts>,
    run: &RunFacts,
) -> Result<Resolved, ResolveError> {
    let doc = &environment.document;
    let run = json!({"id": run.id, "runbook": run.runbook, "binary": run.binary, "params": run.params});
    let mut facts = Map::new();
    for name in environment.services() {
        let of = services.get(name).ok_or_else(|| ResolveError::NoFacts(name.to_owned()))?;
        let url = format!("http://127.0.0.1:{}", of.port);
        facts.insert(name.to_owned(), json!({"port": of.port, "data": of.data, "url": url}));
    }
    let rendering = Rendering { file: &environment.file, run, services: Value::Object(facts) };
    let mut values = Map::new();
    for (name, value) in doc.values.iter().flat_map(|values| values.iter()) {
        values.insert(name.value.clone(), rendering.value(&value.0, None, &format!("values.{}", name.value))?);
    }
    let mut secrets = BTreeMap::new();
    for (name, secret) in doc.secrets.iter().flat_map(|secrets| secrets.iter()) {
        let place = |key: &str| format!("secrets.{}.{key}", name.value);
        let source = match (&secret.env, &secret.file, &secret.command) {
            (Some(env), ..) => SecretSource::Env(env.value.clone()),
            (None, Some(file), _) => SecretSource::File(rendering.text(&file.0, None, &place("file"))?),
            (None, None, Some(command)) => {
                let argv = command.items.iter().map(|word| rendering.text(&word.0, None, &place("command")));
                let argv = argv.collect::<Result<_, _>>()?;
                SecretSource::Command(SecretCommand { argv, timeout_ms: secret_timeout_ms(secret) })
            }
            (None, None, None) => continue,
        };
        secrets.insert(SecretName::new(name.value.clone()), source);
    }
    let mut plans = Vec::new();
    for (name, service) in doc.services.iter().flat_map(|services| services.iter()) {
        plans.push(rendering.service(&name.value, service, &services[&name.value])?);
    }
    Ok(Resolved { values: Value::Object(values), secrets, roles: environment.roles(), services: plans })
}

/// Gives templates their values.
struct Rendering<'a> {
    file: &'a SourceFile,
    run: Value,
    services: Value,
}

impl Rendering<'_> {
    fn value(&self, node: &Node, service: Option<&str>, place: &str) -> Result<Value, ResolveError> {
        let failed = |reason: String| ResolveError::Template { place: place.to_owned(), reason };
        let mut found = Collector::new(self.file);
        let mut ignore = |_: &mut Collector, _: Span, _: &NameUse| {};
        // The environment was checked when it was loaded, so there is a template.
        let template = Reader { found: &mut found, check: &mut ignore }.template(node);
        let template = template.ok_or_else(|| failed("it is no template".to_owned()))?;
        if let Template::Literal(value) = template {
            return Ok(value);
        }
        let mut locals = BTreeMap::from([("services".to_owned(), self.services.clone())]);
        if let Some(own) = service.and_then(|name| self.services.get(name)) {
            locals.insert("service".to_owned(), own.clone());
        }
        let nothing = json!({});
        let scope = Scope {
            params: &nothing,
            environment: &nothing,
            run: &self.run,
            steps: &|_| None,
            locals: &locals,
            failure: false,
        };
        Evaluator::default().template(&template, &scope).map_err(|error| failed(error.to_string()))
    }

    /// A text; numbers and booleans stand for the text that they are written as.
    fn text(&self, node: &Node, service: Option<&str>, place: &str) -> Result<String, ResolveError> {
        match &node.kind {
            Kind::Number(_) | Kind::Bool(_) => Ok(self.file.slice(node.span).to_owned()),
            _ => match self.value(node, service, place)? {
                Value::String(text) => Ok(text),
                other => Ok(other.to_string()),
            },
        }
    }

    fn service(&self, name: &str, doc: &ServiceDoc, facts: &ServiceFacts) -> Result<ServicePlan, ResolveError> {
        let place = |key: &str| format!("services.{name}.{key}");
        let argv = doc
            .argv
            .get()
            .into_iter()
            .flat_map(|argv| &argv.items)
            .map(|item| self.text(&item.0, Some(name), &place("argv")));
        let env = doc
            .env
            .iter()
            .flat_map(|env| env.iter())
            .map(|(key, value)| Ok((key.value.clone(), self.text(&value.0, Some(name), &place("env"))?)));
        let ready = doc.ready.get();
        let ready_url = match ready.and_then(|ready| ready.http.get()) {
            Some(url) => self.text(&url.0, Some(name), &place("ready.http"))?,
            None => String::new(),
        };
        Ok(ServicePlan {
            name: ServiceName::new(name),
            argv: argv.collect::<Result<_, _>>()?,
            env: env.collect::<Result<_, ResolveError>>()?,
            port: facts.port,
            data: facts.data.clone(),
            ready_url,
            ready_timeout_ms: ready
                .and_then(|ready| ready.timeout.as_ref())
                .map_or(READY_TIMEOUT_MS, |time| time.0.value),
            kill_grace_ms: doc.kill_grace.as_ref().map_or(KILL_GRACE_MS, |time| time.0.value),
        })
    }
}

/// Checks the names in an environment.
pub(crate) fn check(doc: &EnvironmentDoc, found: &mut Collector) {
    let services: Vec<&str> =
        doc.services.iter().flat_map(|services| &services.items).map(|entry| entry.key.value.as_str()).collect();
    check_keys(doc.values.as_ref(), found);
    check_keys(doc.services.as_ref(), found);
    for (_, value) in doc.values.iter().flat_map(|values| values.iter()) {
        let declared = doc.secrets.iter().flat_map(|secrets| &secrets.items);
        refuse_references(&value.0, &|name| declared.clone().any(|entry| entry.key.value == name), found);
        check_template(&value.0, &services, false, found);
    }
    for (_, secret) in doc.secrets.iter().flat_map(|secrets| secrets.iter()) {
        secret.file.iter().for_each(|file| check_template(&file.0, &services, false, found));
        let words = secret.command.iter().flat_map(|command| &command.items);
        words.for_each(|word| check_template(&word.0, &services, false, found));
    }
    for entry in doc.roles.iter().flat_map(|roles| &roles.items) {
        if entry.value.as_ref().is_some_and(|people| people.empty) {
            found
                .error(Code::WrongValue, entry.key.span, format!("nobody holds the role `{}`", entry.key.value))
                .help("name the people by their logins, or write `[anyone]`");
        }
    }
    if let Some(list) = &doc.break_glass {
        if list.empty {
            found
                .error(Code::Empty, list.span, "nobody could break the glass")
                .help("name roles or logins, or remove the key: then nobody may");
        }
        for name in list.items.iter().filter(|name| name.value.trim().is_empty()) {
            found.error(Code::WrongValue, name.span, "there is nothing in it");
        }
    }
    for (_, service) in doc.services.iter().flat_map(|services| services.iter()) {
        if let Some(argv) = service.argv.get() {
            if argv.empty {
                found.error(Code::Empty, argv.span, "there is no program to start");
            }
            argv.items.iter().for_each(|item| check_template(&item.0, &services, true, found));
        }
        for (name, value) in service.env.iter().flat_map(|env| env.iter()) {
            env_names::check_form(name, found);
            check_template(&value.0, &services, true, found);
        }
        if let Some(url) = service.ready.get().and_then(|ready| ready.http.get()) {
            check_template(&url.0, &services, true, found);
        }
    }
}

fn check_keys<T>(entries: Option<&Entries<T>>, found: &mut Collector) {
    for entry in entries.iter().flat_map(|entries| &entries.items) {
        check_name(&entry.key.value, entry.key.span, found);
    }
}

fn check_template(node: &Node, services: &[&str], within_service: bool, found: &mut Collector) {
    let mut check = |found: &mut Collector, span: Span, name: &NameUse| {
        let rest: Vec<&str> = name.path.iter().skip(1).map(String::as_str).collect();
        match (name.path[0].as_str(), rest.as_slice()) {
            ("run", [one, ..]) => unless_known("a run", one, &RUN_NAMES, span, found),
            ("service", [one, ..]) if within_service => unless_known("a service", one, &SERVICE_NAMES, span, found),
            ("services", [one, ..]) if !services.contains(one) => {
                let help = did_you_mean(one, services.iter()).unwrap_or_else(|| match services {
                    [] => "this environment has no services".to_owned(),
                    _ => format!("the services are {}", some_of(services.iter().copied())),
                });
                found.error(Code::UnknownService, span, format!("there is no service `{one}`")).help(help);
            }
            ("services", [_, one, ..]) => unless_known("a service", one, &SERVICE_NAMES, span, found),
            ("run" | "services", _) => {}
            ("service", _) if within_service => {}
            ("secrets", _) => {
                found
                    .error(Code::SecretInTemplate, span, "a secret cannot be part of a value: the values are stored")
                    .help(WAY_OUT);
            }
            (other, _) => {
                let help = if within_service {
                    "there are `service`, `services` and `run`"
                } else {
                    "there are `services` and `run`"
                };
                found.error(Code::UnknownName, span, format!("there is no `{other}` here")).help(help);
            }
        }
    };
    let _ = Reader { found, check: &mut check }.template(node);
}

fn unless_known(what: &str, name: &str, names: &[&str], span: Span, found: &mut Collector) {
    if !names.contains(&name) {
        let help = did_you_mean(name, names).unwrap_or_else(|| format!("there are {}", some_of(names.iter().copied())));
        found.error(Code::UnknownName, span, format!("{what} has no `{name}`")).help(help);
    }
}
