//! Nothing is left behind: not by a stop, not by a dropped handle, not by a killed daemon.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{HELPER, Watched, lines_of, script, supervisor, until, until_running};
use edgecam_supervise::{Phase, Restart, Stopped};
use rustix::process::Signal;

/// A script that tells its own id and that of a process it starts, and lives on.
fn family(file: &Path) -> String {
    format!("sleep 1000 & echo $$ >> '{0}'; echo $! >> '{0}'; wait", file.display())
}

/// The processes whose ids are in the file.
async fn watched(file: &Path, number: usize) -> Vec<Watched> {
    let lines = lines_of(&file.to_owned(), number).await;
    lines.iter().map(|pid| Watched::new(pid.parse().unwrap())).collect()
}

#[tokio::test]
async fn a_daemon_killed_with_9_leaves_no_child_and_no_grandchild() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let file = folder.path().join(format!("pids{round}"));
        let mut daemon = Command::new(HELPER)
            .arg("daemon")
            .args([family(&file), family(&file)])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let family = watched(&file, 4).await;
        assert!(!family.iter().any(Watched::has_ended));
        let begun = Instant::now();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        for process in &family {
            assert!(process.ends_within(Duration::from_secs(1).saturating_sub(begun.elapsed())));
        }
        println!("daemon killed to 2 children and 2 grandchildren gone: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_daemon_killed_before_its_child_was_tied_leaves_none() {
    let not_its_parent = ["run-child", "--parent", "1", "--", "sleep", "1000"];
    let output = Command::new(HELPER).args(not_its_parent).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "the parent process 1 is gone\n");
}

#[tokio::test]
async fn a_stop_leaves_nothing_of_a_family_that_will_not_go() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let supervisor = supervisor();
    let mut spec = script("stubborn", &format!("trap '' TERM; {}", family(&file)));
    spec.stop.grace = Duration::from_millis(300);
    let child = supervisor.spawn(spec);
    let family = watched(&file, 2).await;
    assert_eq!(child.stop().await, Stopped::Killed);
    assert!(family.iter().all(|p| p.ends_within(Duration::from_millis(500))));
    let status = child.status();
    assert_eq!((status.phase, status.pid, status.last_error), (Phase::Stopped, None, None));
    assert_eq!(child.stop().await, Stopped::WasNotRunning);
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_child_that_dies_takes_its_family_along() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let supervisor = supervisor();
    let child = supervisor.spawn(script("parent", &family(&file)));
    let family = watched(&file, 2).await;
    family[0].signal(Signal::KILL);
    until(&child, |s| s.restarts == 1 && s.is_running()).await;
    assert!(family[1].ends_within(Duration::from_secs(1)));
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_stopped_process_can_be_stopped() {
    let supervisor = supervisor();
    let child = supervisor.spawn(script("frozen", "exec sleep 1000"));
    let pid = until_running(&child).await.pid.unwrap();
    Watched::new(pid).signal(Signal::STOP);
    assert_eq!(child.stop().await, Stopped::Politely);
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_stops_all_children_at_the_same_time() {
    let supervisor = supervisor();
    let mut children = Vec::new();
    for n in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        let stubborn =
            format!("trap '' TERM; echo ready >> '{}'; sleep 1000 & wait", ready.display());
        let mut spec = script(&format!("stubborn{n}"), &stubborn);
        spec.stop.grace = Duration::from_millis(600);
        let child = supervisor.spawn(spec);
        lines_of(&ready, 1).await;
        children.push((Watched::new(until_running(&child).await.pid.unwrap()), child));
    }
    let begun = Instant::now();
    supervisor.shutdown().await;
    assert!(begun.elapsed() < Duration::from_millis(2_000), "{:?}", begun.elapsed());
    for (process, child) in children {
        assert!(process.has_ended());
        assert_eq!(child.status().phase, Phase::Stopped);
        // Commands that come too late are not waited for.
        child.restart(Restart::AtOnce, "too late").await;
        assert_eq!(child.stop().await, Stopped::WasNotRunning);
    }
}

#[tokio::test]
async fn a_child_whose_last_handle_is_dropped_is_stopped() {
    let supervisor = supervisor();
    let child = supervisor.spawn(script("dropped", "exec sleep 1000"));
    let process = Watched::new(until_running(&child).await.pid.unwrap());
    let mut status = child.watch();
    drop(child);
    status.wait_for(|s| s.phase == Phase::Stopped).await.unwrap();
    assert!(process.has_ended());
    supervisor.shutdown().await;
}

#[test]
fn a_runtime_that_ends_without_a_stop_leaves_none() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (process, child) = runtime.block_on(async {
        let supervisor = supervisor();
        let child = supervisor.spawn(script("abandoned", "exec sleep 1000"));
        (Watched::new(until_running(&child).await.pid.unwrap()), child)
    });
    drop(runtime);
    assert!(process.ends_within(Duration::from_secs(1)));
    drop(child);
}
