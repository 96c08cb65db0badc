//! Random runbooks.

use std::collections::BTreeMap;

use runbook_core::plan::{Action, Body, FailuresMax, OnFailure, OnInterrupt, OnTrip, PartKind, Step};

use crate::kit::book::{Book, book};
use crate::kit::build::{
    Inside, Spec, argv, ask, assert_that, block, child, http, manual, plugin, run, script, set, switch, wait,
};
use crate::kit::rng::Rng;

/// What may occur.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Steps in all, about; one runbook in five has up to four times as many.
    pub(crate) size: u64,
    /// Whether values pass from step to step, and time is short.
    pub(crate) rich: bool,
    /// Whether guards look on for as long as the steps go on.
    pub(crate) guards: bool,
    /// What happens to interrupted attempts; none: anything.
    pub(crate) on_interrupt: Option<OnInterrupt>,
}

struct Making {
    rng: Rng,
    /// Which steps ask what follows on their failure.
    asks: Rng,
    /// Which child runs are rolled back with their parents.
    children: Rng,
    /// How many steps have locks, in percent: in some runbooks so many that they get into each other's way.
    locked: u64,
    style: Style,
    left: u64,
    next: u32,
    /// The ids of steps that lie before the present one and not around it.
    before: Vec<String>,
}

/// The runbook of a seed.
pub(crate) fn random(seed: u64, style: Style) -> Book {
    let mut rng = Rng::of(seed, "plan");
    let most = if rng.percent(20) { 4 * style.size } else { style.size };
    let left = 2 + rng.below(most);
    // In a crowd it matters who comes first.
    let is_crowded = style.rich && Rng::of(seed, "locks").percent(20);
    let locked = if is_crowded { 45 } else { 12 };
    let (asks, children) = (Rng::of(seed, "asks"), Rng::of(seed, "children"));
    let mut making = Making { rng, asks, children, locked, style, left, next: 0, before: vec![] };
    let mut main = making.list(0);
    while making.left > 0 {
        main.extend(making.list(0));
    }
    if is_crowded {
        main.extend(making.crossed());
    }
    let always = if making.rng.percent(40) {
        making.left = 1 + making.rng.below(3);
        making.before.clear();
        let mut always = making.list(0);
        // The steps of `always` run one after the other.
        always.iter_mut().for_each(|spec| spec.needs = None);
        always
    } else {
        vec![]
    };
    let rng = &mut making.rng;
    let mut made = book(main).always(always);
    made = made.param("hosts", serde_json::json!(["a", {"name": "b"}, 3])).param("none", serde_json::json!([]));
    made.parallel = rng.percent(if is_crowded { 80 } else { 35 });
    // In a crowd nobody waits for a place or a service as well: whoever came later because of that would get the lock later.
    made.max_parallel = if style.rich && !is_crowded { 1 + rng.below(4) as u32 } else { 100 };
    made.on_failure = if rng.percent(60) { OnFailure::Rollback } else { OnFailure::Stop };
    if style.rich && Rng::of(seed, "ask").percent(20) {
        made.on_failure = OnFailure::Ask;
    }
    made.cancel_grace_ms = if rng.percent(50) { 10_000 } else { rng.below(900) };
    if rng.percent(60) {
        made.break_glass = vec!["boss".into()];
    }
    if rng.percent(20) && !is_crowded {
        made = made.service("db");
    }
    if rng.percent(15) {
        made = made.lock("x", rng.pick(&[0, 1_000, 9_000]));
    }
    // With a deadline it matters how long something took.
    let deadlines = if style.rich { [0, 0, 1, 2][rng.below(4) as usize] } else { 0 };
    for number in 0..deadlines {
        let (after_ms, steps) = (making.rng.below(3_000), making.beside());
        let unless = ["params.kind == 'b'", "steps.s0.succeeded", "not steps.s0.failed", "params.kind"];
        let unless = making.rng.percent(40).then(|| making.rng.pick(&unless));
        made = made.deadline(&format!("d{number}"), after_ms, unless, steps);
    }
    if making.rng.percent(12) {
        let kind = making.rng.pick(&[PartKind::Only, PartKind::From]);
        let next = making.next;
        // Not each step names a part; then all of them run.
        made = made.part(kind, &format!("s{}", making.rng.below(u64::from(next))));
    }
    if style.guards && making.rng.percent(25) {
        made = making.guarded(made);
    }
    made
}

