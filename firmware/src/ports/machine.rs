//! The machine as the API sees and changes it.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::system::{
    Begun, Issue, IssueSeverity, LogLevel, LogLine, Network, NetworkInterface, Time,
};
use base::error::ErrorKind;
use base::log_ring::{Line, LogRing};
use config::Config;
use control::ports::{Answer, Cameras as _, LogQuery, LogSource, Machine, SystemView};
use control::{Certificates, PortError};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use host::{Request, look};
use jiff::Timestamp;
use supervise::Restart;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::SystemPort;
use crate::cameras::{CameraError, Cameras};
use crate::hands::Hands;
use crate::issues::{self, Facts, Fix, Found};
use crate::journal;
use crate::reset;
use crate::settings::Engine;

/// The daemon's own name in its log.
const DAEMON: &str = "edgecamd";
/// Time between two looks for issues, so that what comes and goes has its time.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Lines of the kernel's log among the facts.
const KERNEL_LINES: usize = 500;

/// What the machine's port works with.
pub(crate) struct MachineParts {
    pub(crate) system: Arc<SystemPort>,
    pub(crate) cameras: Cameras,
    pub(crate) engine: Engine,
    pub(crate) hands: Hands,
    pub(crate) log: LogRing,
    pub(crate) certificates: Option<Arc<Certificates>>,
    pub(crate) has_media_server: bool,
}

/// The machine; clones share it.
#[derive(Clone)]
pub(crate) struct MachinePort(Arc<Inner>);

struct Inner {
    parts: MachineParts,
    data: PathBuf,
    max_temp_c: Option<f32>,
    wants_media_server: bool,
    /// Since when each issue is known.
    since: Mutex<BTreeMap<String, Timestamp>>,
}

impl MachinePort {
    pub(crate) fn new(config: &Config, parts: MachineParts) -> Self {
        let thermal = config.cameras.iter().find_map(|camera| camera.thermal.as_ref());
        Self(Arc::new(Inner {
            data: config.data.dir.clone(),
            max_temp_c: thermal.map(|thermal| thermal.max_temp_c),
            wants_media_server: config.media_server.is_some(),
            since: Mutex::default(),
            parts,
        }))
    }

    /// Makes the machine as it is set, then looks for issues again and again. Runs until it is dropped.
    pub(crate) async fn keep(self) {
        self.0.parts.hands.begin().await;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look();
        }
    }

    /// What is wrong now, and since when.
    fn look(&self) -> Vec<(Found, Timestamp)> {
        let found = issues::find(&self.facts_now());
        let mut since = self.0.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.retain(|code, _| found.iter().any(|one| one.code == *code));
        let now = base::clock::wall();
        let dated = |one: Found| {
            let at = *since.entry(one.code.clone()).or_insert_with(|| {
                if one.severity > IssueSeverity::Info {
                    tracing::warn!(code = one.code, text = one.text, "issue");
                }
                now
            });
            (one, at)
        };
        found.into_iter().map(dated).collect()
    }

    fn facts_now(&self) -> Facts {
        let parts = &self.0.parts;
        Facts {
            now: base::clock::wall(),
            system: parts.system.system(),
            cameras: parts.cameras.list(),
            settings: parts.engine.status(),
            certificate: parts.certificates.as_ref().map(|certificates| certificates.shown()),
            synchronised: look::is_synchronised(),
            max_temp_c: self.0.max_temp_c,
            no_media_server: self.0.wants_media_server && !parts.has_media_server,
            hands: parts.hands.refused(),
        }
    }

    async fn do_fix(&self, fix: &Fix) -> Result<String, PortError> {
        let parts = &self.0.parts;
        match fix {
            Fix::Restart(name) => {
                let child = parts.system.child(name).ok_or_else(no_such_issue)?;
                child.restart(Restart::Politely, "asked for over the API").await;
                Ok(format!("{name} is started again"))
            }
            Fix::Confirm => {
                parts.engine.confirm().await?;
                Ok("the settings are confirmed".to_owned())
            }
            Fix::Certificate => {
                let certificates = parts.certificates.clone().ok_or_else(no_such_issue)?;
                certificates.make_own().map_err(|error| {
                    PortError::new(ErrorKind::Unavailable, base::error::chain(&error))
                })?;
                Ok("the device has made itself a new certificate".to_owned())
            }
        }
    }

    fn asked(&self, request: Request, detail: &'static str) -> Answer<'_, Begun> {
        async move {
            self.0.parts.hands.ask(request).await.map_err(refused)?;
            Ok(Begun { detail: detail.to_owned() })
        }
        .boxed()
    }
}

