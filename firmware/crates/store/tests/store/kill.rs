//! What was answered survives `kill -9`: a real writing process, its answers in a ledger outside.
//!
//! This shows the commits of a process, not of a disk: the page cache survives the process. That
//! each commit is synchronised is shown by `synchronous=FULL` and, with the power cut of a virtual
//! machine, by the tests of the image.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use edgecam_store::EventQuery;

use crate::support::{event, open, whole};

const DIR: &str = "EDGECAM_TEST_STORE_DIR";
const CYCLES: usize = 20;

/// Not a test of its own: the process that is killed. Prints every answered event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test below"]
async fn writing_process() {
    let dir = std::env::var(DIR).unwrap();
    let (store, _threads) = open(Path::new(&dir));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = store.clone();
        writers.spawn(async move {
            loop {
                let mut events = vec![event("front", api::event::Phase::New)];
                events.resize_with(1 + writer % 3, || whole("front"));
                let ids: Vec<_> = events.iter().map(|event| event.id).collect();
                let stored = store.append_all(events).await.unwrap();
                let mut lines = String::new();
                for (stored, id) in stored.iter().zip(ids) {
                    lines += &format!("acked {} {id}\n", stored.seq);
                }
                // One write per answer: a line is whole or not there.
                print!("{lines}");
                if stored[0].seq % 4 == 0 {
                    store.ack(vec![stored[0].seq]).await.unwrap();
                }
            }
        });
    }
    writers.join_next().await;
}

/// Kills a writing process after `events` answers and `more` time; answers with its ledger.
fn cycle(dir: &Path, events: usize, more: Duration) -> BTreeMap<u64, String> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::writing_process", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut ledger = BTreeMap::new();
    let mut note = |line: &str| {
        // The test harness may have begun a line before ours.
        let Some((_, line)) = line.split_once("acked ") else { return };
        if let Some((seq, id)) = line.split_once(' ')
            && id.len() == 26
        {
            assert_eq!(ledger.insert(seq.parse().unwrap(), id.to_owned()), None, "seq given twice");
        }
    };
    for _ in 0..events {
        note(&lines.next().expect("the writer goes on").unwrap());
    }
    // The point of the kill is to be anywhere: between two commits, or inside one.
    std::thread::sleep(more);
    process.kill().unwrap();
    process.wait().unwrap();
    lines.map_while(Result::ok).for_each(|line| note(&line));
    ledger
}

#[tokio::test]
async fn nothing_that_was_answered_is_lost_by_kill_9_and_seq_has_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(2026);
    let mut ledger = BTreeMap::new();
    for _ in 0..CYCLES {
        let more = Duration::from_micros(random.u64(0..30_000));
        let one = cycle(dir.path(), random.usize(1..60), more);
        for (seq, id) in one {
            assert_eq!(ledger.insert(seq, id), None, "seq {seq} was given by two processes");
        }
    }
    let (store, threads) = open(dir.path());
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let query = EventQuery {
            after_seq: Some(after),
            limit: EventQuery::MAX_LIMIT,
            ..EventQuery::default()
        };
        let page = store.events(query).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        found.extend(page);
    }
    for (event, seq) in found.iter().zip(1..) {
        assert_eq!(event.seq, seq, "a gap");
    }
    let stored: BTreeMap<_, _> = found.iter().map(|e| (e.seq, e.id.to_string())).collect();
    let lost = ledger.iter().filter(|(seq, id)| stored.get(seq) != Some(id)).count();
    println!("{CYCLES} kills, {} answered, {} stored, {lost} lost", ledger.len(), found.len());
    assert_eq!(lost, 0);
    assert!(ledger.len() >= CYCLES);
    let status = store.outbox_status();
    assert!(status.pending > 0 && status.pending < found.len() as u64);
    threads.stop().await;
}
