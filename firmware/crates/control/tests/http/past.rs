//! Looking back: what is asked of the store, and what is refused.

use api::access::Role;
use api::past::{Timeline, TrackPage};
use api::resources::EventPage;
use jiff::SignedDuration;

use crate::client::Server;

#[tokio::test]
async fn tracks_are_asked_for_by_camera_label_and_time_page_by_page() {
    let server = Server::start().await;
    let span = "from=2026-07-01T12:00:00Z&to=2026-07-01T13:00:00%2B00:00";
    let path = format!("/api/v1/tracks?camera=front&label=car&{span}&limit=7&cursor=4&step_ms=500");
    let page: TrackPage = server.get(&path).await.json();
    assert_eq!(page.next_cursor.as_deref(), Some("12"));
    let asked = server.fake.watching.tracks.lock().unwrap().take().unwrap();
    assert_eq!(asked.cameras, Some(vec!["front".to_owned()]));
    assert_eq!((asked.label.as_deref(), asked.limit, asked.after), (Some("car"), 7, 4));
    assert_eq!(asked.to.duration_since(asked.from), SignedDuration::from_hours(1));
    assert_eq!(asked.step.as_millis(), 500);
    server.get("/api/v1/tracks").await.json::<TrackPage>();
    let asked = server.fake.watching.tracks.lock().unwrap().take().unwrap();
    assert_eq!((asked.cameras, asked.after), (None, 0));
    for odd in ["limit=0", "limit=501", "step_ms=1", "cursor=x", "from=2999-01-01T00:00:00Z"] {
        let answer = server.get(&format!("/api/v1/tracks?{odd}")).await;
        let problem = answer.problem(422, "invalid_argument");
        assert_eq!(problem.errors.len(), 1, "{odd}");
    }
    for odd in ["from=yesterday", "limit=-1", "unknown=1", "to="] {
        server.get(&format!("/api/v1/tracks?{odd}")).await.problem(400, "malformed");
    }
}

#[tokio::test]
async fn a_timeline_counts_in_whole_buckets_of_what_the_caller_sees() {
    let mut server = Server::start().await;
    let span = "from=2026-07-01T12:10:00Z&to=2026-07-01T13:05:00Z";
    let told: Timeline = server.get(&format!("/api/v1/timeline?{span}&bucket_s=600")).await.json();
    assert_eq!(told.from.to_string(), "2026-07-01T12:10:00Z");
    assert_eq!(told.to.to_string(), "2026-07-01T13:10:00Z");
    assert_eq!((told.bucket_s, told.buckets[0].counts[0].events), (600, 3));
    let odd = server.get(&format!("/api/v1/timeline?{span}&bucket_s=1")).await;
    odd.problem(422, "invalid_argument");
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    server.token = Some(server.fake.token(&owner, Role::Viewer, Some("front")).await);
    for (query, cameras) in
        [("", vec!["front"]), ("?camera=front", vec!["front"]), ("?camera=yard", vec![])]
    {
        server.get(&format!("/api/v1/timeline{query}")).await.json::<Timeline>();
        let asked = server.fake.watching.counts.lock().unwrap().take().unwrap();
        let cameras: Vec<_> = cameras.into_iter().map(str::to_owned).collect();
        assert_eq!(asked.cameras, Some(cameras), "{query}");
    }
}

#[tokio::test]
async fn announcements_are_filtered_by_time_and_zone() {
    let server = Server::start().await;
    server.fake.append_cars(3);
    let count = async |query: &str| {
        let page: EventPage = server.get(&format!("/api/v1/events?{query}")).await.json();
        page.items.len()
    };
    // All happen at noon.
    assert_eq!(count("from=2026-07-01T12:00:00Z").await, 3);
    assert_eq!(count("to=2026-07-01T12:00:00Z").await, 0);
    assert_eq!(count("from=2026-07-01T11:00:00Z&to=2026-07-01T12:00:01Z").await, 3);
    assert_eq!(count("zone=door").await, 0);
    let odd = server.get("/api/v1/events?from=2026-07-01T12:00:00Z&to=2026-07-01T11:00:00Z").await;
    assert_eq!(odd.problem(422, "invalid_argument").errors[0].pointer, "?from");
    server.get("/api/v1/events?from=noon").await.problem(400, "malformed");
}
