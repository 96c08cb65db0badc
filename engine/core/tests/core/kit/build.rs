//! Plans, written as short as runbooks are.

use std::collections::BTreeMap;

use runbook_core::digest_of;
use runbook_core::plan::{
    Action, Approval, Argv, Ask, Body, Check, Condition, DoneWhen, EnvSource, Expression, FailuresMax, Field, ForEach,
    Http, Lock, OnInterrupt, Operation, Param, ParamKind, Plugin, PluginCall, Probe, Retry, RetryOn, RunbookCall,
    Script, Section, Step, Template, Undo, Until, Wait,
};
use runbook_core::units::{Digest, Role};
use serde_json::json;

/// A step to be.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) step: Step,
    pub(crate) needs: Option<Vec<String>>,
    pub(crate) inside: Inside,
    pub(crate) parallel: bool,
    /// `for_each`, `as`, `max_parallel`, `max_failures`; the rest is lowered with the body.
    pub(crate) each: Option<ForEach>,
}

/// The steps within.
#[derive(Clone, Debug)]
pub(crate) enum Inside {
    Nothing,
    /// `steps`, `rescue` and `always`.
    Block(Vec<Spec>, Vec<Spec>, Vec<Spec>),
    Switch(String, Vec<(String, Vec<Spec>)>, Option<Vec<Spec>>),
    /// The body of a loop, that is [`whole`].
    Item(Box<Spec>),
}

/// The names that are there after an attempt only.
const LOCALS: [&str; 5] = ["outputs", "stdout", "stderr", "exit_code", "response"];

/// An expression.
pub(crate) fn expr(source: &str) -> Expression {
    let words: Vec<&str> = source.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').collect();
    let reads =
        words.iter().filter_map(|word| word.strip_prefix("steps.")?.split('.').next()).map(Into::into).collect();
    let roots = words.iter().filter_map(|word| word.split('.').next());
    let locals = roots.filter(|root| LOCALS.contains(root)).map(|root| (*root).to_owned()).collect();
    Expression { source: source.to_owned(), reads, locals }
}

/// A template: a value where the whole is in braces, else a text.
pub(crate) fn template(text: &str) -> Template {
    let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    match inner {
        Some(inner) if !inner.contains("{{") => Template::Value(expr(inner.trim())),
        _ if text.contains("{{") => Template::Text(expr(text)),
        _ => Template::text(text),
    }
}

/// A script as an action.
pub(crate) fn script(text: &str) -> Action {
    Action::Run(Script { text: text.to_owned(), shell: "bash".to_owned(), env: BTreeMap::new(), dir: None })
}

fn spec(id: &str, action: Action) -> Spec {
    let step = Step {
        id: id.into(),
        title: id.to_owned(),
        parent: None,
        case: None,
        section: Section::Main,
        always: false,
        beside: None,
        needs: vec![],
        needs_any: None,
        condition: None,
        body: Body::Action(action),
        timeout_ms: None,
        kill_grace_ms: 1_000,
        retry: None,
        until: None,
        done_when: None,
        approval: None,
        locks: vec![],
        on_interrupt: OnInterrupt::Ask,
        continue_on_failure: false,
        ask_on_failure: false,
        rollback: None,
        irreversible: false,
        outputs: BTreeMap::new(),
        item: None,
    };
    Spec { step, needs: None, inside: Inside::Nothing, parallel: false, each: None }
}

/// `run`.
pub(crate) fn run(id: &str) -> Spec {
    spec(id, script("true"))
}

/// `argv`, with templates.
pub(crate) fn argv(id: &str, words: &[&str]) -> Spec {
    let argv = words.iter().map(|word| template(word)).collect();
    spec(id, Action::Argv(Argv { argv, env: BTreeMap::new(), dir: None }))
}

/// `http`.
pub(crate) fn http(id: &str) -> Spec {
    let http = Http {
        method: "GET".to_owned(),
        url: Template::text("http://localhost/"),
        headers: BTreeMap::new(),
        body: None,
        expect: vec![(200, 399)],
    };
    spec(id, Action::Http(Box::new(http)))
}

/// `assert`.
pub(crate) fn assert_that(id: &str, that: &str) -> Spec {
    spec(id, Action::Assert(vec![Check { that: expr(that), message: None }]))
}

/// `set`.
pub(crate) fn set(id: &str, values: &[(&str, &str)]) -> Spec {
    spec(id, Action::Set(values.iter().map(|(name, text)| ((*name).to_owned(), template(text))).collect()))
}

/// `wait`.
pub(crate) fn wait(id: &str, text: &str) -> Spec {
    spec(id, Action::Wait(if text.starts_with('@') { Wait::Until(template(text)) } else { Wait::For(template(text)) }))
}

