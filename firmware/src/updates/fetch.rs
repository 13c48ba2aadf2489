//! A bundle at an address: to the disk by the guarded way out, from where the last try ended, within limits
//! of size and room, hashed at the end; or found to be one that can be read where it lies ([`super::stream`]).

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::updates::{BUNDLE_BYTES_MAX, UpdateCode as Code};
use base::error::{ErrorKind, Kind};
use egress::{Egress, EgressError, Limits};
use ota::machine::Input;
use ota::state::{Order, Phase, Reason, Remote, Source};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::engine::Updater;
use super::remote::{self, FIRST};
use super::way::{may_stay, told, way_out};

/// What stays free on the data partition: events and settings are written meanwhile.
const RESERVE: u64 = 64 << 20;
/// Tries in a row that bring nothing.
const TRIES: u32 = 8;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One try.
const LIMITS: Limits = Limits {
    bytes: BUNDLE_BYTES_MAX,
    connect: Duration::from_secs(20),
    whole: Duration::from_secs(6 * 3600),
    redirects: 5,
};
/// Bytes at a time.
const CHUNK: usize = 128 << 10;

/// What is known of the bytes that are here, so that others of another bundle are not added to them.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    url: String,
    etag: String,
}

/// Brings the bundle of `order` to its place, unless it may be read where it lies; answers what came of it.
///
/// # Errors
/// Why not; what came stays, for the next try.
pub(super) async fn bring(updater: &Updater, order: &Order) -> Result<Input, Reason> {
    let Source::Url { url, sha256, size, from_index, .. } = order.source.clone() else {
        return Err(Reason::new(Code::NoBundle, "it is nowhere to be fetched from"));
    };
    let config = updater.config();
    let allowed = |url: &Url| config.as_ref().is_some_and(|config| config.allows(url));
    let egress = way_out(&url, &allowed, sha256.is_some())?;
    let has_reader = updater.device().is_ok_and(|device| device.reads_remote);
    let may_stay =
        has_reader && config.as_ref().is_some_and(|it| may_stay(it, &url, &sha256, from_index));
    let (part, folder) = (updater.0.folder.part(), updater.0.folder.clone());
    let (telling, handle, id) =
        (updater.clone(), tokio::runtime::Handle::current(), order.id.clone());
    let stop = move || {
        let state = handle.block_on(telling.state());
        let ours = matches!(&state.phase, Phase::Fetching { order } if order.id == id);
        (!ours, telling.clone())
    };
    let whole = move || {
        let origin = folder.origin();
        let mut fetcher = Fetcher { egress, url, part: part.clone(), origin, size, may_stay };
        let remote = fetcher.whole(&|share| {
            let (stop, telling) = stop();
            if let Some(share) = share {
                telling.progress(share);
            }
            stop
        })?;
        if let Some(remote) = remote {
            return Ok(Input::Stays(remote));
        }
        let (found, _) = hash(&part)?;
        if let Some(wanted) = sha256.filter(|wanted| *wanted != found) {
            let _ = fs::remove_file(&part);
            let detail = format!("its SHA-256 is {found}, and should be {wanted}");
            return Err(Reason::new(Code::Damaged, detail));
        }
        folder.complete().map_err(|error| kept(&base::error::chain(&error)))?;
        Ok(Input::Arrived)
    };
    tokio::task::spawn_blocking(whole)
        .await
        .unwrap_or_else(|error| Err(Reason::new(Code::FetchFailed, error.to_string())))
}

/// SHA-256 in hex and length of the file at `path`.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn hash_of(path: PathBuf) -> Result<(String, u64), Reason> {
    tokio::task::spawn_blocking(move || hash(&path))
        .await
        .unwrap_or_else(|error| Err(Reason::new(Code::Damaged, error.to_string())))
}

fn hash(path: &Path) -> Result<(String, u64), Reason> {
    let read = || {
        let (mut file, mut hasher, mut length) = (File::open(path)?, Sha256::new(), 0);
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                return Ok((crate::models::hexadecimal(hasher), length));
            }
            hasher.update(&chunk[..count]);
            length += count as u64;
        }
    };
    let hashed: std::io::Result<_> = read();
    hashed.map_err(|error| Reason::new(Code::Damaged, format!("it cannot be read: {error}")))
}

/// Whether `more` bytes have room beside what else is written.
///
/// # Errors
/// How much is missing.
pub(super) fn room_for(folder: &Path, more: u64) -> Result<(), Reason> {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= more.saturating_add(RESERVE) {
        return Ok(());
    }
    let needed = more.saturating_add(RESERVE) >> 20;
    Err(kept(&format!("the data partition has {} MiB free, and {needed} are needed", free >> 20)))
}

