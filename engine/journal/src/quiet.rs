//! Calls into sled, which panics on some damaged files: a panic becomes an error, and its message is not printed.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside [`guarded`].
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`; when it panics, the error is what the panic said.
///
/// The first call puts a filter before the process's panic hook, for good: taking it away again would race with other threads.
/// It keeps back only panics of a guarded thread and those in sled's own code, which also runs on threads of its own.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static FILTER: Once = Once::new();
    // Hooks cannot be changed while panicking, as in a destructor; then the message is shown, which harms nobody.
    if !std::thread::panicking() {
        FILTER.call_once(|| {
            let next = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !GUARDED.get() && !is_in_sled(info) {
                    next(info);
                }
            }));
        });
    }
    let outer = GUARDED.replace(true);
    // What `work` leaves half done is never looked at again: the journal fails from then on.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.map_err(|payload| message_of(payload.as_ref()))
}

fn is_in_sled(info: &PanicHookInfo<'_>) -> bool {
    info.location().is_some_and(|location| location.file().contains("/sled-0."))
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("the database gave up").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 5), Ok(5));
        assert_eq!(guarded(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(guarded(|| panic!("with {}", 1)), Err::<(), _>("with 1".to_owned()));
        assert!(!GUARDED.get(), "a later panic outside is shown again");
    }
}
