//! What goes over the life line of a child in a unit: JSON, a packet each, the first with the child's
//! standard streams. Both sides are of one build.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::spec::Limits;
use crate::status::Exit;

/// The longest packet, in bytes; a socket takes more by default.
const MAX_PACKET: usize = 128 << 10;
/// The standard streams of a child.
pub(super) const STREAMS: usize = 3;

/// What is to be run: the first packet. The program is the unit's own choice.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    /// The program's arguments, without its name.
    pub(super) args: Vec<OsString>,
    /// Variables, besides those that the unit sets.
    pub(super) env: Vec<(OsString, OsString)>,
    /// Where it runs; `None`: where the unit does.
    pub(super) cwd: Option<PathBuf>,
    /// Its limits, below those of the unit.
    pub(super) limits: Limits,
}

/// To the keeper, after that.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToKeeper {
    /// Send the child this signal; `SIGKILL` goes to its group.
    Signal {
        /// Its number.
        number: i32,
    },
}

/// From the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromKeeper {
    /// The child runs.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// It does not.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// It ran, and has ended.
    Ended {
        /// How.
        exit: Exit,
    },
}

/// Sends `message`, with `fds`.
pub(super) fn send(
    line: BorrowedFd<'_>,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("more descriptors than standard streams"));
    }
    sendmsg(line, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next message and what came with it; waits for it. `None`: the line is broken.
pub(super) fn receive<M: DeserializeOwned>(
    line: BorrowedFd<'_>,
) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; MAX_PACKET];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let slices = &mut [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(line, slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds = fds.flatten().collect();
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::other("a message is too long"));
    }
    Ok(Some((serde_json::from_slice(&bytes[..received.bytes])?, fds)))
}
