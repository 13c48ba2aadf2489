//! The event stream: no gap, no duplicate, whatever happens meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use edgecam_control::Limits;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};
use serde_json::Value;

use crate::client::{Server, soon};
use crate::fake::LIVE;

const STREAM: &str = "/api/v1/stream/events";

/// One server-sent event.
#[derive(Debug)]
struct Told {
    id: u64,
    event: String,
    data: Value,
}

/// Reads a stream.
struct Reader {
    body: Incoming,
    text: String,
    told: VecDeque<Told>,
    comments: usize,
}

impl Reader {
    async fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = server.send(Method::GET, path, headers, "").await;
        Self::of(response)
    }

    fn of(response: Response<Incoming>) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = response.into_body();
        Self { body, text: String::new(), told: VecDeque::new(), comments: 0 }
    }

    /// The next event; `None`: the stream has ended.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Some(told);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    async fn read(&mut self) -> bool {
        let Some(frame) = soon(self.body.frame()).await else { return false };
        let data = frame.unwrap().into_data().unwrap();
        self.text.push_str(std::str::from_utf8(&data).unwrap());
        while let Some((block, rest)) = self.text.split_once("\n\n") {
            let field = |name: &str| {
                let value =
                    |line: &str| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned);
                block.lines().find_map(value)
            };
            match field("data") {
                Some(data) => self.told.push_back(Told {
                    id: field("id").unwrap().parse().unwrap(),
                    event: field("event").unwrap(),
                    data: serde_json::from_str(&data).unwrap(),
                }),
                None => self.comments += usize::from(block.starts_with(':')),
            }
            self.text = rest.to_owned();
        }
        true
    }

    /// The ids of the next `count` events.
    async fn ids(&mut self, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.next().await.expect("the stream goes on").id);
        }
        ids
    }
}

#[tokio::test]
async fn without_a_number_only_new_events_come() {
    let server = Server::start().await;
    server.fake.append("front", "car");
    let mut reader = Reader::open(&server, STREAM, &[]).await;
    server.fake.append("front", "car");
    let told = reader.next().await.unwrap();
    assert_eq!((told.id, told.event.as_str()), (2, "object_new"));
    assert_eq!(told.data["seq"], 2);
    assert_eq!(told.data["schema"], "edgecam.event/1");
}

