//! Where programs and clips are, why a test cannot run here, and one whole-app test at a time.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{FlockOperation, flock};

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Clips and models beside the project.
    Shared,
    /// MediaMTX.
    MediaServer,
    /// Chromium and its driver.
    Browser,
    /// schemathesis.
    Fuzzer,
    /// npm with the packages of `web`.
    Node,
}

/// The right to run a whole-app test, while it lives: no other one does meanwhile.
#[derive(Debug)]
pub(crate) struct Site {
    _this_binary: MutexGuard<'static, ()>,
    _all_binaries: File,
}

impl Site {
    /// Waits until no other whole-app test runs. `None` when something that the calling test needs
    /// is not here: says so under the test's name.
    pub(crate) fn with(needs: &[Need]) -> Option<Self> {
        if let Some(why) = needs.iter().find_map(|need| need.absent()) {
            skip(&why);
            return None;
        }
        static ONE: Mutex<()> = Mutex::new(());
        // A test that failed left nothing behind that the next one could trip over.
        let this_binary = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let path = target().join("whole-app-tests.lock");
        let all_binaries = File::create(&path).expect("the target folder can be written");
        flock(&all_binaries, FlockOperation::LockExclusive).expect("the lock can be taken");
        camera_program();
        Some(Self { _this_binary: this_binary, _all_binaries: all_binaries })
    }
}

/// Says that the calling test is left out, and why.
pub(crate) fn skip(why: &str) {
    let thread = std::thread::current();
    drop(writeln!(std::io::stderr(), "skipped: {}: {why}", thread.name().unwrap_or("a test")));
}

impl Need {
    fn absent(self) -> Option<String> {
        match self {
            Self::Shared => {
                let clip = clip("car-detection.mp4");
                (!clip.is_file()).then(|| format!("{} is not there", clip.display()))
            }
            Self::MediaServer => media_server().as_ref().err().cloned(),
            Self::Browser => {
                let missing = ["chromium", "chromedriver"].into_iter().find(|n| which(n).is_none());
                missing.map(|name| format!("{name} is not installed"))
            }
            Self::Node => {
                let packages = root().join("web/node_modules");
                let missing = which("npm").is_none() || !packages.is_dir();
                missing.then(|| "npm or the packages of web are not installed".to_owned())
            }
            Self::Fuzzer => {
                let program = fuzzer();
                (!program.is_file()).then(|| format!("{} is not there", program.display()))
            }
        }
    }
}

/// Where `firmware/setup/contract.sh` puts schemathesis.
pub(crate) fn fuzzer() -> PathBuf {
    let cache = std::env::var_os("EDGECAM_CACHE").map(PathBuf::from);
    let cache = cache
        .unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".cache").join("edgecam"));
    cache.join("contract").join("bin").join("st")
}

/// The MediaMTX of this machine, or why there is none.
pub(crate) fn media_server() -> &'static Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let places = mediamtx::Places::of_this_process(None);
        let located = runtime.expect("a runtime can be made").block_on(places.locate());
        located.map(|binary| binary.path).map_err(|error| base::error::chain(&error))
    })
}

/// The first program called `name` on the `PATH`, or where Debian has daemons.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("firmware lies in the project")
}

/// Data that is shared beside the project, or where it would be.
pub(crate) fn shared() -> PathBuf {
    let beside = root().join("../shared");
    beside.canonicalize().unwrap_or(beside)
}

/// A shared clip.
pub(crate) fn clip(name: &str) -> PathBuf {
    shared().join("media").join(name)
}

/// The daemon under test.
pub(crate) fn daemon_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_edgecamd"))
}

fn profile_folder() -> &'static Path {
    daemon_program().parent().expect("a program lies in a folder")
}

fn target() -> &'static Path {
    profile_folder().parent().expect("profiles lie in the target folder")
}

/// `edgecam-camera` beside the daemon.
fn camera_program() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| _ = program("edgecam-camera", "edgecam-camera"));
}

/// The program `name` of the package `package`, made, or made anew when stale. Cargo builds only the
/// binaries of the package under test by itself.
pub(crate) fn program(package: &str, name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", package]).current_dir(root());
    cargo.env("CARGO_TARGET_DIR", target());
    match profile_folder().file_name().and_then(OsStr::to_str) {
        Some("debug") | None => {}
        Some(profile) => _ = cargo.args(["--profile", profile]),
    }
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    profile_folder().join(name)
}