fn refused(error: CameraError) -> PortError {
    PortError::new(error.kind, error.detail)
}

fn no_such_issue() -> PortError {
    let detail = "there is no such issue now; /api/v1/system/issues lists those there are";
    PortError::new(ErrorKind::NotFound, detail)
}

impl Machine for MachinePort {
    fn network(&self) -> Network {
        let interface = |one: look::Interface| NetworkInterface {
            name: one.name,
            wireless: one.wireless,
            connected: one.connected,
            mac: one.mac,
            speed_mbps: one.speed_mbps,
            addresses: one.addresses.iter().map(ToString::to_string).collect(),
        };
        Network {
            managed: self.0.parts.hands.manages(),
            hostname: look::hostname(),
            dns: look::name_servers(),
            gateways: look::gateways().iter().map(ToString::to_string).collect(),
            interfaces: look::interfaces().into_iter().map(interface).collect(),
            ..Network::default()
        }
    }

    fn time(&self) -> Time {
        Time {
            now: base::clock::wall(),
            synchronised: look::is_synchronised(),
            zone: look::time_zone(),
            servers: Vec::new(),
            managed: self.0.parts.hands.manages(),
        }
    }

    fn reboot(&self) -> Answer<'_, Begun> {
        self.asked(Request::Reboot, "the machine starts anew; it is back in about a minute")
    }

    fn power_off(&self) -> Answer<'_, Begun> {
        self.asked(Request::PowerOff, "the machine is switched off")
    }

    fn factory_reset(&self) -> Answer<'_, Begun> {
        async move {
            let data = self.0.data.clone();
            let marked = tokio::task::spawn_blocking(move || reset::mark(&data)).await;
            marked.map_err(std::io::Error::other).and_then(|marked| marked).map_err(|error| {
                let detail = format!("the reset cannot be begun, nothing was done: {error}");
                PortError::new(ErrorKind::Unavailable, detail)
            })?;
            self.0.parts.engine.restart("back to the state of delivery");
            let detail = "the device goes back to its state of delivery; it then shows a new code to \
                          claim it";
            Ok(Begun { detail: detail.to_owned() })
        }
        .boxed()
    }

    fn logs(&self, query: LogQuery) -> Answer<'_, Vec<LogLine>> {
        async move {
            match query.source {
                LogSource::System => journal::read(&query).await,
                LogSource::EdgeCam => {
                    let lines = self.0.parts.log.newest(query.limit, |line| fits(&query, line));
                    Ok(lines.iter().map(|line| shown(line)).collect())
                }
            }
        }
        .boxed()
    }

    fn follow(&self, query: LogQuery) -> Answer<'_, BoxStream<'static, LogLine>> {
        async move {
            if query.source == LogSource::System {
                return journal::follow(&query);
            }
            // Before the lines that there are: none falls between the two.
            let live = self.0.parts.log.follow();
            let there = self.0.parts.log.newest(query.limit, |line| fits(&query, line));
            let last = there.last().map_or(query.after, |line| line.seq);
            let query = LogQuery { after: last, ..query };
            let there: Vec<_> = there.iter().map(|line| shown(line)).collect();
            Ok(stream::iter(there).chain(stream::unfold((live, query), next)).boxed())
        }
        .boxed()
    }

    fn issues(&self) -> Answer<'_, Vec<Issue>> {
        let issue = |(found, since): (Found, Timestamp)| Issue {
            fixable: found.fix.is_some(),
            code: found.code,
            severity: found.severity,
            since,
            text: found.text,
            suggestion: found.suggestion,
        };
        let all = self.look().into_iter().map(issue).collect();
        async move { Ok(all) }.boxed()
    }

    fn fix<'a>(&'a self, code: &'a str) -> Answer<'a, Begun> {
        async move {
            let found = self.look().into_iter().find(|(found, _)| found.code == code);
            let (found, _) = found.ok_or_else(no_such_issue)?;
            let fix = found.fix.ok_or_else(|| {
                let detail = format!("the device cannot mend this by itself: {}", found.suggestion);
                PortError::new(ErrorKind::FailedPrecondition, detail)
            })?;
            let detail = self.do_fix(&fix).await?;
            Ok(Begun { detail })
        }
        .boxed()
    }

    fn facts(&self) -> Answer<'_, Vec<(String, String)>> {
        async move {
            let files = [
                ("kernel.txt", "/proc/version"),
                ("processor.txt", "/proc/cpuinfo"),
                ("memory.txt", "/proc/meminfo"),
                ("load.txt", "/proc/loadavg"),
                ("uptime.txt", "/proc/uptime"),
                ("interrupts.txt", "/proc/interrupts"),
                ("os.txt", "/etc/os-release"),
            ];
            let read =
                |(name, path): (&str, &str)| Some((name.to_owned(), read_to_string(path).ok()?));
            let mut facts: Vec<_> = files.into_iter().filter_map(read).collect();
            let kernel = LogQuery {
                source: LogSource::System,
                unit: Some("kernel".to_owned()),
                limit: KERNEL_LINES,
                ..LogQuery::default()
            };
            if let Ok(lines) = journal::read(&kernel).await {
                let lines = lines.iter().map(|line| format!("{} {}\n", line.at, line.message));
                facts.push(("kernel-log.txt".to_owned(), lines.collect()));
            }
            Ok(facts)
        }
        .boxed()
    }
}