/// `manual`.
pub(crate) fn manual(id: &str) -> Spec {
    spec(id, Action::Manual(Template::text("turn the key")))
}

/// `ask`, for one or more values that are `a` or `b`.
pub(crate) fn ask(id: &str, names: &[&str]) -> Spec {
    let param = Param {
        kind: ParamKind::String,
        choices: vec!["a".into(), "b".into()],
        required: true,
        default: None,
        description: None,
    };
    let fields = names.iter().map(|name| Field { name: (*name).to_owned(), param: param.clone() });
    spec(id, Action::Ask(Ask { prompt: Template::text("which one?"), fields: fields.collect() }))
}

/// `runbook`: a child run of the plan that every book has for it.
pub(crate) fn child(id: &str) -> Spec {
    let call = RunbookCall { name: "inner".to_owned(), plan: super::book::inner().0, with: BTreeMap::new() };
    spec(id, Action::Runbook(call)).on_interrupt(OnInterrupt::Rerun)
}

/// `uses`: a call of the one plugin that every book has.
pub(crate) fn plugin(id: &str) -> Spec {
    spec(id, Action::Plugin(call(Operation::Run)))
}

fn call(operation: Operation) -> PluginCall {
    let with = BTreeMap::from([("text".to_owned(), EnvSource::Template(Template::text("hello")))]);
    PluginCall { name: "note".to_owned(), plugin: plugin_of_all().0, operation, with, outputs: BTreeMap::new() }
}

/// The plugin that every book has.
pub(crate) fn plugin_of_all() -> (Digest, Plugin) {
    let (inputs, outputs) = (json!({"required": ["text"]}), json!({}));
    let argv = vec!["./note".to_owned()];
    let plugin = Plugin { id: "note".to_owned(), version: None, argv, inputs, outputs, idempotent: false };
    (digest_of(&plugin), plugin)
}

/// `steps`.
pub(crate) fn block(id: &str, children: Vec<Spec>) -> Spec {
    Spec { inside: Inside::Block(children, vec![], vec![]), ..run(id) }
}

/// `switch`.
pub(crate) fn switch(id: &str, on: &str, cases: Vec<(&str, Vec<Spec>)>, default: Option<Vec<Spec>>) -> Spec {
    let cases = cases.into_iter().map(|(value, steps)| (value.to_owned(), steps)).collect();
    Spec { inside: Inside::Switch(on.to_owned(), cases, default), ..run(id) }
}

impl Spec {
    pub(crate) fn needs(mut self, needs: &[&str]) -> Self {
        self.needs = Some(needs.iter().map(|need| (*need).to_owned()).collect());
        self
    }

    /// So many of its needs suffice.
    pub(crate) fn any(mut self, any: u32) -> Self {
        self.step.needs_any = Some(any);
        self
    }

    pub(crate) fn when(mut self, source: &str) -> Self {
        let asks_status = source.contains("failure()") || source.contains("always()");
        self.step.condition = Some(Condition { expression: expr(source), asks_status });
        self
    }

    /// `rescue` of a block.
    pub(crate) fn rescue(mut self, steps: Vec<Spec>) -> Self {
        if let Inside::Block(_, rescue, _) = &mut self.inside {
            *rescue = steps;
        }
        self
    }

    /// `always` of a block.
    pub(crate) fn always(mut self, steps: Vec<Spec>) -> Self {
        if let Inside::Block(_, _, always) = &mut self.inside {
            *always = steps;
        }
        self
    }

    /// `for_each`, one item after the other; the items are called `item`.
    pub(crate) fn for_each(mut self, over: &str) -> Self {
        let (over, name) = (expr(over), "item".to_owned());
        let failures_max = FailuresMax::Count(0);
        self.each = Some(ForEach { over, name, width: Some(1), failures_max, body: vec![], roots: vec![] });
        self
    }

    /// `as` of a loop.
    pub(crate) fn called(mut self, name: &str) -> Self {
        if let Some(each) = &mut self.each {
            name.clone_into(&mut each.name);
        }
        self
    }

    /// `max_parallel` of a loop.
    pub(crate) fn wide(mut self, width: Option<u32>) -> Self {
        if let Some(each) = &mut self.each {
            each.width = width;
        }
        self
    }

    /// `max_failures` of a loop.
    pub(crate) fn may_fail(mut self, failures_max: FailuresMax) -> Self {
        if let Some(each) = &mut self.each {
            each.failures_max = failures_max;
        }
        self
    }

    pub(crate) fn parallel(mut self) -> Self {
        self.parallel = true;
        self
    }

    /// Holds a lock, for which it waits so long; none: not at all.
    pub(crate) fn lock(mut self, name: &str, wait_ms: Option<u64>) -> Self {
        self.step.locks.push(Lock { name: template(name), wait_ms });
        self
    }