impl Making {
    fn guarded(&mut self, made: Book) -> Book {
        let probe = if self.rng.percent(50) { http("g") } else { run("g") };
        let trip_if = ["response.up", "response.up", "exit_code == 1", "stdout == 'yes'", "false", "params.kind"];
        let (trip_if, trip_after) = (self.rng.pick(&trip_if), 1 + self.rng.below(3) as u32);
        let on_trip = self.rng.pick(&[OnTrip::Stop, OnTrip::Rollback, OnTrip::Pause]);
        let timeout = self.rng.percent(30).then(|| 20 + self.rng.below(80));
        let mut made = made.guard(probe, trip_if, trip_after, on_trip);
        made.guards[0].step.timeout_ms = timeout;
        made
    }

    /// Two blocks that may come to wait for each other: of two locks each takes another one first, or one needs the other.
    fn crossed(&mut self) -> Vec<Spec> {
        let wait = Some(9_000);
        let mut inner = |id: &str, lock: &str| {
            let spec = self.command(run(id));
            let spec = if self.rng.percent(60) { spec.lock(lock, wait) } else { spec.needs(&["t2"]) };
            if self.rng.percent(50) { spec.keep_going() } else { spec }
        };
        let one = block("t0", vec![run("t1"), inner("t3", "y")]).lock("x", wait);
        let two =
            if self.rng.percent(50) { run("t2").lock("x", wait).needs(&["t4"]) } else { run("t2").lock("y", wait) };
        let two = if two.needs.is_some() { vec![run("t4").needs(&[]), two] } else { vec![two.needs(&[])] };
        let three = block("t5", vec![run("t6"), run("t7").lock("x", wait)]).lock("y", wait).needs(&[]);
        [two, vec![one.needs(&[]), three]].concat()
    }

    /// The steps of a deadline.
    fn beside(&mut self) -> Vec<Spec> {
        self.left = 1 + self.rng.below(4);
        self.before.clear();
        self.list(1)
    }

    fn list(&mut self, depth: u32) -> Vec<Spec> {
        let count = 1 + self.rng.below(4);
        let mut specs = vec![];
        for _ in 0..count {
            if self.left == 0 && !specs.is_empty() {
                break;
            }
            self.left = self.left.saturating_sub(1);
            specs.push(self.step(depth));
        }
        specs
    }

    fn step(&mut self, depth: u32) -> Spec {
        let id = format!("s{}", self.next);
        self.next += 1;
        let needs = self.needs();
        if depth < 3 && self.rng.percent(9) {
            return self.repeated(&id, needs, depth);
        }
        let spec = match self.rng.below(if depth < 3 { 20 } else { 16 }) {
            0..=5 => self.command(run(&id)),
            6 => self.command(plugin(&id)),
            7 => self.child(&id),
            8 | 9 => self.command(http(&id)),
            10 => self.poll(&id),
            11 => wait(&id, self.rng.pick(&["200ms", "1s", "@900", "0s"])),
            12 => {
                let timeout = self.rng.percent(50).then_some(1_200);
                let mut spec = if self.rng.percent(40) { ask(&id, &["given"]) } else { manual(&id) };
                spec.step.timeout_ms = timeout;
                spec
            }
            13 => assert_that(&id, self.rng.pick(&["true", "params.kind == 'a'", "params.kind == 'b'"])),
            14 => set(&id, &[("given", self.rng.pick(&["{{ params.kind }}", "x"]))]),
            15 => self.reading(&id),
            16..=18 => {
                let spec = self.block(&id, depth);
                if self.rng.percent(50) { spec.parallel() } else { spec }
            }
            _ => self.switch(&id, depth),
        };
        self.before.push(id);
        let spec = match needs {
            Some(needs) => {
                let some = needs.len() > 1 && self.rng.percent(35);
                let any = 1 + self.rng.below(needs.len().max(1) as u64) as u32;
                let spec = Spec { needs: Some(needs), ..spec };
                if some { spec.any(any) } else { spec }
            }
            None => spec,
        };
        self.around(spec)
    }

