//! Another start in the same process: for settings that only a start takes over.
//!
//! The process keeps its id, its standard output and its place under the service manager; everything of
//! it but that is new, so a start is a start whoever asked for it.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use sd_notify::NotifyState;

/// What comes after the drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing.
    Stop,
    /// Another start.
    Again,
}

/// Tells systemd that the daemon ends, or that it will be ready again: a service that says that it stops
/// is killed when it goes on.
pub(crate) fn tell_systemd(end: End) {
    // Without systemd there is nobody to tell.
    let _ = match (end, NotifyState::monotonic_usec_now()) {
        (End::Again, Ok(now)) => sd_notify::notify(&[NotifyState::Reloading, now]),
        (End::Again, Err(_)) => sd_notify::notify(&[NotifyState::Reloading]),
        (End::Stop, _) => sd_notify::notify(&[NotifyState::Stopping]),
    };
}

/// Becomes a new `edgecamd`, started as this one was. Comes back only to say why not.
///
/// # Errors
/// When the program cannot be run any more.
pub(crate) fn start() -> anyhow::Result<()> {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_else(|| "edgecamd".into());
    let failed = Command::new(program()).arg0(name).args(args).exec();
    Err(failed).context("starting again")
}

/// This program; the running one where an update has put another in its place.
fn program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    std::env::current_exe().ok().filter(|path| path.is_file()).unwrap_or(running)
}
