//! Real servers, started by a test and ended with it. `.ci/counterparts` installs them.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where this is set, nothing may be missing.
const MUST: &str = "RUNBOOK_TEST_COUNTERPARTS";

/// A test that waits longer than this for something to happen has failed.
const LIMIT: Duration = Duration::from_secs(60);

/// A program, in one of the folders or on PATH.
pub(crate) fn program(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().map(PathBuf::from).chain(std::env::split_paths(&path));
    let all = all.chain([PathBuf::from("/usr/bin")]);
    let found = all.map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        missing(name);
    }
    found
}

/// Says that a test could not be made, or fails it where it must be.
pub(crate) fn missing(what: &str) {
    assert!(std::env::var_os(MUST).is_none(), "{MUST} is set, and there is no {what}");
    // Not by a macro, whose output tests swallow.
    let said = format!("SKIPPED: a test with {what}, which is not here; `.ci/counterparts` brings it\n");
    let _ = std::io::stderr().write_all(said.as_bytes());
}

/// A port that was free a moment ago.
pub(crate) fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    /// Its data.
    pub(crate) folder: tempfile::TempDir,
}

impl Server {
    /// Starts one; what it says is in `said` within its folder.
    pub(crate) fn start(folder: tempfile::TempDir, command: &mut Command) -> Self {
        let said = std::fs::File::create(folder.path().join("said")).expect("a file");
        let also = said.try_clone().expect("a file");
        let child = command.stdin(Stdio::null()).stdout(said).stderr(also).spawn().expect("the server starts");
        Self { child, folder }
    }

    /// Looks again and again until there is something.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            let said = || std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
            assert!(begun.elapsed() < LIMIT, "{what} never came: {}", said());
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the server ended: {}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until it takes connections.
    pub(crate) fn listens(&mut self, port: u16) {
        self.wait_for("the server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