pub(super) fn kept(why: &str) -> Reason {
    Reason::new(Code::DiskFull, format!("{why}; delete recordings or backups to make room"))
}

struct Fetcher {
    egress: Egress,
    url: String,
    part: PathBuf,
    origin: PathBuf,
    size: Option<u64>,
    /// Whether it may be read where it lies.
    may_stay: bool,
}

/// What one try brought.
enum Try {
    Whole,
    /// Nothing: it can be read where it lies.
    Stays(Remote),
    /// It broke off, and why.
    BrokeOff(String),
}

impl Fetcher {
    /// Fetches until all is here (`None`), or is found to stay where it is. `tell` hears how far it is and
    /// answers whether to stop. Blocks.
    fn whole(&mut self, tell: &dyn Fn(Option<f32>) -> bool) -> Result<Option<Remote>, Reason> {
        let mut empty_tries = 0;
        loop {
            let before = self.came();
            match self.once(tell)? {
                Try::Whole => return Ok(None),
                Try::Stays(remote) => return Ok(Some(remote)),
                Try::BrokeOff(why) => {
                    empty_tries = if self.came() > before { 0 } else { empty_tries + 1 };
                    if empty_tries >= TRIES {
                        return Err(Reason::new(Code::FetchFailed, why));
                    }
                    tracing::info!(why, "the download goes on from where it broke off");
                    let pause = Duration::from_secs(1 << empty_tries.min(6)).min(LONGEST_PAUSE);
                    let until = std::time::Instant::now() + pause;
                    while std::time::Instant::now() < until {
                        if tell(None) {
                            return Err(Reason::new(Code::Cancelled, "it was given up"));
                        }
                        std::thread::sleep(Duration::from_millis(200));
                    }
                }
            }
        }
    }

