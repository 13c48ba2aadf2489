//! A headless Chromium, driven over WebDriver (W3C).

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{Api, OWNER, PASSWORD};
use super::measure::until;
use super::ports;

/// Chromium is there within this time.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    api: Api,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with an empty profile.
    pub(crate) fn start() -> Self {
        let at: SocketAddr = ports::free();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={}", at.port())).arg("--log-level=SEVERE");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // The driver's and the browser's processes are ended as one group.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let driver = command.spawn().expect("chromedriver starts");
        let profile = tempfile::tempdir().expect("a temporary folder can be made");
        let api = Api::within(at, STARTS_WITHIN);
        let mut browser = Self { driver, api, session: String::new(), _profile: profile };
        until("chromedriver listens", STARTS_WITHIN, || TcpStream::connect(at).is_ok());
        browser.session = browser.open_session();
        browser
    }

    fn open_session(&self) -> String {
        let profile = format!("--user-data-dir={}", self._profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--autoplay-policy=no-user-gesture-required",
            &profile,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments },
        } } });
        let answer = self.api.post("/session", &wanted).json();
        let session = answer["value"]["sessionId"].as_str();
        format!("/session/{}", session.unwrap_or_else(|| panic!("no browser: {answer}")))
    }

    fn ask(&self, command: &str, body: &Value) -> Value {
        let answer = self.api.post(&format!("{}/{command}", self.session), body).json();
        assert!(answer["value"]["error"].is_null(), "{command}: {answer}");
        answer["value"].clone()
    }

    /// Opens `url`.
    pub(crate) fn open(&self, url: &str) {
        self.ask("url", &json!({ "url": url }));
    }

    /// Signs the owner in, on a page of the device.
    pub(crate) fn sign_in(&self) {
        let login = json!({ "username": OWNER, "password": PASSWORD });
        let script = format!(
            "return fetch('/api/v1/auth/login', {{ method: 'POST', body: JSON.stringify({login}),
                headers: {{ 'Content-Type': 'application/json' }} }}).then(answer => answer.status);"
        );
        assert_eq!(self.run(&script), 200, "the owner can sign in");
    }

    /// Runs `script` in the page and answers what it returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask("execute/sync", &json!({ "script": script, "args": [] }))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            self.api.delete(&self.session);
        }
        let group = rustix::process::Pid::from_child(&self.driver);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.driver.wait();
    }
}
