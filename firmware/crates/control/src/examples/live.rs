//! Examples of viewers, tracks and counts over time.

use api::event::Kind;
use api::live::{ViewerKind, ViewerSession};
use api::past::{StoredTrack, Timeline, TimelineBucket, TimelineCount, TrackPage, TrackPoint};
use utoipa::openapi::{OpenApi, RefOr};

use super::{JSON, operation, put, time};
use crate::patch::json;

/// Puts an example into every JSON answer.
pub(super) fn put_into(document: &mut OpenApi) {
    let answers = [
        ("list_viewers", json(&[viewer()])),
        ("list_tracks", json(&tracks())),
        ("get_timeline", json(&timeline())),
    ];
    for (id, example) in answers {
        let Some(operation) = operation(document, id) else { continue };
        if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") {
            put!(answer.content, JSON, example);
        }
    }
}

fn viewer() -> ViewerSession {
    ViewerSession {
        id: "6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f".into(),
        kind: ViewerKind::Rtsp,
        camera: "front".into(),
        username: Some("guard".into()),
        address: "192.168.1.7".into(),
        user_agent: Some("LibVLC/3.0.20".into()),
        since: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        transport: Some("tcp".into()),
        bytes_sent: 31_457_280,
        packets_sent: Some(24_810),
        packets_lost: Some(0),
        discarded: Some(0),
    }
}

fn tracks() -> TrackPage {
    let at = |text| time(text).unwrap_or_default();
    let point = |text, x| TrackPoint { at: at(text), r#box: [x, 0.4, 0.11, 0.2] };
    let track = StoredTrack {
        id: "01JZ8Q0V7X3C9K2M4N5P6R7S8T".parse().unwrap_or_default(),
        camera: "front".into(),
        label: "car".into(),
        first_seen: at("2026-07-01T12:00:00.1Z"),
        last_seen: at("2026-07-01T12:00:01.2Z"),
        ended: true,
        top_score: 0.88,
        path: vec![point("2026-07-01T12:00:00.1Z", 0.1), point("2026-07-01T12:00:01.1Z", 0.3)],
    };
    TrackPage { items: vec![track], next_cursor: Some("4711".into()) }
}

fn timeline() -> Timeline {
    let at = |text| time(text).unwrap_or_default();
    let count = TimelineCount {
        camera: Some("front".into()),
        label: Some("car".into()),
        kind: Kind::Object,
        events: 17,
    };
    Timeline {
        from: at("2026-07-01T00:00:00Z"),
        to: at("2026-07-02T00:00:00Z"),
        bucket_s: 3600,
        buckets: vec![TimelineBucket { from: at("2026-07-01T12:00:00Z"), counts: vec![count] }],
    }
}
