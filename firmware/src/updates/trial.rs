//! Looks at the product for the gate: cameras, detectors, the API over its own listener, the event store.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use api::access::AuditEntry;
use api::status::CameraPhase;
use ota::gate::{self, Camera, Gate, Sample, Verdict};
use ota::state::{Baseline, Phase};
use store::StoreHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::engine::Updater;
use crate::cameras::{CameraView, Cameras};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between two writes into the event store.
const WRITE_EVERY: Duration = Duration::from_secs(20);
/// Whatever is asked answers within this time.
const ANSWERS: Duration = Duration::from_secs(5);

/// Holds the gate until the new system has proven itself.
///
/// # Errors
/// Why it has not.
pub(super) async fn hold(updater: &Updater, api: SocketAddr) -> Result<(), String> {
    let Phase::Trial { update, began } = updater.state().await.phase else {
        return Err("nothing is on trial".to_owned());
    };
    let mut gate = Gate::new(update.change.baseline, Duration::from_secs(began.at_s));
    let (mut written, mut store) = (None::<Duration>, Ok(()));
    loop {
        let parts = &updater.0.parts;
        let at = base::clock::since_boot();
        if store.is_err() || written.is_none_or(|then| at - then >= WRITE_EVERY) {
            store = write(&parts.store).await;
            written = Some(at);
        }
        let answered = timeout(ANSWERS, ask(api)).await;
        let api = answered.unwrap_or_else(|_| Err(format!("no answer in {ANSWERS:?}")));
        let sample = Sample { at, api, store: store.clone(), ..look(&parts.cameras) };
        match gate.observe(&sample) {
            Verdict::Healthy => return Ok(()),
            Verdict::Refused(why) => return Err(why),
            Verdict::Waiting { missing, well_for } => {
                updater.progress(well_for.as_secs_f32() / gate::PROVEN.as_secs_f32());
                tracing::debug!(?missing, "the new system is not proven yet");
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// What works now, seen over some seconds.
pub(super) async fn baseline(cameras: &Cameras) -> Baseline {
    let first = look(cameras);
    sleep(LOOK_EVERY).await;
    gate::baseline(&first, &look(cameras))
}

fn look(cameras: &Cameras) -> Sample {
    let all = cameras.all();
    let cameras = all.iter().map(|(id, handle)| (id.clone(), camera(&handle.view())));
    Sample { at: base::clock::since_boot(), cameras: cameras.collect(), api: Ok(()), store: Ok(()) }
}

fn camera(view: &CameraView) -> Camera {
    let (status, stats) = (&view.status, &view.stats);
    Camera {
        wanted: !matches!(status.phase, CameraPhase::Disabled | CameraPhase::Ended),
        process: status.pid,
        frames: stats.frames,
        encoded: stats.encoded_frames,
        results: stats.inferred_frames,
        looked: stats.inferred_frames + stats.gated_frames,
        held_back: status.detector.throttled.is_some(),
        error: status.error.clone().or_else(|| status.detector.error.clone()),
    }
}

/// A row in the store, where whoever looks for it finds when a system proved itself.
async fn write(store: &StoreHandle) -> Result<(), String> {
    let entry = AuditEntry {
        seq: 0,
        at: base::clock::wall(),
        username: None,
        via: None,
        from: "127.0.0.1".to_owned(),
        operation: "prove_update".to_owned(),
        path: "/api/v1/updates".to_owned(),
        status: 200,
        before: None,
        after: None,
    };
    match timeout(ANSWERS, store.append_audit(entry)).await {
        Ok(written) => written.map_err(|error| base::error::chain(&error)),
        Err(_) => Err(format!("no answer in {ANSWERS:?}")),
    }
}

/// Asks the API over its own listener.
async fn ask(api: SocketAddr) -> Result<(), String> {
    let here: IpAddr = match api.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let asked = async {
        let mut line = TcpStream::connect((here, api.port())).await?;
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        line.write_all(request).await?;
        let mut answer = Vec::new();
        line.take(4096).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = asked.await.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.split_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok());
    match status {
        Some(status) if status < 400 => Ok(()),
        Some(status) => Err(format!("status {status}")),
        None => Err("no answer of HTTP's".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_api_that_does_not_answer_is_told_apart_from_one_that_does() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let serve = async {
            for answer in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 503 No\r\n\r\n", "SSH-2.0"] {
                let (mut line, _) = listener.accept().await.unwrap();
                let _ = line.read(&mut [0; 512]).await;
                line.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), at.port());
        let questions = async { (ask(everywhere).await, ask(at).await, ask(at).await) };
        let ((), (well, broken, odd)) = tokio::join!(serve, questions);
        assert_eq!(well, Ok(()));
        assert!(broken.is_err() && odd.is_err());
        drop(listener);
        assert!(ask(at).await.is_err());
    }
}
