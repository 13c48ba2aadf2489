//! Child processes: spawn, watch by pidfd, restart with back-off, capture logs, stop without orphans.
//!
//! | module | owns |
//! |---|---|
//! | [`spec`] | what a child is: program, limits, health, restart policy, log format |
//! | [`status`] | what is known about it |
//! | [`supervisor`](Supervisor) | the set of children; starts and shuts down |
//! | [`handle`](ChildHandle) | a child's front: status, heartbeat, restart, stop |
//! | [`worker`] | a process for one thing to do, talked to over pipes |
//! | `task` | the loop behind a handle |
//! | `plan` | pure: is it well, what follows its end |
//! | `process` | one live process: its end, signals, its group |
//! | `streams` | the standard streams of a child |
//! | `spawner` | the thread that starts processes |
//! | [`launch`] | what a new process does before it becomes the child's program |
//! | `guard` | the process that cleans up after a killed `edgecamd` |
//! | `unit` | a child in a unit of systemd's: this side, and the side in the unit |
//! | `capture`, `lines`, `flood`, [`redact`] | log lines into `tracing` |
//!
//! Threads and tasks: thread `ec-spawn` (one), a task per child, two log tasks per live process.
//! Processes besides the children: the guard (one).
//!
//! Channels: commands `mpsc` 8 deep per child (senders wait), status `watch`, heartbeats an atomic
//! stamp (the newest wins), stop `watch`; requests to `ec-spawn` are unbounded, at most two per
//! child are under way.
//!
//! Invariants:
//! - A child dies with `edgecamd`, however that ends: the kernel kills it (`PR_SET_PDEATHSIG`), and
//!   the guard kills what it had started in its process group. Who leaves the group is left to the
//!   unit's control group. One in a unit of its own dies with the line between.
//! - A signal never reaches a foreign process: it goes through a pidfd, or to the group of a
//!   process that was not waited for yet.
//! - A child is started at once after a first fault, and never in a loop without waiting.
//! - A child's log can neither fill memory nor the log, nor carry a URL's credentials into it.

mod capture;
pub mod error;
mod flood;
mod guard;
pub mod handle;
pub mod launch;
mod lines;
mod plan;
mod process;
mod redact;
mod spawner;
pub mod spec;
pub mod status;
mod streams;
mod supervisor;
mod task;
mod unit;
pub mod worker;

pub use error::SuperviseError;
pub use handle::{ChildHandle, Restart};
pub use redact::redact;
pub use spawner::Launcher;
pub use spec::{
    BackoffPolicy, ChildSpec, Health, Limits, LogFormat, LogPolicy, RestartPolicy, StopPolicy,
    StopSignal,
};
pub use status::{ChildStatus, Exit, LastExit, Phase, Stopped};
pub use supervisor::Supervisor;
pub use worker::{Ended, Worker};
