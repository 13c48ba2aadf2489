//! Processes that are given one thing to do.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod common;

use common::{PATIENCE, Watched, script, supervisor};
use edgecam_supervise::{ChildSpec, Exit, SuperviseError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_worker_is_talked_to_and_tells_how_it_ended() {
    let supervisor = supervisor();
    let spec = script("echo", "read word; echo \"$word twice\"; echo it hurts >&2; exit 3");
    let mut worker = supervisor.work(&spec).await.unwrap();
    let (mut input, mut output) = worker.take_pipes().unwrap();
    assert!(worker.take_pipes().is_none());
    input.write_all(b"hello\n").await.unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "hello twice\n");
    let ended = worker.ended().await;
    assert_eq!((ended.exit, ended.last_words.as_deref()), (Exit::Code(3), Some("it hurts")));
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_nobody_waits_for_is_killed_with_all_that_it_started() {
    let supervisor = supervisor();
    for stop in [false, true] {
        let spec = script("stubborn", "trap '' TERM; sleep 1000 & echo $! $$; wait");
        let mut worker = supervisor.work(&spec).await.unwrap();
        let (_input, mut output) = worker.take_pipes().unwrap();
        let (mut said, mut byte) = (String::new(), [0]);
        while !said.ends_with('\n') {
            output.read_exact(&mut byte).await.unwrap();
            said.push(byte[0].into());
        }
        let all: Vec<_> =
            said.split_whitespace().map(|pid| Watched::new(pid.parse().unwrap())).collect();
        if stop {
            supervisor.shutdown().await;
        }
        drop(worker);
        for process in &all {
            let gone = async {
                while !process.has_ended() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, gone).await.expect("it is killed");
        }
    }
}

#[tokio::test]
async fn a_worker_without_a_program_is_none() {
    let supervisor = supervisor();
    let none = supervisor.work(&ChildSpec::new("none", "/nowhere/none")).await;
    assert!(matches!(none, Err(SuperviseError::ProgramMissing { .. })), "{none:?}");
    supervisor.shutdown().await;
}
