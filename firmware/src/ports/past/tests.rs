//! Tracks that are put together again, and counts by bucket.

use domain::history::{Path as TrackPath, Sight, Tolerance, encode};
use domain::{BBox, ClassId, TrackId};
use store::{NewTracks, OutboxPolicy, Store, StoreOptions, StoreThreads, TrackLimits};
use tempfile::TempDir;

use super::*;

struct Site {
    folder: TempDir,
    store: StoreHandle,
    threads: StoreThreads,
    begin: Timestamp,
}

/// The one of `camera`: a session is of one process.
fn session(camera: &str) -> Ulid {
    Ulid::from_parts(1, (camera.len() as u128) << 32)
}

fn ms(ms: i64) -> SignedDuration {
    SignedDuration::from_millis(ms)
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            dir: folder.path().to_owned(),
            node: "ec-test".into(),
            events_max: 1000,
            outbox: OutboxPolicy::Off,
            tracks: TrackLimits { max_bytes: 1 << 20, max_age: Duration::from_secs(86_400) },
        };
        let (store, threads) = Store::open(options).unwrap().spawn().unwrap();
        let begin = (base::clock::wall() - ms(3_600_000)).as_second();
        Self { folder, store, threads, begin: Timestamp::from_second(begin).unwrap() }
    }

    /// Ten steps a second for five seconds from `second` on: the track `id` of class `class`, which
    /// was first seen at second 0 and ends here where it says so.
    async fn track(&self, camera: &str, second: i64, id: u64, class: u16, ends: bool) {
        let sample = |step: u32| Sample {
            step,
            class: ClassId(class),
            score: 0.5 + step as f32 / 100.0,
            bbox: BBox::new(0.1 + step as f32 / 100.0, 0.4, 0.1, 0.2),
        };
        let path = TrackPath {
            id: TrackId(id),
            first_seen: Duration::ZERO,
            samples: (0..50).map(sample).collect(),
            ended: ends.then_some(49),
        };
        let steps = (0..50).map(|step| Duration::from_millis(step * 100)).collect();
        let stretch = Stretch { steps, paths: vec![path], sight: Sight::Seeing };
        let from = self.begin + ms(second * 1000);
        let tracks = NewTracks {
            session: session(camera),
            camera: camera.into(),
            labels: vec!["person".into(), "car".into()],
            from,
            to: from + ms(4900),
            body: encode(&stretch, &Tolerance::EXACT),
        };
        self.store.append_tracks(tracks).await.unwrap();
    }

    fn ask(&self, from: i64, to: i64) -> TrackQuery {
        TrackQuery {
            cameras: None,
            label: None,
            from: self.begin + ms(from * 1000),
            to: self.begin + ms(to * 1000),
            step: Duration::from_secs(1),
            after: 0,
            limit: 100,
        }
    }

    fn page(&self, query: &TrackQuery) -> TracksFound {
        page(self.folder.path(), query).unwrap()
    }
}

#[tokio::test]
async fn a_track_comes_whole_from_its_pieces_with_points_at_the_asked_pace() {
    let site = Site::new();
    site.track("front", 0, 1, 1, false).await;
    site.track("front", 5, 1, 1, true).await;
    let found = site.page(&site.ask(0, 60));
    let [track] = &found.items[..] else { panic!("{found:?}") };
    assert_eq!(found.next, None);
    assert_eq!((track.camera.as_str(), track.label.as_str()), ("front", "car"));
    assert_eq!(track.id, link::track_id(session("front"), 1));
    assert!(track.ended && (0.98..=1.0).contains(&track.top_score), "{track:?}");
    let seconds: Vec<_> =
        track.path.iter().map(|point| point.at.duration_since(site.begin).as_millis()).collect();
    assert_eq!(seconds[..3], [0, 1000, 2000]);
    assert_eq!(seconds.last(), Some(&9900), "its last point");
    assert_eq!(seconds.len(), 11);
    assert_eq!(track.last_seen, site.begin + ms(9900));
    site.threads.stop().await;
}

#[tokio::test]
async fn only_what_is_asked_for_comes() {
    let site = Site::new();
    site.track("front", 0, 1, 1, true).await;
    site.track("yard", 10, 2, 0, true).await;
    let labels = |query: &TrackQuery| {
        let found = site.page(query).items;
        found.into_iter().map(|track| track.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(&site.ask(0, 60)), ["car", "person"]);
    assert_eq!(labels(&TrackQuery { label: Some("car".into()), ..site.ask(0, 60) }), ["car"]);
    let yard = Some(vec!["yard".to_owned()]);
    assert_eq!(labels(&TrackQuery { cameras: yard, ..site.ask(0, 60) }), ["person"]);
    assert!(labels(&TrackQuery { cameras: Some(Vec::new()), ..site.ask(0, 60) }).is_empty());
    assert_eq!(labels(&site.ask(10, 60)), ["person"]);
    let part = site.page(&site.ask(2, 4)).items.remove(0);
    assert!(!part.ended, "it ended later");
    assert!(part.path.iter().all(|point| point.at < site.begin + ms(4000)));
    site.threads.stop().await;
}

#[tokio::test]
async fn pages_together_are_all_there_is() {
    let site = Site::new();
    for id in 0..40_u32 {
        site.track("front", i64::from(id) * 5, id.into(), 1, true).await;
    }
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let found = site.page(&TrackQuery { after, limit: 7, ..site.ask(0, 600) });
        seen.extend(found.items.into_iter().map(|track| track.id));
        let Some(next) = found.next else { break };
        assert!(next > after);
        after = next;
    }
    let expected: Vec<_> = (0..40).map(|id| link::track_id(session("front"), id)).collect();
    assert_eq!(seen, expected);
    site.threads.stop().await;
}

#[test]
fn counts_of_one_bucket_stand_together() {
    let from = Timestamp::UNIX_EPOCH;
    let count = |bucket, camera: &str| store::Count {
        bucket,
        camera: Some(camera.into()),
        label: None,
        kind: api::event::Kind::Object,
        events: 1,
    };
    let counts = vec![count(0, "a"), count(0, "b"), count(3, "a")];
    let buckets = buckets(from, Duration::from_secs(60), counts);
    let begins: Vec<_> = buckets.iter().map(|bucket| bucket.from.as_second()).collect();
    assert_eq!(begins, [0, 180]);
    assert_eq!(buckets[0].counts.len(), 2);
}
