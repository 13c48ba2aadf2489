//! Two firmwares that share a data folder: the one before an update, and the one after it.

use std::io::Write as _;
use std::path::Path;

use api::event::{Event, EventType, Kind, Phase, Severity, Timing, Zones};
use base::error::Kind as _;
use tempfile::TempDir;
use ulid::Ulid;

use super::*;
use crate::types::{
    EventQuery, HookNote, NewEvent, NewTracks, OutboxPolicy, StoreOptions, TrackLimits,
};
use crate::{Store, StoreHandle, StoreThreads};

const SIX: &str = "ALTER TABLE events ADD COLUMN colour TEXT;
                   CREATE TABLE faces (id TEXT PRIMARY KEY) STRICT;";

/// Migrations of the firmware after the update.
fn newer() -> Vec<&'static str> {
    [MIGRATIONS, &[SIX]].concat()
}

fn options(dir: &Path) -> StoreOptions {
    StoreOptions {
        dir: dir.to_owned(),
        node: "ec-test".to_owned(),
        events_max: 100_000,
        outbox: OutboxPolicy::Keep { max_events: 100_000 },
        tracks: TrackLimits { max_bytes: 1 << 20, max_age: Duration::from_secs(86_400) },
    }
}

fn start(dir: &TempDir, migrations: &[&str]) -> (StoreHandle, StoreThreads) {
    Store::open_as(options(dir.path()), migrations).unwrap().spawn().unwrap()
}

fn event(phase: Phase) -> NewEvent {
    let now = jiff::Timestamp::from_millisecond(base::clock::wall().as_millisecond()).unwrap();
    NewEvent {
        id: Ulid::generate(),
        phase,
        event_type: EventType::ObjectEnd,
        kind: Kind::Object,
        severity: Severity::Detection,
        camera: Some("front".to_owned()),
        ts: now,
        start_ts: now,
        end_ts: (phase == Phase::End).then_some(now),
        object: None,
        zones: Zones::default(),
        line: None,
        governor: None,
        crowding: None,
        input: None,
        end_reason: None,
        model: None,
        timing: Timing::default(),
    }
}

async fn append(store: &StoreHandle, count: usize) -> Vec<u64> {
    let stored = store.append_all(vec![event(Phase::End); count]).await.unwrap();
    stored.iter().map(|stored| stored.seq).collect()
}

async fn waiting(store: &StoreHandle) -> Vec<u64> {
    let rows = store.outbox_after(0, 1000).await.unwrap();
    rows.iter().map(|row| row.event.seq).collect()
}

async fn all(store: &StoreHandle) -> Vec<Event> {
    store.events(EventQuery { limit: 1000, ..EventQuery::default() }).await.unwrap()
}

async fn seqs(store: &StoreHandle) -> Vec<u64> {
    all(store).await.iter().map(|event| event.seq).collect()
}

