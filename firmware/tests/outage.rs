//! Promise: what was stored is delivered, in order and without a gap, whatever happens to the broker
//! and to the daemon meanwhile.

// What was measured is printed.
#![allow(clippy::print_stdout)]

mod harness;

use std::path::Path;
use std::time::{Duration, Instant};

use harness::mqtt::{Broker, Subscriber};
use harness::{Need, Setup, Site, clips, ports, until};
use rusqlite::{Connection, OpenFlags};

/// How long the broker is away.
const OUTAGE: Duration = Duration::from_secs(30);
/// How far into it the daemon is killed.
const KILL_AFTER: Duration = Duration::from_secs(15);
const LONG: Duration = Duration::from_secs(30);

#[test]
fn an_announced_event_is_delivered_at_least_once_in_order_with_a_gap_free_seq_across_outage_and_kill()
 {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let setup = Setup::new();
    let mut broker = Broker::start(setup.folder(), ports::free());
    let clip = clips::car_passes(setup.folder());
    // What is streamed does not matter here.
    let setup = setup.set("media_server.enabled=false");
    let mut edgecam = setup.set(&format!("mqtt.url=mqtt://{}", broker.at)).clip(&clip).start();
    let database = edgecam.data_dir().join("events.db");
    let subscriber = Subscriber::persistent(broker.at, "edgecam/+/+/events", "the-owner");
    until("events flow", LONG, || !subscriber.events().is_empty());

    broker.stop();
    let away = Instant::now();
    let heard = subscriber.events().len();
    until("the middle of the outage", LONG, || away.elapsed() >= KILL_AFTER);
    let before_kill = stored(&database).len();
    edgecam.kill();
    let edgecam = edgecam.restart();
    until("the end of the outage", LONG, || away.elapsed() >= OUTAGE);
    let waiting = stored(&database).len();
    println!(
        "stored: {heard} before, {before_kill} at the kill, {waiting} at the end of the outage"
    );
    assert!(heard < before_kill && before_kill < waiting, "nothing happened meanwhile");
    assert_eq!(subscriber.events().len(), heard, "there is another way to the subscriber");
    broker.resume();
    let back = Instant::now();
    until("what waited is delivered", LONG, || first_deliveries(&subscriber).len() >= waiting);
    println!("delivered {} ms after the broker came back", back.elapsed().as_millis());

    drop_and_compare(edgecam, &database, &subscriber);
}

/// Ends the daemon, so that nothing is added any more; then everything stored is delivered.
fn drop_and_compare(
    mut edgecam: harness::daemon::EdgeCam,
    database: &Path,
    subscriber: &Subscriber,
) {
    edgecam.stop();
    let stored = stored(database);
    until("the last events are delivered", LONG, || {
        first_deliveries(subscriber).len() >= stored.len()
    });
    let delivered = first_deliveries(subscriber);
    let expected: Vec<_> = (1..=stored.len() as u64).collect();
    assert_eq!(stored, expected, "the store's seq has gaps");
    assert_eq!(delivered, stored, "delivered differs from stored");
    let all = subscriber.events().len();
    println!(
        "{} events stored and delivered in order; {} came twice",
        stored.len(),
        all - stored.len()
    );
}

/// `seq` of everything that the store holds, growing.
fn stored(database: &Path) -> Vec<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = Connection::open_with_flags(database, flags).expect("the store can be opened");
    let mut question = database.prepare("SELECT seq FROM events ORDER BY seq").expect("its table");
    let rows = question.query_map([], |row| row.get::<_, i64>(0)).expect("it can be read");
    rows.map(|seq| seq.expect("a number").unsigned_abs()).collect()
}

/// `seq` of every announcement in the order in which it first came.
fn first_deliveries(subscriber: &Subscriber) -> Vec<u64> {
    let mut seqs = Vec::new();
    for (_, event) in subscriber.events() {
        if !seqs.contains(&event.seq) {
            seqs.push(event.seq);
        }
    }
    seqs
}
