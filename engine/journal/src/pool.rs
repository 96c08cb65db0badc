//! Starting sled's thread pool without a fight.
//!
//! The first write of sled 0.34 starts seven threads, one after the other, and each spins until the last of them is there.
//! The thread that starts them has to wait for the kernel's lock on its memory, for the stack of the next one; once it
//! waits, on few processors the spinning threads use up their time slices before it is let on. Measured on two processors:
//! the first write takes 6 to 9 ms, of the 25 ms that a whole run may cost.
//!
//! Threads that end leave their stacks to the next ones: the C library keeps them. With seven of them there, nothing has
//! to be waited for, and the same write takes 0.4 ms.

use std::sync::Mutex;
use std::thread;

/// How many threads sled starts.
const THREADS: usize = 7;

/// Leaves the stacks of so many threads: they all live at once, each with a stack of its own, and end.
pub(crate) fn leave_stacks() {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock();
        // Where the system gives fewer, fewer stacks are left, and starting the pool takes longer.
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(gate.lock())).ok();
        let started: Vec<_> = (0..THREADS).filter_map(start).collect();
        drop(closed);
        // A thread that is joined is gone for good; one that a scope has waited for may still be on its way out.
        started.into_iter().for_each(|thread| drop(thread.join()));
    });
}