    /// A loop, over an action or a block; what lies within and what lies outside do not name each other.
    fn repeated(&mut self, id: &str, needs: Option<Vec<String>>, depth: u32) -> Spec {
        let before = std::mem::take(&mut self.before);
        let spec = match self.rng.below(4) {
            0 => self.command(argv(id, &["echo", "{{ item }}"])),
            1 => self.command(run(id)),
            _ => self.block(id, depth),
        };
        self.before = before;
        self.before.push(id.to_owned());
        let over = ["params.hosts", "params.hosts", "params.hosts", "params.none", "params.kind"];
        let width = self.rng.pick(&[Some(1), Some(2), None]);
        let failures = [FailuresMax::Count(0), FailuresMax::Count(1), FailuresMax::Percent(70)];
        let (over, failures) = (self.rng.pick(&over), self.rng.pick(&failures));
        let spec = spec.for_each(over).wide(width).may_fail(failures);
        self.around(Spec { needs, ..spec })
    }

    fn needs(&mut self) -> Option<Vec<String>> {
        if self.before.is_empty() || self.rng.percent(60) {
            return None;
        }
        let count = self.rng.below(4);
        let mut needs: Vec<String> = (0..count).map(|_| self.rng.pick(&self.before)).collect();
        needs.sort();
        needs.dedup();
        Some(needs)
    }

    /// A block; no step of one section is named in another, nor one of `rescue` and `always` around it.
    fn block(&mut self, id: &str, depth: u32) -> Spec {
        let around = self.before.len();
        let mut spec = block(id, self.list(depth + 1));
        let main = self.before.split_off(around);
        if self.rng.percent(40) {
            spec = spec.rescue(self.list(depth + 1));
        }
        if self.rng.percent(35) {
            let before = std::mem::take(&mut self.before);
            let mut always = self.list(depth + 1);
            always.iter_mut().for_each(|spec| spec.needs = None);
            spec = spec.always(always);
            self.before = before;
        }
        self.before.truncate(around);
        self.before.extend(main);
        spec
    }

    fn switch(&mut self, id: &str, depth: u32) -> Spec {
        let on = self.rng.pick(&["params.kind", "'b'", "'z'"]);
        let (first, second) = (self.list(depth + 1), self.list(depth + 1));
        let default = self.rng.percent(60).then(|| self.list(depth + 1));
        switch(id, on, vec![("a", first), ("b", second)], default)
    }

    fn command(&mut self, spec: Spec) -> Spec {
        let mut spec = spec;
        if self.rng.percent(25) {
            spec = spec.retry(1 + self.rng.below(3) as u32, self.rng.below(700));
            if let Some(retry) = &mut spec.step.retry {
                retry.exponential = self.rng.percent(50);
                retry.delay_max_ms = self.rng.percent(50).then_some(900);
            }
            // Who only says that it did not take effect does not know how it failed.
            if self.style.rich && self.rng.percent(40) {
                let condition = self.rng.pick(&["stdout == 'yes'", "exit_code == 2", "response.status == 500"]);
                let condition = self.rng.percent(60).then_some(condition);
                spec = spec.only_on(&[1 + self.rng.below(3) as i32], condition);
            }
        }
        if self.style.rich && self.rng.percent(30) {
            spec = spec.timeout(100 + self.rng.below(1_500));
        }
        if self.style.rich && self.rng.percent(30) {
            spec = spec.output("given", "{{ outputs.given }}");
        }
        let any = [OnInterrupt::Rerun, OnInterrupt::Ask, OnInterrupt::Ask, OnInterrupt::Fail];
        let then = self.style.on_interrupt.unwrap_or(self.rng.pick(&any));
        spec.on_interrupt(then)
    }

    fn child(&mut self, id: &str) -> Spec {
        let spec = self.command(child(id));
        Spec { step: Step { outputs: BTreeMap::new(), ..spec.step }, ..spec }.on_interrupt(OnInterrupt::Rerun)
    }

    fn poll(&mut self, id: &str) -> Spec {
        let spec = if self.rng.percent(50) { http(id) } else { run(id) };
        let mut spec = spec.until("response.up", 100 + self.rng.below(400)).on_interrupt(OnInterrupt::Rerun);
        if self.style.rich && self.rng.percent(50) {
            spec = spec.timeout(500 + self.rng.below(2_500));
        }
        if self.rng.percent(30) {
            spec = spec.retry(2, 100);
        }
        spec
    }

