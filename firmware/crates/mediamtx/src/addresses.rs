//! Where a camera's stream is found. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use config::{CameraId, MediaServerConfig};

use crate::secret::PublishKey;

/// Where `camera` is watched by RTSP, for someone who reaches this machine as `host` (a name or an IP
/// address, IPv6 with or without brackets). A listener that is bound to one address is named by that,
/// not by `host`.
pub fn rtsp_url(server: &MediaServerConfig, camera: &CameraId, host: &str) -> String {
    format!("rtsp://{}/{camera}", authority(server.rtsp_listen, host))
}

/// Where the camera's own process publishes its stream, with its password.
pub fn publish_url(server: &MediaServerConfig, camera: &CameraId, key: &PublishKey) -> String {
    let loopback = if server.rtsp_listen.is_ipv4() { "127.0.0.1" } else { "::1" };
    let at = authority(server.rtsp_listen, loopback);
    format!("rtsp://{camera}:{}@{at}/{camera}", key.password(camera))
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
        let found = |ip, host| rtsp_url(&server(ip), &camera, host);
        assert_eq!(found("0.0.0.0", "edgecam.local"), "rtsp://edgecam.local:8554/yard");
        assert_eq!(found("::", "fd00::7"), "rtsp://[fd00::7]:8554/yard");
        assert_eq!(found("::", "[fd00::7]"), "rtsp://[fd00::7]:8554/yard");
        assert_eq!(found("192.168.1.7", "edgecam.local"), "rtsp://192.168.1.7:8554/yard");
    }

    #[test]
    fn a_camera_publishes_on_this_machine_with_its_password() {
        let camera = CameraId::new("yard").unwrap();
        let key = PublishKey::random().unwrap();
        for (ip, at) in [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("192.168.1.7", "192.168.1.7")]
        {
            let url = publish_url(&server(ip), &camera, &key);
            let expected = format!("rtsp://yard:{}@{at}:8554/yard", key.password(&camera));
            assert_eq!(url, expected);
        }
    }
}
