//! One connection: the only code that talks to rumqttc's client and event loop. On any error it
//! is over, and nothing of it is used again: the truth is in the outbox.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::{Duration, Instant};

use base::shutdown::Shutdown;
use rumqttc::{
    AsyncClient, ClientError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet,
    Publish, QoS, SubscribeFilter, SubscribeReasonCode,
};

use crate::connect::{Address, MAX_PACKET, explain};
use crate::courier::Courier;
use crate::error::MqttError;
use crate::feed::Feed;
use crate::ports::Outbox;
use crate::status::LinkStatus;
use crate::topics::OFFLINE;
use crate::window::{ALL, What, Window};

/// Time in which a connection must come about.
const CONNECT_TIMEOUT_S: u64 = 5;
/// How long the broker may take to say what it keeps of an earlier life.
const SWEEP: Duration = Duration::from_secs(5);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// Bytes that MQTT adds to topic and payload, at most.
const OVERHEAD: usize = 16;

/// A packet that is neither an announcement nor the retained state.
enum Control {
    Subscribe(Vec<String>, QoS),
    Unsubscribe(String),
    Farewell(String),
    Disconnect,
}

/// One connection.
pub(crate) struct Session<'a, O> {
    courier: &'a mut Courier<O>,
    feed: Feed<O>,
    client: AsyncClient,
    address: &'a Address,
    window: Window,
    control: VecDeque<Control>,
    connected: Option<Instant>,
    sweep_until: Option<Instant>,
    next_refresh: Instant,
    next_show: Instant,
    leave_by: Option<Instant>,
    delivered: bool,
}

/// Whether a session goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Over,
}

impl<'a, O: Outbox> Session<'a, O> {
    pub(crate) fn new(
        courier: &'a mut Courier<O>,
        options: MqttOptions,
        address: &'a Address,
    ) -> (Self, EventLoop) {
        // Room for all that the window lets through: `try_publish` then fails only by mistake.
        let (client, mut event_loop) = AsyncClient::new(options, ALL + 4);
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(CONNECT_TIMEOUT_S).set_tcp_nodelay(true);
        event_loop.set_network_options(network);
        let now = Instant::now();
        let session = Self {
            feed: Feed::new(courier.outbox.clone()),
            courier,
            client,
            address,
            window: Window::new(now),
            control: VecDeque::new(),
            connected: None,
            sweep_until: None,
            next_refresh: now,
            next_show: now,
            leave_by: None,
            delivered: false,
        };
        (session, event_loop)
    }

    /// Whether the connection was of use: the next one need not be waited for long.
    pub(crate) fn was_good(&self) -> bool {
        let healthy_after = self.courier.tuning.healthy_after;
        self.delivered || self.connected.is_some_and(|since| since.elapsed() >= healthy_after)
    }

    /// Runs until asked to stop (`Ok`) or until the connection is of no more use.
    pub(crate) async fn run(
        &mut self,
        mut event_loop: EventLoop,
        shutdown: &mut Shutdown,
    ) -> Result<(), MqttError> {
        loop {
            // One `poll` is never dropped before it is done: it may hold a packet half written.
            let mut poll = pin!(event_loop.poll());
            let event = loop {
                let now = Instant::now();
                if self.prepare(now)? == Flow::Over {
                    return Ok(());
                }
                let wake = tokio::time::sleep_until(self.wake().into());
                tokio::select! {
                    event = &mut poll => break event,
                    () = shutdown.wait(), if self.leave_by.is_none() => self.begin_to_leave(),
                    () = self.feed.changed() => {}
                    () = self.courier.acks.written() => {}
                    _ = self.courier.site.changed() => self.next_refresh = Instant::now(),
                    () = wake => {}
                }
            };
            let event = event.map_err(|error| explain(error, self.address))?;
            if self.on_event(event)? == Flow::Over {
                return Ok(());
            }
        }
    }

