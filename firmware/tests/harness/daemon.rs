//! A real `edgecamd`: its settings, its start, its log, its end, and that nothing of it is left.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::http::Api;
use super::measure::{until, until_some};
use super::mqtt::Subscriber;
use super::procs::{self, Proc};
use super::{ports, site, viewer};

/// It is ready within this time of its start.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// Its stream can be read within this time of its start.
const STREAMS_WITHIN: Duration = Duration::from_secs(20);
/// An orderly stop takes no longer.
const STOPS_WITHIN: Duration = Duration::from_secs(20);
/// After its end nothing of it is left within this time.
const CLEAN_WITHIN: Duration = Duration::from_secs(2);
/// Lines of the log that are shown on failure.
const SHOWN: usize = 120;

/// What an `edgecamd` is to be started with.
#[derive(Debug)]
pub(crate) struct Setup {
    folder: TempDir,
    data: PathBuf,
    set: Vec<String>,
    env: Vec<(String, String)>,
    unset: Vec<&'static str>,
    source: Option<String>,
    away: bool,
    program: Option<PathBuf>,
    /// Where it will serve.
    pub(crate) at: Addresses,
}

/// Where an `edgecamd` and its children serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) api: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) mqtt: SocketAddr,
    pub(crate) rtsp: SocketAddr,
    pub(crate) hls: SocketAddr,
    pub(crate) webrtc: SocketAddr,
    webrtc_udp: SocketAddr,
    control: SocketAddr,
}

impl Setup {
    /// All ports free ones, an empty data folder, nothing else set.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("edgecam-test-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let [api, tls, mqtt, rtsp, hls, webrtc, webrtc_udp, control] =
            std::array::from_fn(|_| ports::free());
        let at = Addresses { api, tls, mqtt, rtsp, hls, webrtc, webrtc_udp, control };
        let data = folder.path().join("data");
        let (set, env, unset) = (Vec::new(), Vec::new(), Vec::new());
        Self { folder, data, set, env, unset, source: None, away: false, program: None, at }
    }

    /// The camera `cam` plays `clip` in a loop.
    pub(crate) fn clip(self, clip: &Path) -> Self {
        let source = clip.to_str().expect("clips have plain names").to_owned();
        self.source(&source)
    }

    /// `--source`.
    pub(crate) fn source(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    /// `--set key=value`.
    pub(crate) fn set(mut self, setting: &str) -> Self {
        self.set.push(setting.to_owned());
        self
    }

    /// An environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        let value = value.as_ref().to_str().expect("plain text").to_owned();
        self.env.push((name.to_owned(), value));
        self
    }

    /// The port `name`, such as `MQTT__LISTEN`, is not fixed by the environment.
    pub(crate) fn unset(mut self, name: &'static str) -> Self {
        self.unset.push(name);
        self
    }

    /// The daemon from a folder of its own, with `camera` in the place of `edgecam-camera`.
    pub(crate) fn camera_program(mut self, camera: &Path) -> Self {
        let programs = self.folder.path().join("programs");
        fs::create_dir(&programs).expect("a temporary folder can be made");
        let daemon = programs.join("edgecamd");
        fs::copy(site::daemon_program(), &daemon).expect("programs can be copied");
        fs::copy(camera, programs.join("edgecam-camera")).expect("programs can be copied");
        self.program = Some(daemon);
        self
    }

    /// A settings file.
    pub(crate) fn settings(self, text: &str) -> Self {
        fs::write(self.settings_file(), text).expect("a temporary file can be written");
        self
    }

    fn settings_file(&self) -> PathBuf {
        self.folder.path().join("settings.toml")
    }

    /// Another data folder.
    pub(crate) fn data(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.data);
        self
    }

    /// Started where it does not find what lies beside the checkout.
    pub(crate) fn away_from_the_checkout(mut self) -> Self {
        self.away = true;
        self
    }

    /// A folder of the test's own, gone when everything is done.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn command(&self) -> Command {
        let Addresses { api, tls, mqtt, rtsp, hls, webrtc, webrtc_udp, control } = self.at;
        let program = self.program.as_deref().unwrap_or_else(|| site::daemon_program());
        let mut command = Command::new(program);
        command.current_dir(if self.away { self.folder() } else { site::root() });
        command.stdin(Stdio::null());
        let own = std::env::vars_os().filter(|(name, _)| {
            name.to_str()
                .is_some_and(|name| name.starts_with("EDGECAM__") || name == "EDGECAM_MODELS")
        });
        own.for_each(|(name, _)| _ = command.env_remove(name));
        command.env("EDGECAM__DATA__DIR", &self.data);
        command.env("EDGECAM_LOG", std::env::var("EDGECAM_LOG").unwrap_or_else(|_| "info".into()));
        for (name, address) in [
            ("API__LISTEN", api),
            ("API__TLS_LISTEN", tls),
            ("MQTT__LISTEN", mqtt),
            ("MEDIA_SERVER__RTSP_LISTEN", rtsp),
            ("MEDIA_SERVER__HLS_LISTEN", hls),
            ("MEDIA_SERVER__WEBRTC_LISTEN", webrtc),
            ("MEDIA_SERVER__WEBRTC_UDP_LISTEN", webrtc_udp),
            ("MEDIA_SERVER__CONTROL_LISTEN", control),
        ] {
            if !self.unset.contains(&name) {
                command.env(format!("EDGECAM__{name}"), address.to_string());
            }
        }
        if self.settings_file().exists() {
            command.arg("--settings").arg(self.settings_file());
        }
        command.envs(self.env.iter().cloned());
        self.source.iter().for_each(|source| _ = command.args(["--source", source]));
        self.set.iter().for_each(|setting| _ = command.args(["--set", setting]));
        command
    }

    /// Starts it without waiting for anything.
    pub(crate) fn spawn(self) -> EdgeCam {
        let mut log = File::options();
        let log = log.create(true).append(true).open(self.log()).expect("the log can be written");
        let output = log.try_clone().expect("a file can be opened twice");
        let process = self.command().stdout(output).stderr(log).spawn().expect("edgecamd starts");
        EdgeCam { setup: Some(self), process, ended: None, token: OnceLock::new() }
    }

    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(self) -> EdgeCam {
        let mut edgecam = self.spawn();
        edgecam.wait_for_log("INFO edgecamd::app: ready", STARTS_WITHIN);
        edgecam
    }

    /// Starts it and waits until the stream can be read.
    pub(crate) fn stream(self) -> EdgeCam {
        let edgecam = self.start();
        until("the stream can be read", STREAMS_WITHIN, || edgecam.is_streaming());
        edgecam
    }

    /// Starts it, waits for it to refuse, and answers what it said.
    pub(crate) fn refusal(self) -> String {
        let mut edgecam = self.spawn();
        let status = edgecam.wait_for_end(STARTS_WITHIN);
        let said = edgecam.log();
        assert!(!status.success(), "it did not refuse:\n{said}");
        said
    }
}

