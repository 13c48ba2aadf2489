//! How messages are put on the socket: two lengths (big-endian `u32`: message, blob), the message
//! as JSON, the blob as it is.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::UnixStream;

/// The longest message, in bytes.
pub const MAX_MESSAGE: u32 = 4 << 20;
/// The longest blob, in bytes: a 4K JPEG of the best quality fits.
pub const MAX_BLOB: u32 = 32 << 20;

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The socket failed, or the other side is gone.
    #[error("the link to the other process broke")]
    Io(#[from] std::io::Error),
    /// A length is beyond what either side ever sends.
    #[error("the other process announced {length} bytes, more than the {limit} allowed")]
    TooLong {
        /// Announced.
        length: u32,
        /// Allowed.
        limit: u32,
    },
    /// The message is not one that this side knows: the two processes are of different builds.
    #[error("the other process sent a message that this build does not know")]
    Unknown(#[source] serde_json::Error),
    /// A message could not be written as JSON.
    #[error("a message could not be encoded")]
    Encode(#[source] serde_json::Error),
}

/// The receiving half of a link.
#[derive(Debug)]
pub struct Receiver<M, R = ReadHalf<UnixStream>> {
    stream: R,
    message: PhantomData<M>,
}

/// The sending half of a link.
#[derive(Debug)]
pub struct Sender<M, W = WriteHalf<UnixStream>> {
    stream: W,
    message: PhantomData<M>,
}

/// Splits a connected socket into its halves: `In` is received, `Out` is sent.
pub fn split<In, Out>(stream: UnixStream) -> (Receiver<In>, Sender<Out>) {
    let (read, write) = tokio::io::split(stream);
    (Receiver::new(read), Sender::new(write))
}

impl<M: DeserializeOwned, R: AsyncRead + Unpin> Receiver<M, R> {
    /// The next message and its blob; `None` when the other side closed between two messages.
    /// Not cancel-safe: a cancelled call may have taken part of a message.
    ///
    /// # Errors
    /// A broken socket, a length over the limits, or a message that this build does not know.
    pub async fn receive(&mut self) -> Result<Option<(M, Vec<u8>)>, LinkError> {
        let message_length = match self.stream.read_u32().await {
            Ok(length) => check(length, MAX_MESSAGE)?,
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let blob_length = check(self.stream.read_u32().await?, MAX_BLOB)?;
        let mut message = vec![0; message_length];
        self.stream.read_exact(&mut message).await?;
        let mut blob = vec![0; blob_length];
        self.stream.read_exact(&mut blob).await?;
        let message = serde_json::from_slice(&message).map_err(LinkError::Unknown)?;
        Ok(Some((message, blob)))
    }
}

impl<M, R> Receiver<M, R> {
    /// Receives from `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream, message: PhantomData }
    }
}

impl<M: Serialize, W: AsyncWrite + Unpin> Sender<M, W> {
    /// Sends `message` with `blob` beside it.
    ///
    /// # Errors
    /// A broken socket, or a message or blob over the limits.
    pub async fn send(&mut self, message: &M, blob: &[u8]) -> Result<(), LinkError> {
        let message = serde_json::to_vec(message).map_err(LinkError::Encode)?;
        let mut frame = Vec::with_capacity(8 + message.len() + blob.len());
        frame.extend_from_slice(&length(&message, MAX_MESSAGE)?.to_be_bytes());
        frame.extend_from_slice(&length(blob, MAX_BLOB)?.to_be_bytes());
        frame.extend_from_slice(&message);
        frame.extend_from_slice(blob);
        Ok(self.stream.write_all(&frame).await?)
    }
}

impl<M, W> Sender<M, W> {
    /// Sends into `stream`.
    pub fn new(stream: W) -> Self {
        Self { stream, message: PhantomData }
    }
}

fn check(length: u32, limit: u32) -> Result<usize, LinkError> {
    if length > limit {
        return Err(LinkError::TooLong { length, limit });
    }
    Ok(length as usize)
}

fn length(bytes: &[u8], limit: u32) -> Result<u32, LinkError> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    check(length, limit)?;
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{FromCamera, ToCamera};

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    #[tokio::test]
    async fn a_message_and_its_blob_arrive_as_they_were_sent() {
        let (here, there) = pair();
        let (_, mut sender) = split::<ToCamera, FromCamera>(here);
        let (mut receiver, _) = split::<FromCamera, ToCamera>(there);
        let message = FromCamera::Snapshot { request: 7, error: None };
        sender.send(&message, &[1, 2, 3]).await.unwrap();
        assert_eq!(receiver.receive().await.unwrap(), Some((message, vec![1, 2, 3])));
    }

    #[tokio::test]
    async fn a_process_that_is_gone_is_the_end_and_not_an_error() {
        let (here, there) = pair();
        let (mut receiver, _) = split::<FromCamera, ToCamera>(there);
        drop(here);
        assert!(receiver.receive().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_process_that_dies_inside_a_message_is_an_error() {
        let (mut here, there) = pair();
        let (mut receiver, _) = split::<FromCamera, ToCamera>(there);
        here.write_all(&[0, 0, 0, 9, 0, 0, 0, 0, b'{']).await.unwrap();
        drop(here);
        assert!(matches!(receiver.receive().await, Err(LinkError::Io(_))));
    }

    #[tokio::test]
    async fn an_absurd_length_is_refused_before_memory_is_taken() {
        let (mut here, there) = pair();
        let (mut receiver, _) = split::<FromCamera, ToCamera>(there);
        here.write_all(&[255; 8]).await.unwrap();
        assert!(matches!(receiver.receive().await, Err(LinkError::TooLong { .. })));
    }

    #[tokio::test]
    async fn a_message_of_another_build_is_named_as_such() {
        let (mut here, there) = pair();
        let (mut receiver, _) = split::<FromCamera, ToCamera>(there);
        let text = br#"{"type":"of_the_future"}"#;
        here.write_u32(u32::try_from(text.len()).unwrap()).await.unwrap();
        here.write_u32(0).await.unwrap();
        here.write_all(text).await.unwrap();
        let error = receiver.receive().await.unwrap_err();
        assert!(error.to_string().contains("does not know"), "{error}");
    }
}