    /// A command that reads what another step came to.
    fn reading(&mut self, id: &str) -> Spec {
        let Some(of) = (!self.before.is_empty()).then(|| self.rng.pick(&self.before)) else {
            return self.command(run(id));
        };
        let mut spec = if self.style.rich && self.rng.percent(70) {
            argv(id, &["echo", &format!("{{{{ steps.{of}.outputs.given }}}}")])
        } else {
            run(id).when(&format!("steps.{of}.succeeded"))
        };
        spec.needs = Some(vec![of]);
        let any = [OnInterrupt::Rerun, OnInterrupt::Ask];
        let then = self.style.on_interrupt.unwrap_or(self.rng.pick(&any));
        spec.on_interrupt(then)
    }

    /// Something may say that an action need not be done.
    fn maybe_done(&mut self, spec: Spec) -> Spec {
        let acts = matches!(
            spec.step.body,
            Body::Action(Action::Run(_) | Action::Argv(_) | Action::Http(_) | Action::Manual(_))
        );
        if !self.style.rich || !acts || !matches!(spec.inside, Inside::Nothing) || !self.rng.percent(20) {
            return spec;
        }
        match self.rng.below(4) {
            0 => spec.done_when(self.rng.pick(&["params.kind == 'a'", "params.kind == 'b'"])),
            _ => spec.probed(self.rng.pick(&[200, 60_000])),
        }
    }

    /// What may be said of any step.
    fn around(&mut self, spec: Spec) -> Spec {
        let mut spec = self.maybe_done(spec);
        if self.rng.percent(18) && spec.step.condition.is_none() {
            let conditions = ["true", "params.kind == 'b'", "failure()", "failure()", "always()", "always()"];
            spec = spec.when(self.rng.pick(&conditions));
        }
        if self.rng.percent(self.locked) {
            let name = self.rng.pick(&["x", "y", "{{ params.kind }}"]);
            let wait_ms = self.rng.pick(&[None, Some(700), Some(9_000)]);
            // In a crowd only who waits long enough gets into others' way.
            spec = spec.lock(name, if self.locked > 12 { Some(9_000) } else { wait_ms });
        }
        if self.rng.percent(15) {
            spec = spec.keep_going();
        }
        if self.style.rich && self.asks.percent(5) {
            spec.step.ask_on_failure = !spec.step.continue_on_failure;
        }
        if self.rng.percent(12) {
            let timeout = self.rng.percent(60).then(|| 500 + self.rng.below(1_500));
            let several = 1 + self.rng.below(3) as u32;
            spec = spec.approval(&["chief"], timeout).several(several, self.rng.percent(30));
            if self.rng.percent(30) {
                spec = spec.escalates_to(&["boss"]);
            }
        }
        if self.rng.percent(45) {
            let any = [OnInterrupt::Rerun, OnInterrupt::Ask];
            let then = self.style.on_interrupt.unwrap_or(self.rng.pick(&any));
            let action = if self.rng.percent(20) { None } else { Some(script("undo")) };
            spec = match action {
                Some(action) => spec.undo_with(action),
                None => {
                    let other = self.rng.pick(&["assert", "manual", "wait"]);
                    let body = match other {
                        "assert" => assert_that("x", "params.kind == 'a'"),
                        "manual" => manual("x"),
                        _ => wait("x", "100ms"),
                    };
                    let runbook_core::plan::Body::Action(action) = body.step.body else { return spec };
                    spec.undo_with(action)
                }
            };
            let (also_failed, retry) = (self.rng.percent(30), self.rng.percent(40));
            spec = spec.undoing(|undo| {
                (undo.also_failed, undo.on_interrupt) = (also_failed, then);
                undo.retry = retry.then_some(runbook_core::plan::Retry {
                    attempts_max: 3,
                    delay_ms: 50,
                    exponential: false,
                    delay_max_ms: None,
                    on: None,
                });
            });
        } else if self.rng.percent(8) {
            spec = spec.irreversible();
        }
        let is_child = matches!(spec.step.body, Body::Action(Action::Runbook(_)));
        if is_child && self.children.percent(75) { spec.undoes_child() } else { spec }
    }
}
