//! The real MediaMTX with the rendered configuration: what is on, what is off, who may publish,
//! and that a new camera needs no restart.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail by it and report")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base::shutdown::Stopper;
use base64::Engine as _;
use config::{CameraId, MediaServerConfig};
use edgecam_mediamtx::{
    Action, ConfigFile, ControlClient, ControlError, ControlSecret, Doorkeeper, Hook, HookAddress,
    PathState, Places, Protocol, PublishKey, Question, Relay, RelayError, Viewer, Way, publish_url,
    reload, render, rtsp_url,
};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything takes on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running MediaMTX with its configuration; killed when dropped.
struct Server {
    process: Child,
    config: MediaServerConfig,
    file: ConfigFile,
    hook: HookAddress,
    key: PublishKey,
    control: ControlClient,
    _stopper: Stopper,
    _folder: tempfile::TempDir,
}

/// Lets in who has the secrets of this start, and viewers with the password `right`.
struct Door(ControlSecret, PublishKey);

impl Doorkeeper for Door {
    fn may(&self, question: Question) -> BoxFuture<'_, bool> {
        let Question { action, path, protocol, user, password, .. } = question;
        let may = match action {
            Action::Api => self.0.opens(&user, &password),
            Action::Publish => protocol == Protocol::Rtsp && self.1.opens(&path, &user, &password),
            Action::Read => password == "right",
            Action::Other => false,
        };
        async move { may }.boxed()
    }
}

fn viewer(ticket: &str) -> Viewer {
    Viewer {
        user: "guard".into(),
        ticket: ticket.into(),
        from: [10, 0, 0, 7].into(),
        user_agent: Some("test".into()),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ids(names: &[&str]) -> Vec<CameraId> {
    names.iter().map(|name| CameraId::new(name).unwrap()).collect()
}

/// Addresses whose ports are free now, on TCP and UDP.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let held = [(); N].map(|()| {
        loop {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (tcp, udp);
            }
        }
    });
    held.map(|(tcp, _)| tcp.local_addr().unwrap())
}

impl Server {
    /// Starts it; `None`, and a line that says so, where there is none.
    async fn start(test: &str, cameras: &[&str]) -> Option<Self> {
        let binary = match Places::of_this_process(None).locate().await {
            Ok(binary) => binary,
            Err(error) => {
                drop(writeln!(std::io::stderr(), "skipped: {test}: {error}"));
                return None;
            }
        };
        // Another test may take a port between its choice and its use.
        for _ in 0..5 {
            let begun = Instant::now();
            let mut server = Self::spawn(&binary.path, &ids(cameras)).await;
            if server.comes_up().await {
                println!("{test}: MediaMTX answers {:?} after its start", begun.elapsed());
                return Some(server);
            }
        }
        panic!("MediaMTX does not start");
    }

    async fn spawn(program: &Path, cameras: &[CameraId]) -> Self {
        let [rtsp_listen, hls_listen, webrtc_listen, webrtc_udp_listen, control_listen] =
            free_addresses();
        let config = MediaServerConfig {
            path: None,
            rtsp_listen,
            hls_listen,
            webrtc_listen,
            webrtc_udp_listen,
            control_listen,
        };
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigFile::in_dir(folder.path());
        let (secret, key) = (ControlSecret::random().unwrap(), PublishKey::random().unwrap());
        let hook = Hook::bind(secret.clone()).await.unwrap();
        let hook_address = hook.address();
        file.write(&render(&config, cameras, &hook_address)).unwrap();
        let (stopper, shutdown) = base::shutdown::channel();
        let door = Door(secret.clone(), key.clone());
        tokio::spawn(hook.run(std::sync::Arc::new(door), shutdown));
        let process = Command::new(program)
            .args(edgecam_mediamtx::arguments(file.path()))
            .env_clear()
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let control = ControlClient::new(control_listen, secret);
        let hook = hook_address;
        Self { process, config, file, hook, key, control, _stopper: stopper, _folder: folder }
    }

