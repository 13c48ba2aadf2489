//! Checks merged settings and turns them into the configuration that everything runs on.
//!
//! Pure: what must exist on this machine (clips, devices, certificates) is looked at by whoever
//! opens it, and its absence is reported by the camera or the session that it concerns.

mod api;
mod camera;
mod detection;
mod gpio;
mod image;
mod network;
mod rules;
mod source;
mod updates;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ::api::settings::{
    CameraSettings, DetectorSettings, GovernorSettings, MediaServerSettings, MqttSettings,
    Settings, ThermalSettings,
};
use url::Url;

use crate::check::{self, Check};
use crate::error::ConfigErrors;
use crate::model::{
    ApiConfig, Broker, CameraConfig, Config, DataConfig, MediaServerConfig, MqttConfig,
};

/// Most cameras of a device: each is a process.
const CAMERAS: usize = 32;

/// Checks complete settings (see [`crate::load`]) and turns them into a configuration.
///
/// # Errors
/// Every mistake at once.
pub fn compile(settings: &Settings) -> Result<Config, ConfigErrors> {
    check::all(|check| config(check, settings))
}

/// Checks the complete settings of the camera `id`. A camera process compiles with this what
/// `edgecamd` has compiled before.
///
/// # Errors
/// Every mistake at once; pointers start with `/cameras/<id>`, `/detector`, `/thermal` or
/// `/governor`.
pub fn compile_camera(
    id: &str,
    camera: &CameraSettings,
    detector: &DetectorSettings,
    thermal: &ThermalSettings,
    governor: &GovernorSettings,
) -> Result<CameraConfig, ConfigErrors> {
    check::all(|check| camera::camera(check, id, camera, detector, thermal, governor))
}

fn config(check: &mut Check<'_>, settings: &Settings) -> Option<Config> {
    let mut node = check.below("node");
    let node_id = node.need("id", settings.node.id.clone());
    if let Some(id) = &node_id {
        node.id("id", id);
    }
    let node_name = settings.node.name.clone().or_else(|| node_id.clone());
    if let Some(name) = &settings.node.name {
        camera::shown_name(&mut node, name);
    }
    let network = network::network(&mut check.below("network"), &settings.network);
    let time = network::time(&mut check.below("time"), &settings.time);
    let api = api::api(&mut check.below("api"), &settings.api);
    let data = data(&mut check.below("data"), settings);
    let mqtt = mqtt(&mut check.below("mqtt"), &settings.mqtt);
    let media_server = media_server(&mut check.below("media_server"), &settings.media_server);
    let download_models =
        check.below("detector").need_or("download", settings.detector.download, false);
    let (detector, thermal, governor) = (&settings.detector, &settings.thermal, &settings.governor);
    if settings.cameras.len() > CAMERAS {
        let reason = format!("has {} cameras, but may have {CAMERAS}", settings.cameras.len());
        check.wrong("cameras", None, reason);
    }
    let cameras: Vec<_> = settings
        .cameras
        .iter()
        .map(|(id, one)| camera::camera(check, id, one, detector, thermal, governor))
        .collect();
    let gpio = gpio::gpio(&mut check.below("gpio"), &settings.gpio, &settings.cameras);
    let updates = updates::updates(&mut check.below("updates"), &settings.updates);
    ports_once(check, api.as_ref(), mqtt.as_ref(), media_server.as_ref());
    Some(Config {
        node_id: node_id?,
        node_name: node_name?,
        network,
        time,
        api: api?,
        data: data?,
        mqtt,
        media_server,
        download_models,
        gpio: gpio?,
        updates,
        cameras: cameras.into_iter().collect::<Option<_>>()?,
    })
}

fn data(check: &mut Check<'_>, settings: &Settings) -> Option<DataConfig> {
    let data = &settings.data;
    let dir = check.need("dir", data.dir.clone());
    if dir.as_deref() == Some("") {
        check.wrong("dir", None, "must be the path of a folder");
    }
    let megabytes = check.number("tracks_max_mb", data.tracks_max_mb, 0..=100_000);
    let days = check.number("tracks_max_days", data.tracks_max_days, 1..=3650);
    Some(DataConfig {
        tracks_max_bytes: u64::from(megabytes) * 1_000_000,
        tracks_max_age: Duration::from_secs(u64::from(days) * 86_400),
        outbox_max_events: check.number(
            "outbox_max_events",
            data.outbox_max_events,
            100..=10_000_000,
        ),
        events_max: check.number("events_max", data.events_max, 1000..=100_000_000),
        dir: PathBuf::from(dir?),
    })
}

