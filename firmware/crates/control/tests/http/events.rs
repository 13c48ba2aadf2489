//! Stored announcements, page by page.

use api::event::Event;
use api::resources::EventPage;

use crate::client::Server;

async fn seqs_of_all_pages(server: &Server, query: &str) -> Vec<u64> {
    let mut seqs = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: EventPage = server.get(&format!("/api/v1/events?{query}{cursor}")).await.json();
        seqs.extend(page.items.iter().map(|event| event.seq));
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seqs,
        }
        assert!(!page.items.is_empty(), "an empty page is the last");
    }
}

async fn with_ten() -> Server {
    let server = Server::start().await;
    for number in 0..10 {
        server.fake.append(["front", "yard"][number % 2], ["car", "person", "dog"][number % 3]);
    }
    server
}

#[tokio::test]
async fn an_empty_store_is_an_empty_page() {
    let page: EventPage = Server::start().await.get("/api/v1/events").await.json();
    assert_eq!(page, EventPage::default());
}

#[tokio::test]
async fn pages_together_are_all_there_is_in_both_orders() {
    let server = with_ten().await;
    let up: Vec<u64> = (1..=10).collect();
    let down: Vec<u64> = (1..=10).rev().collect();
    for limit in [1, 3, 5, 9, 10, 11, 1000] {
        assert_eq!(seqs_of_all_pages(&server, &format!("limit={limit}")).await, down);
        assert_eq!(seqs_of_all_pages(&server, &format!("limit={limit}&order=asc")).await, up);
        let above = format!("limit={limit}&after_seq=4");
        assert_eq!(seqs_of_all_pages(&server, &above).await, up[4..], "{limit}");
        let above = format!("limit={limit}&after_seq=4&order=desc");
        assert_eq!(seqs_of_all_pages(&server, &above).await, down[..6], "{limit}");
    }
}

#[tokio::test]
async fn a_page_does_not_shift_when_new_events_come() {
    let server = with_ten().await;
    let first: EventPage = server.get("/api/v1/events?limit=4").await.json();
    server.fake.append("front", "car");
    let next = format!("/api/v1/events?limit=4&cursor={}", first.next_cursor.unwrap());
    let second: EventPage = server.get(&next).await.json();
    assert_eq!(second.items.iter().map(|e| e.seq).collect::<Vec<_>>(), [6, 5, 4, 3]);
}

#[tokio::test]
async fn filters_are_kept_from_page_to_page() {
    let server = with_ten().await;
    let all =
        async |query: &str| seqs_of_all_pages(&server, &format!("{query}&limit=2&order=asc")).await;
    assert_eq!(all("camera=front").await, [1, 3, 5, 7, 9]);
    assert_eq!(all("label=car").await, [1, 4, 7, 10]);
    assert_eq!(all("camera=front&label=car").await, [1, 7]);
    assert_eq!(all("type=new").await, [2, 4, 6, 8, 10]);
    assert_eq!(all("kind=object").await.len(), 10);
    assert_eq!(all("kind=zone").await, [0; 0]);
    assert_eq!(all("camera=nope").await, [0; 0]);
}

/// Beyond what every JSON reader knows exactly.
const TOO_FAR: &str = "after_seq=9007199254740992";

#[tokio::test]
async fn a_wrong_query_is_refused_with_every_reason() {
    let server = with_ten().await;
    for (query, parameters) in [
        ("limit=0", vec!["?limit"]),
        ("limit=1001", vec!["?limit"]),
        ("cursor=7", vec!["?cursor"]),
        ("cursor=asc-x&limit=0", vec!["?limit", "?cursor"]),
        ("cursor=asc-3&order=desc", vec!["?order"]),
    ] {
        let answer = server.get(&format!("/api/v1/events?{query}")).await;
        let problem = answer.problem(422, "invalid_argument");
        let named: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(named, parameters, "{query}");
    }
    for query in
        ["limit=x", "after_seq=-1", "kind=cat", "type=old", "order=up", "zone=door", TOO_FAR]
    {
        server.get(&format!("/api/v1/events?{query}")).await.problem(400, "malformed");
    }
    let far = "/api/v1/events?after_seq=9007199254740991";
    assert_eq!(server.get(far).await.json::<EventPage>(), EventPage::default());
}

#[tokio::test]
async fn an_event_is_its_newest_announcement() {
    let server = with_ten().await;
    let id = server.fake.event_id(6);
    let event: Event = server.get(&format!("/api/v1/events/{id}")).await.json();
    assert_eq!(event.seq, 7, "6 and 7 share an id");
    for id in ["01JZ8Q0V7X3C9K2M4N5P6R7S8T", "nope", "1%2F2"] {
        server.get(&format!("/api/v1/events/{id}")).await.problem(404, "not_found");
    }
}
