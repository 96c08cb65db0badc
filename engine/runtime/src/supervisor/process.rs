//! What `/proc` says about processes. Nothing here blocks for long, and a process that is gone is no error.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::protocol::ProcessId;

/// More than the longest line of `/proc/<pid>/stat`: 52 numbers of up to 20 digits, and a name. The kernel gives it in one read.
const STAT_MAX: usize = 2048;

/// One line of `/proc/<pid>/stat`, as far as anyone here needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) id: ProcessId,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// Over, and only waiting to be reaped. A main thread that ended before its other threads does not count.
    pub(super) zombie: bool,
}

/// Reads the state of `pid`; none when there is no such process.
pub(super) fn stat(pid: u32) -> Option<Stat> {
    let mut line = [0; STAT_MAX];
    let read = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    parse_stat(&line[..read])
}

fn parse_stat(line: &[u8]) -> Option<Stat> {
    // The second field is the name in brackets, and the name may itself have brackets and spaces: look for the last one.
    let name_end = line.iter().rposition(|&byte| byte == b')')?;
    let head = std::str::from_utf8(line.get(..line.iter().position(|&byte| byte == b' ')?)?).ok()?;
    let tail = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
    // From here on: state is field 3 of the manual page, so field n is at n - 3.
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
    let small = |field: usize| number(field).and_then(|value| u32::try_from(value).ok());
    let threads = number(20)?;
    Some(Stat {
        id: ProcessId { pid: head.parse().ok()?, start_time: number(22)? },
        parent: small(4)?,
        group: small(5)?,
        session: small(6)?,
        zombie: matches!(fields.first(), Some(&"Z" | &"X")) && threads <= 1,
    })
}

/// Every process of the machine that can be seen.
pub(super) fn all() -> io::Result<Vec<Stat>> {
    let mut found = Vec::with_capacity(256);
    for entry in std::fs::read_dir("/proc")? {
        let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        found.extend(pid.and_then(stat));
    }
    Ok(found)
}

/// The value of a variable in the environment that a process was started with; none when it cannot be read.
pub(super) fn started_with(pid: u32, variable: &str) -> Option<String> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = environ.split(|&byte| byte == 0).find_map(|entry| {
        let rest = entry.strip_prefix(variable.as_bytes())?;
        rest.strip_prefix(b"=")
    })?;
    String::from_utf8(value.to_vec()).ok()
}

/// Whether the process is there and not over (one that waits to be reaped is over).
#[must_use]
pub fn is_alive(process: ProcessId) -> bool {
    stat(process.pid).is_some_and(|stat| stat.id == process && !stat.zombie)
}

/// What a living process was started as, for people: its words with spaces between; none when it is gone.
#[must_use]
pub fn command_line(process: ProcessId) -> Option<String> {
    let words = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    // Looked at after the words: they are this process's then.
    is_alive(process).then(|| String::from_utf8_lossy(&words).trim_end_matches('\0').replace('\0', " "))
}

/// Opens a handle on exactly this process; none when it is gone.
pub(super) fn open(process: ProcessId) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        // The number may have been taken over between the look and the opening; what is open now cannot change any more.
        Ok(handle) => Ok(stat(process.pid).filter(|stat| stat.id == process).map(|_| handle)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a handle on a child of this process that nobody has reaped, so that its number is certain to be its own.
pub(super) fn open_child(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::NONBLOCK)?)
}

/// Waits until the process is over, at most `limit`. Returns whether it is. Blocks the thread.
///
/// # Errors
/// When the kernel gives no handle on the process (out of descriptors).
pub fn wait_gone(process: ProcessId, limit: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    let Some(handle) = open(process)? else { return Ok(true) };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout)) {
            Ok(0) if left.is_zero() => return Ok(!is_alive(process)),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The name of this boot, new after each start of the machine.
///
/// # Errors
/// When `/proc` is not there.
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Now, in the clock of [`ProcessId::start_time`].
pub(super) fn ticks() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    let per_second = rustix::param::clock_ticks_per_second();
    seconds * per_second + nanos * per_second / 1_000_000_000
}

/// When a process started, in milliseconds since 1970, as exactly as a clock tick.
pub(super) fn started_at_ms(process: ProcessId) -> u64 {
    let ago = ticks().saturating_sub(process.start_time) * 1000 / rustix::param::clock_ticks_per_second();
    now_ms().saturating_sub(ago)
}

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// This process.
pub fn own() -> io::Result<ProcessId> {
    let stat = stat(std::process::id()).ok_or_else(|| io::Error::other("/proc does not show this process"))?;
    Ok(stat.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = b"42 (a) b) (c) S 7 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3";
        let stat = parse_stat(line).expect("parses");
        assert_eq!(stat.id, ProcessId { pid: 42, start_time: 987_654 });
        assert_eq!((stat.parent, stat.group, stat.session, stat.zombie), (7, 40, 39, false));
    }

    #[test]
    fn a_main_thread_that_ended_first_is_no_dead_process() {
        let with_threads = b"42 (x) Z 7 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 9 1";
        assert!(!parse_stat(with_threads).expect("parses").zombie);
        let alone = b"42 (x) Z 7 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9 1";
        assert!(parse_stat(alone).expect("parses").zombie);
        assert_eq!(parse_stat(b"42 (x"), None);
    }

    #[test]
    fn waiting_for_a_process_ends_with_it_or_with_the_limit() {
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().expect("sleep starts");
        let process = stat(child.id()).expect("it is there").id;
        assert!(is_alive(process));
        assert!(
            !is_alive(ProcessId { start_time: process.start_time + 1, ..process }),
            "another start is another process"
        );
        assert!(!wait_gone(process, Duration::ZERO).expect("can look"));
        child.kill().expect("can be killed");
        assert!(wait_gone(process, Duration::from_secs(10)).expect("can wait"));
        assert!(!is_alive(process), "a zombie is over");
        child.wait().expect("reaped");
        assert!(wait_gone(process, Duration::ZERO).expect("can look"));
    }
}
