//! Snapshots of runs for tests of what is drawn of them.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::rendered::{Rendered, RenderedSource};
use runbook_runtime::given::Given;
use runbook_runtime::status::{CancelStatus, QuestionStatus, STATUS_VERSION, Status, StepStatus};
use runbook_runtime::unless::Unless;
use serde_json::json;

/// When the runs started: 2023-11-14 22:13:20 UTC.
pub(crate) const START: u64 = 1_700_000_000_000;
/// A while later.
pub(crate) const NOW: u64 = START + 63_000;

/// A step in a state.
pub(crate) fn step(id: &str, state: &str) -> StepStatus {
    StepStatus {
        id: id.to_owned(),
        title: id.to_owned(),
        parent: None,
        always: false,
        is_block: false,
        each: None,
        state: state.to_owned(),
        detail: None,
        due: None,
        already_done: false,
        attempts: u32::from(!matches!(state, "pending" | "waiting" | "skipped" | "blocked")),
        log: None,
        exit_code: None,
        started_at: None,
        ended_at: None,
        undo: None,
        undo_detail: None,
        outputs: BTreeMap::new(),
        outputs_cut: BTreeMap::new(),
        child: None,
    }
}

/// A run with steps.
pub(crate) fn run(state: &str, steps: Vec<StepStatus>) -> Status {
    Status {
        version: STATUS_VERSION,
        run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        runbook: "p0-response".to_owned(),
        title: "P0 incident response".to_owned(),
        state: state.to_owned(),
        stage: "steps".to_owned(),
        started_by: "mia".to_owned(),
        responsible: Some("mia".to_owned()),
        paused_by: None,
        paused_because: None,
        verbs: vec![],
        told: vec![],
        environment: Some("sandbox".to_owned()),
        params: json!({"incident_type": "system_down", "retries": 3}),
        started_at: START,
        ended_at: None,
        updated_at: NOW,
        engine_pid: Some(4711),
        cancel: None,
        questions: vec![],
        locks: vec![],
        services: BTreeMap::new(),
        steps,
        cause: None,
        exit_code: None,
        irreversible: vec![],
        parent: None,
        outputs: BTreeMap::new(),
    }
}

/// A run in which one step succeeded, one runs, and one asks for approval.
pub(crate) fn waiting() -> Status {
    let mut assess = step("assess", "succeeded");
    (assess.started_at, assess.ended_at) = (Some(START), Some(START + 1_200));
    assess.outputs = BTreeMap::from([("status".to_owned(), json!(503))]);
    let mut probe = step("probe", "running");
    (probe.started_at, probe.log, probe.attempts) = (Some(NOW - 12_000), Some("probe.2".to_owned()), 2);
    let mut contain = step("contain", "waiting");
    (contain.title, contain.detail) = ("Contain the incident".to_owned(), Some("waits for approval".to_owned()));
    let mut status = run("running", vec![assess, probe, contain, step("verify", "pending")]);
    status.questions = vec![QuestionStatus {
        id: "approve:contain".to_owned(),
        step: "contain".to_owned(),
        kind: "approval".to_owned(),
        message: Some("Restart the gateway?".to_owned()),
        from: vec!["incident-commander".to_owned(), "mia".to_owned()],
        digest: Some("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a".to_owned()),
        action: Some(Rendered::Run {
            text: "systemctl restart \"$SERVICE\"\n".to_owned(),
            shell: "bash".to_owned(),
            env: BTreeMap::from([("SERVICE".to_owned(), RenderedSource::Value("gateway".to_owned()))]),
            dir: None,
        }),
        undo: Some(json!({"argv": {"argv": [{"literal": "systemctl"}, {"literal": "stop"}, {"literal": "gateway"}],
            "env": {}, "dir": null}})),
        unless: Some(Unless::Holds("steps.assess.outputs.status == 200".to_owned())),
        given: Given {
            shown: BTreeMap::from([("UNIT".to_owned(), RenderedSource::Value("gateway.service".to_owned()))]),
            others: BTreeSet::from(["INCIDENT_TYPE".to_owned(), "RETRIES".to_owned()]),
        },
        undo_given: Given {
            shown: BTreeMap::from([("RETRIES".to_owned(), RenderedSource::Value("3".to_owned()))]),
            others: BTreeSet::new(),
        },
        due: Some(NOW + 598_000),
        min: Some(1),
        approved: vec![],
        escalates_to: vec![],
        escalated: false,
        break_glass: vec![],
        not_by: None,
        body: vec![],
        fields: vec![],
        attempt: None,
        asker: None,
        verbs: vec![],
    }];
    status
}

/// A run that failed, with all undone but what cannot be.
pub(crate) fn rolled_back() -> Status {
    let mut open = step("open_incident", "succeeded");
    open.undo = Some("undone".to_owned());
    let mut notify = step("notify", "succeeded");
    (notify.started_at, notify.ended_at) = (Some(START), Some(START + 100));
    let mut contain = step("contain", "failed");
    (contain.detail, contain.exit_code) = (Some("exit code 3".to_owned()), Some(3));
    (contain.log, contain.attempts) = (Some("contain.1".to_owned()), 1);
    let mut verify = step("verify", "blocked");
    verify.detail = Some("`contain` before it did not succeed".to_owned());
    let mut status = run("failed", vec![open, notify, contain, verify]);
    (status.stage, status.ended_at, status.exit_code) = ("ended".to_owned(), Some(NOW), Some(1));
    (status.engine_pid, status.irreversible) = (None, vec!["notify".to_owned()]);
    status.cause = Some("step `contain` failed: exit code 3".to_owned());
    status
}

/// A run whose rollback failed.
pub(crate) fn stuck() -> Status {
    let mut status = rolled_back();
    (status.state, status.exit_code, status.irreversible) = ("stuck".to_owned(), Some(5), vec![]);
    status.cause = Some("the rollback of step `open_incident` failed: exit code 1".to_owned());
    status.steps[0].undo = Some("failed".to_owned());
    status.steps[0].undo_detail = Some("exit code 1".to_owned());
    status.steps[1].undo = Some("undone".to_owned());
    let mut first = step("acknowledge", "succeeded");
    first.undo = Some("pending".to_owned());
    status.steps.insert(0, first);
    status
}

/// A run that is being cancelled.
pub(crate) fn cancelling(level: u8) -> Status {
    let mut status = waiting();
    status.questions.clear();
    status.cancel = Some(CancelStatus { by: "mia".to_owned(), level, term_at: NOW + 8_000 });
    status
}
