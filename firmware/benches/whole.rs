//! What the whole product costs: time from the detector's tap to a subscriber, the memory of each
//! process, idle and busy (medians over runs), and the bytes of track history. `cargo bench -p
//! edgecamd`; about four minutes. Needs
//! the models beside the project.

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use domain::history::{Sample, decode};
use harness::measure::quantile;
use harness::{Need, Setup, Site, procs, until};
use store::{TrackQuery, TrackReader};

/// Runs of which the median is printed.
const RUNS: usize = 3;
/// Announcements of a run.
const EVENTS: usize = 60;
/// A run takes no longer.
const RUN_WITHIN: Duration = Duration::from_secs(60);

fn main() -> io::Result<()> {
    let Some(_site) = Site::with(&[Need::Shared, Need::MediaServer]) else { return Ok(()) };
    latency()?;
    memory("idle", Setup::new().set("cameras.cam.enabled=false").start())?;
    memory("busy", street().stream())?;
    history("scene", street())?;
    for clip in ["car-detection.mp4", "one-by-one-person-detection.mp4"] {
        history(clip, Setup::new().clip(&harness::site::clip(clip)))?;
    }
    Ok(())
}

/// What is kept of what was tracked, in bytes per second of a track that is seen.
fn history(name: &str, setup: Setup) -> io::Result<()> {
    let mut edgecam = setup.start();
    let begun = Instant::now();
    until("enough was tracked", RUN_WITHIN * 2, || begun.elapsed() >= RUN_WITHIN);
    edgecam.stop();
    let past = TrackReader::open(edgecam.data_dir()).map_err(io::Error::other)?;
    let query = TrackQuery {
        cameras: Some(vec!["cam".to_owned()]),
        from: jiff::Timestamp::UNIX_EPOCH,
        to: jiff::Timestamp::MAX,
        after_row: 0,
        limit: TrackQuery::MAX_LIMIT,
    };
    let (mut bytes, mut boxes, mut tracks, mut seconds) = (0, 0, BTreeSet::new(), 0.0);
    let batches = past.list(&query).map_err(io::Error::other)?;
    for batch in &batches {
        let stretch = decode(&batch.body, Duration::ZERO).map_err(io::Error::other)?;
        bytes += batch.body.len();
        let time = |sample: &Sample| stretch.steps[sample.step as usize].as_secs_f64();
        for path in &stretch.paths {
            tracks.insert(path.id);
            boxes += path.samples.len();
            if let [first, .., last] = path.samples.as_slice() {
                seconds += time(last) - time(first);
            }
        }
    }
    writeln!(
        io::stdout(),
        "bench track history {name} {:.1} bytes per track-second ({bytes} bytes in {} batches; {} \
         tracks, {seconds:.0} s, {boxes} boxes)",
        bytes as f64 / f64::max(seconds, 1.0),
        batches.len(),
        tracks.len(),
    )
}

/// A camera with the drawn street before it, 1280×720 at 30 frames per second: always something
/// to announce.
fn street() -> Setup {
    Setup::new()
}

/// From the tap to a subscriber of the broker.
fn latency() -> io::Result<()> {
    let (mut medians, mut tails) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let times = one_run();
        medians.push(quantile(&times, 0.5));
        tails.push(quantile(&times, 0.95));
    }
    let (p50, p95) = (quantile(&medians, 0.5), quantile(&tails, 0.5));
    writeln!(
        io::stdout(),
        "bench event latency tap to subscriber p50 {:.1} ms p95 {:.1} ms (median of {RUNS} runs of {EVENTS} events)",
        p50.as_secs_f64() * 1000.0,
        p95.as_secs_f64() * 1000.0
    )
}

fn one_run() -> Vec<Duration> {
    let edgecam = street().start();
    let subscriber = edgecam.subscriber();
    until("enough announcements came", RUN_WITHIN, || subscriber.events().len() >= EVENTS);
    // Both clocks are the machine's monotonic one; only their zeros differ.
    let (now, monotonic) = (Instant::now(), base::clock::monotonic());
    let since_tap = |(at, event): (Instant, api::event::Event)| {
        let received = monotonic.saturating_sub(now.saturating_duration_since(at));
        received.saturating_sub(Duration::from_nanos(event.timing.tapped_ts_ns))
    };
    // Announcements from before the subscription was in place are retained nowhere: all are fresh.
    subscriber.events().into_iter().map(since_tap).collect()
}

/// Memory of each process in MiB, the median over some looks.
fn memory(state: &str, mut edgecam: harness::daemon::EdgeCam) -> io::Result<()> {
    edgecam.wait_for_log("connected to the broker", RUN_WITHIN);
    let subscriber = (state == "busy").then(|| edgecam.subscriber());
    if let Some(subscriber) = &subscriber {
        until("it is at work", RUN_WITHIN, || subscriber.events().len() >= 10);
    }
    for process in procs::family(edgecam.pid()) {
        let mut looks: Vec<u64> = (0..5).filter_map(|_| resident_kib(process.pid)).collect();
        looks.sort_unstable();
        if let Some(median) = looks.get(looks.len() / 2) {
            let program = process.command.split(' ').next().unwrap_or_default();
            let name = match program.rsplit('/').next().unwrap_or_default() {
                // What kills leftovers after a killed daemon runs from the daemon's own file.
                "exe" => "edgecamd-guard",
                name => name,
            };
            writeln!(
                io::stdout(),
                "bench memory {state} {name} {:.1} MiB",
                *median as f64 / 1024.0
            )?;
        }
    }
    Ok(())
}

fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
