//! Promise: where the service manager offers units, camera and media server run in them, as other users;
//! a camera has neither the secrets nor the link's file, and dies and comes back as it does elsewhere.
//!
//! The units are started by systemd's own `systemd-socket-activate`, as the image's sockets start them.

mod harness;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::daemon::EdgeCam;
use harness::{Need, Setup, Site, site, until, until_some};

const LONG: Duration = Duration::from_secs(30);
const ACTIVATE: &str = "systemd-socket-activate";
/// A user without any right: `nobody`.
const NOBODY: u32 = 65534;

/// A socket that starts a unit per connection. Ended at the end.
struct Unit(Child);

impl Unit {
    /// The unit `name` in `folder`, which `runner` (a daemon's program) makes `program` as `user`.
    fn offer(folder: &Path, name: &str, user: u32, [runner, program]: [&Path; 2]) -> Self {
        let own = folder.join(name);
        fs::create_dir_all(&own).expect("a folder can be made");
        chown(&own, None, Some(user)).expect("a folder can be given away");
        fs::set_permissions(&own, Permissions::from_mode(0o2750)).expect("it can be shared");
        let socket = own.join("start.sock");
        let mut command = Command::new(ACTIVATE);
        command.args(["--accept", "--seqpacket", "--inetd", "-l"]).arg(&socket);
        let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
        command.args(["setpriv", &user, &group, "--clear-groups", "--"]);
        // A unit has little of its own.
        command.args(["env", "-i", "PATH=/usr/bin:/bin", "HOME=/", "GSETTINGS_BACKEND=memory"]);
        command.arg(runner).args(["run-child", "--keep"]).arg(program);
        let child = command.stderr(Stdio::null()).spawn().expect("systemd's tool runs");
        until("the unit's socket is there", LONG, || socket.exists());
        Self(child)
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn why_not() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can run programs as other users".to_owned());
    }
    let missing = [ACTIVATE, "setpriv"].into_iter().find(|name| site::which(name).is_none());
    missing.map(|name| format!("there is no {name}"))
}

/// The user that the process `pid` is.
fn user_of(pid: u64) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("a user");
    line.split_whitespace().next().and_then(|id| id.parse().ok()).expect("a number")
}

fn camera_pid(edgecam: &EdgeCam) -> Option<u64> {
    let camera = edgecam.api().camera();
    camera["pid"].as_u64().filter(|_| camera["phase"] == "running")
}

#[test]
fn a_camera_in_a_unit_is_another_user_without_secrets_and_streams_all_the_same() {
    let Some(_site) = Site::with(&[Need::MediaServer]) else { return };
    if let Some(why) = why_not() {
        return site::skip(&why);
    }
    let setup = Setup::new().set("mqtt.enabled=false");
    fs::set_permissions(setup.folder(), Permissions::from_mode(0o711)).expect("it can be entered");
    let folder = setup.folder().join("units");
    let [daemon, camera] = ["edgecamd", "edgecam-camera"].map(|name| {
        // Other users may not look where they were built.
        let copy = setup.folder().join(name);
        fs::copy(site::daemon_program().with_file_name(name), &copy)
            .expect("programs can be copied");
        copy
    });
    let media_server: PathBuf = site::media_server().clone().expect("it was needed");
    let _units = [
        Unit::offer(&folder, "camera", NOBODY, [&daemon, &camera]),
        Unit::offer(&folder, "mediamtx", 0, [&daemon, &media_server]),
    ];
    let edgecam = setup.env("EDGECAM_UNITS", &folder).stream();
    let (pid, _) = until_some("the camera runs", LONG, || camera_pid(&edgecam));
    assert_eq!((user_of(pid), user_of(edgecam.pid().into())), (NOBODY, 0));
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("it lives");
    let environment = String::from_utf8_lossy(&environment);
    assert!(!environment.contains("EDGECAM__") && !environment.contains("HOME=/root"));
    let system = edgecam.api().get("/api/v1/system").json();
    assert_eq!(system["children"]["camera-cam"]["pid"], pid, "the real process is told");
    assert!(system["children"]["mediamtx"]["memory_bytes"].as_u64() > Some(1 << 20));

    let number = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(number.expect("a process"), rustix::process::Signal::KILL)
        .expect("it can be killed");
    let back = || camera_pid(&edgecam).filter(|new| *new != pid);
    let (new, after) = until_some("the camera is back", LONG, back);
    println!("kill -9 of a camera in a unit to running again: {after:?}");
    drop(edgecam);
    until("its camera is gone with the daemon", LONG, || {
        !Path::new(&format!("/proc/{new}")).exists()
    });
}
