//! A camera process that looks at nothing: it has as much to report as the file [`PACE`] beside it says.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use api::event::{EventType, Object, Zones};
use api::status::CameraPhase;
use link::{FromCamera, Happening, PROTOCOL, Sender, ToCamera};
use tokio::net::UnixStream;
use tokio::time::{Instant, MissedTickBehavior};
use ulid::Ulid;

/// Holds how many things happen per second.
pub(crate) const PACE: &str = "pace";
/// Time between two looks at it, and two sayings.
const TICK: Duration = Duration::from_millis(10);

/// Is the camera `id` until the daemon closes the link.
pub(crate) fn run(id: &str) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let link = io::stdin().as_fd().try_clone_to_owned()?;
        let link = std::os::unix::net::UnixStream::from(link);
        link.set_nonblocking(true)?;
        let (mut hear, mut say) = link::split(UnixStream::from_std(link)?);
        let hello = FromCamera::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            camera: id.to_owned(),
            pid: std::process::id(),
        };
        tell(&mut say, &hello).await?;
        hear.receive().await.map_err(io::Error::other)?;
        let running = FromCamera::State {
            phase: CameraPhase::Running,
            error: None,
            pipeline: None,
            detector: Box::default(),
            capabilities: None,
        };
        tell(&mut say, &running).await?;
        // Cancel-safe: only the end of the link is waited for.
        tokio::select! {
            fed = feed(&mut say) => fed,
            () = async { while let Ok(Some(message)) = hear.receive().await { let _: (ToCamera, _) = message; } } => Ok(()),
        }
    })
}

async fn tell(say: &mut Sender<FromCamera>, message: &FromCamera) -> io::Result<()> {
    say.send(message, &[]).await.map_err(io::Error::other)
}

async fn feed(say: &mut Sender<FromCamera>) -> io::Result<()> {
    let pace = std::env::current_exe()?.with_file_name(PACE);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut owed, mut last, mut alive) = (0.0, Instant::now(), Instant::now());
    loop {
        tick.tick().await;
        if alive <= Instant::now() {
            tell(say, &FromCamera::Stats { stats: Box::default(), times: Vec::new() }).await?;
            alive += Duration::from_millis(500);
        }
        let per_second = std::fs::read_to_string(&pace).ok();
        let per_second = per_second.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0);
        owed += per_second * last.elapsed().as_secs_f64();
        last = Instant::now();
        while owed >= 1.0 {
            owed -= 1.0;
            tell(say, &FromCamera::Happened(Box::new(happening()))).await?;
        }
    }
}

fn happening() -> Happening {
    let now = u64::try_from(base::clock::monotonic().as_nanos()).unwrap_or(u64::MAX);
    let id = Ulid::generate();
    let object = Object {
        track_id: id,
        label: "car".to_owned(),
        score: 0.5,
        top_score: 0.75,
        r#box: [0.25, 0.25, 0.5, 0.5],
        stationary: false,
        velocity: [0.0, 0.0],
        age_ms: 100,
    };
    Happening {
        event_type: EventType::ObjectEnd,
        event_id: id.to_string(),
        at_ns: now,
        started_ns: now,
        object: Some(object),
        zones: Zones::default(),
        line: None,
        crowding: None,
        end_reason: None,
        model: None,
        tapped_ns: now,
        inferred_ns: now,
    }
}