fn mqtt(check: &mut Check<'_>, settings: &MqttSettings) -> Option<MqttConfig> {
    let enabled = check.need_or("enabled", settings.enabled, false);
    let url = settings.url.as_ref().and_then(|url| broker_url(check, url));
    let listen = match &settings.url {
        Some(_) => None,
        None => listen_on_port(check, "listen", settings.listen.as_ref()),
    };
    let credentials = credentials(check, settings, url.as_ref());
    let encrypted = url.as_ref().is_some_and(|url| url.scheme() == "mqtts");
    let client_cert = client_cert(check, settings);
    if !encrypted && (settings.ca_file.is_some() || client_cert.is_some()) {
        let field = if settings.ca_file.is_some() { "ca_file" } else { "client_cert_file" };
        check.wrong(field, None, "has no effect unless `url` begins with mqtts://");
    }
    let prefix = check.need_or("prefix", settings.prefix.clone(), String::new());
    topic_level(check, "prefix", &prefix);
    let discovery =
        check.need_or("discovery_prefix", settings.discovery_prefix.clone(), String::new());
    let discovery_prefix = (!discovery.is_empty()).then_some(discovery);
    if let Some(prefix) = &discovery_prefix {
        topic_level(check, "discovery_prefix", prefix);
    }
    let commands = check.need_or("commands", settings.commands, false);
    let keep_alive = check.number("keep_alive_s", settings.keep_alive_s, 5..=300);
    let broker = match (url, listen) {
        (Some(mut url), _) => {
            // Neither fails: the URL has a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            Broker::Remote(url)
        }
        (None, listen) => Broker::Supervised(listen?),
    };
    let config = MqttConfig {
        broker,
        credentials,
        ca_file: settings.ca_file.as_ref().map(PathBuf::from),
        client_cert,
        prefix,
        discovery_prefix,
        commands,
        keep_alive: Duration::from_secs(keep_alive.into()),
    };
    enabled.then_some(config)
}

fn broker_url(check: &mut Check<'_>, text: &str) -> Option<Url> {
    let form = "must be mqtt://host, mqtt://host:1883, mqtts://host or mqtts://host:8883";
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "mqtt" | "mqtts")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.port() != Some(0)
    });
    if url.is_none() {
        check.wrong("url", Some(&text), form);
    }
    url
}

/// User name and password from their settings, or else from the URL.
fn credentials(
    check: &mut Check<'_>,
    settings: &MqttSettings,
    url: Option<&Url>,
) -> Option<(String, String)> {
    let password = settings.password.as_ref().map(|secret| secret.reveal().to_owned());
    match (&settings.username, password) {
        (Some(user), password) => Some((user.clone(), password.unwrap_or_default())),
        (None, Some(_)) => {
            check.wrong("password", None, "is given without a `username`");
            None
        }
        (None, None) => {
            let url = url.filter(|url| !url.username().is_empty())?;
            Some((source::decoded(url.username()), source::decoded(url.password().unwrap_or(""))))
        }
    }
}

fn client_cert(check: &mut Check<'_>, settings: &MqttSettings) -> Option<(PathBuf, PathBuf)> {
    match (&settings.client_cert_file, &settings.client_key_file) {
        (Some(cert), Some(key)) => Some((cert.into(), key.into())),
        (None, None) => None,
        (Some(_), None) => {
            check.wrong("client_cert_file", None, "is given without `client_key_file`");
            None
        }
        (None, Some(_)) => {
            check.wrong("client_key_file", None, "is given without `client_cert_file`");
            None
        }
    }
}

