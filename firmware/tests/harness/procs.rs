//! Processes, read from `/proc`: whose they are, and signals to them.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// A process that cannot be taken for a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proc {
    /// Its id.
    pub(crate) pid: u32,
    /// When it was started, in clock ticks since the machine was.
    started: u64,
    parent: u32,
    state: char,
    /// Its command line, blanks between arguments.
    pub(crate) command: String,
}

impl Proc {
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold anything.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self {
            pid,
            started: fields.get(19)?.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            state: fields.first()?.chars().next()?,
            command: String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned(),
        })
    }

    /// Whether it still runs (a zombie does not).
    pub(crate) fn is_alive(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.started == self.started && now.runs())
    }

    fn runs(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }

    /// Whether a signal has stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.state == 'T')
    }

    /// Sends it `signal`.
    pub(crate) fn signal(&self, signal: Signal) {
        assert!(self.is_alive(), "{self:?} has ended already");
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the process takes a signal");
    }
}

/// All processes that run.
fn all() -> Vec<Proc> {
    let entries = fs::read_dir("/proc").expect("/proc is there");
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(Proc::read).filter(Proc::runs).collect()
}

/// The process `pid` and everything that it started, directly or not.
pub(crate) fn family(pid: u32) -> Vec<Proc> {
    let all = all();
    let mut ids = vec![pid];
    loop {
        let known = ids.len();
        let new = all.iter().filter(|p| ids.contains(&p.parent) && !ids.contains(&p.pid));
        ids.extend(new.map(|p| p.pid).collect::<Vec<_>>());
        if ids.len() == known {
            break;
        }
    }
    all.into_iter().filter(|p| ids.contains(&p.pid)).collect()
}

/// Processes that have `folder` on their command line or in their environment, besides this one.
pub(crate) fn of_folder(folder: &Path) -> Vec<Proc> {
    let needle = folder.to_str().expect("test folders have plain names");
    let names_it = |process: &Proc| {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        process.command.contains(needle) || String::from_utf8_lossy(&environment).contains(needle)
    };
    all().into_iter().filter(|p| p.pid != std::process::id() && names_it(p)).collect()
}
