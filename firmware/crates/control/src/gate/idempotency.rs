//! `Idempotency-Key`: a request that is sent again because its answer was lost is not done again.
//!
//! Answers of requests that succeeded are kept for a day, in memory, by user and key. What failed changed
//! nothing and is tried anew. An answer that holds a secret is not kept, only that it was given.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, OpenApi, Ref, RefOr, Required, Type};

use crate::gate::permits::operations_mut;
use crate::problem::{Failure, Fault};

/// The header with the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in bytes.
const MAX_KEY: usize = 255;
/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// Most answers that are kept; beyond it the oldest goes.
const MAX_ANSWERS: usize = 1000;
/// Most bytes of all bodies that are kept.
const MAX_BYTES: usize = 4 << 20;
/// The longest body that is kept.
const MAX_BODY: usize = 64 << 10;
/// POSTs that take no key: they come before anybody is known, change nothing, or carry a body that is too
/// long to be compared and name what they make themselves.
const WITHOUT: &[&str] = &[
    "claim_device",
    "login",
    "logout",
    "begin_whep",
    "infer_picture",
    "add_model",
    "install_update",
];
/// POSTs whose answer holds a secret.
const SECRET: &[&str] = &["create_token", "create_webhook"];
/// Headers of an answer that belong to it.
const OF_ANSWER: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// Answers that were given.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    places: HashMap<Place, Entry>,
    /// Those that are done, the oldest first.
    done: VecDeque<Place>,
    /// Of all bodies.
    bytes: usize,
}

/// User and key.
type Place = (String, String);
/// Digest of a request.
type Print = [u8; 32];

#[derive(Debug)]
struct Entry {
    print: Print,
    /// `None`: it is not answered yet.
    done: Option<Done>,
}

#[derive(Debug)]
struct Done {
    at: Duration,
    /// `None`: it is not kept.
    answer: Option<Kept>,
}

/// An answer that is given again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What is to be done with a request.
#[derive(Debug)]
enum Course {
    /// It is the first.
    Go(Promise),
    /// It was answered so.
    Again(Kept),
}

/// A request that is being answered: dropped without an answer, it never was.
#[derive(Debug)]
struct Promise {
    answers: Arc<Answers>,
    place: Place,
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut shelf = self.answers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.places.get(&self.place).is_some_and(|entry| entry.done.is_none()) {
            shelf.places.remove(&self.place);
        }
    }
}

/// What became of a request.
pub(crate) enum Outcome {
    /// It was done.
    Done(Response),
    /// It was not: this was answered before, or it is refused.
    Spared(Response),
}

/// Has `request` for `operation` by `user` done by `next`, unless it was done before.
pub(crate) async fn once(
    answers: &Arc<Answers>,
    (operation, user): (&str, &str),
    most: usize,
    request: Request,
    next: Next,
) -> Outcome {
    let takes = *request.method() == Method::POST && !WITHOUT.contains(&operation);
    let key = match request.headers().get(&KEY).filter(|_| takes).map(read) {
        None => return Outcome::Done(next.run(request).await),
        Some(Ok(key)) => key,
        Some(Err(failure)) => return Outcome::Spared(failure.into_response()),
    };
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, most).await else {
        let detail = format!("a body may have at most {} MiB", most >> 20);
        return Outcome::Spared(Failure::new(Fault::TooLarge, detail).into_response());
    };
    let print = print(&head.method, &head.uri.to_string(), &head.headers, &body);
    let promise = match answers.begin((user.to_owned(), key), print, base::clock::monotonic()) {
        Ok(Course::Go(promise)) => promise,
        Ok(Course::Again(kept)) => return Outcome::Spared(replayed(kept)),
        Err(failure) => return Outcome::Spared(failure.into_response()),
    };
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    Outcome::Done(promise.keep(response, SECRET.contains(&operation)).await)
}

