//! From a checked runbook to the first event of a run: everything is chosen and pinned here, and nothing is started.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use runbook_core::evaluate::{Evaluate, Scope};
use runbook_core::event::{Created, Identity, LockWish, Parent};
use runbook_core::plan::{EnvSource, Part, Plan, Template};
use runbook_core::rendered::RenderedSource;
use runbook_core::units::{RunId, StepId, parse_duration};
use runbook_core::{DEPTH_MAX, digest_of, is_too_deep};
use runbook_language::{Environment, Resolved, RunFacts, ServiceFacts, resolve_environment};
use serde_json::{Value, json};

use crate::answerable;
use crate::folder::StateFolder;
use crate::identity::Roles;

/// What a person wants to run.
pub struct Launch<'a> {
    /// The plan.
    pub plan: Plan,
    /// The file that it came from.
    pub file: &'a Path,
    /// The values of all params: an object.
    pub params: Value,
    /// Where to run it.
    pub environment: Option<&'a Environment>,
    /// The file that the environment came from.
    pub environment_file: Option<&'a Path>,
    /// The project file that the roles of the project came from.
    pub project_file: Option<&'a Path>,
    /// Who holds which role in the whole project; the environment's own come first.
    pub project_roles: Roles,
    /// The folder that steps run in.
    pub dir: &'a Path,
    /// This very program.
    pub exe: &'a Path,
    /// Who starts it.
    pub by: Identity,
    /// The folder of all locks of this machine.
    pub locks_dir: &'a Path,
    /// The id of the run.
    pub id: RunId,
    /// What it is started under, so that it is started once.
    pub key: Option<String>,
    /// The part of the steps that is to run; none for all.
    pub part: Option<Part>,
}

/// The values of an environment that every run has: without those that come from a port, a folder or an id that is chosen
/// for each run.
pub fn settled(environment: &Environment, runbook: &str, exe: &Path, params: &Value) -> Value {
    let resolved = |chosen: u16| {
        let facts = RunFacts {
            id: chosen.to_string(),
            runbook: runbook.to_owned(),
            binary: exe.display().to_string(),
            params: params.clone(),
        };
        let service = |(number, name): (u16, &str)| {
            let data = format!("/{chosen}/{name}");
            (name.to_owned(), ServiceFacts { port: chosen.saturating_add(number), data })
        };
        let services = (0u16..).zip(environment.services()).map(service).collect();
        resolve_environment(environment, &services, &facts).map_or_else(|_| json!({}), |it| it.values)
    };
    // What is the same whatever is chosen does not come from that. The numbers share no digits with each other.
    common(resolved(11_111), &resolved(22_222))
}

fn common(one: Value, other: &Value) -> Value {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let both = one.into_iter().filter_map(|(name, value)| {
                let other = other.get(&name)?;
                let is_same = value == *other;
                (is_same || value.is_object()).then(|| (name, common(value, other)))
            });
            Value::Object(both.collect())
        }
        (one, _) => one,
    }
}

/// Chooses ports and folders, gives all that is known now its value, and checks that each approval can be answered.
///
/// # Errors
/// Each is a sentence; the run must not be started.
pub fn prepare(state: &StateFolder, launch: Launch<'_>, evaluate: &dyn Evaluate) -> Result<Created, Vec<String>> {
    let Launch { mut plan, file, params, environment, environment_file, project_file, project_roles, .. } = launch;
    let Launch { dir, exe, by, id, key, locks_dir, part, .. } = launch;
    let one = |reason: String| vec![reason];
    let folder = state.run(&id);
    let facts = RunFacts {
        id: id.to_string(),
        runbook: plan.about.id.clone(),
        binary: exe.display().to_string(),
        params: params.clone(),
    };
    let resolved = match environment {
        None => None,
        Some(environment) => {
            let mut services = BTreeMap::new();
            let ports = free_ports(environment.services().count()).map_err(one)?;
            for (name, port) in environment.services().zip(ports) {
                let data = folder.service(name).display().to_string();
                services.insert(name.to_owned(), ServiceFacts { port, data });
            }
            let resolved = resolve_environment(environment, &services, &facts);
            Some(resolved.map_err(|error| one(format!("environment `{}`: {error}", environment.id())))?)
        }
    };
    let Resolved { values, secrets, roles, services } = resolved.unwrap_or_else(|| Resolved {
        values: json!({}),
        secrets: BTreeMap::new(),
        roles: Roles::new(),
        services: vec![],
    });
    for plan in plan.runbooks.values_mut() {
        plan.secrets.extend(secrets.clone());
    }
    plan.secrets.extend(secrets);
    let roles = merge(project_roles, roles);
    let break_glass = environment.map(Environment::break_glass).unwrap_or_default();
    if part.is_some() {
        // What it hands on may be what is left out.
        plan.outputs.clear();
    }
    answerable::check(state.group(), &plan, part.as_ref(), &by, &roles, &break_glass)?;
    let Begin { env, locks, deadlines } = begin(&plan, &params, &values, &id, &by, evaluate).map_err(one)?;
    let created = Created {
        deadlines,
        locks,
        locks_above: vec![],
        locks_dir: locks_dir.display().to_string(),
        plan_digest: digest_of(&plan),
        plan,
        run: id,
        params,
        environment_name: environment.map(|environment| environment.id().to_owned()),
        environment_file: environment_file.map(|file| file.display().to_string()),
        project_file: project_file.map(|file| file.display().to_string()),
        environment: values,
        roles,
        break_glass,
        services,
        env,
        dir: dir.display().to_string(),
        file: file.display().to_string(),
        by,
        parent: None,
        key,
        part,
    };
    check_depth(&created).map_err(one)?;
    Ok(created)
}

