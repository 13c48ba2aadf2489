//! Started by systemd, the daemon says when it is ready, that it lives, and that it stops.

mod harness;

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use harness::{Need, Setup, Site};

/// Receives messages for the service manager until one contains `wanted`.
fn hear(socket: &UnixDatagram, wanted: &str, within: Duration) {
    let deadline = Instant::now() + within;
    let mut buffer = [0; 4096];
    let mut heard = Vec::new();
    while Instant::now() < deadline {
        if let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.contains(wanted) {
                return;
            }
            heard.push(text);
        }
    }
    panic!("no {wanted} within {within:?}; heard {heard:?}");
}

#[test]
fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let Some(_site) = Site::with(&[Need::MediaServer]) else { return };
    let setup = Setup::new().set("cameras.cam.enabled=false");
    let path = setup.folder().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time limit");
    let mut edgecam = setup.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "3000000").spawn();
    hear(&socket, "READY=1", Duration::from_secs(20));
    hear(&socket, "WATCHDOG=1", Duration::from_secs(3));
    hear(&socket, "WATCHDOG=1", Duration::from_secs(3));
    edgecam.stop();
    hear(&socket, "STOPPING=1", Duration::from_secs(3));
}

#[test]
fn a_start_for_settings_is_no_stop_to_systemd() {
    let Some(_site) = Site::with(&[]) else { return };
    let setup = Setup::new().set("cameras.cam.enabled=false").set("media_server.enabled=false");
    let path = setup.folder().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time limit");
    let edgecam = setup.env("NOTIFY_SOCKET", &path).spawn();
    hear(&socket, "READY=1", Duration::from_secs(20));
    let name = serde_json::json!({ "node": { "name": "Gate" } });
    assert_eq!(edgecam.api().patch("/api/v1/settings", &name).status, 202);
    hear(&socket, "RELOADING=1\nMONOTONIC_USEC=", Duration::from_secs(3));
    hear(&socket, "READY=1", Duration::from_secs(20));
}