#[tokio::test]
async fn a_reader_resumes_where_it_was() {
    let server = Server::start().await;
    server.fake.append_cars(5);
    let mut by_header = Reader::open(&server, STREAM, &[("last-event-id", "2")]).await;
    assert_eq!(by_header.ids(3).await, [3, 4, 5]);
    server.fake.append("front", "car");
    assert_eq!(by_header.ids(1).await, [6]);
    let mut by_query = Reader::open(&server, &format!("{STREAM}?after_seq=4"), &[]).await;
    assert_eq!(by_query.ids(2).await, [5, 6]);
    // A browser that comes back sends its old address with the new header.
    let both = format!("{STREAM}?after_seq=1");
    let mut both = Reader::open(&server, &both, &[("last-event-id", "5")]).await;
    assert_eq!(both.ids(1).await, [6]);
    let mut from_the_start = Reader::open(&server, &format!("{STREAM}?after_seq=0"), &[]).await;
    assert_eq!(from_the_start.ids(6).await, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn resuming_while_events_pour_in_leaves_no_gap_and_no_duplicate() {
    const ALL: u64 = 4000;
    let server = Server::start().await;
    server.fake.append_cars(1200);
    let fake = server.fake.clone();
    let pouring = tokio::spawn(async move {
        while fake.append("front", "car") < ALL {
            tokio::task::yield_now().await;
        }
    });
    let mut readers = tokio::task::JoinSet::new();
    for after in [0_u64, 1, 499, 500, 1199, 1200] {
        let headers = [("last-event-id", &after.to_string()[..])];
        let mut reader = Reader::open(&server, STREAM, &headers).await;
        readers.spawn(async move {
            let ids = reader.ids(usize::try_from(ALL - after).unwrap()).await;
            assert!(ids.iter().copied().eq(after + 1..=ALL), "after {after}: {ids:?}");
        });
    }
    pouring.await.unwrap();
    soon(readers.join_all()).await;
}

#[tokio::test]
async fn a_reader_that_falls_behind_goes_back_to_the_store() {
    let server = Server::start().await;
    let mut reader = Reader::open(&server, STREAM, &[]).await;
    // One thread runs this test: nobody reads between these.
    let many = LIVE as u64 * 20;
    server.fake.append_cars(many);
    assert!(reader.ids(LIVE * 20).await.into_iter().eq(1..=many));
    server.fake.append("front", "car");
    assert_eq!(reader.ids(1).await, [many + 1]);
}

#[tokio::test]
async fn filters_hold_for_stored_and_for_live_events() {
    let server = Server::start().await;
    let scatter = || {
        for (camera, label) in [("front", "car"), ("yard", "car"), ("front", "dog")] {
            server.fake.append(camera, label);
        }
    };
    scatter();
    let mut cars = Reader::open(&server, &format!("{STREAM}?label=car&after_seq=0"), &[]).await;
    let mut front = Reader::open(&server, &format!("{STREAM}?camera=front"), &[]).await;
    scatter();
    assert_eq!(cars.ids(4).await, [1, 2, 4, 5]);
    assert_eq!(front.ids(2).await, [4, 6]);
}

#[tokio::test]
async fn a_reader_below_what_is_kept_is_told_of_the_gap_and_goes_on() {
    let server = Server::start().await;
    server.fake.append_cars(10);
    server.fake.delete_below(6);
    let mut reader = Reader::open(&server, STREAM, &[("last-event-id", "2")]).await;
    let gap = reader.next().await.unwrap();
    assert_eq!((gap.id, gap.event.as_str()), (5, "gap"));
    assert_eq!(gap.data, serde_json::json!({ "after": 2, "resumes_at": 6 }));
    assert_eq!(reader.ids(5).await, [6, 7, 8, 9, 10]);
    // Resuming from the gap's own number meets no second one, nor does the last that was deleted.
    let mut again = Reader::open(&server, STREAM, &[("last-event-id", "5")]).await;
    assert_eq!(again.next().await.unwrap().event, "object_new");
    let mut filtered = Reader::open(&server, &format!("{STREAM}?after_seq=1&label=dog"), &[]).await;
    assert_eq!(filtered.next().await.unwrap().event, "gap");
}

#[tokio::test]
async fn a_reader_that_lags_behind_deletion_is_told_of_the_gap() {
    let server = Server::start().await;
    let mut reader = Reader::open(&server, STREAM, &[]).await;
    server.fake.append("front", "car");
    assert_eq!(reader.ids(1).await, [1]);
    server.fake.append_cars(100);
    server.fake.delete_below(51);
    let mut next = 2;
    // What was on its way may still come; then the gap, then all the rest.
    loop {
        let told = reader.next().await.unwrap();
        if told.event == "gap" {
            assert_eq!(told.data, serde_json::json!({ "after": next - 1, "resumes_at": 51 }));
            break;
        }
        assert_eq!(told.id, next);
        next += 1;
    }
    assert!(reader.ids(51).await.into_iter().eq(51..=101));
}

#[tokio::test]
async fn a_number_of_a_store_that_was_lost_begins_anew() {
    let server = Server::start().await;
    server.fake.append_cars(3);
    let mut reader = Reader::open(&server, STREAM, &[("last-event-id", "9000")]).await;
    let gap = reader.next().await.unwrap();
    assert_eq!(gap.event, "gap");
    assert_eq!(gap.data, serde_json::json!({ "after": 9000, "resumes_at": 1 }));
    assert_eq!(reader.ids(3).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_wrong_number_is_a_problem() {
    let server = Server::start().await;
    let headers = [("last-event-id", "x")];
    server.ask(Method::GET, STREAM, &headers, "").await.problem(422, "invalid_argument");
    server.get(&format!("{STREAM}?after_seq=x")).await.problem(400, "malformed");
    server.get(&format!("{STREAM}?limit=1")).await.problem(400, "malformed");
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives() {
    let keep_alive = Duration::from_millis(50);
    let server = Server::with(Limits { keep_alive, ..Limits::default() }).await;
    let mut reader = Reader::open(&server, STREAM, &[]).await;
    while reader.comments < 3 {
        assert!(reader.read().await);
    }
}

#[tokio::test]
async fn streams_end_when_the_daemon_stops() {
    let server = Server::start().await;
    let mut reader = Reader::open(&server, STREAM, &[]).await;
    server.stopper.stop();
    assert!(reader.next().await.is_none());
    soon(server.task).await.unwrap();
}

#[tokio::test]
async fn too_many_streams_are_refused_and_leave_the_rest_alone() {
    let server = Server::with(Limits { streams: 2, ..Limits::default() }).await;
    let first = Reader::open(&server, STREAM, &[]).await;
    let _second = Reader::open(&server, STREAM, &[]).await;
    server.get(STREAM).await.problem(503, "resource_exhausted");
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
    drop(first);
    soon(async {
        while server.send(Method::GET, STREAM, &[], "").await.status() != StatusCode::OK {
            // The server sees the end of a connection with its next write, or read, of it.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