fn names(dir: &TempDir) -> Vec<String> {
    let found = there(dir.path()).unwrap().into_iter();
    found.map(|(_, path)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Makes an announcement one that only the newer firmware can read.
fn make_unreadable(dir: &TempDir, file: &str, seq: u64) {
    let sql = "UPDATE events SET body = replace(body, 'object_end', 'face_seen') WHERE seq = ?1";
    let connection = Connection::open(dir.path().join(file)).unwrap();
    assert_eq!(connection.execute(sql, [to_column(seq)]).unwrap(), 1);
}

#[test]
fn each_schema_has_a_file_of_its_own() {
    for (schema, name) in [(5, "events.db"), (6, "events-6.db"), (12, "events-12.db")] {
        assert_eq!((file_name(schema).as_str(), schema_of(name)), (name, Some(schema)));
    }
    for name in ["events-5.db", "events-06.db", "events-6.db-wal", "events-6.db.new", "a.db"] {
        assert_eq!(schema_of(name), None, "{name}");
    }
}

#[test]
fn every_schema_from_now_on_has_what_other_firmwares_read() {
    for known in UNNUMBERED..=MIGRATIONS.len() {
        let mut database = Connection::open_in_memory().unwrap();
        migrate(&mut database, Path::new(":memory:"), &MIGRATIONS[..known]).unwrap();
        let other = Other(database);
        other.events_after(0, 0, |_| Ok(())).unwrap();
        assert!(!other.has("events", 1).unwrap() && !other.has("outbox", 1).unwrap());
        assert_eq!(other.cursors().unwrap(), []);
        let columns =
            "SELECT count(*) FROM pragma_table_info('audit') WHERE name IN ('seq', 'body')";
        assert_eq!(numbers(&other.0, columns, []).unwrap(), [2]);
        for name in ["last_seq", "dropped_total"] {
            let sql = "SELECT value FROM counters WHERE name = ?1";
            assert_eq!(numbers(&other.0, sql, [name]).unwrap(), [0]);
        }
    }
}

#[tokio::test]
async fn an_update_migrates_a_copy_and_the_older_file_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (old, threads) = start(&dir, MIGRATIONS);
    append(&old, 3).await;
    threads.stop().await;
    drop(old);
    let before = fs::read(dir.path().join("events.db")).unwrap();
    let (new, threads) = start(&dir, &newer());
    assert_eq!((seqs(&new).await, waiting(&new).await), (vec![1, 2, 3], vec![1, 2, 3]));
    assert_eq!(append(&new, 1).await, [4]);
    threads.stop().await;
    assert_eq!(names(&dir), ["events-6.db", "events.db"]);
    assert_eq!(fs::read(dir.path().join("events.db")).unwrap(), before);
}

#[tokio::test]
async fn after_a_fallback_nothing_that_was_acknowledged_is_lost_or_numbered_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (old, threads) = start(&dir, MIGRATIONS);
    append(&old, 4).await;
    old.ack(vec![1]).await.unwrap();
    threads.stop().await;
    let (new, threads) = start(&dir, &newer());
    let opened = event(Phase::New);
    new.append_all(vec![opened.clone(), event(Phase::End)]).await.unwrap();
    new.ack(vec![2, 3, 5]).await.unwrap();
    threads.stop().await;

    let (old, threads) = start(&dir, MIGRATIONS);
    assert_eq!(seqs(&old).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(waiting(&old).await, [4, 6], "what the other delivered is not sent again");
    let open: Vec<_> = old.open_events(None).await.unwrap().iter().map(|one| one.id).collect();
    assert_eq!(open, [opened.id]);
    assert_eq!(append(&old, 1).await, [7]);
    old.ack(vec![4]).await.unwrap();
    threads.stop().await;

    // The update is tried again, and does better.
    let (new, threads) = start(&dir, &newer());
    assert_eq!((seqs(&new).await.len(), waiting(&new).await), (7, vec![6, 7]));
    assert_eq!(append(&new, 1).await, [8]);
    threads.stop().await;
}

#[tokio::test]
async fn what_the_older_firmware_cannot_read_waits_for_the_one_that_can() {
    let dir = tempfile::tempdir().unwrap();
    start(&dir, MIGRATIONS).1.stop().await;
    let (new, threads) = start(&dir, &newer());
    append(&new, 3).await;
    threads.stop().await;
    make_unreadable(&dir, "events-6.db", 2);

    let (old, threads) = start(&dir, MIGRATIONS);
    assert_eq!((seqs(&old).await, waiting(&old).await), (vec![1, 3], vec![1, 3]));
    let hook = Ulid::generate();
    assert_eq!(append(&old, 1).await, [4]);
    old.ack(vec![1, 3]).await.unwrap();
    old.note_hooks(vec![HookNote::Cursor { hook, seq: 4 }]).await.unwrap();
    threads.stop().await;

    // The newer one, once it is back, still has it to send, over MQTT and to webhooks.
    let path = prepare(dir.path(), &newer()).unwrap();
    let mut own = Connection::open(&path).unwrap();
    take_over(&mut own, &path, 6).unwrap();
    assert_eq!(numbers(&own, "SELECT seq FROM outbox ORDER BY seq", []).unwrap(), [2, 4]);
    let cursors = "SELECT seq FROM webhook_cursors WHERE hook = ?1";
    assert_eq!(numbers(&own, cursors, [hook.to_string()]).unwrap(), [1]);
}

#[tokio::test]
async fn an_older_firmware_whose_file_is_gone_goes_on_from_the_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    let (new, threads) = start(&dir, &newer());
    append(&new, 3).await;
    new.ack(vec![1]).await.unwrap();
    threads.stop().await;
    let (old, threads) = start(&dir, MIGRATIONS);
    assert_eq!((seqs(&old).await, waiting(&old).await), (vec![1, 2, 3], vec![2, 3]));
    assert_eq!(append(&old, 1).await, [4]);
    threads.stop().await;
}

#[tokio::test]
async fn a_copy_that_was_cut_off_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (old, threads) = start(&dir, MIGRATIONS);
    append(&old, 3).await;
    threads.stop().await;
    // Each thing that a power cut may leave, and the log of a file that is no more.
    for left in ["events-6.db.new", "events-6.db.new-journal", "events-6.db-wal"] {
        fs::write(dir.path().join(left), "half of a copy ".repeat(1000)).unwrap();
    }
    let (new, threads) = start(&dir, &newer());
    assert_eq!(seqs(&new).await, [1, 2, 3]);
    threads.stop().await;
    assert!(!dir.path().join("events-6.db.new").exists());
}

