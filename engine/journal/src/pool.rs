//! Starting sled's thread pool without a fight.
//!
//! The first write of sled 0.34 starts seven threads, one after the other, and each spins until the last of them is there.
//! The thread that starts them has to wait for the kernel's lock on its memory, for the stack of the next one; once it
//! waits, on few processors the spinning threads use up their time slices before it is let on. Measured on two processors: 7 to
//! 9 ms as a rule, 13 ms at times, of the 25 ms that a whole run may cost.
//!
//! Two things together make that 0.4 ms. Threads that end leave their stacks to the next ones (the C library keeps them),
//! so that nothing has to be waited for; and threads that are started on one processor do not run before their starter is
//! done. Afterwards all may run where they could before.

use std::fs;
use std::sync::Mutex;
use std::thread;

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// How many threads sled starts.
const THREADS: usize = 7;

/// Does work that may start sled's pool. Where the system does not let itself be told, it only takes longer.
pub(crate) fn starting<T>(work: impl FnOnce() -> T) -> T {
    leave_stacks();
    let Ok(everywhere) = sched_getaffinity(None) else { return work() };
    let before = threads();
    let mut here = CpuSet::new();
    here.set(sched_getcpu());
    if sched_setaffinity(None, &here).is_err() {
        return work();
    }
    let result = work();
    for thread in threads().into_iter().filter(|thread| !before.contains(thread)) {
        // One that has ended meanwhile needs nothing.
        let _ = sched_setaffinity(Some(thread), &everywhere);
    }
    let _ = sched_setaffinity(None, &everywhere);
    result
}

/// Threads that all live at once, each with a stack of its own, and end.
fn leave_stacks() {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock();
        // Where the system gives fewer, fewer stacks are left.
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(gate.lock())).ok();
        let started: Vec<_> = (0..THREADS).filter_map(start).collect();
        drop(closed);
        // A thread that is joined is gone for good; one that a scope has waited for may still be on its way out.
        started.into_iter().for_each(|thread| drop(thread.join()));
    });
}

/// The threads of this process.
fn threads() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc/self/task") else { return vec![] };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_were_started_and_their_starter_may_run_everywhere_again() {
        let everywhere = sched_getaffinity(None).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let gate = Mutex::new(());
        thread::scope(|scope| {
            let closed = gate.lock();
            starting(|| {
                assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
                scope.spawn(|| {
                    drop(gate.lock());
                    tell.send(sched_getaffinity(None).unwrap()).unwrap();
                });
            });
            drop(closed);
        });
        assert_eq!(told.recv().unwrap(), everywhere);
        assert_eq!(sched_getaffinity(None).unwrap(), everywhere);
    }
}