    /// Waits until it answers; false when it ends instead.
    async fn comes_up(&mut self) -> bool {
        let begun = Instant::now();
        while let Err(error) = self.control.info().await {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "{error:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// What it answers to someone who wants to publish H.264 at `path` with the password of the camera
    /// `as_camera`.
    async fn announce(&self, path: &str, as_camera: &str) -> String {
        let url = format!("rtsp://{}/{path}", self.config.rtsp_listen);
        let with_password = publish_url(&self.config, &ids(&[as_camera])[0], &self.key);
        let both = with_password.split(['/', '@']).nth(2).unwrap();
        let basic = base64::engine::general_purpose::STANDARD.encode(both);
        let sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
                   m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
                   a=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n";
        let request = format!(
            "ANNOUNCE {url} RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic {basic}\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        let mut stream = TcpStream::connect(self.config.rtsp_listen).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    /// Waits until the camera's stream is as wanted.
    async fn until(&self, camera: &CameraId, wanted: impl Fn(&PathState) -> bool) -> PathState {
        let begun = Instant::now();
        loop {
            let path = self.control.path(camera).await.unwrap();
            if let Some(path) = path.as_ref().filter(|path| wanted(path)) {
                return path.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{path:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A process that is killed when dropped.
struct Player(Child);

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ffmpeg(args: &[&str]) -> Player {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error"]).args(args);
    Player(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
}

/// Publishes a test picture with a key frame each second.
fn publish(url: &str) -> Player {
    let picture = "testsrc2=size=320x240:rate=25";
    let encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25"];
    let mut args = vec!["-re", "-f", "lavfi", "-i", picture];
    args.extend(encoder);
    args.extend(["-pix_fmt", "yuv420p", "-f", "rtsp", "-rtsp_transport", "tcp", url]);
    ffmpeg(&args)
}

/// The offer of a browser that wants to see a stream.
fn offer() -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n\
         a=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 H264/90000\r\n\
         a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n",
        ["AA"; 32].join(":")
    )
}

/// A file of the HLS stream, whole.
async fn hls(relay: &Relay, camera: &CameraId, entry: &str) -> Vec<u8> {
    let (name, query) = entry.split_once('?').unwrap_or((entry, ""));
    let session = query.strip_prefix("session=");
    let file = match name {
        "index.m3u8" => relay.index(camera, &viewer("right")).await.unwrap(),
        name => relay
            .file(camera, viewer("right").from, name, session)
            .await
            .unwrap_or_else(|e| panic!("{entry}: {e}")),
    };
    let body: Vec<_> = file.map(Result::unwrap).collect().await;
    body.concat()
}

/// The first entry of a playlist.
fn first_entry(playlist: &[u8]) -> String {
    let text = String::from_utf8(playlist.to_vec()).unwrap();
    assert!(text.starts_with("#EXTM3U"), "{text}");
    text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap().to_owned()
}

fn has_ffmpeg(test: &str) -> bool {
    let there = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_ok();
    if !there {
        drop(writeln!(std::io::stderr(), "skipped: {test}: ffmpeg is not installed"));
    }
    there
}

#[tokio::test]
async fn only_what_is_needed_listens() {
    let Some(server) = Server::start("only_what_is_needed_listens", &["yard"]).await else {
        return;
    };
    let ours = &server.config;
    let tcp = [
        ours.rtsp_listen,
        ours.hls_listen,
        ours.webrtc_listen,
        ours.webrtc_udp_listen,
        ours.control_listen,
    ];
    let wanted: BTreeSet<_> = tcp.iter().map(SocketAddr::port).collect();
    let ports = |protocol| listening(server.process.id(), protocol);
    assert_eq!((ports("tcp"), ports("tcp6")), (wanted, BTreeSet::new()));
    let wanted = BTreeSet::from([ours.webrtc_udp_listen.port()]);
    assert_eq!((ports("udp"), ports("udp6")), (wanted, BTreeSet::new()));
}

/// Ports that a process listens on, from the kernel's tables.
fn listening(pid: u32, protocol: &str) -> BTreeSet<u16> {
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/{protocol}")).unwrap_or_default();
    let port = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        // 0A is LISTEN; UDP sockets that wait for anyone are 07.
        let waits = matches!(columns[3], "0A" | "07") && sockets.contains(columns[9]);
        let (_, port) = columns[1].rsplit_once(':')?;
        waits.then(|| u16::from_str_radix(port, 16).unwrap())
    };
    table.lines().skip(1).filter_map(port).collect()
}

#[tokio::test]
async fn only_known_cameras_may_be_published_and_each_by_its_own_process() {
    let test = "only_known_cameras_may_be_published_and_each_by_its_own_process";
    let Some(server) = Server::start(test, &["yard", "all"]).await else { return };
    assert_eq!(server.announce("yard", "yard").await, "RTSP/1.0 200 OK");
    assert_eq!(server.announce("all", "all").await, "RTSP/1.0 200 OK");
    for (path, by) in [("yard", "all"), ("all", "yard"), ("stranger", "stranger"), ("", "yard")] {
        let answer = server.announce(path, by).await;
        assert!(!answer.contains(" 200 "), "{path} by {by}: {answer}");
    }
}

#[tokio::test]
async fn control_needs_the_secret() {
    let Some(server) = Server::start("control_needs_the_secret", &["yard"]).await else { return };
    assert!(server.control.info().await.unwrap().version.starts_with("v1.20."));
    let stranger =
        ControlClient::new(server.config.control_listen, ControlSecret::random().unwrap());
    // MediaMTX keeps a wrong password waiting for 2 s, which is our limit, too.
    let error = stranger.info().await.unwrap_err();
    assert!(
        matches!(error, ControlError::Refused { status: 401, .. } | ControlError::TimedOut { .. }),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_by_those_who_may_and_they_are_known_and_can_be_sent_away() {
    let test = "a_stream_is_read_by_those_who_may_and_they_are_known_and_can_be_sent_away";
    let Some(server) = Server::start(test, &["yard"]).await else { return };
    if !has_ffmpeg(test) {
        return;
    }
    let camera = &ids(&["yard"])[0];
    let before = server.control.path(camera).await.unwrap();
    assert!(before.is_none_or(|path| !path.ready && path.readers.is_empty()));
    let _publisher = publish(&publish_url(&server.config, camera, &server.key));
    let path = server.until(camera, |path| path.ready && path.bytes_in > 0).await;
    assert_eq!(path.source.unwrap().kind, "rtspSession");
    assert!(server.control.watchers().await.unwrap().is_empty(), "who publishes does not watch");

    let address = rtsp_url(&server.config, camera, "127.0.0.1");
    for stranger in ["", "guard:wrong@"] {
        let address = address.replace("//", &format!("//{stranger}"));
        let mut reader = ffmpeg(&["-loglevel", "quiet", "-i", &address, "-f", "null", "-"]);
        assert!(!reader.0.wait().unwrap().success(), "{stranger}");
    }
    // The default of most players: UDP first, then TCP.
    let address = address.replace("//", "//guard:right@");
    let mut reader = ffmpeg(&["-loglevel", "quiet", "-i", &address, "-f", "null", "-"]);
    server.until(camera, |path| !path.readers.is_empty() && path.bytes_out > 0).await;
    assert_eq!(server.control.paths().await.unwrap().len(), 1);
    let watchers = server.control.watchers().await.unwrap();
    let [watcher] = &watchers[..] else { panic!("{watchers:?}") };
    assert_eq!((watcher.way, watcher.camera.as_str()), (Way::Rtsp, "yard"));
    assert!(watcher.remote.starts_with("127.0.0.1:"), "{watcher:?}");
    assert_eq!((watcher.transport.as_deref(), watcher.lost), (Some("tcp"), Some(0)));
    server.control.kick(watcher.way, &watcher.id).await.unwrap();
    server.until(camera, |path| path.readers.is_empty()).await;
    reader.0.wait().unwrap();
    server.control.kick(watcher.way, &watcher.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hls_and_webrtc_are_relayed_for_those_who_may() {
    let test = "hls_and_webrtc_are_relayed_for_those_who_may";
    let Some(server) = Server::start(test, &["yard"]).await else { return };
    if !has_ffmpeg(test) {
        return;
    }
    let camera = &ids(&["yard"])[0];
    let relay = Relay::new(&server.config);
    let offer = offer();
    let early = relay.begin(camera, &viewer("right"), offer.clone().into()).await;
    assert!(matches!(early, Err(RelayError::NoStream)), "{early:?}");
    let early = relay.index(camera, &viewer("right")).await;
    assert!(matches!(early, Err(RelayError::NoStream)), "{early:?}");
    let _publisher = publish(&publish_url(&server.config, camera, &server.key));
    server.until(camera, |path| path.ready && path.bytes_in > 0).await;

    let begun = Instant::now();
    let index = hls(&relay, camera, "index.m3u8").await;
    let variant = first_entry(&index);
    let playlist = hls(&relay, camera, &variant).await;
    let segment = hls(&relay, camera, &first_entry(&playlist)).await;
    println!("first HLS segment, {} bytes, after {:?}", segment.len(), begun.elapsed());
    assert!(segment.windows(4).any(|w| w == b"moof"));
    let name = variant.split('?').next().unwrap();
    for (name, session) in [(name, None), (name, Some("6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f"))] {
        let lost = relay.file(camera, viewer("right").from, name, session).await;
        assert!(matches!(lost, Err(RelayError::NoFile)), "{lost:?}");
    }
    let (_, session) = variant.split_once("?session=").unwrap();
    let elsewhere = relay.file(camera, [10, 0, 0, 8].into(), name, Some(session)).await;
    assert!(matches!(elsewhere, Err(RelayError::NoFile)), "a session is of one address");

    let answer = relay.begin(camera, &viewer("right"), offer.clone().into()).await.unwrap();
    let text = String::from_utf8(answer.sdp.to_vec()).unwrap();
    // A browser on this machine is told the way to the media listener, by UDP and by TCP.
    let media = server.config.webrtc_udp_listen;
    let place = format!(" {} {} typ host", media.ip(), media.port());
    for transport in [" udp ", " tcp "] {
        let mut candidates = text.lines().filter(|line| line.starts_with("a=candidate:"));
        let told = candidates.any(|line| line.contains(transport) && line.contains(&place));
        assert!(told, "{transport}: {text}");
    }
    let candidate = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n\
        a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n";
    relay.trickle(camera, &answer.session, candidate.into()).await.unwrap();
    let odd = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n";
    let odd = relay.trickle(camera, &answer.session, odd.into()).await;
    assert!(matches!(odd, Err(RelayError::Refused(_))), "{odd:?}");
    relay.end(camera, &answer.session).await.unwrap();
    for _ in 0..2 {
        let gone = relay.end(camera, &answer.session).await;
        assert!(matches!(gone, Err(RelayError::NoSession)), "{gone:?}");
    }
    let odd = relay.begin(camera, &viewer("right"), "no SDP".into()).await;
    assert!(matches!(odd, Err(RelayError::Refused(_))), "{odd:?}");

    for wrong in [viewer("wrong"), viewer("")] {
        let refused = relay.begin(camera, &wrong, offer.clone().into()).await;
        assert!(matches!(refused, Err(RelayError::Server(_))), "{refused:?}");
        let refused = relay.index(camera, &wrong).await;
        assert!(matches!(refused, Err(RelayError::Server(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_new_camera_needs_no_restart_and_disturbs_no_other() {
    let test = "a_new_camera_needs_no_restart_and_disturbs_no_other";
    let Some(server) = Server::start(test, &["yard"]).await else { return };
    let started = server.control.info().await.unwrap().started;
    let yard = &ids(&["yard"])[0];
    let with_ffmpeg = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_ok();
    let _publisher = with_ffmpeg.then(|| publish(&publish_url(&server.config, yard, &server.key)));
    let mut session = None;
    if with_ffmpeg {
        session = server.until(yard, |path| path.ready).await.source;
    }
    // In quick succession: MediaMTX overlooks changes within a second of the one before.
    for names in [&["yard", "door"][..], &["yard", "door", "roof"], &["yard"], &["yard", "roof"]] {
        let cameras = ids(names);
        let text = render(&server.config, &cameras, &server.hook);
        let begun = Instant::now();
        reload::reload(&server.file, &text, &cameras, &server.control).await.unwrap();
        println!("{} cameras taken over in {:?}", names.len(), begun.elapsed());
        for name in ["door", "roof"] {
            let wanted = names.contains(&name);
            let answer = server.announce(name, name).await;
            assert_eq!(answer == "RTSP/1.0 200 OK", wanted, "{names:?} {name}: {answer}");
        }
    }
    assert_eq!(server.control.info().await.unwrap().started, started);
    if with_ffmpeg {
        let path = server.control.path(yard).await.unwrap().unwrap();
        assert!(path.ready && path.source == session, "{path:?}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_an_end_with_a_reason() {
    let test = "a_port_in_use_is_an_end_with_a_reason";
    let Some(server) = Server::start(test, &["yard"]).await else { return };
    let binary = Places::of_this_process(None).locate().await.unwrap();
    let second = Command::new(binary.path)
        .args(edgecam_mediamtx::arguments(server.file.path()))
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stdout);
    assert!(!second.status.success(), "{said}");
    assert!(said.contains(" ERR ") && said.contains("address already in use"), "{said}");
}
