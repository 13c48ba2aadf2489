//! Events from a camera's link to the disk, to a subscriber of the broker, and to many readers of the
//! event stream.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::client::{Connection, Question};
use crate::feeder::PACE;
use crate::harness::daemon::EdgeCam;
use crate::harness::measure::quantile;
use crate::harness::{Setup, until};

/// More than the daemon stores in a second.
const TOO_MANY: u32 = 20_000;
/// How long events are stored as fast as they can be.
const INGEST: Duration = Duration::from_secs(10);
/// Events per second of which each one's way to the broker is measured.
const CALM: u32 = 100;
const CALM_EVENTS: usize = 2_000;
/// Readers of the event stream, events per second, and how many each has to get.
const READERS: u32 = 500;
const READ_PER_SECOND: u32 = 50;
const READ: u64 = 500;
const LONG: Duration = Duration::from_secs(60);

/// A daemon whose camera reports what the feeder is told to.
struct Fed {
    edgecam: EdgeCam,
    pace: PathBuf,
}

impl Fed {
    fn start() -> io::Result<Self> {
        let setup = Setup::new().set("media_server.enabled=false");
        let setup = setup.camera_program(&std::env::current_exe()?);
        let pace = setup.folder().join("programs").join(PACE);
        let mut edgecam = setup.start();
        edgecam.wait_for_log("connected to the broker", LONG);
        Ok(Self { edgecam, pace })
    }

    fn happen(&self, per_second: u32) -> io::Result<()> {
        fs::write(&self.pace, per_second.to_string())
    }

    /// The number of the newest stored event.
    fn newest(&self) -> u64 {
        let page = self.edgecam.api().get("/api/v1/events?limit=1").json();
        page["items"][0]["seq"].as_u64().unwrap_or(0)
    }
}

/// Measures and prints.
pub(crate) fn measure(runtime: &Runtime) -> io::Result<()> {
    ingest()?;
    publish()?;
    readers(runtime)
}

/// Stored and synced events per second, while they go to the broker as well.
fn ingest() -> io::Result<()> {
    let fed = Fed::start()?;
    fed.happen(TOO_MANY)?;
    until("the first are stored", LONG, || fed.newest() > 0);
    let (begun, first) = (Instant::now(), fed.newest());
    until("enough time has passed", INGEST * 2, || begun.elapsed() >= INGEST);
    let (took, stored) = (begun.elapsed(), fed.newest() - first);
    fed.happen(0)?;
    writeln!(
        io::stdout(),
        "bench durable ingest over a camera's link {:.0} events/s ({stored} events)",
        stored as f64 / took.as_secs_f64()
    )
}

/// From the camera to a subscriber.
fn publish() -> io::Result<()> {
    let fed = Fed::start()?;
    let subscriber = fed.edgecam.subscriber();
    fed.happen(CALM)?;
    until("enough came", LONG, || subscriber.events().len() >= CALM_EVENTS);
    fed.happen(0)?;
    // Both clocks are the machine's monotonic one; only their zeros differ.
    let (now, monotonic) = (Instant::now(), base::clock::monotonic());
    let on_the_way = |(at, event): (Instant, api::event::Event)| {
        let received = monotonic.saturating_sub(now.saturating_duration_since(at));
        received.saturating_sub(Duration::from_nanos(event.timing.tapped_ts_ns))
    };
    let times: Vec<_> = subscriber.events().into_iter().map(on_the_way).collect();
    writeln!(
        io::stdout(),
        "bench camera to subscriber at {CALM} events/s p50 {:.1} ms p99 {:.1} ms ({} events)",
        quantile(&times, 0.5).as_secs_f64() * 1000.0,
        quantile(&times, 0.99).as_secs_f64() * 1000.0,
        times.len()
    )
}

/// Many readers at once: what they miss, and what each takes.
fn readers(runtime: &Runtime) -> io::Result<()> {
    let fed = Fed::start()?;
    let question = Question {
        server: fed.edgecam.at().api,
        path: "/api/v1/stream/events".into(),
        token: Some(fed.edgecam.token()),
    };
    let before = resident_kib(fed.edgecam.pid())?;
    let (gaps, slowest, after) = runtime.block_on(async {
        let mut reading = JoinSet::new();
        for _ in 0..READERS {
            let mut connection = Connection::open(question.clone()).await?;
            let body = connection.begin().await?.into_body();
            reading.spawn(async move {
                let read = read(body).await;
                drop(connection);
                read
            });
        }
        fed.happen(READ_PER_SECOND)?;
        let read: io::Result<Vec<_>> = reading.join_all().await.into_iter().collect();
        let after = resident_kib(fed.edgecam.pid())?;
        let read = read?;
        let gaps: u64 = read.iter().map(|(missed, _)| missed).sum();
        let took = read.into_iter().map(|(_, took)| took).max().unwrap_or_default();
        io::Result::Ok((gaps, took, after))
    })?;
    fed.happen(0)?;
    writeln!(
        io::stdout(),
        "bench {READERS} readers of {READ_PER_SECOND} events/s: {gaps} events missed of {}, slowest \
         {:.1} s for {READ}, {:.0} KiB of the daemon's memory per reader",
        u64::from(READERS) * READ,
        slowest.as_secs_f64(),
        after.saturating_sub(before) as f64 / f64::from(READERS)
    )
}

/// Reads [`READ`] events; how many numbers were left out, and how long it took.
async fn read(mut body: hyper::body::Incoming) -> io::Result<(u64, Duration)> {
    let (mut text, mut got, mut missed, mut last) = (String::new(), 0, 0, None);
    let mut begun = None;
    while got < READ {
        let frame = body.frame().await.ok_or_else(|| io::Error::other("a stream ended"))?;
        let frame = frame.map_err(io::Error::other)?;
        text += &String::from_utf8_lossy(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = text.find('\n') {
            if let Some(seq) = text[..end].strip_prefix("id:") {
                let seq: u64 = seq.trim().parse().map_err(io::Error::other)?;
                missed += last.map_or(0, |last| seq - last - 1);
                (last, got) = (Some(seq), got + 1);
                begun.get_or_insert_with(Instant::now);
            }
            text.drain(..=end);
        }
    }
    Ok((missed, begun.map(|begun| begun.elapsed()).unwrap_or_default()))
}

fn resident_kib(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.ok_or_else(|| io::Error::other("the kernel does not say how much it takes"))
}
