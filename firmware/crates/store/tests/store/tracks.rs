//! Stored tracks: what was given comes back, by camera and time, within limits of bytes and age.

use std::path::Path;
use std::time::Duration;

use edgecam_store::{
    NewTracks, Store, StoreOptions, StoredTracks, TrackLimits, TrackQuery, TrackReader,
};
use jiff::Timestamp;
use ulid::Ulid;

use crate::support::{open, options, whole};

const SESSION: Ulid = Ulid::from_parts(1_700_000_000_000, 7);

/// `bytes` bytes of what `camera` tracked, ten seconds from `second` on.
fn tracks(camera: &str, second: i64, bytes: usize) -> NewTracks {
    let time = |second| Timestamp::from_second(second).unwrap();
    NewTracks {
        session: SESSION,
        camera: camera.to_owned(),
        labels: vec!["person".to_owned(), "traffic light".to_owned()],
        from: time(second),
        to: time(second + 10),
        body: vec![second as u8; bytes],
    }
}

fn all(camera: &str) -> TrackQuery {
    let limit = TrackQuery::MAX_LIMIT;
    let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    TrackQuery { cameras: Some(vec![camera.to_owned()]), from, to, after_row: 0, limit }
}

fn list(dir: &Path, query: &TrackQuery) -> Vec<StoredTracks> {
    TrackReader::open(dir).unwrap().list(query).unwrap()
}

fn seconds(dir: &Path, query: &TrackQuery) -> Vec<i64> {
    list(dir, query).iter().map(|tracks| tracks.from.as_second()).collect()
}

fn now() -> i64 {
    base::clock::wall().as_second()
}

fn limited(dir: &Path, max_bytes: u64, max_age_s: u64) -> StoreOptions {
    let tracks = TrackLimits { max_bytes, max_age: Duration::from_secs(max_age_s) };
    StoreOptions { tracks, ..options(dir) }
}

#[tokio::test]
async fn what_was_tracked_comes_back_by_camera_and_time_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let start = now() - 100;
    for second in [0, 10, 20] {
        store.append_tracks(tracks("front", start + second, 50)).await.unwrap();
        store
            .append_tracks(NewTracks { session: Ulid::generate(), ..tracks("back", start, 1) })
            .await
            .unwrap();
    }
    threads.stop().await;
    let (_, threads) = open(dir.path());
    let found = list(dir.path(), &all("front"));
    assert_eq!(found.len(), 3);
    let given = tracks("front", start, 50);
    assert_eq!((found[0].session_id, &found[0].labels), (SESSION, &given.labels));
    assert_eq!((found[0].from, found[0].to, &found[0].body), (given.from, given.to, &given.body));
    assert_eq!(found[0].session, found[2].session);
    let time = |second| Timestamp::from_second(start + second).unwrap();
    let window = TrackQuery { from: time(11), to: time(20), ..all("front") };
    assert_eq!(seconds(dir.path(), &window), [start + 10]);
    let page = TrackQuery { after_row: found[0].row, limit: 1, ..all("front") };
    assert_eq!(seconds(dir.path(), &page), [start + 10]);
    let sessions = list(dir.path(), &all("back"));
    assert!(sessions[0].session < sessions[1].session);
    threads.stop().await;
}

#[tokio::test]
async fn the_oldest_tracks_go_when_there_are_too_many_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let start = now() - 1000;
    let (store, threads) =
        Store::open(limited(dir.path(), 10_000, 86_400)).unwrap().spawn().unwrap();
    for second in 0..100 {
        store.append_tracks(tracks("front", start + second, 936)).await.unwrap();
    }
    let kept: Vec<i64> = (90..100).map(|second| start + second).collect();
    assert_eq!(seconds(dir.path(), &all("front")), kept);
    threads.stop().await;
    let smaller = limited(dir.path(), 2_000, 86_400);
    let (store, threads) = Store::open(smaller).unwrap().spawn().unwrap();
    store.append_tracks(tracks("front", start + 100, 936)).await.unwrap();
    assert_eq!(seconds(dir.path(), &all("front")), [start + 99, start + 100]);
    threads.stop().await;
}

#[tokio::test]
async fn tracks_that_are_too_old_go_with_the_next_that_come() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) =
        Store::open(limited(dir.path(), 1 << 20, 3600)).unwrap().spawn().unwrap();
    let (old, new) = (now() - 3605, now() - 10);
    store.append_tracks(tracks("front", old, 10)).await.unwrap();
    assert_eq!(seconds(dir.path(), &all("front")), [old], "its end is not yet too old");
    store.append_tracks(tracks("front", now() - 7200, 10)).await.unwrap();
    store.append_tracks(tracks("front", new, 10)).await.unwrap();
    assert!(seconds(dir.path(), &all("front")).contains(&new));
    threads.stop().await;
    let (store, threads) = Store::open(limited(dir.path(), 1 << 20, 5)).unwrap().spawn().unwrap();
    let newest = now();
    store.append_tracks(tracks("front", newest, 10)).await.unwrap();
    assert_eq!(seconds(dir.path(), &all("front")), [new, newest], "both have ended just now");
    threads.stop().await;
}

#[tokio::test]
async fn without_room_for_tracks_none_are_kept_and_events_are() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = Store::open(limited(dir.path(), 0, 3600)).unwrap().spawn().unwrap();
    store.append_tracks(tracks("front", now(), 10)).await.unwrap();
    store.append(whole("front")).await.unwrap();
    assert_eq!(seconds(dir.path(), &all("front")), [0_i64; 0]);
    threads.stop().await;
}
