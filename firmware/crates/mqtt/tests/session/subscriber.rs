//! A subscriber that keeps everything it was sent, in order, and comes back after an outage.

use std::net::SocketAddr;
use std::time::Duration;

use api::event::Event as Announcement;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The longest that any condition is waited for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) retain: bool,
}

impl Message {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// A subscriber at work.
pub(crate) struct Subscriber {
    messages: watch::Receiver<Vec<Message>>,
    client: AsyncClient,
    task: JoinHandle<()>,
}

impl Subscriber {
    /// Subscribed when this answers.
    pub(crate) async fn start(broker: SocketAddr, filter: &str) -> Self {
        Self::with(broker, filter, true).await
    }

    /// One whose subscription the broker keeps while it is away.
    pub(crate) async fn persistent(broker: SocketAddr, filter: &str) -> Self {
        Self::with(broker, filter, false).await
    }

    async fn with(broker: SocketAddr, filter: &str, clean: bool) -> Self {
        let id = format!("test-{}", ulid::Ulid::generate());
        let mut options = MqttOptions::new(id, broker.ip().to_string(), broker.port());
        options.set_clean_session(clean).set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut event_loop) = AsyncClient::new(options, 16);
        let (sender, messages) = watch::channel(Vec::new());
        let (subscribed, is_subscribed) = tokio::sync::oneshot::channel();
        let (own_client, filter) = (client.clone(), filter.to_owned());
        let task = tokio::spawn(async move {
            let mut subscribed = Some(subscribed);
            loop {
                match event_loop.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        own_client.try_subscribe(&filter, QoS::AtLeastOnce).unwrap();
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        let _ = subscribed.take().map(|subscribed| subscribed.send(()));
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let (topic, retain) = (publish.topic, publish.retain);
                        let message = Message { topic, payload: publish.payload.into(), retain };
                        sender.send_modify(|messages| messages.push(message));
                    }
                    Ok(_) => {}
                    // The broker is away; there is nothing to wait on but time.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        tokio::time::timeout(DEADLINE, is_subscribed).await.unwrap().unwrap();
        Self { messages, client, task }
    }

    /// All messages so far.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.borrow().clone()
    }

    /// All messages, once they are as `wanted`.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let waiting = self.messages.wait_for(|messages| wanted(messages));
        if let Ok(messages) = tokio::time::timeout(DEADLINE, waiting).await {
            return messages.unwrap().clone();
        }
        let messages = self.messages();
        let last: Vec<_> = messages.iter().rev().take(10).map(|m| (&m.topic, m.text())).collect();
        panic!("not within {DEADLINE:?}; {} messages, the last: {last:#?}", messages.len());
    }

    /// The last payload under `topic`, once it is `wanted`.
    pub(crate) async fn until_last(&mut self, topic: &str, wanted: &str) {
        self.until(|messages| {
            let last = messages.iter().rev().find(|message| message.topic == topic);
            last.is_some_and(|message| message.text() == wanted)
        })
        .await;
    }

    /// All announcements, once `count` different ones are there.
    pub(crate) async fn announcements(&mut self, count: usize) -> Vec<Announcement> {
        self.until(|messages| {
            let different: std::collections::HashSet<_> =
                messages.iter().map(|message| &message.payload).collect();
            different.len() >= count && first_seen(&decode(messages)).len() >= count
        })
        .await;
        decode(&self.messages())
    }

    pub(crate) async fn publish(&self, topic: &str, retain: bool, payload: &str) {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload).await.unwrap();
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The announcements among `messages`.
pub(crate) fn decode(messages: &[Message]) -> Vec<Announcement> {
    let events = messages.iter().filter(|message| message.topic.ends_with("/events"));
    events.map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
}

/// The `seq`s in the order in which each came for the first time.
pub(crate) fn first_seen(announcements: &[Announcement]) -> Vec<u64> {
    let mut seen = std::collections::HashSet::new();
    announcements.iter().map(|event| event.seq).filter(|seq| seen.insert(*seq)).collect()
}

/// What the broker keeps under `filter` now, by topic.
pub(crate) async fn kept(
    broker: SocketAddr,
    filter: &str,
) -> std::collections::BTreeMap<String, String> {
    let mut subscriber = Subscriber::start(broker, filter).await;
    // Retained messages come before what is published after the subscription.
    let marker = format!("test/marker/{}", ulid::Ulid::generate());
    let mut options = MqttOptions::new(&marker[12..], broker.ip().to_string(), broker.port());
    options.set_max_packet_size(1 << 20, 1 << 20);
    subscriber.client.subscribe(&marker, QoS::AtLeastOnce).await.unwrap();
    subscriber.publish(&marker, false, "end").await;
    let messages =
        subscriber.until(|messages| messages.last().is_some_and(|m| m.topic == marker)).await;
    let kept = messages.iter().filter(|message| message.retain);
    kept.map(|message| (message.topic.clone(), message.text())).collect()
}
