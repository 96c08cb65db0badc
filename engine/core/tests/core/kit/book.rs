//! A runbook and what it is launched with.

use std::collections::BTreeMap;

use runbook_core::digest_of;
use runbook_core::event::{Created, Host, Identity, LockWish, ServicePlan};
use runbook_core::plan::{
    About, Beside, Deadline, Guard, OnFailure, OnInterrupt, OnTrip, PLAN_VERSION, PartKind, Plan,
};
use runbook_core::units::{Digest, Role, RunId, ServiceName};
use serde_json::{Value, json};

use super::build::{Spec, block, expr, template};
use super::lower::lower;

/// A runbook to be.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) main: Vec<Spec>,
    pub(crate) always: Vec<Spec>,
    pub(crate) parallel: bool,
    pub(crate) max_parallel: u32,
    pub(crate) on_failure: OnFailure,
    pub(crate) cancel_grace_ms: u64,
    pub(crate) params: Value,
    pub(crate) services: Vec<String>,
    pub(crate) outputs: Vec<(String, String)>,
    pub(crate) break_glass: Vec<Role>,
    pub(crate) locks: Vec<LockWish>,
    pub(crate) deadlines: Vec<(Spec, u64)>,
    pub(crate) part: Option<(PartKind, String)>,
    pub(crate) guards: Vec<Spec>,
}

/// A runbook of these steps, one after the other.
pub(crate) fn book(main: Vec<Spec>) -> Book {
    Book {
        main,
        always: vec![],
        parallel: false,
        max_parallel: 4,
        on_failure: OnFailure::Stop,
        cancel_grace_ms: 10_000,
        params: json!({"kind": "a"}),
        services: vec![],
        outputs: vec![],
        break_glass: vec![],
        locks: vec![],
        deadlines: vec![],
        part: None,
        guards: vec![],
    }
}

/// The plan of all child runs of the tests.
pub(crate) fn inner() -> (Digest, Plan) {
    let plan = book(vec![super::build::run("x")]).bare_plan();
    (digest_of(&plan), plan)
}

impl Book {
    pub(crate) fn always(mut self, steps: Vec<Spec>) -> Self {
        self.always = steps;
        self
    }

    pub(crate) fn parallel(mut self) -> Self {
        self.parallel = true;
        self
    }

    pub(crate) fn at_once(mut self, max_parallel: u32) -> Self {
        self.max_parallel = max_parallel;
        self
    }

    pub(crate) fn rolls_back(mut self) -> Self {
        self.on_failure = OnFailure::Rollback;
        self
    }

    pub(crate) fn grace(mut self, ms: u64) -> Self {
        self.cancel_grace_ms = ms;
        self
    }

    pub(crate) fn param(mut self, name: &str, value: Value) -> Self {
        self.params[name] = value;
        self
    }

    /// What a run of it hands on.
    pub(crate) fn output(mut self, name: &str, text: &str) -> Self {
        self.outputs.push((name.to_owned(), text.to_owned()));
        self
    }

    pub(crate) fn service(mut self, name: &str) -> Self {
        self.services.push(name.to_owned());
        self
    }

    pub(crate) fn lock(mut self, name: &str, wait_ms: u64) -> Self {
        self.locks.push(LockWish { name: name.to_owned(), wait_ms });
        self
    }

    /// A deadline that comes so many milliseconds after the start.
    pub(crate) fn deadline(mut self, id: &str, after_ms: u64, unless: Option<&str>, steps: Vec<Spec>) -> Self {
        let mut spec = block(id, steps);
        let deadline = Deadline { after: template("5m"), unless: unless.map(expr) };
        spec.step.beside = Some(Beside::Deadline(Box::new(deadline)));
        self.deadlines.push((spec, after_ms));
        self
    }

    pub(crate) fn part(mut self, kind: PartKind, step: &str) -> Self {
        self.part = Some((kind, step.to_owned()));
        self
    }

    /// A guard that looks each second, and trips when so many looks in a row find that something is so.
    pub(crate) fn guard(mut self, probe: Spec, trip_if: &str, trip_after: u32, on_trip: OnTrip) -> Self {
        let guard = Guard { every_ms: 1_000, trip_if: expr(trip_if), trip_after, on_trip };
        let mut probe = probe.on_interrupt(OnInterrupt::Rerun);
        probe.step.beside = Some(Beside::Guard(Box::new(guard)));
        self.guards.push(probe);
        self
    }

    fn bare_plan(&self) -> Plan {
        Plan {
            version: PLAN_VERSION,
            about: About {
                id: "test".to_owned(),
                title: "Test".to_owned(),
                description: None,
                owner: None,
                severity: None,
                tags: vec![],
                source: vec![],
                sla: BTreeMap::new(),
            },
            params: BTreeMap::new(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            max_parallel: self.max_parallel,
            on_failure: self.on_failure,
            locks: vec![],
            cancel_grace_ms: self.cancel_grace_ms,
            steps: {
                let deadlines = self.deadlines.iter().map(|(spec, _)| spec);
                let beside: Vec<Spec> = deadlines.chain(&self.guards).cloned().collect();
                lower(&self.main, self.parallel, &beside, &self.always)
            },
            outputs: self.outputs.iter().map(|(name, text)| (name.clone(), template(text))).collect(),
            runbooks: BTreeMap::new(),
            plugins: BTreeMap::from([super::build::plugin_of_all()]),
        }
    }

    /// The plan, with that of its child runs.
    pub(crate) fn plan(&self) -> Plan {
        let plan = self.bare_plan();
        let has_children = plan.calls().next().is_some();
        Plan { runbooks: has_children.then(inner).into_iter().collect(), ..plan }
    }

    pub(crate) fn created(&self) -> Created {
        let plan = self.plan();
        // Through JSON, so that a field which has no default is no matter here when one is added.
        let mut created = json!({
            "run": RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            "plan_digest": digest_of(&plan),
            "plan": plan,
            "params": self.params,
            "environment_name": null,
            "environment": {"name": "none"},
            "roles": {},
            "services": [],
            "env": {},
            "dir": "/work",
            "file": "test.yaml",
            "by": person("starter"),
            "break_glass": self.break_glass,
        });
        let service = |name: &String| ServicePlan {
            name: ServiceName::new(name.clone()),
            argv: vec!["serve".to_owned()],
            env: BTreeMap::new(),
            port: 8080,
            data: "data".to_owned(),
            ready_url: "http://localhost:8080/".to_owned(),
            ready_timeout_ms: 1_000,
            kill_grace_ms: 1_000,
        };
        let part = self.part.as_ref().and_then(|(kind, step)| self.plan().part(*kind, step).ok());
        created["part"] = json!(part);
        created["locks"] = json!(self.locks);
        let deadlines = self.deadlines.iter().map(|(spec, after_ms)| (spec.step.id.to_string(), json!(after_ms)));
        created["deadlines"] = Value::Object(deadlines.collect());
        created["services"] = json!(self.services.iter().map(service).collect::<Vec<_>>());
        serde_json::from_value(created).expect("a whole first event")
    }
}

/// A person of that login name.
pub(crate) fn person(name: &str) -> Identity {
    // Another number for each name.
    let uid = 1000 + name.bytes().fold(0, |sum, byte| sum * 31 % 50_000 + u32::from(byte));
    Identity { uid, name: name.to_owned() }
}

/// The host of the so-manieth engine.
pub(crate) fn host(engine: u32) -> Host {
    Host { boot_id: "boot".to_owned(), supervisor: format!("{}:1", 100 + engine) }
}
