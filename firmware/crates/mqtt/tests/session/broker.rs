//! A real mosquitto with a folder and a port of its own, gone with its test.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running mosquitto.
pub(crate) struct Broker {
    process: Child,
    binary: PathBuf,
    dir: TempDir,
    port: u16,
}

impl Broker {
    /// One that lets everyone in.
    pub(crate) fn start() -> Self {
        Self::with("allow_anonymous true\n", |_| {})
    }

    /// One with these lines in its configuration (`DIR` is its folder), after `prepare` put into
    /// the folder what they name.
    pub(crate) fn with(lines: &str, prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let lines = lines.replace("DIR", dir.path().to_str().unwrap());
        let binary = binary();
        for _ in 0..10 {
            // Another process may take the port before mosquitto does: then the next one.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = format!(
                "listener {port} 127.0.0.1\nuser root\npersistence_location {}/\n\
                 max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n{lines}",
                dir.path().display()
            );
            std::fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
            let mut process = spawn(&binary, dir.path());
            if wait_for_port(port, &mut process) {
                return Self { process, binary, dir, port };
            }
        }
        panic!("mosquitto does not start; its configuration:\n{lines}");
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again after [`Self::kill`], on the same port.
    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.binary, self.dir.path());
        assert!(wait_for_port(self.port, &mut self.process), "mosquitto does not come back");
    }

    /// Has the subscriptions of persistent clients written to the disk, to survive [`Self::kill`].
    pub(crate) fn save(&self) {
        let saved = self.dir.path().join("mosquitto.db");
        let _ = std::fs::remove_file(&saved);
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-USR1", &pid]).status().unwrap().success());
        let deadline = Instant::now() + Duration::from_secs(10);
        while !saved.exists() {
            assert!(Instant::now() < deadline, "mosquitto saved nothing");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian has it in `/usr/sbin`, which is not on everyone's path.
fn binary() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join("mosquitto"))
        .find(|path| path.is_file())
        .expect("mosquitto is installed (`make setup` does it)")
}

fn spawn(binary: &Path, dir: &Path) -> Child {
    let log = std::fs::File::create(dir.join("mosquitto.log")).unwrap();
    // `setpriv` becomes mosquitto, which the kernel then ends with the test's thread, whatever
    // becomes of that.
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(binary)
        .arg("-c")
        .arg(dir.join("mosquitto.conf"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn wait_for_port(port: u16, process: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}