#[tokio::test]
async fn without_room_for_a_copy_what_waits_is_taken_along_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (old, threads) = start(&dir, MIGRATIONS);
    append(&old, 3).await;
    old.ack(vec![1, 2]).await.unwrap();
    threads.stop().await;
    let (older, own) = (dir.path().join("events.db"), dir.path().join("events-6.db"));
    let full = |_: &Path, new: &Path| {
        fs::write(new, "what there was room for").unwrap();
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
        Err(StoreError::sqlite(new, "copying", rusqlite::Error::SqliteFailure(code, None)))
    };
    let refused = make(&older, &own, &newer(), full).unwrap_err();
    assert!(matches!(refused, StoreError::DiskFull { .. }));
    assert!(
        !own.exists() && !dir.path().join("events-6.db.new").exists(),
        "the room is free again"
    );
    make(&older, &own, &newer(), |_, _| Ok(())).unwrap();
    let (new, threads) = start(&dir, &newer());
    assert_eq!((seqs(&new).await, waiting(&new).await), (vec![1, 2, 3], vec![3]));
    threads.stop().await;
}

const DIR: &str = "EDGECAM_TEST_MOUNT_DIR";

#[test]
fn on_a_card_that_is_full_the_update_takes_along_what_waits_or_leaves_the_older_file_whole() {
    // In mounts of its own, which go with it.
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=8m none \"$1\" && exec \"$2\" --exact versions::tests::full_card \
                  --ignored --nocapture";
    let this = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", script, "sh"]).arg(dir.path()).arg(this);
    let output = command.env(DIR, dir.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if !said.contains("running 1 test") {
        let left_out = "skipped: on_a_card_that_is_full: mounting is not allowed here (needs root)";
        drop(writeln!(io::stderr(), "{left_out}"));
        return;
    }
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "started by the test above, in mounts of its own"]
async fn full_card() {
    let dir = PathBuf::from(std::env::var(DIR).unwrap());
    let options = || StoreOptions {
        tracks: TrackLimits { max_bytes: 8 << 20, max_age: Duration::from_secs(86_400) },
        ..options(&dir)
    };
    let (old, threads) = Store::open(options()).unwrap().spawn().unwrap();
    let (from, to) = (base::clock::wall(), base::clock::wall());
    let (session, camera, labels) = (Ulid::generate(), "front".to_owned(), vec![]);
    for _ in 0..5 {
        let body = vec![7; 400_000];
        let (camera, labels) = (camera.clone(), labels.clone());
        old.append_tracks(NewTracks { session, camera, labels, from, to, body }).await.unwrap();
    }
    append(&old, 20).await;
    old.ack((1..=15).collect()).await.unwrap();
    threads.stop().await;
    drop(old);

    // Less room is left than the tracks take.
    let mut filler = File::create(dir.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    filler.set_len(filler.metadata().unwrap().len() - (1 << 20)).unwrap();
    let (new, threads) = Store::open_as(options(), &newer()).unwrap().spawn().unwrap();
    assert_eq!(waiting(&new).await, (16..=20).collect::<Vec<_>>());
    assert_eq!(seqs(&new).await.len(), 20, "tracks had no room, announcements had");
    threads.stop().await;

    drop(new);

    // And with no room at all.
    for name in ["events-6.db", "events-6.db-wal", "events-6.db-shm"] {
        let _ = fs::remove_file(dir.join(name));
    }
    let whole = fs::read(dir.join("events.db")).unwrap();
    let mut more = File::create(dir.join("more")).unwrap();
    while more.write_all(&[0; 4096]).is_ok() {}
    let error = Store::open_as(options(), &newer()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    // Open, it would keep its room.
    drop(more);
    fs::remove_file(dir.join("more")).unwrap();
    assert_eq!(fs::read(dir.join("events.db")).unwrap(), whole);
    let (old, threads) = Store::open(options()).unwrap().spawn().unwrap();
    assert_eq!(waiting(&old).await.len(), 5);
    threads.stop().await;
}

#[tokio::test]
async fn another_firmware_s_damaged_file_stops_nothing_and_no_number_is_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (old, threads) = start(&dir, MIGRATIONS);
    append(&old, 2).await;
    threads.stop().await;
    let (new, threads) = start(&dir, &newer());
    append(&new, 5).await;
    threads.stop().await;
    let newest = Connection::open(dir.path().join("events-6.db")).unwrap();
    newest.execute_batch("DROP TABLE outbox").unwrap();
    drop(newest);
    let (old, threads) = start(&dir, MIGRATIONS);
    assert_eq!(seqs(&old).await, [1, 2]);
    assert_eq!(append(&old, 1).await, [8]);
    threads.stop().await;
    fs::write(dir.path().join("events-6.db"), "no database").unwrap();
    start(&dir, MIGRATIONS).1.stop().await;
}

#[tokio::test]
async fn older_files_go_when_the_update_is_committed_and_newer_ones_never() {
    let dir = tempfile::tempdir().unwrap();
    assert!(forget_older_than(dir.path(), 6).is_err(), "not before there is one in its place");
    start(&dir, MIGRATIONS).1.stop().await;
    start(&dir, &newer()).1.stop().await;
    assert_eq!(forget_older(dir.path()).unwrap(), Vec::<PathBuf>::new());
    assert_eq!(names(&dir), ["events-6.db", "events.db"]);
    assert_eq!(forget_older_than(dir.path(), 6).unwrap(), [dir.path().join("events.db")]);
    assert_eq!(names(&dir), ["events-6.db"]);
}
