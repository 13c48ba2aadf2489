//! The daemon's side.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::error::HostError;
use crate::request::{Answer, Request};
use crate::wire;

/// The agent does what it is asked within this time: joining a network takes a while.
const WITHIN: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// Has the agent behind `socket` do `request`. Blocks, at most half a minute.
///
/// # Errors
/// When it cannot be asked, or cannot do it.
pub fn ask(socket: &Path, request: &Request) -> Result<(), HostError> {
    let failed = |source| HostError::Agent { socket: socket.to_owned(), source };
    match answer(socket, request).map_err(failed)? {
        Answer::Done => Ok(()),
        Answer::Failed { reason } => Err(HostError::Failed(reason)),
    }
}

fn answer(path: &Path, request: &Request) -> io::Result<Answer> {
    let line = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&line, &SocketAddrUnix::new(path)?)?;
    wire::put(line.as_fd(), request)?;
    if poll(&mut [PollFd::new(&line, PollFlags::IN)], Some(&WITHIN))? == 0 {
        return Err(io::Error::other(format!("no answer within {} s", WITHIN.tv_sec)));
    }
    wire::get(line.as_fd())
}