fn read(value: &HeaderValue) -> Result<String, Failure> {
    let text = value.to_str().unwrap_or_default();
    if (1..=MAX_KEY).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    let detail = format!("Idempotency-Key must have 1 to {MAX_KEY} visible ASCII characters");
    Err(Failure::new(Fault::Malformed, detail))
}

fn print(method: &Method, uri: &str, headers: &HeaderMap, body: &[u8]) -> Print {
    let mut hasher = Sha256::new();
    for part in [method.as_str().as_bytes(), uri.as_bytes()] {
        hasher.update(part);
        hasher.update([0]);
    }
    // The same body means another thing in another language, or of another revision.
    for name in [header::CONTENT_TYPE, header::IF_MATCH] {
        hasher.update(headers.get(name).map_or(&[][..], HeaderValue::as_bytes));
        hasher.update([0]);
    }
    hasher.update(body);
    hasher.finalize().into()
}

fn replayed(kept: Kept) -> Response {
    let mut response = (kept.status, kept.headers, kept.body).into_response();
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

impl Answers {
    /// What is to be done at `now` with a request whose digest is `print`.
    fn begin(
        self: &Arc<Self>,
        place: Place,
        print: Print,
        now: Duration,
    ) -> Result<Course, Failure> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.forget_old(now);
        let Some(entry) = shelf.places.get(&place) else {
            shelf.places.insert(place.clone(), Entry { print, done: None });
            return Ok(Course::Go(Promise { answers: self.clone(), place }));
        };
        if entry.print != print {
            let detail =
                "this Idempotency-Key was sent with another request before; take a new one";
            return Err(Failure::new(Fault::KeyReused, detail));
        }
        match &entry.done {
            None => {
                let detail =
                    "the first request with this Idempotency-Key is not answered yet; wait";
                Err(Failure::new(Fault::KeyInUse, detail).retry_after(Duration::from_secs(1)))
            }
            Some(Done { answer: Some(kept), .. }) => Ok(Course::Again(kept.clone())),
            Some(Done { answer: None, .. }) => {
                let detail = "this was done at the first request; its answer holds a secret or is \
                              long, and was given once: look what there is, and make it anew with \
                              another key if you need to";
                Err(Failure::new(Fault::AnswerGone, detail))
            }
        }
    }

    fn keep(&self, place: &Place, answer: Option<Kept>, now: Duration) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = answer.as_ref().map_or(0, |kept| kept.body.len());
        let Some(entry) = shelf.places.get_mut(place) else { return };
        entry.done = Some(Done { at: now, answer });
        shelf.done.push_back(place.clone());
        shelf.bytes += bytes;
        while shelf.done.len() > MAX_ANSWERS || shelf.bytes > MAX_BYTES {
            shelf.forget_oldest();
        }
    }
}

impl Shelf {
    fn forget_old(&mut self, now: Duration) {
        while let Some(done) =
            self.done.front().and_then(|oldest| self.places.get(oldest)?.done.as_ref())
            && now.saturating_sub(done.at) >= KEPT_FOR
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.done.pop_front() else { return };
        let gone = self.places.remove(&oldest).and_then(|entry| entry.done?.answer);
        self.bytes -= gone.map_or(0, |kept| kept.body.len());
    }
}

impl Promise {
    /// Keeps `response` if it is a success; answers with it. `secret`: only that it was given.
    async fn keep(self, response: Response, secret: bool) -> Response {
        if !response.status().is_success() {
            return response;
        }
        let (head, body) = response.into_parts();
        // Our own bodies are whole in memory.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let headers = OF_ANSWER
            .into_iter()
            .filter_map(|name| Some((name.clone(), head.headers.get(name)?.clone())));
        let kept = Kept { status: head.status, headers: headers.collect(), body: body.clone() };
        let kept = Some(kept).filter(|kept| !secret && kept.body.len() <= MAX_BODY);
        self.answers.keep(&self.place, kept, base::clock::monotonic());
        Response::from_parts(head, Body::from(body))
    }
}

