//! Children that die, hang, crash in a loop or cannot be started.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod common;

use std::time::{Duration, Instant};

use common::{Watched, lines_of, script, supervisor, until, until_running};
use edgecam_supervise::{
    BackoffPolicy, ChildHandle, Exit, Health, Phase, Restart, RestartPolicy, Stopped,
};
use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

const LIVES: &str = "exec sleep 1000";

#[tokio::test]
async fn a_killed_child_is_back_within_two_seconds() {
    let supervisor = supervisor();
    let mut spec = script("killed", LIVES);
    // A clean slate each time, as for a child that was well for some seconds.
    let policy = BackoffPolicy { settled_after: Duration::ZERO, ..BackoffPolicy::default() };
    spec.restart = RestartPolicy::Always(policy);
    let child = supervisor.spawn(spec);
    let mut before = until_running(&child).await;
    let mut times = Vec::new();
    for round in 1..=20 {
        let pid = before.pid.unwrap();
        let begun = Instant::now();
        Watched::new(pid).signal(Signal::KILL);
        before = until(&child, |s| s.is_running() && s.pid.is_some_and(|new| new != pid)).await;
        times.push(begun.elapsed());
        assert_eq!(before.restarts, round);
        assert_eq!(before.last_exit.as_ref().unwrap().exit, Exit::Signal(9));
    }
    times.sort_unstable();
    println!("kill -9 to running again: median {:?}, p95 {:?}", times[10], times[18]);
    assert!(times[18] < Duration::from_secs(2), "{times:?}");
    supervisor.shutdown().await;
}

/// Hands on each byte that the child writes to `fifo` as a heartbeat.
fn heartbeats(fifo: &std::path::Path, child: ChildHandle) -> tokio::task::JoinHandle<()> {
    // Open for writing as well, so that it does not end with the child.
    let mut pipe = pipe::OpenOptions::new().read_write(true).open_receiver(fifo).unwrap();
    tokio::spawn(async move {
        while pipe.read_u8().await.is_ok() {
            child.heartbeat();
        }
    })
}

