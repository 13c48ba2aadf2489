//! What the tests of real processes share.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use edgecam_supervise::{ChildHandle, ChildSpec, ChildStatus, Launcher, Supervisor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_edgecam-supervise-helper");

/// Longer than anything takes on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn supervisor() -> Supervisor {
    Supervisor::start(Launcher { program: HELPER.into(), args: vec!["run-child".into()] }).unwrap()
}

/// A child that runs a shell script.
pub(crate) fn script(name: &str, script: &str) -> ChildSpec {
    ChildSpec::new(name, "sh").args(["-c", script])
}

/// Waits until the status is as wanted.
pub(crate) async fn until(
    handle: &ChildHandle,
    wanted: impl FnMut(&ChildStatus) -> bool,
) -> ChildStatus {
    let mut status = handle.watch();
    let found = tokio::time::timeout(PATIENCE, status.wait_for(wanted)).await;
    match found {
        Ok(status) => status.unwrap().clone(),
        Err(_) => panic!("in vain: {:?}", handle.status()),
    }
}

pub(crate) async fn until_running(handle: &ChildHandle) -> ChildStatus {
    until(handle, |s| s.is_running() && s.pid.is_some()).await
}

/// A process that is watched from outside; its id cannot be confused with a later one's.
pub(crate) struct Watched(OwnedFd);

impl Watched {
    pub(crate) fn new(pid: u32) -> Self {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        Self(pidfd_open(pid, PidfdFlags::empty()).unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.0, signal).unwrap();
    }

    /// Whether it ends within `limit`.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let time = Timespec::try_from(limit).unwrap();
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&time)).unwrap() > 0
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ends_within(Duration::ZERO)
    }
}

/// The lines that a script has written to a file, once there are so many.
pub(crate) async fn lines_of(file: &PathBuf, number: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines: Vec<_> = whole.lines().map(str::to_owned).collect();
        if lines.len() >= number {
            return lines;
        }
        assert!(begun.elapsed() < PATIENCE, "{}: {lines:?}", file.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
