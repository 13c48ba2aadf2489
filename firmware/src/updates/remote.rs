//! A bundle that is read where it lies, in parts, by the guarded way out.

use std::io::Read;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use egress::{Egress, EgressError, Limits};
use ota::state::Remote;
use ureq::http::HeaderMap;
use ureq::http::header::{CONTENT_RANGE, ETAG, LAST_MODIFIED};

/// The first bytes: whoever answers with these alone gives files in parts.
pub(super) const FIRST: &str = "bytes=0-3";
/// Most bytes of a part; the kernel's block devices ask for less.
pub(super) const MOST_AT_ONCE: u64 = 32 << 20;
/// How long a server that does not answer is waited for. The kernel waits for 300 s, and RAUC asks six times.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// How often a wait looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// One part.
const LIMITS: Limits = Limits {
    bytes: MOST_AT_ONCE,
    connect: Duration::from_secs(20),
    whole: Duration::from_secs(120),
    redirects: 5,
};

/// What lies there, as the answer to a request for a part says; `None`: the answer is no such part.
pub(super) fn described(headers: &HeaderMap) -> Option<Remote> {
    let (_, size) = range(headers)?;
    Some(Remote { size, validator: validator(headers) })
}

/// The part that an answer has (`bytes 0-3/1234`) and the length of the whole.
fn range(headers: &HeaderMap) -> Option<(RangeInclusive<u64>, u64)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, size) = text.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?..=last.parse().ok()?, size.parse().ok()?))
}

fn validator(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let strong = text(ETAG).filter(|tag| !tag.starts_with("W/"));
    strong.or_else(|| text(LAST_MODIFIED)).unwrap_or_default().to_owned()
}

/// Why a part did not come, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// It will not come the next time either.
    ForGood(String),
    /// The server cannot be reached, or has no time.
    ForNow(String),
}

/// The parts of what lies at an address. Two files are never mixed: a part of another one than was found
/// first is refused.
#[derive(Debug)]
pub(super) struct Parts {
    egress: Egress,
    agent: ureq::Agent,
    url: String,
    there: Remote,
    patience: Duration,
    /// Since when no part has come, while parts were asked for.
    failing_since: Mutex<Option<Instant>>,
    stopped: AtomicBool,
}

impl Parts {
    /// Those of `url`, at which `there` lies. Blocks: whom to believe is read from the disk.
    pub(super) fn new(egress: Egress, url: &str, there: Remote, patience: Duration) -> Self {
        let agent = egress.agent_for_parts(LIMITS);
        let (failing_since, stopped) = (Mutex::default(), AtomicBool::new(false));
        Self { egress, agent, url: url.to_owned(), there, patience, failing_since, stopped }
    }

    /// The length of the whole in bytes.
    pub(super) fn size(&self) -> u64 {
        self.there.size
    }

    /// The bytes of `part`, which is within the whole and has at most [`MOST_AT_ONCE`]. Blocks, for as long
    /// as the server may come back.
    ///
    /// # Errors
    /// Why they do not come.
    pub(super) fn read(&self, part: &RangeInclusive<u64>) -> Result<Vec<u8>, Miss> {
        let mut pause = LONGEST_PAUSE / 8;
        loop {
            match self.once(part) {
                Ok(bytes) => {
                    *self.failing_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    return Ok(bytes);
                }
                Err(for_good @ Miss::ForGood(_)) => return Err(for_good),
                Err(Miss::ForNow(why)) => {
                    if self.failing_for() >= self.patience || !self.wait(pause) {
                        return Err(Miss::ForNow(why));
                    }
                    tracing::info!(why, "a part of an update is asked for again");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Nobody wants more of it.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// For how long the parts that were asked for have failed, one of which has just done so.
    fn failing_for(&self) -> Duration {
        let mut since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.get_or_insert_with(Instant::now).elapsed()
    }

    /// Waits; answers whether it is still wanted.
    fn wait(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.stopped.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK_EVERY.min(pause));
        }
        !self.stopped.load(Ordering::Relaxed)
    }

    fn once(&self, part: &RangeInclusive<u64>) -> Result<Vec<u8>, Miss> {
        let address = self.egress.address(&self.url);
        let address = address.map_err(|error| Miss::ForGood(base::error::chain(&error)))?;
        let (first, last) = (part.start(), part.end());
        let request = self.agent.get(address.as_str());
        let request = request.header("Range", format!("bytes={first}-{last}"));
        let mut answer =
            request.call().map_err(|error| missed(&EgressError::of(address.host(), error)))?;
        let host = address.host();
        if answer.status().as_u16() != 206 {
            let status = answer.status().as_u16();
            let why = format!("{host} answers a request for a part with status {status}");
            return Err(Miss::ForGood(why));
        }
        if range(answer.headers()) != Some((part.clone(), self.there.size))
            || validator(answer.headers()) != self.there.validator
        {
            let why = format!("the file at {host} is not the one any more that was begun with");
            return Err(Miss::ForGood(why));
        }
        let length = last - first + 1;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        let broke = |error| Miss::ForNow(format!("the answer of {host} broke off: {error}"));
        answer.body_mut().as_reader().take(length).read_to_end(&mut bytes).map_err(broke)?;
        if bytes.len() as u64 != length {
            return Err(Miss::ForNow(format!("the answer of {host} broke off")));
        }
        Ok(bytes)
    }
}

fn missed(error: &EgressError) -> Miss {
    let why = base::error::chain(error);
    match *error {
        EgressError::Status { status, .. } if (400..500).contains(&status) && status != 429 => {
            Miss::ForGood(why)
        }
        EgressError::Address(_) | EgressError::Refused { .. } => Miss::ForGood(why),
        _ => Miss::ForNow(why),
    }
}
