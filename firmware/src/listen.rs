//! Whether the ports that are to be listened on are free, found out before anything is started: a
//! child that cannot listen would say so in a log line of its own and be started again and again.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::bail;
use config::Config;
use config::model::Broker;

/// Children of a daemon that was just killed may take this long to let go of their ports.
const LET_GO: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Tcp,
    Udp,
}

/// Checks all ports; `with_media_server` says whether there will be a MediaMTX.
///
/// # Errors
/// When one is taken, or its address is not this machine's; the sentence names the setting.
pub(crate) async fn check(config: &Config, with_media_server: bool) -> anyhow::Result<()> {
    for (setting, address, transport) in wanted(config, with_media_server) {
        free(setting, address, transport).await?;
    }
    Ok(())
}

fn wanted(config: &Config, with_media_server: bool) -> Vec<(&'static str, SocketAddr, Transport)> {
    let mut all = vec![("api.listen", config.api.listen, Transport::Tcp)];
    all.extend(config.api.tls_listen.map(|at| ("api.tls_listen", at, Transport::Tcp)));
    if let Some(server) = config.media_server.as_ref().filter(|_| with_media_server) {
        all.extend([
            ("media_server.rtsp_listen", server.rtsp_listen, Transport::Tcp),
            ("media_server.hls_listen", server.hls_listen, Transport::Tcp),
            ("media_server.webrtc_listen", server.webrtc_listen, Transport::Tcp),
            // WebRTC's media goes over TCP where UDP does not get through.
            ("media_server.webrtc_udp_listen", server.webrtc_udp_listen, Transport::Udp),
            ("media_server.webrtc_udp_listen", server.webrtc_udp_listen, Transport::Tcp),
            ("media_server.control_listen", server.control_listen, Transport::Tcp),
        ]);
    }
    if let Some(Broker::Supervised(address)) = config.mqtt.as_ref().map(|mqtt| &mqtt.broker) {
        all.push(("mqtt.listen", *address, Transport::Tcp));
    }
    all
}

async fn free(setting: &str, address: SocketAddr, transport: Transport) -> anyhow::Result<()> {
    let deadline = Instant::now() + LET_GO;
    loop {
        let bound = match transport {
            Transport::Tcp => TcpListener::bind(address).map(drop),
            Transport::Udp => UdpSocket::bind(address).map(drop),
        };
        match bound {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(error) => bail!("{}", sentence(setting, address, &error)),
        }
    }
}

fn sentence(setting: &str, address: SocketAddr, error: &std::io::Error) -> String {
    let reason = match error.kind() {
        ErrorKind::AddrInUse => "another program uses it".to_owned(),
        ErrorKind::AddrNotAvailable => "it is not an address of this machine".to_owned(),
        _ => error.to_string(),
    };
    let variable = setting.to_uppercase().replace('.', "__");
    format!(
        "cannot listen on {address}: {reason}; end that program, or choose another address with \
         `{setting}` (EDGECAM__{variable}, or --set {setting}=…)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_setting_and_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = free("mqtt.listen", address, Transport::Tcp).await.unwrap_err().to_string();
        for part in [&address.to_string(), "another program uses it", "EDGECAM__MQTT__LISTEN"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn a_port_that_becomes_free_soon_is_waited_for() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let release = tokio::spawn(async move {
            tokio::time::sleep(LOOK_AGAIN).await;
            drop(taken);
        });
        free("mqtt.listen", address, Transport::Tcp).await.unwrap();
        release.await.unwrap();
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_at_once() {
        let address = "192.0.2.1:9".parse().unwrap();
        let error = free("mqtt.listen", address, Transport::Tcp).await.unwrap_err().to_string();
        assert!(error.contains("not an address of this machine"), "{error}");
    }
}
