//! Where to look, printed once the product runs.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use config::Config;
use config::model::Broker;

use crate::access;
use crate::args;
use crate::cameras::Cameras;
use crate::media_server::MediaServer;

/// Prints where to look.
pub(crate) fn print(
    config: &Config,
    api: SocketAddr,
    media_server: Option<&MediaServer>,
    cameras: &Cameras,
) {
    // A closed standard output is no reason to stop.
    let _ = args::print(&text(config, api, media_server, cameras));
}

/// Prints how a device that has no owner yet is claimed, with a QR code of the page that does it.
pub(crate) fn print_claim(config: &Config, api: SocketAddr, code: &str) {
    let page = match config.api.tls_listen {
        Some(secure) if !secure.ip().is_loopback() => access::url(config),
        _ => format!("http://{}", reachable(api)),
    };
    let page = format!("{page}/#claim={code}");
    let mut lines = Lines::default();
    lines.add("Claim", &format!("this device has no owner yet; its code is {code}"));
    lines.add("  Page", &page);
    let _ = args::print(&lines.0);
    if let Ok(code) = qrcode::QrCode::new(page) {
        let picture = code.render::<qrcode::render::unicode::Dense1x2>().quiet_zone(true).build();
        let _ = args::print(&format!("{picture}\n"));
    }
}

/// Prints which model each camera runs now, and why where the settings choose another.
pub(crate) fn print_models(cameras: &Cameras) {
    let mut lines = Lines::default();
    for id in cameras.all().keys() {
        lines.add(&format!("Camera {id}"), "");
        detector(&mut lines, cameras, id);
    }
    let _ = args::print(&lines.0);
}

fn text(
    config: &Config,
    api: SocketAddr,
    media_server: Option<&MediaServer>,
    cameras: &Cameras,
) -> String {
    let mut lines = Lines::default();
    let api = reachable(api);
    lines.add("EdgeCam", &format!("{} ({})", config.node_name, config.node_id));
    lines.add("Page", &format!("http://{api}/"));
    lines.add("API", &format!("http://{api}/api/v1/cameras"));
    lines.add("Reference", &format!("http://{api}/api/docs"));
    for camera in config.cameras.iter().filter(|camera| camera.enabled) {
        lines.add(&format!("Camera {}", camera.id), &camera.source.to_string());
        lines.add("  Snapshot", &format!("http://{api}/api/v1/cameras/{}/snapshot.jpg", camera.id));
        detector(&mut lines, cameras, camera.id.as_str());
        match media_server {
            Some(server) => streams(&mut lines, api, server, &camera.id),
            None => lines.add("  Streams", "none: there is no MediaMTX (see the log above)"),
        }
    }
    match &config.mqtt {
        Some(mqtt) => announce(&mut lines, config, mqtt),
        None => lines.add("MQTT", "switched off"),
    }
    lines.0
}

fn detector(lines: &mut Lines, cameras: &Cameras, camera: &str) {
    let Some(view) = cameras.get(camera).map(|camera| camera.view()) else { return };
    let detector = &view.status.detector;
    lines.add("  Detector", detector.note.as_ref().unwrap_or(&detector.model));
}

/// All of these take a sign-in.
fn streams(lines: &mut Lines, api: SocketAddr, server: &MediaServer, camera: &config::CameraId) {
    let rtsp = server.rtsp(camera, "127.0.0.1");
    lines.add("  WebRTC", &format!("http://{api}/live/{camera}"));
    lines.add("  HLS", &format!("http://{api}/live/{camera}/index.m3u8"));
    lines.add("  RTSP", &rtsp);
    let rtsp = rtsp.replacen("://", "://NAME:PASSWORD@", 1);
    lines.add("  Play", &format!("ffplay -rtsp_transport tcp -flags low_delay {rtsp}"));
}

fn announce(lines: &mut Lines, config: &Config, mqtt: &config::MqttConfig) {
    let topic = format!("{}/{}/+/events", mqtt.prefix, config.node_id);
    let (address, how) = match &mqtt.broker {
        Broker::Supervised(address) => {
            let address = reachable(*address);
            let how = format!("-h {} -p {}", address.ip(), address.port());
            (format!("mqtt://{address}"), how)
        }
        Broker::Remote(url) => {
            (url.to_string(), format!("-L '{}/{topic}'", url.as_str().trim_end_matches('/')))
        }
    };
    lines.add("MQTT", &format!("{address}  topic {topic}"));
    let topic = if how.starts_with("-L") { String::new() } else { format!(" -t '{topic}'") };
    lines.add("  Follow", &format!("mosquitto_sub {how}{topic} -v"));
}

/// An address that a program on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip =
        if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{name:<14} {value}");
    }
}