fn topic_level(check: &mut Check<'_>, field: &str, text: &str) {
    let bad = |c: char| matches!(c, '+' | '#' | '$') || c.is_whitespace() || c.is_control();
    if text.is_empty() || text.contains(bad) || text.split('/').any(str::is_empty) {
        let reason = "must be a part of an MQTT topic: not empty, without blanks, `+`, `#` and `$`, \
                      `/` only between levels";
        check.wrong(field, Some(&text), reason);
    }
}

fn media_server(
    check: &mut Check<'_>,
    settings: &MediaServerSettings,
) -> Option<MediaServerConfig> {
    let enabled = check.need_or("enabled", settings.enabled, false);
    let mut listen =
        |field: &str, value: &Option<String>| listen_on_port(check, field, value.as_ref());
    let rtsp_listen = listen("rtsp_listen", &settings.rtsp_listen);
    let hls_listen = listen("hls_listen", &settings.hls_listen);
    let webrtc_listen = listen("webrtc_listen", &settings.webrtc_listen);
    let webrtc_udp_listen = listen("webrtc_udp_listen", &settings.webrtc_udp_listen);
    let control_listen = listen("control_listen", &settings.control_listen);
    if control_listen.is_some_and(|address| !address.ip().is_loopback()) {
        let reason = "must be on loopback, such as 127.0.0.1:9997: it lets anyone who reaches it \
                      change the media server";
        check.wrong("control_listen", Some(&settings.control_listen), reason);
    }
    for (field, address, text) in [
        ("hls_listen", hls_listen, &settings.hls_listen),
        ("webrtc_listen", webrtc_listen, &settings.webrtc_listen),
    ] {
        if address.is_some_and(|address| !address.ip().is_loopback()) {
            let reason = "must be on loopback, such as 127.0.0.1: viewers come through the API, which \
                          knows who they are";
            check.wrong(field, Some(text), reason);
        }
    }
    let config = MediaServerConfig {
        path: settings.path.as_ref().map(PathBuf::from),
        rtsp_listen: rtsp_listen?,
        hls_listen: hls_listen?,
        webrtc_listen: webrtc_listen?,
        webrtc_udp_listen: webrtc_udp_listen?,
        control_listen: control_listen?,
    };
    enabled.then_some(config)
}

/// An address whose port others must know beforehand.
fn listen_on_port(
    check: &mut Check<'_>,
    field: &str,
    value: Option<&String>,
) -> Option<SocketAddr> {
    let address = check.listen(field, value)?;
    if address.port() == 0 {
        check.wrong(field, Some(&address), "must name a port other than 0");
        return None;
    }
    Some(address)
}

/// No two of our own listeners may want the same port.
fn ports_once(
    check: &mut Check<'_>,
    api: Option<&ApiConfig>,
    mqtt: Option<&MqttConfig>,
    media: Option<&MediaServerConfig>,
) {
    let broker = mqtt.and_then(|mqtt| match &mqtt.broker {
        Broker::Supervised(address) => Some(*address),
        Broker::Remote(_) => None,
    });
    // TCP only: the one UDP port has nobody to collide with.
    let listeners = [
        ("api", "listen", api.map(|api| api.listen)),
        ("api", "tls_listen", api.and_then(|api| api.tls_listen)),
        ("mqtt", "listen", broker),
        ("media_server", "rtsp_listen", media.map(|m| m.rtsp_listen)),
        ("media_server", "hls_listen", media.map(|m| m.hls_listen)),
        ("media_server", "webrtc_listen", media.map(|m| m.webrtc_listen)),
        ("media_server", "control_listen", media.map(|m| m.control_listen)),
    ];
    for (index, (section, field, address)) in listeners.iter().enumerate() {
        let Some(address) = address.filter(|address| address.port() != 0) else { continue };
        let same = |(_, _, other): &&(&str, &str, Option<SocketAddr>)| {
            other.is_some_and(|other| collide(address, other))
        };
        if let Some((other_section, other_field, _)) = listeners[..index].iter().find(same) {
            let reason = format!(
                "port {} is also wanted by /{other_section}/{other_field}; give one of them another",
                address.port()
            );
            check.below(section).wrong(field, Some(&address), reason);
        }
    }
}

fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let anywhere = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && (a.ip() == b.ip() || anywhere)
}