    fn came(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |facts| facts.len())
    }

    fn known(&self) -> Option<Origin> {
        let text = fs::read(&self.origin).ok()?;
        serde_json::from_slice(&text).ok().filter(|origin: &Origin| origin.url == self.url)
    }

    fn once(&mut self, tell: &dyn Fn(Option<f32>) -> bool) -> Result<Try, Reason> {
        let address = self.egress.address(&self.url);
        let address = address.map_err(|error| Reason::new(Code::AddressRefused, told(&error)))?;
        let came = self.came();
        let known = self.known().filter(|origin| came > 0 && !origin.etag.is_empty());
        let mut request = self.egress.agent(LIMITS).get(address.as_str());
        if let Some(origin) = &known {
            request = request
                .header("Range", format!("bytes={came}-"))
                .header("If-Range", origin.etag.clone());
        } else if self.may_stay {
            request = request.header("Range", FIRST);
        }
        let mut answer = match request.call() {
            Ok(answer) => answer,
            Err(error) => return self.failed(&EgressError::of(address.host(), error)),
        };
        let header = |name: &str| {
            answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        if self.may_stay && known.is_none() && answer.status().as_u16() == 206 {
            return self.stays(remote::described(answer.headers()));
        }
        let goes_on = answer.status().as_u16() == 206
            && header("content-range")
                .is_some_and(|range| range.starts_with(&format!("bytes {came}-")));
        if answer.status().as_u16() != 200 && !goes_on {
            let status = answer.status().as_u16();
            let _ = fs::remove_file(&self.part);
            return Ok(Try::BrokeOff(format!("{} answers with status {status}", address.host())));
        }
        let more: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
        let start = if goes_on { came } else { 0 };
        let whole = more.map(|more| start + more);
        self.check(start, whole)?;
        let etag = header("etag").filter(|etag| !etag.starts_with("W/")).unwrap_or_default();
        let mut file = self.open(goes_on, &Origin { url: self.url.clone(), etag })?;
        let mut body = answer.body_mut().as_reader();
        self.copy(&mut body, &mut file, (start, whole), tell)
    }

    /// The server gives files in parts: `there` is what it says of this one.
    fn stays(&mut self, there: Option<Remote>) -> Result<Try, Reason> {
        let Some(there) = there else {
            self.may_stay = false;
            return Ok(Try::BrokeOff("a part does not say of how much it is one".to_owned()));
        };
        self.check_length(there.size)?;
        let _ = fs::remove_file(&self.part);
        Ok(Try::Stays(there))
    }

    /// Whether what comes has room, and is as long as it should be.
    fn check(&self, start: u64, whole: Option<u64>) -> Result<(), Reason> {
        let Some(whole) = whole else { return Ok(()) };
        self.check_length(whole)?;
        let folder = self.part.parent().unwrap_or(Path::new("."));
        room_for(folder, whole - start)
    }

    fn check_length(&self, whole: u64) -> Result<(), Reason> {
        if whole > BUNDLE_BYTES_MAX {
            let detail = format!("the bundle has {whole} bytes, and may have {BUNDLE_BYTES_MAX}");
            return Err(Reason::new(Code::TooLargeForSlot, detail));
        }
        if let Some(size) = self.size.filter(|size| *size != whole) {
            let detail = format!("the bundle has {whole} bytes, and should have {size}");
            return Err(Reason::new(Code::Damaged, detail));
        }
        Ok(())
    }

    fn open(&self, goes_on: bool, origin: &Origin) -> Result<File, Reason> {
        let opened = if goes_on {
            OpenOptions::new().append(true).open(&self.part)
        } else {
            let text = serde_json::to_vec(origin).unwrap_or_default();
            // The old bytes go before the new origin is known, so that they are never taken for its.
            File::create(&self.part).and_then(|file| {
                fs::write(&self.origin, text)?;
                Ok(file)
            })
        };
        opened.map_err(|error| kept(&error.to_string()))
    }

    fn copy(
        &self,
        body: &mut dyn Read,
        file: &mut File,
        (mut came, whole): (u64, Option<u64>),
        tell: &dyn Fn(Option<f32>) -> bool,
    ) -> Result<Try, Reason> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let share = whole.map(|whole| came as f32 / whole.max(1) as f32);
            if tell(share) {
                return Err(Reason::new(Code::Cancelled, "it was given up"));
            }
            let count = match body.read(&mut chunk) {
                Ok(0) if whole.is_none_or(|whole| came == whole) => return Ok(Try::Whole),
                Ok(0) => return Ok(Try::BrokeOff("the answer broke off".to_owned())),
                Ok(count) => count,
                Err(error) => return Ok(Try::BrokeOff(format!("the answer broke off: {error}"))),
            };
            came += count as u64;
            if came > BUNDLE_BYTES_MAX {
                let detail = format!("the bundle is longer than {BUNDLE_BYTES_MAX} bytes");
                return Err(Reason::new(Code::TooLargeForSlot, detail));
            }
            file.write_all(&chunk[..count]).map_err(|error| kept(&error.to_string()))?;
        }
    }

    /// What a failed request means: what will not change is no reason to try again.
    fn failed(&self, error: &EgressError) -> Result<Try, Reason> {
        match error {
            // More was asked for than there is: what is here is of something else.
            EgressError::Status { status: 416, .. } => {
                let _ = fs::remove_file(&self.part);
                Ok(Try::BrokeOff(error.to_string()))
            }
            EgressError::Status { status, .. } if (400..500).contains(status) && *status != 429 => {
                Err(Reason::new(Code::FetchFailed, error.to_string()))
            }
            other if other.kind() == ErrorKind::InvalidArgument => {
                Err(Reason::new(Code::AddressRefused, told(other)))
            }
            other => Ok(Try::BrokeOff(base::error::chain(other))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use egress::Reach;

    use super::*;

    const BUNDLE: &[u8] = b"0123456789abcdefghij";

    /// Serves [`BUNDLE`] with ranges, but breaks off after `each` bytes; answers address and requests.
    fn serve(each: usize, etags: &'static [&'static str]) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}/b", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let asked = seen.clone();
        std::thread::spawn(move || {
            for (turn, stream) in listener.incoming().enumerate() {
                let (mut stream, mut buffer) = (stream.unwrap(), [0; 4096]);
                let length = stream.read(&mut buffer).unwrap_or(0);
                let text = String::from_utf8_lossy(&buffer[..length]).to_lowercase();
                let etag = etags[turn.min(etags.len() - 1)];
                let same = text.contains(&format!("if-range: {etag}"));
                let from = text.split("bytes=").nth(1).and_then(|rest| rest.split('-').next());
                let from = from.and_then(|from| from.parse().ok()).filter(|_| same).unwrap_or(0);
                asked.lock().unwrap().push(format!("{from}"));
                let first = text.contains("bytes=0-3\r");
                let status = if from > 0 || first { "206 Partial" } else { "200 OK" };
                let last = if first { 3 } else { 19 };
                let range = format!("Content-Range: bytes {from}-{last}/20\r\n");
                let head = format!(
                    "HTTP/1.1 {status}\r\nETag: {etag}\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n",
                    if from > 0 || first { &range } else { "" },
                    last + 1 - from
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&BUNDLE[from..(from + each).min(BUNDLE.len())]);
            }
        });
        (at, seen)
    }

    fn fetcher(folder: &Path, url: &str, size: Option<u64>) -> Fetcher {
        // As for what does not come over the network: the server is on this machine.
        let egress = Egress::new(Reach::Anywhere);
        let (part, origin) = (folder.join("bundle.part"), folder.join("bundle.origin.json"));
        Fetcher { egress, url: url.to_owned(), part, origin, size, may_stay: false }
    }

    #[test]
    fn a_download_that_breaks_off_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (url, asked) = serve(8, &["\"a\""]);
        fetcher(folder.path(), &url, Some(20)).whole(&|_| false).unwrap();
        assert_eq!(fs::read(folder.path().join("bundle.part")).unwrap(), BUNDLE);
        assert_eq!(*asked.lock().unwrap(), ["0", "8", "16"]);
    }

    #[test]
    fn bytes_of_two_bundles_are_never_mixed() {
        let folder = tempfile::tempdir().unwrap();
        // After the first part it is another file.
        let (url, asked) = serve(12, &["\"a\"", "\"b\""]);
        fetcher(folder.path(), &url, None).whole(&|_| false).unwrap();
        assert_eq!(fs::read(folder.path().join("bundle.part")).unwrap(), BUNDLE);
        assert_eq!(*asked.lock().unwrap(), ["0", "0", "12"]);
        // What is left of another address is not gone on with either.
        let (url, asked) = serve(64, &["\"b\""]);
        fetcher(folder.path(), &url, None).whole(&|_| false).unwrap();
        assert_eq!(*asked.lock().unwrap(), ["0"]);
    }

    #[test]
    fn what_is_too_long_or_not_as_long_as_said_is_not_fetched() {
        let folder = tempfile::tempdir().unwrap();
        let (url, _) = serve(64, &["\"a\""]);
        let wrong = fetcher(folder.path(), &url, Some(21)).whole(&|_| false).unwrap_err();
        assert_eq!(wrong.code, Code::Damaged);
        let given_up = fetcher(folder.path(), &url, None).whole(&|_| true).unwrap_err();
        assert_eq!(given_up.code, Code::Cancelled);
    }

    #[test]
    fn what_a_server_gives_in_parts_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (url, asked) = serve(64, &["\"a\""]);
        let mut adaptive = Fetcher { may_stay: true, ..fetcher(folder.path(), &url, Some(20)) };
        let there = adaptive.whole(&|_| false).unwrap();
        assert_eq!(there, Some(Remote { size: 20, validator: "\"a\"".into() }));
        assert_eq!(asked.lock().unwrap().len(), 1);
        assert!(!folder.path().join("bundle.part").exists());
        // What is on its way to the disk goes on its way.
        fetcher(folder.path(), &serve(8, &["\"a\""]).0, None).once(&|_| false).unwrap();
        let (part, origin) =
            (folder.path().join("bundle.part"), folder.path().join("bundle.origin.json"));
        let text = fs::read_to_string(&origin).unwrap();
        let begun: Origin = serde_json::from_str(&text).unwrap();
        fs::write(&origin, serde_json::to_vec(&Origin { url: url.clone(), ..begun }).unwrap())
            .unwrap();
        let mut adaptive = Fetcher { may_stay: true, ..fetcher(folder.path(), &url, None) };
        assert_eq!(adaptive.whole(&|_| false).unwrap(), None);
        assert_eq!(fs::read(&part).unwrap(), BUNDLE);
    }

    #[test]
    fn a_part_that_nobody_asked_for_does_not_pass_for_all_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/b", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let part = "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-3/20\r\nETag: \"a\"\r\n\
                        Content-Length: 4\r\nConnection: close\r\n\r\n0123";
            let _ = stream.write_all(part.as_bytes());
        });
        let folder = tempfile::tempdir().unwrap();
        let came = fetcher(folder.path(), &url, None).once(&|_| false);
        assert!(!matches!(came, Ok(Try::Stays(_) | Try::Whole)), "its hash would not be checked");
    }

    #[test]
    fn a_full_disk_is_told_before_anything_is_fetched() {
        let folder = tempfile::tempdir().unwrap();
        room_for(folder.path(), 1).unwrap();
        assert_eq!(room_for(folder.path(), u64::MAX / 2).unwrap_err().code, Code::DiskFull);
    }
}