/// The next line that is asked for, and what the one after it takes.
async fn next(
    (mut live, query): (Receiver<Arc<Line>>, LogQuery),
) -> Option<(LogLine, (Receiver<Arc<Line>>, LogQuery))> {
    loop {
        match live.recv().await {
            Ok(line) if fits(&query, &line) => return Some((shown(&line), (live, query))),
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn level(level: tracing::Level) -> LogLevel {
    match level {
        tracing::Level::ERROR => LogLevel::Error,
        tracing::Level::WARN => LogLevel::Warning,
        tracing::Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

fn fits(query: &LogQuery, line: &Line) -> bool {
    let unit = line.child.as_deref().unwrap_or(DAEMON);
    line.seq > query.after
        && level(line.level) >= query.level
        && query.since.is_none_or(|since| line.at >= since)
        && query.unit.as_ref().is_none_or(|wanted| wanted == unit)
}

fn shown(line: &Line) -> LogLine {
    LogLine {
        seq: Some(line.seq),
        at: line.at,
        level: level(line.level),
        unit: line.child.clone().unwrap_or_else(|| DAEMON.to_owned()),
        message: line.message.clone(),
        fields: line.fields.iter().filter(|(name, _)| name != "child").cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, level: tracing::Level, child: Option<&str>) -> Line {
        Line {
            seq,
            at: Timestamp::UNIX_EPOCH,
            level,
            child: child.map(str::to_owned),
            message: "x".into(),
            fields: vec![("child".into(), "mediamtx".into()), ("n".into(), "1".into())],
        }
    }

    #[test]
    fn lines_are_chosen_by_unit_level_time_and_number() {
        let own = line(5, tracing::Level::INFO, None);
        let child = line(6, tracing::Level::WARN, Some("mediamtx"));
        let all = LogQuery { level: LogLevel::Debug, ..LogQuery::default() };
        assert!(fits(&all, &own) && fits(&all, &child));
        let unit = |unit: &str| LogQuery { unit: Some(unit.into()), ..all.clone() };
        assert!(fits(&unit(DAEMON), &own) && !fits(&unit(DAEMON), &child));
        assert!(!fits(&unit("mediamtx"), &own) && fits(&unit("mediamtx"), &child));
        let grave = LogQuery { level: LogLevel::Warning, ..all.clone() };
        assert!(!fits(&grave, &own) && fits(&grave, &child));
        assert!(!fits(&LogQuery { after: 5, ..all.clone() }, &own));
        let later = Timestamp::from_second(1).ok();
        assert!(!fits(&LogQuery { since: later, ..all }, &own));
        let shown = shown(&child);
        assert_eq!((shown.unit.as_str(), shown.fields.len()), ("mediamtx", 1));
    }
}