#[tokio::test]
async fn a_child_that_hangs_is_found_and_replaced() {
    const SILENCE: Duration = Duration::from_secs(4);
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("beats");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let beating = format!("while printf .; do sleep 0.05; done > '{}'", fifo.display());
    let supervisor = supervisor();
    let mut spec = script("hangs", &beating);
    spec.health = Health::Heartbeat { start_within: Duration::from_secs(15), every: SILENCE };
    let child = supervisor.spawn(spec);
    let reader = heartbeats(&fifo, child.clone());
    let pid = until_running(&child).await.pid.unwrap();

    let begun = Instant::now();
    Watched::new(pid).signal(Signal::STOP);
    until(&child, |s| s.pid != Some(pid)).await;
    let found = begun.elapsed();
    let status = until(&child, |s| s.is_running() && s.pid.is_some_and(|new| new != pid)).await;
    println!("SIGSTOP to killed {found:?}, to running again {:?}", begun.elapsed());
    assert!(found > SILENCE - Duration::from_millis(200) && found < Duration::from_secs(5));
    assert!(begun.elapsed() < Duration::from_secs(6));
    let last = status.last_exit.unwrap();
    assert_eq!(last.exit, Exit::Signal(9));
    assert_eq!(last.reason.as_deref(), Some("no sign of life for 4.0 s"));
    assert_eq!((status.restarts, status.last_error), (1, None));
    reader.abort();
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_child_that_never_gets_ready_is_replaced_with_the_reason() {
    let supervisor = supervisor();
    let mut spec = script("lazy", LIVES);
    let start_within = Duration::from_millis(300);
    spec.health = Health::Heartbeat { start_within, every: Duration::from_secs(5) };
    let child = supervisor.spawn(spec);
    let status = until(&child, |s| s.last_exit.is_some()).await;
    assert_eq!(status.last_error.unwrap(), "not ready 0.3 s after its start: killed");
    // A heartbeat that was meant for the process before does not count.
    let status = until(&child, |s| s.pid.is_some()).await;
    child.heartbeat_of(status.pid.unwrap() + 1);
    assert_eq!(child.status().phase, Phase::Starting);
    child.heartbeat_of(status.pid.unwrap());
    until_running(&child).await;
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_child_that_crashes_at_every_start_does_not_keep_the_machine_busy() {
    let supervisor = supervisor();
    let begun = Instant::now();
    let child = supervisor.spawn(script("crashes", "echo 'no such camera' >&2; exit 3"));
    let status = until(&child, |s| s.restarts == 3).await;
    // At once, then at least 0.5 s, then at least 1 s.
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "{:?}", begun.elapsed());
    let error = status.last_error.unwrap();
    assert!(error.starts_with("exited with code 3 after 0."), "{error}");
    assert!(error.ends_with(" s: no such camera"), "{error}");
    assert!(matches!(until(&child, |s| s.pid.is_none()).await.phase, Phase::BackingOff { .. }));
    assert_eq!(child.stop().await, Stopped::WasNotRunning);
    assert_eq!(child.status().phase, Phase::Stopped);
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_missing_program_is_told_and_used_once_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let supervisor = supervisor();
    let mut spec = edgecam_supervise::ChildSpec::new("missing", &program);
    let hopeless = Duration::from_millis(100);
    spec.restart = RestartPolicy::Always(BackoffPolicy { hopeless, ..BackoffPolicy::default() });
    let child = supervisor.spawn(spec);
    let status = until(&child, |s| matches!(s.phase, Phase::Failed { .. })).await;
    let error = status.last_error.unwrap();
    assert!(error.contains("program does not exist: install it or set its path"), "{error}");
    assert_eq!((status.pid, status.restarts), (None, 0));

    std::fs::write(&program, "not a program").unwrap();
    let executable = "must be a file with the execute permission";
    until(&child, |s| s.last_error.as_deref().is_some_and(|e| e.contains(executable))).await;

    // A link instead of a copy: a file that is being written cannot be executed.
    std::fs::remove_file(&program).unwrap();
    std::os::unix::fs::symlink("/bin/cat", &program).unwrap();
    until(&child, |s| s.last_exit.is_some()).await;
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_executed_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::write(&program, "#!/no/such/interpreter\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let supervisor = supervisor();
    let child = supervisor.spawn(edgecam_supervise::ChildSpec::new("nonsense", &program));
    let status = until(&child, |s| s.last_exit.is_some()).await;
    assert_eq!(status.last_exit.unwrap().exit, Exit::Code(125));
    let error = status.last_error.unwrap();
    assert!(error.contains(": executing ") && error.ends_with(" (os error 2)"), "{error}");
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_child_that_has_done_its_work_is_left_alone() {
    let supervisor = supervisor();
    let mut spec = script("done", "exit 0");
    spec.restart = RestartPolicy::OnFailure(BackoffPolicy::default());
    let child = supervisor.spawn(spec);
    let status = until(&child, |s| s.phase == Phase::Stopped).await;
    assert_eq!((status.last_exit.unwrap().exit, status.restarts), (Exit::Code(0), 0));
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_child_is_restarted_and_replaced_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let says = |word| format!("echo {word} >> '{}'; exec sleep 1000", said.display());
    let supervisor = supervisor();
    let child = supervisor.spawn(script("asked", &says("one")));
    lines_of(&said, 1).await;
    child.restart(Restart::Politely, "new settings").await;
    lines_of(&said, 2).await;
    let status = until(&child, |s| s.is_running() && s.restarts == 1).await;
    let last = status.last_exit.unwrap();
    assert_eq!(last.to_string(), "killed by SIGTERM (new settings)");
    child.replace(script("other", &says("two")), Restart::AtOnce, "new program").await;
    assert_eq!(lines_of(&said, 3).await, ["one", "one", "two"]);
    assert_eq!(until_running(&child).await.name, "asked");
    assert_eq!(child.stop().await, Stopped::Politely);
    child.restart(Restart::Politely, "wanted again").await;
    until_running(&child).await;
    supervisor.shutdown().await;
}