/// Writes into the document which operations take a key, and what it may come to.
pub(crate) fn put_into(document: &mut OpenApi) {
    for (method, operation) in operations_mut(document) {
        let id = operation.operation_id.clone().unwrap_or_default();
        if method != Method::POST || WITHOUT.contains(&id.as_str()) {
            continue;
        }
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_KEY));
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "Any text of your own, new for each thing that is to be done, such as a UUID. Sent \
                 again with the same request within 24 h, it is not done again: what was answered \
                 is answered again, with `Idempotency-Replayed: true`.",
            ))
            .schema(Some(schema));
        operation.parameters.get_or_insert_default().push(parameter.build().into());
        for (status, name) in
            [("400", "Malformed"), ("409", "Conflict"), ("413", "TooLarge"), ("422", "Invalid")]
        {
            let answer = RefOr::Ref(Ref::from_response_name(name));
            operation.responses.responses.entry(status.to_owned()).or_insert(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    fn kept(body: &str) -> Kept {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Kept { status: StatusCode::OK, headers: HeaderMap::new(), body }
    }

    fn at(user: &str, key: &str) -> Place {
        (user.to_owned(), key.to_owned())
    }

    const NOW: Duration = Duration::from_secs(1000);

    #[test]
    fn what_was_answered_is_answered_again_for_a_day_to_the_same_caller_only() {
        let answers = Arc::<Answers>::default();
        let begin = |user, print: u8, now| answers.begin(at(user, "k"), [print; 32], now);
        let Ok(Course::Go(promise)) = begin("ann", 1, NOW) else { panic!("it is the first") };
        assert!(begin("ann", 1, NOW).is_err(), "it is not answered yet");
        answers.keep(&promise.place, Some(kept("x")), NOW);
        drop(promise);
        assert!(matches!(begin("ann", 1, NOW), Ok(Course::Again(again)) if again == kept("x")));
        assert!(begin("ann", 2, NOW).is_err(), "another request");
        assert!(matches!(begin("bob", 2, NOW), Ok(Course::Go(_))), "another caller");
        assert!(matches!(begin("ann", 2, NOW + KEPT_FOR), Ok(Course::Go(_))), "a day later");
    }

    #[test]
    fn a_request_that_came_to_nothing_may_be_made_again() {
        let answers = Arc::<Answers>::default();
        let begin = || answers.begin(at("ann", "k"), [1; 32], NOW);
        drop(begin().unwrap());
        assert!(matches!(begin(), Ok(Course::Go(_))));
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_bytes() {
        let answers = Arc::<Answers>::default();
        let fill = |count: usize, body: &str| {
            for number in 0..count {
                let place = at(body.get(..1).unwrap_or("empty"), &number.to_string());
                if let Ok(Course::Go(promise)) = answers.begin(place, [1; 32], NOW) {
                    answers.keep(&promise.place, Some(kept(body)), NOW);
                }
            }
            let shelf = answers.0.lock().unwrap();
            assert_eq!(shelf.places.len(), shelf.done.len());
            (shelf.done.len(), shelf.bytes)
        };
        assert_eq!(fill(MAX_ANSWERS + 50, ""), (MAX_ANSWERS, 0));
        let (_, bytes) = fill(100, &"x".repeat(MAX_BODY));
        assert_eq!(bytes, MAX_BYTES);
    }

    #[test]
    fn what_takes_no_key_or_keeps_no_answer_is_an_operation() {
        let document = routes::all().into_openapi();
        let all = document.paths.paths.values().flat_map(crate::gate::permits::operations);
        let ids: Vec<_> = all.filter_map(|(_, one)| one.operation_id.clone()).collect();
        for id in WITHOUT.iter().chain(SECRET) {
            assert!(ids.iter().any(|one| one == id), "{id}");
        }
    }
}