/// The first event of a child run: what its parent was launched with goes on to it, but for the services, which are the
/// parent's.
///
/// # Errors
/// A sentence.
pub fn child(
    of: &Created,
    plan: Plan,
    params: &Value,
    parent: Parent,
    locks_above: Vec<String>,
    id: &RunId,
    evaluate: &dyn Evaluate,
) -> Result<Created, String> {
    let Begin { env, mut locks, deadlines } = begin(&plan, params, &of.environment, id, &of.by, evaluate)?;
    locks.retain(|wish| !locks_above.contains(&wish.name));
    let created = Created {
        deadlines,
        locks,
        locks_above,
        plan_digest: digest_of(&plan),
        plan,
        run: id.clone(),
        params: params.clone(),
        services: vec![],
        env,
        parent: Some(parent),
        key: None,
        part: None,
        ..of.clone()
    };
    check_depth(&created)?;
    Ok(created)
}

/// Each value is bounded where it comes in; with the templates around them they could still be too much for one event.
fn check_depth(created: &Created) -> Result<(), String> {
    let value = serde_json::to_value(created).map_err(|error| format!("the run cannot be written down: {error}"))?;
    if is_too_deep(&value) {
        return Err(format!("the runbook or its values are nested deeper than {DEPTH_MAX} levels"));
    }
    Ok(())
}

/// The roles of a project with those of an environment over them.
pub fn merge(project: Roles, environment: Roles) -> Roles {
    let mut roles = project;
    roles.extend(environment);
    roles
}

/// Ports of the loopback interface that are free now, all different.
fn free_ports(count: usize) -> Result<Vec<u16>, String> {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| Ok((it.local_addr()?.port(), it)));
    // All are held until each has its own.
    let held: Result<Vec<_>, _> = (0..count).map(listen).collect();
    let held = held.map_err(|error| format!("no free port for a service: {error}"))?;
    Ok(held.into_iter().map(|(port, _)| port).collect())
}

/// What a run is given before its first step.
struct Begin {
    env: BTreeMap<String, RenderedSource>,
    locks: Vec<LockWish>,
    /// In milliseconds from the start.
    deadlines: BTreeMap<StepId, u64>,
}

/// Gives all that the document itself says its value.
fn begin(
    plan: &Plan,
    params: &Value,
    environment: &Value,
    id: &RunId,
    by: &Identity,
    evaluate: &dyn Evaluate,
) -> Result<Begin, String> {
    let run = json!({"id": id.as_str(), "runbook": plan.about.id, "started_by": by.name});
    let locals = BTreeMap::new();
    let scope = Scope { params, environment, run: &run, steps: &|_| None, locals: &locals, failure: false };
    let render = |template: &Template, place: &str| match evaluate.template(template, &scope) {
        Ok(value) => Ok(runbook_core::as_text(value)),
        Err(error) => Err(format!("{place}: {error}")),
    };
    let env = plan.env.iter().map(|(name, source)| {
        let source = match source {
            EnvSource::Secret { name, prefix } => RenderedSource::Secret { name: name.clone(), prefix: prefix.clone() },
            EnvSource::Template(template) => RenderedSource::Value(render(template, &format!("`env.{name}`"))?),
        };
        Ok((name.clone(), source))
    });
    Ok(Begin {
        env: env.collect::<Result<_, String>>()?,
        locks: render_locks(plan, &render)?,
        deadlines: render_deadlines(plan, &render)?,
    })
}

type Render<'r> = &'r dyn Fn(&Template, &str) -> Result<String, String>;

/// The locks of the run, by name, each once.
fn render_locks(plan: &Plan, render: Render<'_>) -> Result<Vec<LockWish>, String> {
    let mut wishes: BTreeMap<String, u64> = BTreeMap::new();
    for lock in &plan.locks {
        let name = render(&lock.name, "`locks`")?;
        if name.trim().is_empty() {
            return Err("`locks`: a name is empty".to_owned());
        }
        let longest = wishes.entry(name).or_default();
        *longest = (*longest).max(lock.wait_ms.unwrap_or(0));
    }
    Ok(wishes.into_iter().map(|(name, wait_ms)| LockWish { name, wait_ms }).collect())
}

/// When the deadlines come, in milliseconds from the start.
fn render_deadlines(plan: &Plan, render: Render<'_>) -> Result<BTreeMap<StepId, u64>, String> {
    let mut found = BTreeMap::new();
    for (step, deadline) in plan.steps.iter().filter_map(|step| Some((step, step.deadline()?))) {
        let place = format!("`after` of the deadline `{}`", step.id);
        let after = render(&deadline.after, &place)?;
        match parse_duration(&after).map_err(|error| format!("{place}: {error}"))? {
            0 => return Err(format!("{place}: it must be longer than nothing")),
            after_ms => found.insert(step.id.clone(), after_ms),
        };
    }
    Ok(found)
}