    pub(crate) fn keep_going(mut self) -> Self {
        self.step.continue_on_failure = true;
        self
    }

    pub(crate) fn retry(mut self, attempts_max: u32, delay_ms: u64) -> Self {
        self.step.retry = Some(Retry { attempts_max, delay_ms, exponential: false, delay_max_ms: None, on: None });
        self
    }

    /// `retry.on`, of a step that has a `retry`.
    pub(crate) fn only_on(mut self, exit_codes: &[i32], condition: Option<&str>) -> Self {
        let on = RetryOn { exit_codes: exit_codes.iter().copied().collect(), condition: condition.map(expr) };
        if let Some(retry) = &mut self.step.retry {
            retry.on = Some(on);
        }
        self
    }

    pub(crate) fn until(mut self, source: &str, every_ms: u64) -> Self {
        self.step.until = Some(Until { condition: expr(source), every_ms });
        self
    }

    /// `done_when` with an expression.
    pub(crate) fn done_when(mut self, source: &str) -> Self {
        self.step.done_when = Some(DoneWhen::Holds(expr(source)));
        self
    }

    /// `done_when` with a command that has so long.
    pub(crate) fn probed(mut self, timeout_ms: u64) -> Self {
        let (action, kill_grace_ms) = (script("look"), 1_000);
        self.step.done_when = Some(DoneWhen::Probe(Box::new(Probe { action, timeout_ms, kill_grace_ms })));
        self
    }

    pub(crate) fn timeout(mut self, ms: u64) -> Self {
        self.step.timeout_ms = Some(ms);
        self
    }

    pub(crate) fn on_interrupt(mut self, then: OnInterrupt) -> Self {
        self.step.on_interrupt = then;
        self
    }

    pub(crate) fn approval(mut self, from: &[&str], timeout_ms: Option<u64>) -> Self {
        let from = from.iter().map(|role| Role::new(*role)).collect();
        self.step.approval = Some(Approval {
            from,
            min: 1,
            exclude_initiator: false,
            timeout_ms,
            escalate_to: vec![],
            message: None,
            step_by_step: false,
        });
        self
    }

    /// So many people must approve, perhaps without the one who started the run.
    pub(crate) fn several(mut self, min: u32, exclude_initiator: bool) -> Self {
        if let Some(approval) = &mut self.step.approval {
            (approval.min, approval.exclude_initiator) = (min, exclude_initiator);
        }
        self
    }

    /// Who may answer, too, when nobody did in time.
    pub(crate) fn escalates_to(mut self, to: &[&str]) -> Self {
        if let Some(approval) = &mut self.step.approval {
            approval.escalate_to = to.iter().map(|role| Role::new(*role)).collect();
        }
        self
    }

    pub(crate) fn undo(self) -> Self {
        self.undo_with(script("undo"))
    }

    pub(crate) fn undo_with(mut self, action: Action) -> Self {
        let (timeout_ms, kill_grace_ms, retry, on_interrupt) = (None, 1_000, None, OnInterrupt::Ask);
        let also_failed = false;
        self.step.rollback = Some(Undo { action, also_failed, timeout_ms, kill_grace_ms, retry, on_interrupt });
        self
    }

    /// Changes the undo.
    pub(crate) fn undoing(self, change: impl FnOnce(&mut Undo)) -> Self {
        let mut spec = if self.step.rollback.is_none() { self.undo() } else { self };
        if let Some(undo) = &mut spec.step.rollback {
            change(undo);
        }
        spec
    }

    pub(crate) fn also_failed(self) -> Self {
        self.undoing(|undo| undo.also_failed = true)
    }

    pub(crate) fn irreversible(mut self) -> Self {
        self.step.irreversible = true;
        self
    }

    pub(crate) fn output(mut self, name: &str, text: &str) -> Self {
        self.step.outputs.insert(name.to_owned(), template(text));
        self
    }

    /// The child run is rolled back with its parent.
    pub(crate) fn undoes_child(mut self) -> Self {
        self.step.irreversible = false;
        self.undo_with(Action::UndoRunbook)
            .undoing(|undo| (undo.also_failed, undo.on_interrupt) = (true, OnInterrupt::Rerun))
    }

    /// A param of a child run.
    pub(crate) fn with(mut self, name: &str, text: &str) -> Self {
        if let Body::Action(Action::Runbook(call)) = &mut self.step.body {
            call.with.insert(name.to_owned(), template(text));
        }
        self
    }

    pub(crate) fn env(mut self, name: &str, text: &str) -> Self {
        if let Body::Action(Action::Run(script)) = &mut self.step.body {
            script.env.insert(name.to_owned(), EnvSource::Template(template(text)));
        }
        self
    }
}
