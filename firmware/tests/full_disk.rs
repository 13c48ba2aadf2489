//! Promise: a device whose disk is full when its power fails comes back, and says what is wrong.

mod harness;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::daemon::EdgeCam;
use harness::{Setup, Site, site};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Where the test below is to have its data folder.
const DISK: &str = "EDGECAM_TEST_DISK";
/// Answered by the shell when this machine lets nobody mount.
const NO_MOUNT: i32 = 77;
/// A start and what is kept for it have room in this, and a little.
const MOUNT: &str =
    "mount -t tmpfs -o size=24m none \"$EDGECAM_TEST_DISK\" || exit 77; exec \"$@\"";

/// In mounts of its own, which go with it however it ends.
#[test]
fn a_device_whose_disk_is_full_starts_again_and_again() {
    let disk = tempfile::tempdir().expect("a temporary folder can be made");
    let this = std::env::current_exe().expect("a test knows where it is");
    let mut inner = Command::new("unshare");
    inner.args(["--mount", "--", "sh", "-c", MOUNT, "sh"]).arg(this);
    inner.args(["--exact", "on_a_disk_of_its_own", "--ignored", "--nocapture"]);
    let output = inner.env(DISK, disk.path()).output().expect("unshare is there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(NO_MOUNT) || text.contains("Operation not permitted") {
        return site::skip("mounting is not allowed here (needs root)");
    }
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "started by the test above, in mounts of its own"]
fn on_a_disk_of_its_own() {
    let Some(_site) = Site::with(&[]) else { return };
    let disk = PathBuf::from(std::env::var_os(DISK).expect("the test above says where"));
    let data = disk.join("data");
    let reserve = || fs::metadata(data.join("reserve")).map(|it| it.len()).ok();
    let mut edgecam = Setup::new().data(&data).start();
    edgecam.api().camera();
    let kept = reserve().expect("room is kept for the next start");
    for _ in 0..3 {
        edgecam.kill();
        fill(&disk);
        edgecam = edgecam.restart();
        says_that_the_disk_was_full(&edgecam);
        assert_eq!(edgecam.api().camera()["id"], "cam");
        assert!(reserve().is_some_and(|bytes| bytes >= kept / 2), "{:?}", reserve());
    }
    edgecam.kill();
    fs::remove_file(disk.join("filler")).expect("room can be made");
    drop(edgecam.restart());
    assert_eq!(reserve(), Some(kept));
}

#[track_caller]
fn says_that_the_disk_was_full(edgecam: &EdgeCam) {
    let log = edgecam.log();
    assert!(log.contains("the disk is full: this start uses"), "{log}");
}

/// Leaves not one byte free.
fn fill(disk: &Path) {
    let filler = File::options().create(true).append(true).open(disk.join("filler"));
    let filler = filler.expect("a full disk takes an empty file");
    loop {
        let has = filler.metadata().expect("a file can be asked").len();
        let disk = statvfs(disk).expect("a disk can be asked");
        if disk.f_bavail == 0 {
            return;
        }
        let whole = has + disk.f_bavail * disk.f_frsize;
        fallocate(&filler, FallocateFlags::empty(), 0, whole).expect("there is so much room");
    }
}
