//! The newest lines of this process's log, kept in memory for whoever asks over the API.

use std::collections::VecDeque;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Target of lines that a child process wrote; their field `child` names it.
pub const CHILD: &str = "child";
/// Most bytes of text that are kept.
const MAX_BYTES: usize = 2 << 20;
/// Longest message or field, in bytes; longer ones are cut.
const MAX_TEXT: usize = 4 << 10;
/// Lines that a follower may be behind.
const BEHIND: usize = 256;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counts the lines of this process, from 1 on.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Its level.
    pub level: Level,
    /// The child that wrote it; `None`: this process itself.
    pub child: Option<String>,
    /// What it says.
    pub message: String,
    /// What it says it about.
    pub fields: Vec<(String, String)>,
}

impl Line {
    fn bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        size_of::<Self>() + self.message.len() + fields
    }
}

/// The newest lines; clones share them. A subscriber's layer that keeps what it is told.
#[derive(Clone, Debug)]
pub struct LogRing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kept: Mutex<Kept>,
    live: broadcast::Sender<Arc<Line>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    last: u64,
}

impl Default for LogRing {
    fn default() -> Self {
        Self(Arc::new(Inner { kept: Mutex::default(), live: broadcast::channel(BEHIND).0 }))
    }
}

impl LogRing {
    /// The newest `limit` lines that `wanted` takes, the oldest of them first.
    pub fn newest(&self, limit: usize, wanted: impl Fn(&Line) -> bool) -> Vec<Arc<Line>> {
        let kept = self.kept();
        let mut found: Vec<_> =
            kept.lines.iter().rev().filter(|line| wanted(line)).take(limit).cloned().collect();
        found.reverse();
        found
    }

    /// Every line from now on. A follower that falls behind misses some.
    pub fn follow(&self) -> broadcast::Receiver<Arc<Line>> {
        self.0.live.subscribe()
    }

    fn keep(&self, line: Line) {
        let mut kept = self.kept();
        kept.last += 1;
        let line = Arc::new(Line { seq: kept.last, ..line });
        kept.bytes += line.bytes();
        kept.lines.push_back(line.clone());
        while kept.bytes > MAX_BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.bytes();
        }
        // Under the lock, so that lines come in their order. Nobody listens: nobody is told.
        let _ = self.0.live.send(line);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for LogRing {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut read = Read::default();
        event.record(&mut read);
        self.keep(Line {
            seq: 0,
            at: crate::clock::wall(),
            level: *event.metadata().level(),
            child: if event.metadata().target() == CHILD { read.child } else { None },
            message: read.message,
            fields: read.fields,
        });
    }
}

/// What an event says.
#[derive(Default)]
struct Read {
    message: String,
    child: Option<String>,
    fields: Vec<(String, String)>,
}

impl Read {
    fn put(&mut self, name: &str, mut value: String) {
        if value.len() > MAX_TEXT {
            let end = value.floor_char_boundary(MAX_TEXT);
            value.truncate(end);
            value.push('…');
        }
        match name {
            "message" => self.message = value,
            CHILD => {
                self.child = Some(value.clone());
                self.fields.push((name.to_owned(), value));
            }
            _ => self.fields.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Read {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write!(text, "{value:?}");
        self.put(field.name(), text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn kept(log: impl FnOnce()) -> LogRing {
        let ring = LogRing::default();
        let subscriber = tracing_subscriber::registry().with(ring.clone());
        tracing::subscriber::with_default(subscriber, log);
        ring
    }

    #[test]
    fn lines_are_kept_with_level_fields_and_the_child_that_wrote_them() {
        let ring = kept(|| {
            tracing::info!(camera = "front", count = 3, "camera");
            tracing::warn!(target: "child", child = "mediamtx", "{}", "no such path");
        });
        let lines = ring.newest(10, |_| true);
        let [own, child] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((own.seq, own.level, own.message.as_str()), (1, Level::INFO, "camera"));
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(own.fields, [field("camera", "front"), field("count", "3")]);
        assert_eq!(own.child, None);
        assert_eq!(child.child.as_deref(), Some("mediamtx"));
        assert_eq!((child.level, child.message.as_str()), (Level::WARN, "no such path"));
        assert_eq!(ring.newest(1, |_| true), lines[1..], "the newest");
        assert_eq!(ring.newest(9, |line| line.child.is_none()), lines[..1]);
    }

    #[test]
    fn the_oldest_lines_go_when_there_is_too_much() {
        let ring = kept(|| {
            for n in 0..2_000 {
                tracing::info!(n, "{}", "x".repeat(MAX_TEXT + 1));
            }
        });
        let lines = ring.newest(usize::MAX, |_| true);
        assert!((100..600).contains(&lines.len()), "{}", lines.len());
        assert_eq!(lines.last().unwrap().seq, 2_000);
        assert!(lines[0].message.ends_with("x…"));
    }

    #[test]
    fn a_follower_gets_each_line_once() {
        let ring = LogRing::default();
        let mut following = ring.follow();
        let subscriber = tracing_subscriber::registry().with(ring.clone());
        tracing::subscriber::with_default(subscriber, || tracing::error!("late"));
        assert_eq!(following.try_recv().unwrap().message, "late");
        assert!(following.try_recv().is_err());
    }
}
