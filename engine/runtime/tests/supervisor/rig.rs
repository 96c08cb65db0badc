//! A run folder, an engine's connection, and ways to wait that fail instead of hanging.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runbook_runtime::supervisor::{
    CommandKind, Ended, Exit, Key, Notification, ProcessId, Request, Secret, StartRequest, Started, SupervisorClient,
    Welcome, is_alive, wait_gone,
};

/// Far more than anything here needs; reached only when something is wrong.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) type Test = (&'static str, fn());

/// Runs a test that waits.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.expect("in time") })
}

/// One run.
pub(crate) struct Rig {
    pub(crate) folder: PathBuf,
    pub(crate) client: Option<SupervisorClient>,
    pub(crate) welcome: Welcome,
    _home: Home,
}

/// Removes the folder, and ends the supervisor and all that was started in it, also when the test failed.
pub(crate) struct Home(tempfile::TempDir);

impl Drop for Home {
    fn drop(&mut self) {
        let marker = format!("{}/", self.0.path().file_name().expect("name").to_string_lossy());
        for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let cmdline = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let marked = |text: &[u8], what: &str| text.windows(what.len()).any(|part| part == what.as_bytes());
            let supervises = marked(&cmdline, "__supervise") && marked(&cmdline, marker.trim_end_matches('/'));
            if marked(&environ, &format!("RUNBOOK_ATTEMPT={marker}")) || supervises {
                kill(entry.file_name().to_string_lossy().parse().unwrap_or(0));
            }
        }
    }
}

pub(crate) fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let home = tempfile::Builder::new().prefix("run").tempdir().expect("temp");
        let folder = home.path().to_owned();
        let (client, welcome) = connect(&folder).await;
        Self { folder, client: Some(client), welcome, _home: Home(home) }
    }

    /// A request for `script`, run by `sh`.
    pub(crate) fn sh(&self, key: &str, script: &str) -> StartRequest {
        self.argv(key, "/bin/sh", &["-c", script])
    }

    pub(crate) fn argv(&self, key: &str, program: &str, args: &[&str]) -> StartRequest {
        StartRequest {
            key: Key::new(key).expect("key"),
            kind: CommandKind::Attempt,
            program: program.into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: BTreeMap::new(),
            env_remove: Vec::new(),
            env_secret: BTreeMap::new(),
            mask: Vec::new(),
            dir: self.folder.clone(),
            stdout: self.folder.join(format!("{key}.out")),
            stderr: self.folder.join(format!("{key}.err")),
        }
    }

    pub(crate) fn start(&mut self, request: &StartRequest) {
        self.client().send(&Request::Start(Box::new(request.clone())));
    }

    /// Starts a command and waits until it runs.
    pub(crate) async fn started(&mut self, request: &StartRequest) -> Started {
        self.start(request);
        match self.client().next().await.expect("supervisor lives") {
            Notification::Started { key, started } if key == request.key => started,
            other => panic!("expected that {} started: {other:?}", request.key),
        }
    }

    /// Waits for the end of one command; `Started` of any is passed over.
    pub(crate) async fn ended(&mut self, key: &str) -> Ended {
        loop {
            match self.client().next().await.expect("supervisor lives") {
                Notification::Started { .. } => {}
                Notification::Ended { key: of, ended } if of.as_str() == key => return ended,
                other => panic!("expected the end of {key}: {other:?}"),
            }
        }
    }

    pub(crate) async fn run(&mut self, request: &StartRequest) -> Ended {
        self.start(request);
        self.ended(request.key.as_str()).await
    }

    pub(crate) fn signal(&mut self, key: &str, force: bool) {
        self.client().send(&Request::Signal { key: Key::new(key).expect("key"), force });
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).expect("file")
    }

    pub(crate) fn client(&mut self) -> &mut SupervisorClient {
        self.client.as_mut().expect("connected")
    }

    /// Closes the connection, as if the engine had died.
    pub(crate) fn disconnect(&mut self) {
        self.client = None;
    }

    /// Comes back as another engine.
    pub(crate) async fn reconnect(&mut self) {
        self.disconnect();
        let (client, welcome) = connect(&self.folder).await;
        (self.client, self.welcome) = (Some(client), welcome);
    }

    /// The process whose number a script wrote into a file of the run folder, once it has.
    pub(crate) fn process_in(&self, name: &str) -> ProcessId {
        let path = self.folder.join(name);
        let pid = wait_for(|| std::fs::read_to_string(&path).ok()?.strip_suffix('\n')?.parse().ok());
        process(pid).unwrap_or(ProcessId { pid, start_time: 0 })
    }
}

/// A variable that every test process has (cargo sets it), and no supervisor may have.
pub(crate) const WITHHELD: &str = "CARGO_PKG_NAME";

pub(crate) async fn connect(folder: &Path) -> (SupervisorClient, Welcome) {
    connect_by(folder, &std::env::current_exe().expect("exe")).await
}

pub(crate) async fn connect_by(folder: &Path, exe: &Path) -> (SupervisorClient, Welcome) {
    SupervisorClient::connect_or_start(folder, exe, &[WITHHELD.to_owned()]).await.expect("supervisor")
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text)
}

/// Asks until there is an answer.
pub(crate) fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited for nothing");
        std::thread::yield_now();
    }
}

pub(crate) fn process(pid: u32) -> Option<ProcessId> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let tail = stat.rsplit_once(')')?.1;
    Some(ProcessId { pid, start_time: tail.split_ascii_whitespace().nth(19)?.parse().ok()? })
}

pub(crate) fn gone(process: ProcessId) -> bool {
    wait_gone(process, LIMIT).expect("can wait")
}

pub(crate) fn lives(process: ProcessId) -> bool {
    is_alive(process)
}

pub(crate) fn code(ended: &Ended) -> i32 {
    match ended.exit {
        Exit::Code(code) => code,
        ref other => panic!("expected an exit code: {other:?}"),
    }
}
