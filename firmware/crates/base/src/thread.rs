//! Named threads: nothing runs without a name, and nothing is detached.

use std::io;
use std::thread::{Builder, JoinHandle};

/// The longest name that Linux keeps of a thread, in bytes.
pub const MAX_NAME: usize = 15;

/// Starts a thread called `name` (at most [`MAX_NAME`] bytes, by custom `ec-…`).
///
/// # Errors
/// When the system has no thread left to give, or the name is too long to be seen whole.
pub fn spawn<T: Send + 'static>(
    name: &'static str,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    if name.len() > MAX_NAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("thread name `{name}` is longer than {MAX_NAME} bytes"),
        ));
    }
    Builder::new().name(name.to_owned()).spawn(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_carries_its_name() {
        let name = spawn("ec-test", || std::thread::current().name().map(str::to_owned));
        assert_eq!(name.unwrap().join().unwrap().as_deref(), Some("ec-test"));
    }

    #[test]
    fn a_name_that_linux_would_cut_is_refused() {
        assert!(spawn("ec-much-too-long-a-name", || ()).is_err());
    }
}
