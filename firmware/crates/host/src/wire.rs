//! A request and its answer, a packet of JSON each.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest packet, in bytes.
const MAX_PACKET: usize = 64 << 10;

/// Sends `message`.
pub(crate) fn put(line: BorrowedFd<'_>, message: &impl Serialize) -> io::Result<()> {
    send(line, &serde_json::to_vec(message)?, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The other side's message; waits for it.
pub(crate) fn get<M: DeserializeOwned>(line: BorrowedFd<'_>) -> io::Result<M> {
    let mut bytes = vec![0; MAX_PACKET];
    let (length, whole) = recv(line, &mut bytes[..], RecvFlags::TRUNC)?;
    if whole > length {
        return Err(io::Error::other("the message is too long"));
    }
    if length == 0 {
        return Err(io::Error::other("the other side is gone"));
    }
    Ok(serde_json::from_slice(&bytes[..length])?)
}
