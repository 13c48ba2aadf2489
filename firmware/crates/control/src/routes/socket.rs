//! What goes on as it happens, over a WebSocket: the newest of each topic, and nothing older.
//!
//! Nothing waits for a client: between two messages to it what is new replaces what was, and the client
//! is told how many it missed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use access::Principal;
use api::jobs::Job;
use api::live::{LiveData, LiveMessage, LiveNews, LiveSubscription, LiveTopic};
use api::problem::FieldProblem;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use base::error::ErrorKind;
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, unfold};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};
use utoipa::IntoParams;

use crate::extract::QueryOf;
use crate::gate::caller::Caller;
use crate::openapi::{Invalid, Malformed, NotFound, Unavailable};
use crate::ports::{Jobs, LiveSource};
use crate::problem::{Failure, Fault};
use crate::routes::jobs;
use crate::state::{App, no_camera};

/// Longest message of a client, in bytes.
const MAX_MESSAGE: usize = 16 * 1024;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SocketQuery {
    /// Topics, with commas between them: `tracks`, `stats`, `jobs`. Default: none, until a message asks for some.
    #[param(example = "tracks,stats", nullable = false)]
    topics: Option<String>,
    /// Cameras, with commas between them. Default: all that the caller sees.
    #[param(example = "front", nullable = false)]
    cameras: Option<String>,
}

/// What goes on as it happens
///
/// A WebSocket. What it tells is a `LiveMessage` in each text message: the newest of each topic and
/// camera that is subscribed to. A client that reads slowly gets the newest and is told how many came
/// in between (`dropped`). Subscribe by the query, or at any time by a text message with a
/// `LiveSubscription`, which takes the place of the one before.
///
/// With a session's cookie only pages of this device may open it (`Origin`). It is asked for a sign of
/// life every 15 s, and closed when none comes, when the caller's way in ends, and when the daemon stops.
#[utoipa::path(
    get,
    path = "/api/v1/ws",
    tag = "events",
    operation_id = "open_socket",
    params(SocketQuery),
    responses(
        (status = 101, description = "A WebSocket from here on. Its messages are `LiveMessage`s."),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn open(
    State(app): State<App>,
    Caller(caller): Caller,
    QueryOf(query): QueryOf<SocketQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let first = read_query(&query)?;
    let wanted = LiveSubscription::default();
    let mut follower = Follower { app, caller, wanted, sources: SelectAll::new() };
    follower.subscribe(first)?;
    let upgrade = upgrade.map_err(|rejection| {
        let detail = format!("this address is a WebSocket: {}", rejection.body_text());
        Failure::new(Fault::Malformed, detail)
    })?;
    let most = follower.app.limits.sockets;
    let permit = follower.app.sockets.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{most} WebSockets are open, which is the most; close one of them");
        Failure::of(ErrorKind::ResourceExhausted, detail)
    })?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    // The server waits at its stop for the permits of all.
    Ok(upgrade.on_upgrade(move |socket| async move {
        follower.serve(socket).await;
        drop(permit);
    }))
}

