//! The real MediaMTX with the rendered configuration: what is on, what is off, who may publish,
//! and that a new camera needs no restart.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail by it and report")]

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use config::{CameraId, MediaServerConfig};
use edgecam_mediamtx::{
    ConfigFile, ControlClient, ControlError, ControlSecret, PathState, Places, StreamAddresses,
    publish_url, reload, render,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything takes on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running MediaMTX with its configuration; killed when dropped.
struct Server {
    process: Child,
    config: MediaServerConfig,
    file: ConfigFile,
    secret: ControlSecret,
    control: ControlClient,
    _folder: tempfile::TempDir,
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
                println!("skipped: {test}: {error}");
                return None;
            }
        };
        // Another test may take a port between its choice and its use.
        for _ in 0..5 {
            let begun = Instant::now();
            let mut server = Self::spawn(&binary.path, &ids(cameras));
            if server.comes_up().await {
                println!("{test}: MediaMTX answers {:?} after its start", begun.elapsed());
                return Some(server);
            }
        }
        panic!("MediaMTX does not start");
    }

    fn spawn(program: &Path, cameras: &[CameraId]) -> Self {
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
        let secret = ControlSecret::random().unwrap();
        file.write(&render(&config, cameras, &secret)).unwrap();
        let process = Command::new(program)
            .args(edgecam_mediamtx::arguments(file.path()))
            .env_clear()
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let control = ControlClient::new(control_listen, secret.clone());
        Self { process, config, file, secret, control, _folder: folder }
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

    /// What it answers to someone who wants to publish H.264 at `path`.
    async fn announce(&self, path: &str) -> String {
        let url = format!("rtsp://{}/{path}", self.config.rtsp_listen);
        let sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
                   m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
                   a=fmtp:96 packetization-mode=1\r\na=control:trackID=0\r\n";
        let request = format!(
            "ANNOUNCE {url} RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
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

/// The head and body of what is at `url`, after redirections, as a page from elsewhere would ask.
async fn http_get(url: &str) -> (String, Vec<u8>) {
    let (host, mut path) = split(url);
    for _ in 0..3 {
        let mut stream = TcpStream::connect(&host).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nOrigin: http://evil.example\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        match head.lines().find_map(|line| line.strip_prefix("Location: ")) {
            Some(location) => path = location.to_owned(),
            None => return (head, answer[end + 4..].to_vec()),
        }
    }
    panic!("{url} leads nowhere");
}

fn split(url: &str) -> (String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    (host.to_owned(), format!("/{path}"))
}

/// What MediaMTX answers to a browser that wants to see the stream.
async fn whep(url: &str) -> String {
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n\
         a=recvonly\r\na=rtcp-mux\r\na=rtpmap:96 H264/90000\r\n\
         a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n",
        ["AA"; 32].join(":")
    );
    let (host, path) = split(url);
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{offer}",
        offer.len()
    );
    let mut stream = TcpStream::connect(&host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 201 "), "{answer}");
    answer
}

/// The first entry of the HLS playlist at `url`, as a whole URL.
async fn first_entry(url: &str) -> String {
    let (head, playlist) = http_get(url).await;
    assert!(head.contains(" 200 "), "{url}: {head}");
    let cors = "access-control-allow-origin";
    assert!(!head.to_ascii_lowercase().contains(cors), "{head}");
    let text = String::from_utf8(playlist).unwrap();
    assert!(text.starts_with("#EXTM3U"), "{text}");
    let entry = text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap();
    let (folder, _) = url.rsplit_once('/').unwrap();
    format!("{folder}/{entry}")
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
async fn only_known_cameras_may_be_published() {
    let test = "only_known_cameras_may_be_published";
    let Some(server) = Server::start(test, &["yard", "all"]).await else { return };
    assert_eq!(server.announce("yard").await, "RTSP/1.0 200 OK");
    assert_eq!(server.announce("all").await, "RTSP/1.0 200 OK");
    for unknown in ["stranger", "yard/x", "all/x", "xall", ""] {
        let answer = server.announce(unknown).await;
        assert!(!answer.contains(" 200 "), "{unknown}: {answer}");
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

#[tokio::test]
async fn a_stream_is_served_by_rtsp_and_hls_and_its_readers_are_known() {
    let test = "a_stream_is_served_by_rtsp_and_hls_and_its_readers_are_known";
    let Some(server) = Server::start(test, &["yard"]).await else { return };
    if Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: {test}: ffmpeg is not installed");
        return;
    }
    let camera = &ids(&["yard"])[0];
    let before = server.control.path(camera).await.unwrap();
    assert!(before.is_none_or(|path| !path.ready && path.readers.is_empty()));
    let _publisher = publish(&publish_url(&server.config, camera));
    let path = server.until(camera, |path| path.ready && path.bytes_in > 0).await;
    assert_eq!(path.source.unwrap().kind, "rtspSession");

    let addresses = StreamAddresses::new(&server.config, camera, "127.0.0.1");
    // The default of most players: UDP first, then TCP.
    let mut reader = ffmpeg(&["-i", &addresses.rtsp, "-f", "null", "-"]);
    let path = server.until(camera, |path| !path.readers.is_empty() && path.bytes_out > 0).await;
    assert_eq!(server.control.paths().await.unwrap().len(), 1);
    server.control.kick(&path.readers[0]).await.unwrap();
    server.until(camera, |path| path.readers.is_empty()).await;
    reader.0.wait().unwrap();
    server.control.kick(&path.readers[0]).await.unwrap();

    let begun = Instant::now();
    let variant = first_entry(&addresses.hls_playlist).await;
    let segment = first_entry(&variant).await;
    let (head, body) = http_get(&segment).await;
    println!("first HLS segment, {} bytes, after {:?}", body.len(), begun.elapsed());
    assert!(head.contains("video/mp4") && body.windows(4).any(|w| w == b"moof"), "{head}");
    for page in [&addresses.hls, &addresses.webrtc] {
        let (head, body) = http_get(page).await;
        let is_page = body.to_ascii_lowercase().starts_with(b"<!doctype html>");
        assert!(head.contains(" 200 ") && is_page, "{page}: {head}");
    }

    // A browser on this machine is told the way to the media listener, by UDP and by TCP.
    let answer = whep(&addresses.whep).await;
    let media = server.config.webrtc_udp_listen;
    let place = format!(" {} {} typ host", media.ip(), media.port());
    for transport in [" udp ", " tcp "] {
        let mut candidates = answer.lines().filter(|line| line.starts_with("a=candidate:"));
        let told = candidates.any(|line| line.contains(transport) && line.contains(&place));
        assert!(told, "{transport}: {answer}");
    }
}

#[tokio::test]
async fn a_new_camera_needs_no_restart_and_disturbs_no_other() {
    let test = "a_new_camera_needs_no_restart_and_disturbs_no_other";
    let Some(server) = Server::start(test, &["yard"]).await else { return };
    let started = server.control.info().await.unwrap().started;
    let yard = &ids(&["yard"])[0];
    let with_ffmpeg = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_ok();
    let _publisher = with_ffmpeg.then(|| publish(&publish_url(&server.config, yard)));
    let mut session = None;
    if with_ffmpeg {
        session = server.until(yard, |path| path.ready).await.source;
    }
    // In quick succession: MediaMTX overlooks changes within a second of the one before.
    for names in [&["yard", "door"][..], &["yard", "door", "roof"], &["yard"], &["yard", "roof"]] {
        let cameras = ids(names);
        let text = render(&server.config, &cameras, &server.secret);
        let begun = Instant::now();
        reload::reload(&server.file, &text, &cameras, &server.control).await.unwrap();
        println!("{} cameras taken over in {:?}", names.len(), begun.elapsed());
        for name in ["door", "roof"] {
            let wanted = names.contains(&name);
            let answer = server.announce(name).await;
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