/// A running `edgecamd`. Dropping it ends it and fails the test when a process is left.
#[derive(Debug)]
pub(crate) struct EdgeCam {
    setup: Option<Setup>,
    process: Child,
    ended: Option<ExitStatus>,
    /// Of the owner, once the device is claimed.
    token: OnceLock<String>,
}

impl EdgeCam {
    fn setup(&self) -> &Setup {
        self.setup.as_ref().expect("only taken by `restart` and `drop`")
    }

    /// Where it serves.
    pub(crate) fn at(&self) -> Addresses {
        self.setup().at
    }

    /// Its data folder.
    pub(crate) fn data_dir(&self) -> &Path {
        self.setup().data_dir()
    }

    /// A folder of the test's own.
    pub(crate) fn folder(&self) -> &Path {
        self.setup().folder()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The address of the stream of `cam`, for its owner.
    pub(crate) fn rtsp(&self) -> String {
        self.rtsp_of("cam")
    }

    /// The address of the stream of `camera`, for its owner.
    pub(crate) fn rtsp_of(&self, camera: &str) -> String {
        format!("rtsp://test:{}@{}/{camera}", self.token(), self.at().rtsp)
    }

    /// Whether the stream of `cam` can be read, by its owner.
    pub(crate) fn is_streaming(&self) -> bool {
        self.is_streaming_of("cam")
    }

    /// Whether the stream of `camera` can be read, by its owner.
    pub(crate) fn is_streaming_of(&self, camera: &str) -> bool {
        viewer::described(self.at().rtsp, camera, "test", &self.token()) == Some(200)
    }

    /// The REST API.
    pub(crate) fn api(&self) -> Api {
        Api::at(self.at().api).with_token(Some(self.token()))
    }

    /// A token of its owner; claims it if it has none yet.
    pub(crate) fn token(&self) -> String {
        let claim = || {
            let kept = self.data_dir().join("test-token");
            if let Ok(token) = fs::read_to_string(&kept) {
                return token;
            }
            let code = self.data_dir().join("claim-code");
            let code = fs::read_to_string(code).expect("a new device has a code");
            let token = Api::at(self.at().api).claim(code.trim());
            fs::write(kept, &token).expect("the data folder can be written");
            token
        };
        self.token.get_or_init(claim).clone()
    }

    /// A subscriber of all its announcements at its own broker.
    pub(crate) fn subscriber(&self) -> Subscriber {
        let broker = self.at().mqtt;
        until("the broker listens", STARTS_WITHIN, || TcpStream::connect(broker).is_ok());
        Subscriber::new(broker, "edgecam/#")
    }

    /// Everything that it and its children said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.setup().log()).unwrap_or_default()
    }

