//! The guard: a process that outlives a killed `edgecamd` just long enough to kill what it left.
//!
//! The kernel kills the direct children of a dead `edgecamd` ([`crate::launch`]), but not what they
//! started in turn. The guard is told every child's process group over a pipe; the end of that
//! pipe means that `edgecamd` is gone, however it went, and the guard kills all groups it knows.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::spawner::Launcher;

/// The launcher's argument that makes it the guard.
pub(crate) const FLAG: &str = "--guard";

/// The guard's own part: reads groups until the pipe ends, then kills them.
pub(crate) fn run() {
    // A service manager that ends all processes of the unit at once must not end this one before
    // the others; it goes when edgecamd does.
    if let Err(error) = SigSet::all().thread_block() {
        let _ = writeln!(io::stderr(), "blocking signals: {error}");
    }
    let groups = read_groups(io::stdin().lock());
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        // Groups that ended meanwhile are an error that needs no answer. That an id went to a
        // foreign group within these microseconds is as good as impossible: ids go round.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The groups that were added and not removed when `input` ended. Lines: `+ID` and `-ID`.
fn read_groups(input: impl Read) -> BTreeSet<i32> {
    let mut groups = BTreeSet::new();
    for line in BufReader::new(input).lines().map_while(Result::ok) {
        // Group 0 would be the guard's own, 1 is init's.
        let id = line.get(1..).and_then(|id| id.parse().ok()).filter(|id| *id > 1);
        match (line.as_bytes().first(), id) {
            (Some(b'+'), Some(id)) => _ = groups.insert(id),
            (Some(b'-'), Some(id)) => _ = groups.remove(&id),
            _ => {}
        }
    }
    groups
}

/// `edgecamd`'s end of the guard; owned by the spawning thread.
#[derive(Debug)]
pub(crate) struct Guard {
    launcher: Launcher,
    groups: BTreeSet<i32>,
    process: Option<(Child, ChildStdin)>,
}

impl Guard {
    /// No process yet: it is started with the first child.
    pub(crate) fn new(launcher: Launcher) -> Self {
        Self { launcher, groups: BTreeSet::new(), process: None }
    }

    pub(crate) fn add(&mut self, group: Pid) {
        self.groups.insert(group.as_raw_pid());
        self.tell(&format!("+{}\n", group.as_raw_pid()));
    }

    pub(crate) fn remove(&mut self, group: Pid) {
        self.groups.remove(&group.as_raw_pid());
        self.tell(&format!("-{}\n", group.as_raw_pid()));
    }

    /// Ends the guard's process; it kills what is still known.
    pub(crate) fn end(&mut self) {
        if let Some((mut child, stdin)) = self.process.take() {
            drop(stdin);
            let _ = child.wait();
        }
    }

    /// Tells the guard, and starts it (anew) where it is not there to listen. Without it children
    /// are tied to edgecamd all the same; only what they started is not.
    fn tell(&mut self, line: &str) {
        if let Some((_, stdin)) = &mut self.process
            && stdin.write_all(line.as_bytes()).is_ok()
        {
            return;
        }
        self.end();
        if let Err(error) = self.begin() {
            tracing::warn!(%error, "no guard against orphaned grandchildren");
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        let mut command = self.launcher.command();
        command.arg(FLAG).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.current_dir("/").spawn()?;
        let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let all: String = self.groups.iter().map(|id| format!("+{id}\n")).collect();
        let told = stdin.write_all(all.as_bytes());
        self.process = Some((child, stdin));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_that_were_not_removed_are_left() {
        let text = "+10\n+11\n-10\nnonsense\n+\n+0\n+-5\n+12";
        let left: Vec<_> = read_groups(text.as_bytes()).into_iter().collect();
        assert_eq!(left, [11, 12]);
    }
}
