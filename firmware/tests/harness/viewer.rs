//! Viewers of the stream: whether it is there, decoded frames with the time at which each came,
//! and pictures. ffmpeg decodes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest wait for an answer of the media server, which keeps who is refused waiting for 2 s.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// What makes ffmpeg begin with the first frame that it gets. (`nobuffer` would throw away what it
/// looks at first: the key frame that every new viewer is sent.)
const AT_ONCE: [&str; 8] =
    ["-rtsp_transport", "tcp", "-flags", "low_delay", "-probesize", "32", "-analyzeduration", "0"];

/// What the media server at `server` answers to `user` with `password`, who wants to know what is at
/// `path`: 200 when somebody publishes there. `None`: nothing.
pub(crate) fn described(server: SocketAddr, path: &str, user: &str, password: &str) -> Option<u16> {
    let ask = || -> std::io::Result<[u8; 12]> {
        let mut stream = TcpStream::connect_timeout(&server, ANSWERS_WITHIN)?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        let mut request = format!("DESCRIBE rtsp://{server}/{path} RTSP/1.0\r\nCSeq: 1\r\n");
        if !password.is_empty() {
            let key = STANDARD.encode(format!("{user}:{password}"));
            request += &format!("Authorization: Basic {key}\r\n");
        }
        write!(stream, "{request}Accept: application/sdp\r\n\r\n")?;
        let mut line = [0; 12];
        stream.read_exact(&mut line)?;
        Ok(line)
    };
    let line = ask().ok()?;
    std::str::from_utf8(&line).ok()?.strip_prefix("RTSP/1.0 ")?.parse().ok()
}

/// A viewer that decodes the stream as it comes.
#[derive(Debug)]
pub(crate) struct Viewer {
    process: Child,
    frames: Arc<Mutex<Vec<Instant>>>,
    reader: Option<JoinHandle<()>>,
}

impl Viewer {
    /// Connects to `url`. That it could is seen by its frames, that it could not by its end.
    pub(crate) fn new(url: &str) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin"]).args(AT_ONCE).args(["-i", url, "-an"]);
        // A line per decoded frame.
        command.args(["-vsync", "passthrough", "-flush_packets", "1", "-f", "framecrc", "-"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("ffmpeg starts");
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let frames = Arc::default();
        let shelf: Arc<Mutex<Vec<Instant>>> = Arc::clone(&frames);
        let reader = std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok).filter(|line| !line.starts_with('#'));
            lines.for_each(|_| {
                shelf.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            });
        });
        Self { process, frames, reader: Some(reader) }
    }

    /// When each decoded frame came.
    pub(crate) fn frames(&self) -> Vec<Instant> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Frames that came in `from..to`.
    pub(crate) fn frames_between(&self, from: Instant, to: Instant) -> usize {
        self.frames().iter().filter(|at| **at >= from && **at < to).count()
    }

    /// Whether its session has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("ffmpeg can be asked").is_some()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A decoded picture: planes of 4:2:0, packed.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    data: Vec<u8>,
}

impl Picture {
    fn size(width: usize, height: usize) -> usize {
        width * height * 3 / 2
    }

    /// `[y, u, v]` at a pixel.
    pub(crate) fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let (luma, half) = (self.width * self.height, self.width / 2);
        let chroma = (y / 2) * half + x / 2;
        [
            self.data[y * self.width + x],
            self.data[luma + chroma],
            self.data[luma + luma / 4 + chroma],
        ]
    }
}

/// The first `count` pictures of `input` (a file or an address) of that size.
pub(crate) fn pictures(input: &str, (width, height): (usize, usize), count: usize) -> Vec<Picture> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin"]);
    if input.starts_with("rtsp://") {
        command.args(AT_ONCE);
    }
    command.args(["-i", input, "-an", "-vsync", "passthrough", "-frames:v", &count.to_string()]);
    command.args(["-pix_fmt", "yuv420p", "-f", "rawvideo", "-"]);
    let output = command.stdin(Stdio::null()).output().expect("ffmpeg starts");
    assert!(output.status.success(), "{input}: {}", String::from_utf8_lossy(&output.stderr));
    let frames = output.stdout.chunks_exact(Picture::size(width, height));
    let pictures: Vec<_> =
        frames.map(|data| Picture { width, height, data: data.to_vec() }).collect();
    assert_eq!(pictures.len(), count, "{input} has too few pictures");
    pictures
}

/// Makes `output` with ffmpeg.
pub(crate) fn ffmpeg(arguments: &[&str], output: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y"]).args(arguments).arg(output);
    let done = command.output().expect("ffmpeg starts");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
