//! A child that runs in a unit of systemd's, as another user and in a sandbox of its own: this side.
//!
//! The unit is started by a connection to its socket (`Accept=yes`), so it takes no rights to have it
//! started but those on the socket's file. The connection is the child's life line: over it go the
//! order to start, with the child's standard streams, signals, and how it ended. When it breaks,
//! [`keeper`] on the other side kills the child, and systemd what that left.

pub(crate) mod keeper;
mod wire;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::Pid;

use crate::error::SuperviseError;
use crate::spec::ChildSpec;
use crate::status::Exit;
use crate::streams::Its;
use crate::unit::wire::{FromKeeper, Order, ToKeeper};

/// systemd starts a unit within this time, even on a machine that is busy.
const STARTS_WITHIN: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Has the unit behind the socket `path` run `spec` with `env` and the standard streams `its`;
/// answers its process id and its life line.
pub(crate) fn start(
    path: &Path,
    spec: &ChildSpec,
    env: Vec<(OsString, OsString)>,
    its: &Its,
) -> Result<(Pid, OwnedFd), SuperviseError> {
    let order = Order {
        args: spec.args.clone(),
        env: env.into_iter().filter(|(name, _)| !is_of_the_unit(name)).collect(),
        cwd: spec.cwd.clone(),
        limits: spec.limits,
    };
    let streams = [its.input.as_fd(), its.output.as_fd(), its.errors.as_fd()];
    ask(path, &order, streams)
        .map_err(|source| SuperviseError::Unit { socket: path.to_owned(), source })
}

/// Variables that say where a process runs: the unit has its own.
fn is_of_the_unit(name: &OsString) -> bool {
    ["PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR"].iter().any(|own| name == own)
}

fn ask(path: &Path, order: &Order, streams: [BorrowedFd<'_>; 3]) -> io::Result<(Pid, OwnedFd)> {
    let line = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&line, &SocketAddrUnix::new(path)?)?;
    wire::send(line.as_fd(), order, &streams)?;
    if !has_news(line.as_fd(), &STARTS_WITHIN)? {
        let waited = Duration::from_secs(STARTS_WITHIN.tv_sec.unsigned_abs());
        return Err(io::Error::other(format!("it did not start within {waited:?}")));
    }
    match wire::receive(line.as_fd())? {
        Some((FromKeeper::Started { pid }, _)) => {
            let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("it named no process"))?;
            Ok((pid, line))
        }
        Some((FromKeeper::NotStarted { reason }, _)) => Err(io::Error::other(reason)),
        Some((FromKeeper::Ended { .. }, _)) | None => {
            Err(io::Error::other("it ended at once; the system's log says why"))
        }
    }
}

fn has_news(line: BorrowedFd<'_>, within: &Timespec) -> io::Result<bool> {
    let mut fds = [PollFd::new(&line, PollFlags::IN)];
    Ok(poll(&mut fds, Some(within))? > 0)
}

/// Has `signal` sent to the child behind `line`. A line that broke has none any more.
pub(crate) fn signal(line: &OwnedFd, signal: rustix::process::Signal) {
    let _ = wire::send(line.as_fd(), &ToKeeper::Signal { number: signal.as_raw() }, &[]);
}

/// How the child behind `line` ended, once there are news on it.
pub(crate) fn exit(line: &OwnedFd) -> Exit {
    match wire::receive(line.as_fd()) {
        Ok(Some((FromKeeper::Ended { exit }, _))) => exit,
        _ => Exit::Unknown,
    }
}