    /// Waits until the log holds `words`.
    #[track_caller]
    pub(crate) fn wait_for_log(&mut self, words: &str, within: Duration) {
        until(&format!("the log says `{words}`"), within, || {
            let ended = self.process.try_wait().expect("the process can be asked");
            assert!(ended.is_none(), "edgecamd ended: {ended:?}");
            self.log().contains(words)
        });
    }

    /// Its child whose command line holds `words`, once there is one.
    #[track_caller]
    pub(crate) fn child(&self, words: &str) -> Proc {
        let look = || self.children(words).pop();
        until_some(&format!("a child `{words}` runs"), STARTS_WITHIN, look).0
    }

    /// Its children whose command line holds `words`.
    pub(crate) fn children(&self, words: &str) -> Vec<Proc> {
        let pid = self.pid();
        let of_words = |p: &Proc| p.pid != pid && p.command.contains(words);
        // A launcher has not become the child yet.
        let launcher = |p: &Proc| p.command.contains("run-child");
        procs::family(pid).into_iter().filter(|p| of_words(p) && !launcher(p)).collect()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self, within: Duration) -> ExitStatus {
        let ended = || self.process.try_wait().expect("the process can be asked");
        let (status, _) = until_some("edgecamd ends", within, ended);
        self.ended = Some(status);
        status
    }

    fn send(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, signal).expect("edgecamd takes a signal");
    }

    /// Asks it to stop, and waits until it did.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.send(Signal::TERM);
        self.wait_for_end(STOPS_WITHIN)
    }

    /// `kill -9`; answers how long anything of it outlived it.
    #[track_caller]
    pub(crate) fn kill(&mut self) -> Duration {
        let family = procs::family(self.pid());
        assert!(family.len() > 1, "it has no children: {family:?}");
        self.send(Signal::KILL);
        let begun = std::time::Instant::now();
        self.wait_for_end(STOPS_WITHIN);
        self.await_clean(&family);
        begun.elapsed()
    }

    /// Starts it again as it was started, on the same data folder, and waits until it is ready.
    pub(crate) fn restart(mut self) -> Self {
        assert!(self.ended.is_some(), "it still runs");
        let setup = self.setup.take().expect("taken only once");
        let said = setup.log();
        fs::rename(&said, said.with_extension("before")).expect("the log can be renamed");
        setup.start()
    }

    #[track_caller]
    fn await_clean(&self, family: &[Proc]) {
        until("no process of edgecamd is left", CLEAN_WITHIN, || self.left(family).is_empty());
    }

    /// What runs of `family`, and whatever names its data folder.
    fn left(&self, family: &[Proc]) -> Vec<Proc> {
        let mut left: Vec<_> = family.iter().filter(|p| p.is_alive()).cloned().collect();
        // Viewers and brokers of the test itself use the test's folder, not the data folder.
        left.extend(procs::of_folder(self.data_dir()));
        left
    }

    fn show_log(&self) {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        println!("--- the end of edgecamd's log ---");
        lines.iter().skip(lines.len().saturating_sub(SHOWN)).for_each(|line| println!("{line}"));
        println!("--- end of the log ---");
    }
}

impl Drop for EdgeCam {
    fn drop(&mut self) {
        if self.setup.is_none() {
            return;
        }
        let failed = std::thread::panicking();
        if failed {
            self.show_log();
        }
        let family = procs::family(self.pid());
        if self.ended.is_none() {
            if failed {
                let _ = self.process.kill();
                let _ = self.process.wait();
            } else {
                let status = self.stop();
                assert!(status.success(), "edgecamd's stop failed: {status}\n{}", self.log());
            }
        }
        if failed {
            // The failure that is under way is the one to look at.
            let begun = std::time::Instant::now();
            while !self.left(&family).is_empty() && begun.elapsed() < CLEAN_WITHIN {
                std::thread::sleep(Duration::from_millis(20));
            }
            self.left(&family).iter().for_each(|p| p.signal(Signal::KILL));
        } else {
            self.await_clean(&family);
        }
    }
}
