//! Promise: what was tracked is kept, and tells again what was announced, whatever rules are tried.

// What was measured is printed.
#![allow(clippy::print_stdout)]

mod harness;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use api::event::EventType;
use harness::{Need, Setup, Site, clips, until};
use rusqlite::{Connection, OpenFlags};
use rustix::process::Signal;

/// A car passes every 3.5 s, and a batch goes out when it has left or after ten seconds.
const LONG: Duration = Duration::from_secs(90);
/// Across the way of the car, which goes up the picture, where it is seen best.
const GATE: [&str; 2] =
    ["cameras.cam.lines.gate.from=[0.0, 0.15]", "cameras.cam.lines.gate.to=[1.0, 0.15]"];
/// The same gate, for dogs.
const FOR_DOGS: &str = "
[cameras.cam.lines.gate]
from = [0.0, 0.15]
to = [1.0, 0.15]
labels = [\"dog\"]
";

fn count(data: &Path, sql: &str) -> u32 {
    let file = data.join("events.db");
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY);
    connection.and_then(|c| c.query_row(sql, [], |row| row.get(0))).unwrap_or(0)
}

#[test]
fn a_backtest_finds_the_crossings_that_were_announced_and_says_why_others_would_be_gone() {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let setup = GATE.iter().fold(Setup::new(), |setup, line| setup.set(line));
    let clip = clips::car_passes(setup.folder());
    let mut edgecam = setup.clip(&clip).start();
    let subscriber = edgecam.subscriber();
    let crossings = || {
        let events = subscriber.events();
        events.iter().filter(|(_, event)| event.event_type == EventType::LineCrossed).count()
    };
    until("some cars have passed", LONG, || crossings() >= 3);
    assert!(edgecam.stop().success());
    let announced =
        count(edgecam.data_dir(), "SELECT count(*) FROM events WHERE event_type = 'line_crossed'");

    let with = edgecam.folder().join("dogs.toml");
    std::fs::write(&with, FOR_DOGS).expect("a file of our own");
    let mut backtest = Command::new(env!("CARGO_BIN_EXE_edgecamd"));
    backtest.args(["backtest", "--hours", "1", "--with"]).arg(&with);
    for setting in GATE {
        backtest.args(["--set", setting]);
    }
    backtest.arg("--set").arg(format!("data.dir={}", edgecam.data_dir().display()));
    let output = backtest.output().expect("edgecamd runs");
    assert!(output.status.success(), "{output:?}");
    let report = String::from_utf8(output.stdout).expect("text");
    println!("{report}");
    let changes: Vec<&str> = report.lines().filter(|line| line.starts_with("- ")).collect();
    assert_eq!(changes.len(), announced as usize, "{report}");
    assert!(changes.iter().all(|line| line.ends_with("(Label)")), "{report}");
    assert!(report.contains("before, 0 after"), "{report}");
}

#[test]
fn what_was_stored_outlives_a_killed_camera_process_and_its_successor_goes_on() {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let setup = Setup::new();
    let clip = clips::car_passes(setup.folder());
    let edgecam = setup.clip(&clip).start();
    let rows = || count(edgecam.data_dir(), "SELECT count(*) FROM track_stretches");
    let sessions = || count(edgecam.data_dir(), "SELECT count(*) FROM track_sessions");
    until("something that was tracked is stored", LONG, || rows() > 0);
    let before = rows();
    edgecam.child("edgecam-camera").signal(Signal::KILL);
    until("the next process has tracked something", LONG, || sessions() == 2);
    assert!(rows() > before);
}