fn read_query(query: &SocketQuery) -> Result<LiveSubscription, Failure> {
    let words = |text: &str| {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let topics = words(query.topics.as_deref().unwrap_or_default()).into_iter();
    let topics = topics.map(|word| serde_json::from_value(word.into())).collect();
    match topics {
        Ok(topics) => Ok(LiveSubscription { topics, cameras: query.cameras.as_deref().map(words) }),
        Err(_) => {
            let known = LiveTopic::ALL.map(|topic| crate::patch::json(&topic).to_string());
            let detail = format!("must be of {}", known.join(", "));
            let errors = vec![FieldProblem { pointer: "?topics".into(), detail }];
            Err(Failure::input("the query is wrong", errors))
        }
    }
}

/// One client.
struct Follower {
    app: App,
    caller: Principal,
    wanted: LiveSubscription,
    sources: SelectAll<BoxStream<'static, LiveNews>>,
}

/// Why a client is left.
enum End {
    /// It went, or does not read or answer any more.
    Gone,
    /// For a reason that it is told.
    Told(u16, &'static str),
}

impl Follower {
    /// Follows what is `wanted` in place of what was followed.
    fn subscribe(&mut self, wanted: LiveSubscription) -> Result<(), Failure> {
        for camera in wanted.cameras.iter().flatten() {
            if !self.caller.sees(camera) || self.app.ports.camera(camera).is_err() {
                return Err(no_camera(camera));
            }
        }
        self.wanted = wanted;
        self.follow();
        Ok(())
    }

    /// Follows what is wanted of the cameras that there are.
    fn follow(&mut self) {
        let wanted = &self.wanted;
        let is_wanted = |camera: &str| {
            let asked = wanted.cameras.as_ref();
            let asked = asked.is_none_or(|cameras| cameras.iter().any(|one| one == camera));
            asked && self.caller.sees(camera)
        };
        let mut topics = wanted.topics.clone();
        topics.sort_unstable();
        topics.dedup();
        let mut sources = SelectAll::new();
        for topic in topics {
            let of_cameras = self.app.ports.live.follow(topic, &is_wanted);
            sources.extend(of_cameras.into_iter().map(newest));
            if topic == LiveTopic::Jobs {
                sources.push(self.jobs(wanted.cameras.clone()));
            }
        }
        self.sources = sources;
    }

    /// Jobs as they change: those about one of `cameras`, and those about none.
    fn jobs(&self, cameras: Option<Vec<String>>) -> BoxStream<'static, LiveNews> {
        let caller = self.caller.clone();
        let wanted = move |job: &Job| {
            let asked = match (&cameras, &job.camera) {
                (Some(cameras), Some(camera)) => cameras.contains(camera),
                _ => true,
            };
            asked && jobs::sees(&caller, job)
        };
        changes(self.app.ports.jobs.clone())
            .filter(move |news| {
                let is_wanted = matches!(&news.data, LiveData::Job(job) if wanted(job));
                std::future::ready(is_wanted)
            })
            .boxed()
    }

    /// Serves `socket` to its end.
    async fn serve(mut self, socket: WebSocket) {
        let mut line = Line { socket, limit: self.app.limits.unacknowledged };
        let mut shutdown = self.app.shutdown.clone();
        let end = tokio::select! {
            end = self.talk(&mut line) => end,
            () = shutdown.wait() => End::Told(close_code::AWAY, "the daemon stops"),
        };
        if let End::Told(code, reason) = end {
            let frame = CloseFrame { code, reason: reason.into() };
            let closing = line.socket.send(Message::Close(Some(frame)));
            // Whoever does not take it finds the connection closed.
            let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
        }
    }

    async fn talk(&mut self, line: &mut Line) -> End {
        let mut alive = Alive::new(self.app.limits.keep_alive);
        let first = LiveMessage::Subscribed(self.wanted.clone());
        if !self.wanted.topics.is_empty() && line.tell(first).await {
            return End::Gone;
        }
        let mut turnover = self.app.ports.live.turnover();
        loop {
            // Cancel-safe: every arm waits for a stream or a timer.
            let gone = tokio::select! {
                heard = line.socket.recv() => {
                    alive.heard = true;
                    match heard {
                        None | Some(Err(_)) => return End::Gone,
                        Some(Ok(Message::Text(text))) => {
                            let answer = self.hear(&text);
                            line.tell(answer).await
                        }
                        Some(Ok(Message::Binary(_))) => {
                            return End::Told(close_code::UNSUPPORTED, "messages are JSON in text");
                        }
                        // Pings are answered, and a close is, by the library.
                        Some(Ok(_)) => false,
                    }
                }
                Some(news) = self.sources.next(), if !self.sources.is_empty() => {
                    line.tell(LiveMessage::News(news)).await
                }
                Some(()) = turnover.next() => {
                    self.follow();
                    false
                }
                _ = alive.tick.tick() => {
                    if !std::mem::take(&mut alive.heard) {
                        return End::Gone;
                    }
                    match self.app.ports.access.still(&self.caller) {
                        Some(still) if still.grant == self.caller.grant => {}
                        _ => return End::Told(close_code::POLICY, "sign in again"),
                    }
                    line.send(Message::Ping(axum::body::Bytes::new())).await
                }
            };
            if gone {
                return End::Gone;
            }
        }
    }

    /// Takes over what a client wants; the answer to it.
    fn hear(&mut self, text: &str) -> LiveMessage {
        let wanted: LiveSubscription = match serde_json::from_str(text) {
            Ok(wanted) => wanted,
            Err(error) => {
                let detail = format!("the message is no subscription: {error}");
                return LiveMessage::Problem(Failure::new(Fault::Malformed, detail).problem());
            }
        };
        match self.subscribe(wanted) {
            Ok(()) => LiveMessage::Subscribed(self.wanted.clone()),
            Err(failure) => LiveMessage::Problem(failure.problem()),
        }
    }
}

/// A socket, and how long a client may take to read.
struct Line {
    socket: WebSocket,
    limit: Duration,
}

impl Line {
    /// Sends `message`; whether the client is gone.
    async fn tell(&mut self, message: LiveMessage) -> bool {
        // Infallible: keys are texts.
        let text = serde_json::to_string(&message).unwrap_or_default();
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> bool {
        let sent = tokio::time::timeout(self.limit, self.socket.send(message)).await;
        !matches!(sent, Ok(Ok(())))
    }
}

/// Whether a client lives.
struct Alive {
    tick: Interval,
    /// Since the last tick.
    heard: bool,
}

impl Alive {
    fn new(period: Duration) -> Self {
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Who just came has not been asked yet.
        Self { tick, heard: true }
    }
}

/// Jobs as they change. Who falls behind is told how every one of them is now.
fn changes(jobs: Arc<dyn Jobs>) -> impl futures::Stream<Item = LiveNews> + Send {
    let live = jobs.subscribe();
    unfold((jobs, live, VecDeque::new()), |(jobs, mut live, mut ready)| async move {
        loop {
            if let Some(news) = ready.pop_front() {
                return Some((news, (jobs, live, ready)));
            }
            match live.recv().await {
                Ok(job) => ready.push_back(of_job(job)),
                Err(RecvError::Lagged(missed)) => {
                    let all = jobs.list().into_iter().rev();
                    ready.extend(all.map(of_job));
                    if let Some(first) = ready.front_mut() {
                        first.dropped = missed;
                    }
                }
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

fn of_job(job: Job) -> LiveNews {
    LiveNews {
        topic: LiveTopic::Jobs,
        camera: job.camera.clone(),
        at: base::clock::wall(),
        dropped: 0,
        data: LiveData::Job(Box::new(job)),
    }
}

/// What is new in `source` from now on, each time the newest.
fn newest(mut source: LiveSource) -> BoxStream<'static, LiveNews> {
    let known = source.borrow_and_update().as_ref().map_or(0, |item| item.number);
    let stream = unfold((source, known), |(mut source, known)| async move {
        loop {
            // A source ends with its camera.
            source.changed().await.ok()?;
            let item = source.borrow_and_update().as_ref().map(Arc::clone);
            if let Some(item) = item {
                let dropped = item.number.saturating_sub(known + 1);
                let news = LiveNews { dropped, ..item.news.clone() };
                return Some((news, (source, item.number)));
            }
        }
    });
    stream.boxed()
}