    /// Hands everything to the client that may go now.
    fn prepare(&mut self, now: Instant) -> Result<Flow, MqttError> {
        if self.leave_by.is_some_and(|by| by <= now || self.connected.is_none()) {
            return Ok(Flow::Over);
        }
        if self.next_show <= now {
            self.next_show = now + Courier::<O>::SHOW_INTERVAL;
            self.courier.show(None, self.window.events());
        }
        self.courier.acks.start(now);
        if self.connected.is_none() {
            return Ok(Flow::On);
        }
        let patience = self.courier.tuning.ack_timeout;
        if self.window.deadline(patience).is_some_and(|deadline| deadline <= now) {
            let address = self.address.to_string();
            return Err(MqttError::NotAcknowledged { address, patience });
        }
        self.end_sweep(now);
        self.send_control(now)?;
        if self.leave_by.is_none() {
            self.send_retained(now)?;
            self.send_announcements(now)?;
        }
        Ok(Flow::On)
    }

    /// When [`Self::prepare`] has something to do although nothing happened.
    fn wake(&self) -> Instant {
        // What is no longer done once leaving must not wake either: it would for ever.
        let staying = self.leave_by.is_none();
        [
            self.window.deadline(self.courier.tuning.ack_timeout),
            self.courier.acks.due(),
            self.feed.due().filter(|_| staying),
            self.sweep_until,
            self.leave_by,
            self.connected.map(|_| self.next_refresh).filter(|_| staying),
        ]
        .into_iter()
        .flatten()
        .fold(self.next_show, Instant::min)
    }

    fn send_control(&mut self, now: Instant) -> Result<(), MqttError> {
        while self.window.has_room() {
            let Some(control) = self.control.pop_front() else { break };
            let sent = match control {
                Control::Subscribe(filters, qos) => {
                    let filters = filters.into_iter().map(|f| SubscribeFilter::new(f, qos));
                    self.client.try_subscribe_many(filters)
                }
                Control::Unsubscribe(filter) => self.client.try_unsubscribe(filter),
                Control::Farewell(topic) => {
                    self.client.try_publish(topic, QoS::AtLeastOnce, true, OFFLINE)
                }
                Control::Disconnect if self.window.is_empty() => {
                    return self.client.try_disconnect().map_err(client_full);
                }
                Control::Disconnect => {
                    self.control.push_front(Control::Disconnect);
                    break;
                }
            };
            sent.map_err(client_full)?;
            self.window.queued(What::Control, now);
        }
        Ok(())
    }

    fn send_retained(&mut self, now: Instant) -> Result<(), MqttError> {
        if self.next_refresh <= now {
            self.next_refresh = now + self.courier.tuning.state_interval;
            self.courier.refresh(now);
        }
        while self.window.has_room() {
            let Some(next) = self.courier.retained.next(now) else { break };
            if !fits(&next.topic, &next.payload) {
                tracing::error!(
                    topic = next.topic,
                    bytes = next.payload.len(),
                    "too large to retain"
                );
                continue;
            }
            let cleared = next.payload.is_empty();
            let topic = next.topic;
            self.client
                .try_publish(topic.clone(), QoS::AtLeastOnce, true, next.payload)
                .map_err(client_full)?;
            self.window.queued(What::Retained { topic, cleared }, now);
        }
        Ok(())
    }

    fn send_announcements(&mut self, now: Instant) -> Result<(), MqttError> {
        while self.window.has_room_for_event() {
            let Some(waiting) = self.feed.pop() else { break };
            let seq = waiting.event.seq;
            let (topic, payload) = self.courier.announce(&waiting);
            if !fits(&topic, &payload) {
                // It would break this and every later connection, and all behind it would wait.
                tracing::error!(seq, bytes = payload.len(), "too large to announce; left out");
                self.courier.acks.note(seq, now);
                continue;
            }
            self.client
                .try_publish(topic, QoS::AtLeastOnce, false, payload)
                .map_err(client_full)?;
            self.window.queued(What::Event(seq), now);
        }
        self.feed.start(now);
        Ok(())
    }

