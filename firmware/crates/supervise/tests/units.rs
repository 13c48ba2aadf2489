//! Children in units of their own, started over a socket as systemd does it, by its own
//! `systemd-socket-activate` (which needs no running systemd).
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so by name")]

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{HELPER, PATIENCE, Watched, lines_of, script, supervisor, until, until_running};
use edgecam_supervise::{ChildSpec, Exit, RestartPolicy, Stopped, Supervisor};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ACTIVATE: &str = "systemd-socket-activate";

/// The service manager's part: it starts a keeper of `sh` per connection. Killed at the end.
struct Units {
    activate: Child,
    folder: tempfile::TempDir,
}

impl Units {
    /// `None`, said by the name of the test, where there is no systemd.
    fn of(name: &str, program: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("start.sock");
        let mut command = Command::new(ACTIVATE);
        command.args(["--accept", "--seqpacket", "--inetd", "-l"]).arg(&socket);
        command.args([HELPER, "run-child", "--keep", program]).stderr(Stdio::null());
        let Ok(activate) = command.spawn() else {
            drop(writeln!(std::io::stderr(), "skipped: {name}: there is no {ACTIVATE}"));
            return None;
        };
        let begun = Instant::now();
        while !socket.exists() {
            assert!(begun.elapsed() < PATIENCE, "no socket");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(Self { activate, folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, text: &str) -> ChildSpec {
        ChildSpec { unit: Some(self.path("start.sock")), ..script("unit", text) }
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let _ = self.activate.kill();
        let _ = self.activate.wait();
    }
}

/// The process that keeps the child `pid`.
fn keeper_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_unit_runs_its_own_program_as_it_is_told() {
    let Some(units) = Units::of("a_unit_runs_its_own_program_as_it_is_told", "sh") else { return };
    let out = units.path("out");
    let mut spec = units.script(
        "{ echo $1 $GIVEN; ulimit -c; cat /proc/self/oom_score_adj; pwd; cat; } > \"$OUT\"",
    );
    // The unit knows its program: this one does not even exist.
    spec.program = "/nonexistent".into();
    spec = spec.args(["sh", "two words"]);
    spec.env = vec![("OUT".into(), out.clone().into()), ("GIVEN".into(), "x".into())];
    spec.limits.oom_score_adj = Some(300);
    spec.cwd = Some("/".into());
    let input = units.path("input.sock");
    let listener = UnixListener::bind(&input).unwrap();
    spec.input = Some(input);
    spec.restart = RestartPolicy::Never;
    let supervisor = supervisor();
    let child = supervisor.spawn(spec);
    let (mut stream, _) =
        tokio::task::spawn_blocking(move || listener.accept().unwrap()).await.unwrap();
    stream.write_all(b"over the link\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let ended = until(&child, |s| s.last_exit.is_some()).await;
    assert_eq!(ended.last_exit.unwrap().exit, Exit::Code(0));
    assert_eq!(lines_of(&out, 5).await, ["two words x", "0", "300", "/", "over the link"]);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "nobody else holds it");
    supervisor.shutdown().await;
}

#[tokio::test]
async fn the_end_of_a_child_in_a_unit_is_told_as_that_of_one_beside_and_it_is_back() {
    let name = "the_end_of_a_child_in_a_unit_is_told_as_that_of_one_beside_and_it_is_back";
    let Some(units) = Units::of(name, "sh") else { return };
    let supervisor = supervisor();
    let failing = supervisor.spawn(ChildSpec {
        restart: RestartPolicy::Never,
        ..units.script("echo 'no such device' >&2; exit 7")
    });
    let ended = until(&failing, |s| s.last_exit.is_some()).await;
    assert_eq!(ended.last_exit.unwrap().exit, Exit::Code(7));
    assert!(ended.last_error.unwrap().ends_with("no such device"), "its log is read");

    let lives = supervisor.spawn(units.script("exec sleep 1000"));
    let pid = until_running(&lives).await.pid.unwrap();
    Watched::new(pid).signal(Signal::SEGV);
    let back = until(&lives, |s| s.is_running() && s.pid.is_some_and(|new| new != pid)).await;
    assert_eq!(back.last_exit.unwrap().exit, Exit::Signal(11));
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_child_in_a_unit_is_asked_to_end_and_killed_with_all_it_started_when_it_does_not() {
    let name = "a_child_in_a_unit_is_asked_to_end_and_killed_with_all_it_started_when_it_does_not";
    let Some(units) = Units::of(name, "sh") else { return };
    let supervisor = supervisor();
    let polite = supervisor.spawn(units.script("trap 'exit 0' TERM; while :; do sleep 0.05; done"));
    until_running(&polite).await;
    assert_eq!(polite.stop().await, Stopped::Politely);

    let file = units.path("pids");
    let mut spec =
        units.script("trap '' TERM; sleep 1000 & echo $! > \"$OUT\"; while :; do wait; done");
    spec.env = vec![("OUT".into(), file.clone().into())];
    spec.stop.grace = Duration::from_millis(200);
    let deaf = supervisor.spawn(spec);
    let pid = until_running(&deaf).await.pid.unwrap();
    let grandchild = Watched::new(lines_of(&file, 1).await[0].parse().unwrap());
    let watched = Watched::new(pid);
    assert_eq!(deaf.stop().await, Stopped::Killed);
    assert!(watched.ends_within(PATIENCE) && grandchild.ends_within(PATIENCE));
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_child_in_a_unit_dies_with_the_daemon_and_with_its_keeper() {
    let name = "a_child_in_a_unit_dies_with_the_daemon_and_with_its_keeper";
    let Some(units) = Units::of(name, "sh") else { return };
    let supervisor = supervisor();
    let child = supervisor.spawn(units.script("exec sleep 1000"));
    let pid = until_running(&child).await.pid.unwrap();
    let first = Watched::new(pid);
    Watched::new(keeper_of(pid)).signal(Signal::KILL);
    assert!(first.ends_within(PATIENCE), "it outlives its keeper");
    let back = until(&child, |s| s.is_running() && s.pid.is_some_and(|new| new != pid)).await;
    assert_eq!(back.last_exit.unwrap().exit, Exit::Unknown);
    supervisor.shutdown().await;

    let mut daemon = Command::new(HELPER);
    let out = units.path("daemon");
    daemon.arg("daemon-of-unit").arg(units.path("start.sock"));
    daemon.arg(format!("echo $$ > '{}'; exec sleep 1000", out.display()));
    let mut daemon = daemon.spawn().unwrap();
    let child = Watched::new(lines_of(&out, 1).await[0].parse().unwrap());
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(child.ends_within(PATIENCE), "it outlives the daemon");
}

/// What the status says of a child that cannot be started.
async fn complaint(supervisor: &Supervisor, spec: ChildSpec) -> String {
    let child = supervisor.spawn(spec);
    until(&child, |s| s.last_error.is_some()).await.last_error.unwrap()
}

#[tokio::test]
async fn a_unit_that_does_not_start_is_told_in_words() {
    let name = "a_unit_that_does_not_start_is_told_in_words";
    let Some(units) = Units::of(name, "/nonexistent/program") else { return };
    let supervisor = supervisor();
    let said = complaint(&supervisor, units.script("true")).await;
    assert!(said.contains("executing /nonexistent/program"), "{said}");
    let mut away = units.script("true");
    away.unit = Some("/nonexistent/start.sock".into());
    let said = complaint(&supervisor, away).await;
    assert!(said.starts_with("starting the unit behind /nonexistent/start.sock: "), "{said}");
    let mut deaf = units.script("true");
    deaf.input = Some(Path::new("/nonexistent/link.sock").into());
    let said = complaint(&supervisor, deaf).await;
    assert!(said.starts_with("connecting the child to /nonexistent/link.sock: "), "{said}");
    supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_in_a_unit_is_talked_to_and_killed_when_nobody_wants_it() {
    let name = "a_worker_in_a_unit_is_talked_to_and_killed_when_nobody_wants_it";
    let Some(units) = Units::of(name, "sh") else { return };
    let supervisor = supervisor();
    let mut worker =
        supervisor.work(&units.script("read word; echo \"$word back\"")).await.unwrap();
    let (mut input, mut output) = worker.take_pipes().unwrap();
    input.write_all(b"there and\n").await.unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "there and back\n");
    assert_eq!(worker.ended().await.exit, Exit::Code(0));

    let file = units.path("pid");
    let mut spec = units.script("echo $$ > \"$OUT\"; exec sleep 1000");
    spec.env = vec![("OUT".into(), file.clone().into())];
    let unwanted = supervisor.work(&spec).await.unwrap();
    let watched = Watched::new(lines_of(&file, 1).await[0].parse().unwrap());
    drop(unwanted);
    assert!(watched.ends_within(PATIENCE));
    supervisor.shutdown().await;
}
