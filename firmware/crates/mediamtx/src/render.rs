//! MediaMTX's configuration as text. Pure: the same settings give the same text, held by a golden
//! file.
//!
//! The text is JSON, which is YAML as well, made by a serialiser: no value can break out of its
//! place. All that MediaMTX switches on by itself and EdgeCam does not need is switched off.

use std::collections::BTreeSet;
use std::net::IpAddr;

use config::{CameraId, MediaServerConfig};
use serde_json::{Map, Value, json};

use crate::hook::HookAddress;

const HEADER: &str = "# Written by edgecamd at every start and change: do not edit.\n";

/// The configuration for these cameras.
pub fn render<'a>(
    server: &MediaServerConfig,
    cameras: impl IntoIterator<Item = &'a CameraId>,
    hook: &HookAddress,
) -> String {
    let cameras: BTreeSet<_> = cameras.into_iter().collect();
    let mut all = json!({
        "logLevel": "info",
        "logDestinations": ["stdout"],
        // Whoever comes, for whatever: `edgecamd` says whether they may.
        "authMethod": "http",
        "authHTTPAddress": hook.expose(),
        "authHTTPExclude": [],
        // Pages in browsers come through `edgecamd` alone.
        "apiAllowOrigins": [],
        "hlsAllowOrigins": [],
        "webrtcAllowOrigins": [],
        // What is known about streams comes from the control API; metrics would be one port more.
        "metrics": false,
        "pprof": false,
        "playback": false,
        "rtmp": false,
        "srt": false,
        "moq": false,
        "paths": paths(&cameras),
    });
    for part in [control(server), rtsp(server), hls(server), webrtc(server)] {
        if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
            all.extend(part);
        }
    }
    // A tree of plain values always has a text.
    format!("{HEADER}{all:#}\n")
}

/// The paths as MediaMTX names them, for each camera.
pub(crate) fn path_name(camera: &CameraId) -> String {
    match camera.as_str() {
        // To MediaMTX this name means every path; as an expression it is just a name.
        "all" => "~^all$".to_owned(),
        id => id.to_owned(),
    }
}

fn paths(cameras: &BTreeSet<&CameraId>) -> Value {
    let path = |camera: &&CameraId| (path_name(camera), json!({ "source": "publisher" }));
    Value::Object(cameras.iter().map(path).collect::<Map<_, _>>())
}

fn control(server: &MediaServerConfig) -> Value {
    json!({ "api": true, "apiAddress": server.control_listen.to_string() })
}

fn rtsp(server: &MediaServerConfig) -> Value {
    json!({
        "rtsp": true,
        // Over TCP there is nothing to open besides the one port, and nothing gets lost; players
        // that ask for UDP first fall back by themselves.
        "rtspTransports": ["tcp"],
        "rtspAddress": server.rtsp_listen.to_string(),
        // The hook has no digests to compare with.
        "rtspAuthMethods": ["basic"],
    })
}

fn hls(server: &MediaServerConfig) -> Value {
    json!({
        "hls": true,
        "hlsAddress": server.hls_listen.to_string(),
        // The one proxy there is: `edgecamd`, which says who comes.
        "hlsTrustedProxies": ["127.0.0.1", "::1"],
        // Plays everywhere over plain HTTP. Low-latency HLS does not: Apple's players want HTTPS
        // for it. Who wants low latency takes WebRTC.
        "hlsVariant": "fmp4",
        // Costs nothing while nobody looks.
        "hlsAlwaysRemux": false,
    })
}

fn webrtc(server: &MediaServerConfig) -> Value {
    let media = server.webrtc_udp_listen;
    let every_address = media.ip().is_unspecified();
    let mut hosts: Vec<IpAddr> = Vec::new();
    if every_address {
        // Interfaces are gathered without loopback, which tests and players on this machine use.
        hosts.push(if media.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            [0, 0, 0, 0, 0, 0, 0, 1].into()
        });
    } else {
        hosts.push(media.ip());
    }
    let hosts: Vec<_> = hosts.iter().map(IpAddr::to_string).collect();
    json!({
        "webrtc": true,
        "webrtcAddress": server.webrtc_listen.to_string(),
        "webrtcTrustedProxies": ["127.0.0.1", "::1"],
        "webrtcLocalUDPAddress": media.to_string(),
        // For networks that let no UDP through.
        "webrtcLocalTCPAddress": media.to_string(),
        "webrtcIPsFromInterfaces": every_address,
        "webrtcAdditionalHosts": hosts,
        // No server outside: the box is reached in its own network, and asks nobody.
        "webrtcICEServers2": [],
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn server(ip: &str) -> MediaServerConfig {
        let at = |port| SocketAddr::new(ip.parse().unwrap(), port);
        MediaServerConfig {
            path: None,
            rtsp_listen: at(8554),
            hls_listen: at(8888),
            webrtc_listen: at(8889),
            webrtc_udp_listen: at(8189),
            control_listen: ([127, 0, 0, 1], 9997).into(),
        }
    }

    fn ids(ids: &[&str]) -> Vec<CameraId> {
        ids.iter().map(|id| CameraId::new(id).unwrap()).collect()
    }

    fn hook() -> HookAddress {
        HookAddress::fixed("http://edgecam:s3cret@127.0.0.1:9/")
    }

    fn tree(server: &MediaServerConfig, cameras: &[&str]) -> Value {
        let text = render(server, &ids(cameras), &hook());
        serde_json::from_str(text.strip_prefix(HEADER).unwrap()).unwrap()
    }

    #[test]
    fn the_text_is_the_one_that_was_reviewed() {
        let cameras = ids(&["front-door", "yard"]);
        let text = render(&server("0.0.0.0"), &cameras, &hook());
        insta::assert_snapshot!("mediamtx", text);
    }

    #[test]
    fn the_order_of_cameras_does_not_change_the_text() {
        let text = |names: &[&str]| render(&server("::1"), &ids(names), &hook());
        assert_eq!(text(&["a", "b"]), text(&["b", "a"]));
    }

    #[test]
    fn a_camera_called_all_does_not_open_every_path() {
        let tree = tree(&server("127.0.0.1"), &["all"]);
        assert_eq!(tree["paths"], json!({ "~^all$": { "source": "publisher" } }));
    }

    #[test]
    fn nobody_comes_past_the_hook() {
        let tree = tree(&server("0.0.0.0"), &["a"]);
        assert_eq!((&tree["authMethod"], &tree["authHTTPExclude"]), (&json!("http"), &json!([])));
        assert_eq!(tree["authHTTPAddress"], hook().expose());
    }

    #[test]
    fn viewers_are_told_addresses_where_media_really_is() {
        let check = |ip: &str, from_interfaces: bool, hosts: Value| {
            let tree = tree(&server(ip), &["a"]);
            assert_eq!(tree["webrtcIPsFromInterfaces"], from_interfaces, "{ip}");
            assert_eq!(tree["webrtcAdditionalHosts"], hosts, "{ip}");
        };
        check("0.0.0.0", true, json!(["127.0.0.1"]));
        check("::", true, json!(["::1"]));
        check("127.0.0.1", false, json!(["127.0.0.1"]));
        check("192.168.1.7", false, json!(["192.168.1.7"]));
    }
}
