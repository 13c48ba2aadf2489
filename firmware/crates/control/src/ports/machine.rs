//! What the API needs of the machine: its network and clock, power, log, and what is wrong with it.

use api::system::{Begun, Issue, LogLevel, LogLine, Network, Time};
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::Answer;

/// Whose log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogSource {
    /// EdgeCam's own: the daemon and the programs that it runs, since the daemon started.
    #[default]
    EdgeCam,
    /// The whole system's, where it keeps one.
    System,
}

/// Which lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Whose log.
    pub source: LogSource,
    /// Only of this unit.
    pub unit: Option<String>,
    /// Only lines at least so grave.
    pub level: LogLevel,
    /// Only lines from then on.
    pub since: Option<Timestamp>,
    /// Only lines with a greater `seq`.
    pub after: u64,
    /// Most lines: the newest.
    pub limit: usize,
}

/// The machine.
pub trait Machine: Send + Sync + 'static {
    /// The network as it is; `settings` are for the caller to fill in.
    fn network(&self) -> Network;

    /// The clock as it is; `servers` are for the caller to fill in.
    fn time(&self) -> Time;

    /// Starts the machine anew.
    fn reboot(&self) -> Answer<'_, Begun>;

    /// Switches the machine off.
    fn power_off(&self) -> Answer<'_, Begun>;

    /// Brings the device back to its state of delivery: data, users and settings go.
    fn factory_reset(&self) -> Answer<'_, Begun>;

    /// Lines of a log, the oldest first.
    fn logs(&self, query: LogQuery) -> Answer<'_, Vec<LogLine>>;

    /// The same as they are written: those that are there first. One who is too slow misses some.
    fn follow(&self, query: LogQuery) -> Answer<'_, BoxStream<'static, LogLine>>;

    /// What is wrong now, the gravest first.
    fn issues(&self) -> Answer<'_, Vec<Issue>>;

    /// Does something about the issue `code`; answers what. Not found: there is no such issue now.
    fn fix<'a>(&'a self, code: &'a str) -> Answer<'a, Begun>;

    /// What else is good to know when a fault is looked for: names of files and what is in them, without
    /// secrets.
    fn facts(&self) -> Answer<'_, Vec<(String, String)>>;
}
