//! Which encoder rungs failed here before: kept over restarts with reason, firmware version and
//! expiry, so that a camera does not try a broken rung at each start, nor avoid it for ever.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::EncoderRung;

/// A failure counts for this long.
const MEMORY: Duration = Duration::from_secs(24 * 3600);
/// Name of the file in a camera's state folder.
const FILE: &str = "encoder-ladder.json";

/// One remembered failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The rung.
    pub rung: EncoderRung,
    /// Why it failed.
    pub reason: String,
    /// The firmware that it failed with: another one tries again.
    pub firmware: String,
    /// When it failed.
    pub at: Timestamp,
    /// Until when it counts.
    pub until: Timestamp,
}

/// The memory of one camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    failures: Vec<Failure>,
}

impl Ladder {
    /// Why `rung` is not to be tried now; `None`: try it.
    pub fn failure(&self, rung: EncoderRung, firmware: &str, now: Timestamp) -> Option<&Failure> {
        self.failures.iter().find(|failure| {
            // A clock that stands before the failure was set back: the expiry means nothing then.
            let counts = failure.at <= now && now < failure.until;
            failure.rung == rung && failure.firmware == firmware && counts
        })
    }

    /// Remembers that `rung` failed; forgets what does not count any more.
    pub fn record(&mut self, rung: EncoderRung, reason: &str, firmware: &str, now: Timestamp) {
        self.failures.retain(|f| f.rung != rung && f.firmware == firmware && now < f.until);
        let until = now.checked_add(MEMORY).unwrap_or(Timestamp::MAX);
        let (reason, firmware) = (reason.to_owned(), firmware.to_owned());
        self.failures.push(Failure { rung, reason, firmware, at: now, until });
    }
}

/// The memory and the file that it is kept in.
#[derive(Debug)]
pub(crate) struct LadderFile {
    path: Option<PathBuf>,
    pub(crate) ladder: Ladder,
}

impl LadderFile {
    /// Reads the memory in `folder`. A file that is absent or damaged is no memory: the rungs are
    /// tried again.
    pub(crate) fn open(folder: Option<&Path>) -> Self {
        let path = folder.map(|folder| folder.join(FILE));
        let text = path.as_ref().map(std::fs::read).and_then(Result::ok);
        let ladder = text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { path, ladder }
    }

    /// Remembers a failure, in the file too.
    pub(crate) fn record(&mut self, rung: EncoderRung, reason: &str, firmware: &str) {
        self.ladder.record(rung, reason, firmware, base::clock::wall());
        let Some(path) = &self.path else { return };
        if let Err(error) = write(path, &self.ladder) {
            tracing::warn!(%error, path = %path.display(), "the encoder ladder is not remembered");
        }
    }
}

/// Whole or not at all: a power cut leaves the old file.
fn write(path: &Path, ladder: &Ladder) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension("json.new");
    std::fs::write(&draft, serde_json::to_vec_pretty(ladder)?)?;
    std::fs::File::open(&draft)?.sync_all()?;
    std::fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNG: EncoderRung = EncoderRung::V4l2Mmap;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn failed() -> Ladder {
        let mut ladder = Ladder::default();
        ladder.record(RUNG, "no key frame in 3 s", "1.0", at(0));
        ladder
    }

    #[test]
    fn a_failure_counts_until_its_expiry() {
        assert_eq!(failed().failure(RUNG, "1.0", at(23)).unwrap().reason, "no key frame in 3 s");
        assert_eq!(failed().failure(RUNG, "1.0", at(24)), None);
        assert_eq!(failed().failure(EncoderRung::X264, "1.0", at(1)), None);
    }

    #[test]
    fn another_firmware_tries_again() {
        assert_eq!(failed().failure(RUNG, "1.1", at(1)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_tries_again() {
        assert_eq!(failed().failure(RUNG, "1.0", at(-1)), None);
    }

    #[test]
    fn the_memory_outlives_the_process_and_a_damaged_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LadderFile::open(Some(folder.path()));
        file.record(RUNG, "why", "1.0");
        let again = LadderFile::open(Some(folder.path()));
        assert_eq!(again.ladder, file.ladder);
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(LadderFile::open(Some(folder.path())).ladder, Ladder::default());
    }
}
