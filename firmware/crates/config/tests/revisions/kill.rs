//! `kill -9` between any two system calls, on the machine's own disk: a real process, killed before its
//! n-th call, for every n. What survives a process survives in the page cache; what survives a power
//! loss is for `power` to show.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::durable::{Disk, LocalDisk};
use rustix::process::{Signal, getpid, kill_process};

use crate::script::{Stage, Step, Truth, judge};

const FOLDER: &str = "EDGECAM_TEST_REVISIONS";
const CALL: &str = "EDGECAM_TEST_KILL_AT";
const SCRIPT: [Step; 8] = [
    Step::Make,
    Step::Try,
    Step::Confirm,
    Step::Try,
    Step::TakeBack,
    Step::Try,
    Step::Boot,
    Step::Make,
];

/// The machine's disk, on which the process ends itself before a call.
#[derive(Clone)]
struct Deadly {
    left: Arc<AtomicUsize>,
}

impl Deadly {
    fn call(&self) -> LocalDisk {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            // Nothing of the process runs after this.
            let _ = kill_process(getpid(), Signal::KILL);
            loop {
                std::thread::park();
            }
        }
        LocalDisk
    }
}

impl Disk for Deadly {
    type File = File;

    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.call().create(path, mode)
    }
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.call().write(file, bytes)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        self.call().sync(file)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call().rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.call().unlink(path)
    }
    fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.call().create_folder(path, mode)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.call().sync_folder(path)
    }
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        LocalDisk.read(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        LocalDisk.list(path)
    }
}

/// Not a test of its own: the process that is killed. Notes each step that it has done.
#[test]
#[ignore = "started by the test below"]
fn changing_process() {
    let data = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let left = std::env::var(CALL).unwrap().parse().unwrap();
    let disk = Deadly { left: Arc::new(AtomicUsize::new(left)) };
    let mut stage = Stage::open(disk, &data, 0).unwrap();
    for (number, step) in SCRIPT.into_iter().enumerate() {
        stage.play(step, number).unwrap();
        std::fs::write(data.join("done"), (number + 1).to_string()).unwrap();
    }
}

/// Runs it in `data` until its `call`th call; answers whether it was killed.
fn killed_at(call: usize, data: &Path) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::changing_process", "--ignored"])
        .env(FOLDER, data)
        .env(CALL, call.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}

#[test]
fn a_kill_between_any_two_system_calls_leaves_the_old_or_the_new_revision() {
    for call in 0.. {
        let data = tempfile::tempdir().unwrap();
        if !killed_at(call, data.path()) {
            assert!(call > 60, "only {call} calls: is every one counted?");
            return;
        }
        let done = std::fs::read_to_string(data.path().join("done")).unwrap_or_default();
        let done: usize = done.parse().unwrap_or_default();
        let steps = SCRIPT.iter().enumerate();
        let truth = steps.clone().take(done).fold(Truth::first(), |t, (n, step)| t.after(*step, n));
        let (number, step) = steps.clone().nth(done).expect("the last call is within a step");
        let boots = SCRIPT[..=done].iter().filter(|step| **step == Step::Boot).count();
        let after = truth.after(*step, number);
        let of = format!("call {call}, in {step:?}");
        judge(LocalDisk, data.path(), boots, [&truth, &after], &of);
    }
}
