//! The stream at the media server: it arrives, and comes back after the server was killed.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use media::MediaEvent;
use url::Url;

use config::Source;
use domain::Size;

use crate::support::{camera, scene, skip_unless, start, start_with, wait_for};

/// A real media server, killed with its test.
struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    binary: PathBuf,
}

impl Server {
    fn start(test: &str) -> Option<Self> {
        let binary = skip_unless(test, find(), "no MediaMTX; set EDGECAM_MEDIAMTX")?;
        // Free when asked, and taken again at once.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "logLevel: warn\nrtspAddress: 127.0.0.1:{port}\nrtspTransports: [tcp]\nrtmp: no\n\
             hls: no\nwebrtc: no\nsrt: no\nmoq: no\napi: no\npaths:\n  all_others:\n"
        );
        std::fs::write(folder.path().join("mediamtx.yml"), config).unwrap();
        let child = spawn(&binary, folder.path());
        let server = Self { child, port, folder, binary };
        server.wait_until_up();
        Some(server)
    }

    fn wait_until_up(&self) {
        let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        wait_for("the media server", || {
            assert!(!log().contains("ERR"), "{}", log());
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    fn url(&self) -> Url {
        format!("rtsp://127.0.0.1:{}/test", self.port).parse().unwrap()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = spawn(&self.binary, self.folder.path());
        self.wait_until_up();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(binary: &std::path::Path, folder: &std::path::Path) -> Child {
    Command::new(binary)
        .arg(folder.join("mediamtx.yml"))
        .stdout(std::fs::File::create(folder.join("log")).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn find() -> Option<PathBuf> {
    let named = std::env::var_os("EDGECAM_MEDIAMTX").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let built = home.map(|home| home.join(".cache/edgecam/mediamtx/current/mediamtx"));
    named.or(built).filter(|path| path.exists())
}

/// Reads `url` until `frames` decoded pictures came; their width and height.
fn read(url: &Url, frames: u32) -> Option<(i32, i32)> {
    let pipeline = gst::parse::launch(&format!(
        "rtspsrc location={url} protocols=tcp latency=0 ! rtph264depay ! h264parse ! avdec_h264 \
         ! appsink name=sink sync=false"
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let mut size = None;
    for _ in 0..frames {
        size = sink.try_pull_sample(gst::ClockTime::from_seconds(5)).and_then(|sample| {
            let caps = sample.caps()?.structure(0)?.to_owned();
            Some((caps.get("width").ok()?, caps.get("height").ok()?))
        });
        if size.is_none() {
            break;
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    size
}

fn published(event: &MediaEvent) -> Option<()> {
    matches!(event, MediaEvent::Publishing).then_some(())
}

#[test]
fn the_stream_can_be_read_back_from_the_media_server() {
    let Some(server) = Server::start("the_stream_can_be_read_back_from_the_media_server") else {
        return;
    };
    let started = start_with(&scene(), Some(server.url()), None);
    started.event(published);
    assert_eq!(read(&server.url(), 10), Some((640, 360)));
    assert!(started.handle.stats().published > 0);
}

#[test]
fn the_stream_is_back_within_3_s_after_the_media_server_was_killed() {
    let name = "the_stream_is_back_within_3_s_after_the_media_server_was_killed";
    let Some(mut server) = Server::start(name) else { return };
    let started = start_with(&scene(), Some(server.url()), None);
    started.event(published);
    for _ in 0..3 {
        server.kill();
        started.event(|event| matches!(event, MediaEvent::PublishWaiting { .. }).then_some(()));
        let before = started.handle.stats().encoded;
        wait_for("the encoder to go on", || started.handle.stats().encoded > before + 10);
        server.start_again();
        let began = Instant::now();
        started.event(published);
        assert!(read(&server.url(), 2).is_some());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    assert_eq!(started.handle.stats().source_restarts, 0);
}

#[test]
fn a_camera_runs_and_stops_without_a_media_server() {
    let url = "rtsp://127.0.0.1:9/none".parse().unwrap();
    let started = start_with(&scene(), Some(url), None);
    let reason = started.event(|event| match event {
        MediaEvent::PublishWaiting { reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.contains("media server"), "{reason}");
    let before = started.handle.stats().encoded;
    wait_for("frames", || started.handle.stats().encoded > before + 25);
    let began = Instant::now();
    started.handle.stop();
    assert!(began.elapsed() < media::STOP_DEADLINE);
}

#[test]
fn a_frozen_media_server_costs_the_camera_nothing() {
    let Some(server) = Server::start("a_frozen_media_server_costs_the_camera_nothing") else {
        return;
    };
    let started = start_with(&scene(), Some(server.url()), None);
    started.event(published);
    let signal = |name: &str| {
        let pid = server.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    let before = started.handle.stats().encoded;
    let began = Instant::now();
    wait_for("4 s of frames", || started.handle.stats().encoded > before + 100);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let began = Instant::now();
    started.handle.stop();
    assert!(began.elapsed() < media::STOP_DEADLINE + Duration::from_millis(200));
    signal("-CONT");
}

#[test]
fn an_ip_camera_is_read_by_rtsp_and_found_again_after_it_was_gone() {
    let name = "an_ip_camera_is_read_by_rtsp_and_found_again_after_it_was_gone";
    let Some(mut server) = Server::start(name) else { return };
    let sender = start_with(&scene(), Some(server.url()), None);
    sender.event(published);
    let reader = start(&camera(Source::Rtsp(server.url())));
    let running = reader.running();
    assert_eq!(running.size, Size::new(640, 360));
    let before = reader.frame();
    let age = before.tapped.saturating_sub(before.captured);
    assert!(age < Duration::from_secs(2), "{age:?}");
    server.kill();
    let reason = reader.event(|event| match event {
        MediaEvent::Waiting { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.contains("does not answer"), "{reason}");
    server.start_again();
    reader.running();
    // Those from before may still wait in the slot.
    reader.frame();
    reader.frame();
    let after = reader.frame();
    assert!(after.pts > before.pts && after.seq > before.seq);
    assert!(reader.handle.stats().source_restarts > 0);
}
