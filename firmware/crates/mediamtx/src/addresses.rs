//! Where a camera's stream is found. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use config::{CameraId, MediaServerConfig};

/// The addresses of a camera's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAddresses {
    /// RTSP, for players and recorders.
    pub rtsp: String,
    /// A web page that plays by WebRTC.
    pub webrtc: String,
    /// WebRTC's signalling for players (WHEP).
    pub whep: String,
    /// A web page that plays by HLS.
    pub hls: String,
    /// HLS's playlist for players.
    pub hls_playlist: String,
}

impl StreamAddresses {
    /// The addresses of `camera` for someone who reaches this machine as `host` (a name or an IP
    /// address). A listener that is bound to one address is named by that, not by `host`.
    pub fn new(server: &MediaServerConfig, camera: &CameraId, host: &str) -> Self {
        let at = |listen| authority(listen, host);
        let (rtsp, hls, webrtc) =
            (at(server.rtsp_listen), at(server.hls_listen), at(server.webrtc_listen));
        Self {
            rtsp: format!("rtsp://{rtsp}/{camera}"),
            webrtc: format!("http://{webrtc}/{camera}/"),
            whep: format!("http://{webrtc}/{camera}/whep"),
            hls: format!("http://{hls}/{camera}/"),
            hls_playlist: format!("http://{hls}/{camera}/index.m3u8"),
        }
    }
}

/// Where the camera's own process publishes its stream.
pub fn publish_url(server: &MediaServerConfig, camera: &CameraId) -> String {
    let loopback = if server.rtsp_listen.is_ipv4() { "127.0.0.1" } else { "::1" };
    format!("rtsp://{}/{camera}", authority(server.rtsp_listen, loopback))
}

fn authority(listen: SocketAddr, host: &str) -> String {
    match listen.ip() {
        ip if !ip.is_unspecified() => SocketAddr::new(ip, listen.port()).to_string(),
        _ => match host.parse::<Ipv6Addr>() {
            Ok(ip) => SocketAddr::new(IpAddr::V6(ip), listen.port()).to_string(),
            Err(_) => format!("{host}:{}", listen.port()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(ip: &str) -> MediaServerConfig {
        let at = |port| SocketAddr::new(ip.parse().unwrap(), port);
        MediaServerConfig {
            path: None,
            rtsp_listen: at(8554),
            hls_listen: at(8888),
            webrtc_listen: at(8889),
            webrtc_udp_listen: at(8189),
            control_listen: at(9997),
        }
    }

    #[test]
    fn addresses_name_the_host_that_the_viewer_uses() {
        let camera = CameraId::new("yard").unwrap();
        let found = StreamAddresses::new(&server("0.0.0.0"), &camera, "edgecam.local");
        let expected = StreamAddresses {
            rtsp: "rtsp://edgecam.local:8554/yard".into(),
            webrtc: "http://edgecam.local:8889/yard/".into(),
            whep: "http://edgecam.local:8889/yard/whep".into(),
            hls: "http://edgecam.local:8888/yard/".into(),
            hls_playlist: "http://edgecam.local:8888/yard/index.m3u8".into(),
        };
        assert_eq!(found, expected);
        let six = StreamAddresses::new(&server("::"), &camera, "fd00::7");
        assert_eq!(six.rtsp, "rtsp://[fd00::7]:8554/yard");
    }

    #[test]
    fn a_listener_on_one_address_is_named_by_it() {
        let camera = CameraId::new("yard").unwrap();
        let bound = StreamAddresses::new(&server("192.168.1.7"), &camera, "edgecam.local");
        assert_eq!(bound.hls, "http://192.168.1.7:8888/yard/");
        let publish = |ip| publish_url(&server(ip), &camera);
        assert_eq!(publish("0.0.0.0"), "rtsp://127.0.0.1:8554/yard");
        assert_eq!(publish("::"), "rtsp://[::1]:8554/yard");
        assert_eq!(publish("192.168.1.7"), "rtsp://192.168.1.7:8554/yard");
    }
}
