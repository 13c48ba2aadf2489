//! What a child process is: program, environment, limits, health, restart policy, log format.
//! Values only; nothing here starts anything.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Environment variables that every child inherits when `edgecamd` has them; all others are removed.
pub const INHERITED_ENV: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "EDGECAM_LOG",
    "EDGECAM_LOG_FORMAT",
];

/// All that is needed to start a child process and to keep it running.
///
/// [`ChildSpec::new`] gives the defaults; set the fields that differ.
#[derive(Clone, Debug)]
pub struct ChildSpec {
    /// Its name in logs and in the status, such as `camera-front` or `mediamtx`.
    pub name: String,
    /// The program's path. Without a `/` it is looked for on `PATH`.
    pub program: PathBuf,
    /// Its arguments, without the program's name.
    pub args: Vec<OsString>,
    /// Variables set for it, besides those inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Variables inherited besides [`INHERITED_ENV`]; a name that ends in `*` is a prefix (`GST_*`).
    pub inherit_env: Vec<String>,
    /// Where it runs; `None`: where `edgecamd` does.
    pub cwd: Option<PathBuf>,
    /// The Unix socket that its standard input is a connection to; `None`: it reads nothing.
    pub input: Option<PathBuf>,
    /// The socket of the unit that it runs in, which knows its program; `None`: it is a process of
    /// `edgecamd`'s own, beside it.
    pub unit: Option<PathBuf>,
    /// Its limits.
    pub limits: Limits,
    /// How it is known to be well.
    pub health: Health,
    /// How it is asked to end.
    pub stop: StopPolicy,
    /// What happens when it ends by itself, hangs or dies.
    pub restart: RestartPolicy,
    /// How its log lines are read.
    pub log: LogPolicy,
}

impl ChildSpec {
    /// A child without arguments that is restarted whenever it ends, with the default back-off,
    /// and that counts as well as long as it lives.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            inherit_env: Vec::new(),
            cwd: None,
            input: None,
            unit: None,
            limits: Limits::default(),
            health: Health::Alive,
            stop: StopPolicy::default(),
            restart: RestartPolicy::Always(BackoffPolicy::default()),
            log: LogPolicy::default(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }
}

/// Limits of a child, set before its program starts. Core dumps are always off: they hold secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most open files (`RLIMIT_NOFILE`); `None`: as `edgecamd`.
    pub open_files: Option<u64>,
    /// Who goes first when memory runs out, -1000 (never) to 1000 (first); `None`: as `edgecamd`.
    pub oom_score_adj: Option<i16>,
    /// Added to the niceness, 0 to 19; `None`: as `edgecamd`.
    pub nice: Option<i32>,
}

/// How a child is known to be well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is well as long as its process lives.
    Alive,
    /// It is well as long as [`crate::ChildHandle::heartbeat`] is called for it.
    Heartbeat {
        /// The first heartbeat comes within this time of the start, or the child is replaced.
        start_within: Duration,
        /// After that no two heartbeats are further apart, or the child is replaced.
        every: Duration,
    },
}

/// How a child is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopPolicy {
    /// The polite request.
    pub signal: StopSignal,
    /// How long it may take to follow; then it is killed, with its process group.
    pub grace: Duration,
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self { signal: StopSignal::Terminate, grace: Duration::from_secs(3) }
    }
}

/// A polite request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// `SIGTERM`.
    Terminate,
    /// `SIGINT`.
    Interrupt,
}

/// What happens when a child ends by itself, hangs or dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// It is started again, however it ended.
    Always(BackoffPolicy),
    /// It is started again, unless it exited with code 0.
    OnFailure(BackoffPolicy),
    /// It is left.
    Never,
}

/// How long to wait before a child is started again. The first time not at all, so that a single
/// fault costs as little as possible; then `base`, doubling up to `max`, each with a random part
/// added. It begins anew once the child was well for `settled_after` and four times as long as it
/// was made to wait, at the latest after `healthy_after`: faults that come one by one are mended
/// at once each, and a child that falls over at every start waits longer and longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffPolicy {
    /// The wait before the second restart in a row.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
    /// The least time that a child must have been well to start with a clean slate.
    pub settled_after: Duration,
    /// A child that was well for so long starts with a clean slate, whatever its waits were.
    pub healthy_after: Duration,
    /// The wait before another try when only a person can mend the cause (program missing).
    pub hopeless: Duration,
}

impl Default for BackoffPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            max: Duration::from_secs(30),
            settled_after: Duration::from_secs(3),
            healthy_after: Duration::from_secs(60),
            hopeless: Duration::from_secs(60),
        }
    }
}

/// How a child's log lines are read and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPolicy {
    /// What its lines look like.
    pub format: LogFormat,
    /// Most lines per second and stream; more are dropped and counted.
    pub lines_per_s: u32,
    /// Longest line in bytes; longer ones are cut.
    pub max_line: usize,
}

impl Default for LogPolicy {
    fn default() -> Self {
        Self { format: LogFormat::Plain, lines_per_s: 100, max_line: 2_000 }
    }
}

/// What a child's log lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// No level of their own: standard output is logged as info, standard error as a warning.
    Plain,
    /// Those of our own processes (`base::trace`), as text or JSON.
    Tracing,
    /// MediaMTX: `2026/01/31 12:00:00 INF …`.
    MediaMtx,
    /// Mosquitto: `1700000000: …`, with `Error:` and `Warning:` in the text.
    Mosquitto,
}