    fn on_event(&mut self, event: Event) -> Result<Flow, MqttError> {
        let now = Instant::now();
        match event {
            Event::Incoming(Packet::ConnAck(_)) => self.on_connected(now),
            Event::Incoming(Packet::PubAck(ack)) => self.on_acknowledged(ack.pkid, now)?,
            Event::Incoming(Packet::UnsubAck(ack)) => self.on_acknowledged(ack.pkid, now)?,
            Event::Incoming(Packet::SubAck(ack)) => {
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                    tracing::warn!("the broker refused a subscription; its access list may be why");
                }
                self.on_acknowledged(ack.pkid, now)?;
            }
            Event::Incoming(Packet::Publish(publish)) => self.on_message(&publish, now),
            Event::Outgoing(
                Outgoing::Publish(id) | Outgoing::Subscribe(id) | Outgoing::Unsubscribe(id),
            ) => self.window.left(id).map_err(MqttError::Confused)?,
            Event::Outgoing(Outgoing::AwaitAck(_)) => return Err(MqttError::PacketIds),
            // The event comes after the packet was flushed.
            Event::Outgoing(Outgoing::Disconnect) => return Ok(Flow::Over),
            _ => {}
        }
        Ok(Flow::On)
    }

    fn on_connected(&mut self, now: Instant) {
        self.connected = Some(now);
        self.sweep_until = Some(now + SWEEP);
        self.next_refresh = now;
        self.courier.counters.connections += 1;
        self.courier.retained.connected();
        let topics = &self.courier.topics;
        let own = topics.own_retained();
        let filters = topics.home_assistant_status().into_iter().chain(own).collect();
        self.control.push_back(Control::Subscribe(filters, QoS::AtMostOnce));
        if self.courier.commands.is_some() {
            let commands = vec![topics.update_command()];
            self.control.push_back(Control::Subscribe(commands, QoS::AtLeastOnce));
        }
        let link = LinkStatus::Connected { since: base::clock::wall() };
        self.courier.show(Some(link), 0);
        tracing::info!(broker = %self.address, "connected to the broker");
    }

    fn on_acknowledged(&mut self, packet_id: u16, now: Instant) -> Result<(), MqttError> {
        match self.window.acknowledged(packet_id, now).map_err(MqttError::Confused)? {
            What::Event(seq) => {
                self.delivered = true;
                self.courier.counters.acknowledged += 1;
                self.courier.acks.note(seq, now);
            }
            What::Retained { topic, cleared } => {
                self.courier.retained_acknowledged(&topic, cleared, now);
            }
            What::Control => {}
        }
        Ok(())
    }

    /// What others publish. A command that the broker kept is an old one, and is not obeyed again.
    fn on_message(&mut self, publish: &Publish, now: Instant) {
        if publish.topic == self.courier.topics.update_command() {
            if !publish.retain {
                self.courier.commanded(&publish.payload);
            }
        } else if Some(&publish.topic) == self.courier.topics.home_assistant_status().as_ref() {
            if publish.payload == "online"
                && let Some(topic) = self.courier.topics.discovery()
            {
                self.courier.retained.again(&topic);
            }
        } else if publish.retain && self.sweep_until.is_some() {
            self.courier.found_retained(&publish.topic, &publish.payload, now);
        }
    }

    /// What we publish from now on needs not come back to us.
    fn end_sweep(&mut self, now: Instant) {
        if self.sweep_until.is_some_and(|until| until <= now) {
            self.sweep_until = None;
            let own = self.courier.topics.own_retained();
            self.control.extend(own.into_iter().map(Control::Unsubscribe));
        }
    }

    /// Says `offline` itself: the last will is not sent for who takes leave.
    fn begin_to_leave(&mut self) {
        self.leave_by = Some(Instant::now() + FAREWELL);
        let topics = &self.courier.topics;
        let site = self.courier.site.borrow();
        let of_cameras = site.cameras.keys().map(|camera| topics.camera_availability(camera));
        self.control.extend(of_cameras.map(Control::Farewell));
        self.control.push_back(Control::Farewell(topics.availability()));
        self.control.push_back(Control::Disconnect);
    }
}

fn fits(topic: &str, payload: &[u8]) -> bool {
    topic.len() + payload.len() + OVERHEAD <= MAX_PACKET
}

#[allow(clippy::needless_pass_by_value, reason = "`map_err` gives it by value")]
fn client_full(_: ClientError) -> MqttError {
    MqttError::ClientFull
}
