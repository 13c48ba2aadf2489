//! Log lines of a child's process into `tracing`: bounded in length and in number.
//!
//! One task per stream; both end when the process and all that inherited its output are gone, or
//! shortly after the process's end.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::clock;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Level;

use crate::flood::{Flood, Passage};
use crate::lines::{self, Line, Stream};
use crate::spec::LogPolicy;

/// How long lines are still read after the process's end: what it wrote is in the pipe already.
const DRAIN: Duration = Duration::from_millis(200);

/// The log of one process.
pub(crate) struct Capture {
    readers: Vec<JoinHandle<()>>,
    words: Arc<Mutex<Words>>,
}

/// What the process said last, for telling why it ended.
#[derive(Default)]
struct Words {
    complaint: Option<String>,
    error_stream: Option<String>,
}

impl Capture {
    pub(crate) fn start(
        child: &str,
        output: Option<OwnedFd>,
        errors: Option<OwnedFd>,
        policy: LogPolicy,
    ) -> Self {
        let words = Arc::default();
        let reader = |stream| Reader {
            child: child.to_owned(),
            stream,
            policy,
            words: Arc::clone(&words),
            flood: Flood::new(policy.lines_per_s),
        };
        let mut readers = Vec::new();
        match output.map(pipe::Receiver::from_owned_fd) {
            Some(Ok(stdout)) => readers.push(tokio::spawn(reader(Stream::Output).run(stdout))),
            Some(Err(error)) => tracing::warn!(child, %error, "no log of a child's output"),
            None => {}
        }
        match errors.map(pipe::Receiver::from_owned_fd) {
            Some(Ok(stderr)) => readers.push(tokio::spawn(reader(Stream::Error).run(stderr))),
            Some(Err(error)) => tracing::warn!(child, %error, "no log of a child's errors"),
            None => {}
        }
        Self { readers, words }
    }

    /// Reads what is left after the process's end; tells what it complained of last.
    pub(crate) async fn finish(self) -> Option<String> {
        let deadline = Instant::now() + DRAIN;
        for mut reader in self.readers {
            if timeout_at(deadline, &mut reader).await.is_err() {
                // Something that left the process group holds the pipe.
                reader.abort();
            }
        }
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.complaint.take().or_else(|| words.error_stream.take())
    }
}

/// Reads one stream.
struct Reader {
    child: String,
    stream: Stream,
    policy: LogPolicy,
    words: Arc<Mutex<Words>>,
    flood: Flood,
}

impl Reader {
    async fn run(mut self, source: impl AsyncRead + Unpin) {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        // One byte more than is kept, to know that a line was cut.
        let most = self.policy.max_line.saturating_add(1);
        loop {
            let wait = self.flood.report_due(clock::monotonic()).unwrap_or(Duration::MAX);
            // Cancel-safe: a line that is begun stays in `line`.
            match timeout(wait, read_line(&mut source, &mut line, most)).await {
                Ok(Ok(true)) => {
                    self.line(&line);
                    line.clear();
                }
                Ok(Ok(false) | Err(_)) => break,
                Err(_) => {}
            }
            let dropped = self.flood.report(clock::monotonic());
            self.report(dropped);
        }
        if !line.is_empty() {
            self.line(&line);
        }
        let dropped = self.flood.report_now(clock::monotonic());
        self.report(dropped);
    }

    fn line(&mut self, bytes: &[u8]) {
        let Line { level, message } =
            lines::read(self.policy.format, self.stream, bytes, self.policy.max_line);
        if message.is_empty() {
            return;
        }
        if self.flood.line(clock::monotonic()) == Passage::Open {
            emit(&self.child, level, &message);
        }
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if level <= Level::WARN {
            words.complaint = Some(message);
        } else if self.stream == Stream::Error {
            words.error_stream = Some(message);
        }
    }

    fn report(&self, dropped: Option<u64>) {
        if let Some(dropped) = dropped {
            let child = &self.child;
            tracing::warn!(target: "child", child, "… {dropped} lines dropped");
        }
    }
}

/// Adds to `line` up to its end, of which no more than `most` bytes are kept; false at the end of
/// the stream. Cancel-safe.
async fn read_line(
    source: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    most: usize,
) -> std::io::Result<bool> {
    loop {
        let bytes = source.fill_buf().await?;
        if bytes.is_empty() {
            return Ok(false);
        }
        let end = bytes.iter().position(|b| *b == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let room = most.saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(bytes.len(), |end| end + 1);
        source.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Into our own log. The level must be known at compile time, hence one call for each.
fn emit(child: &str, level: Level, message: &str) {
    match level {
        Level::ERROR => tracing::error!(target: "child", child, "{message}"),
        Level::WARN => tracing::warn!(target: "child", child, "{message}"),
        Level::INFO => tracing::info!(target: "child", child, "{message}"),
        Level::DEBUG => tracing::debug!(target: "child", child, "{message}"),
        Level::TRACE => tracing::trace!(target: "child", child, "{message}"),
    }
}
