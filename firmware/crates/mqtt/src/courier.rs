//! What outlives a connection: what is retained, what was sent before, who is told of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::acks::Acks;
use crate::discovery::{self, Components};
use crate::ports::{Command, Outbox, Waiting};
use crate::retained::Retained;
use crate::site::{Node, Site};
use crate::status::{LinkStatus, MqttStatus};
use crate::task::Tuning;
use crate::to_wire::{self, Delivery, Item, SeenLabels};
use crate::topics::{INSTALL, OfCamera, Topics, level};

/// Labels per camera and zone that are taken over from an earlier life: more than any model has.
const MAX_SEEN: usize = 256;

pub(crate) struct Courier<O> {
    pub(crate) outbox: Arc<O>,
    pub(crate) topics: Topics,
    pub(crate) node: Node,
    pub(crate) tuning: Tuning,
    pub(crate) site: watch::Receiver<Site>,
    /// Keeps `site` open when no handle is left.
    pub(crate) _site_sender: Arc<watch::Sender<Site>>,
    pub(crate) status: watch::Sender<MqttStatus>,
    pub(crate) acks: Acks<O>,
    pub(crate) retained: Retained,
    pub(crate) counters: Counters,
    /// Where commands go; `None`: none are taken.
    pub(crate) commands: Option<mpsc::Sender<Command>>,
    seen: SeenLabels,
    /// Components that Home Assistant may know of.
    known: Components,
    /// Components in the newest discovery payload.
    announced: Components,
    /// The greatest `seq` that was sent in this life.
    sent_up_to: u64,
}

/// What [`MqttStatus`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) published: u64,
    pub(crate) replayed: u64,
    pub(crate) acknowledged: u64,
    pub(crate) connections: u64,
}

impl<O: Outbox> Courier<O> {
    pub(crate) fn new(
        outbox: Arc<O>,
        topics: Topics,
        node: Node,
        site: Arc<watch::Sender<Site>>,
        status: watch::Sender<MqttStatus>,
    ) -> Self {
        Self {
            acks: Acks::new(Arc::clone(&outbox)),
            outbox,
            topics,
            node,
            tuning: Tuning::default(),
            site: site.subscribe(),
            _site_sender: site,
            status,
            retained: Retained::default(),
            counters: Counters::default(),
            commands: None,
            seen: SeenLabels::new(),
            known: Components::new(),
            announced: Components::new(),
            sent_up_to: 0,
        }
    }

    /// Makes the retained topics of the newest site.
    pub(crate) fn refresh(&mut self, now: Instant) {
        let site = self.site.borrow_and_update();
        let mut items = to_wire::retained(&self.topics, &self.node, &site, &self.seen);
        if let Some(topic) = self.topics.discovery() {
            let commands = self.commands.is_some();
            let (payload, current) = discovery::device(
                &self.topics,
                &self.node,
                &site,
                &self.seen,
                &self.known,
                commands,
            );
            let payload = payload.to_string().into_bytes();
            items.insert(topic, Item { news: payload.clone(), payload });
            self.announced = current;
        }
        drop(site);
        self.retained.set(items, now, self.tuning.state_interval);
    }

    /// The broker has what was published, retained, under `topic`.
    pub(crate) fn retained_acknowledged(&mut self, topic: &str, cleared: bool, now: Instant) {
        self.retained.acknowledged(topic, cleared);
        if Some(topic) == self.topics.discovery().as_deref() && self.known != self.announced {
            // What was to be removed is; the payload need not list it any longer.
            self.known = self.announced.clone();
            self.refresh(now);
        }
    }

    /// The broker sent something that it keeps retained under one of our topics.
    pub(crate) fn found_retained(&mut self, topic: &str, payload: &[u8], now: Instant) {
        if Some(topic) == self.topics.discovery().as_deref() {
            self.known.extend(discovery::components_in(payload));
            self.refresh(now);
        } else if self.take_over_label(topic) {
            self.refresh(now);
            self.retained.found(topic);
        } else if self.topics.parse(topic).is_some() || topic == self.topics.update() {
            self.retained.found(topic);
        }
    }

    /// A count of a label that an earlier life of the daemon saw: it is kept, with 0, if its
    /// camera (and zone) is still there and looks for all labels.
    fn take_over_label(&mut self, topic: &str) -> bool {
        let Some((camera_level, what)) = self.topics.parse(topic) else { return false };
        let (zone, label) = match what {
            OfCamera::Count("all") | OfCamera::Other => return false,
            OfCamera::Count(label) => (None, label),
            OfCamera::ZoneCount(zone, label) => (Some(zone), label),
        };
        let site = self.site.borrow();
        let wanted = site.cameras.values().map(|camera| &camera.site).any(|site| {
            let zone_is_there = zone.is_none_or(|zone| site.zones.iter().any(|z| level(z) == zone));
            level(&site.id) == camera_level && site.labels.is_none() && zone_is_there
        });
        drop(site);
        if !wanted {
            return false;
        }
        let zones = self.seen.entry(camera_level.to_owned()).or_default();
        let labels = zones.entry(zone.map(str::to_owned)).or_default();
        labels.len() < MAX_SEEN && labels.insert(label.to_owned())
    }

    /// Somebody sent `payload` to the topic that orders updates.
    pub(crate) fn commanded(&self, payload: &[u8]) {
        let Some(commands) = &self.commands else { return };
        if payload != INSTALL.as_bytes() {
            let text: String = String::from_utf8_lossy(payload).chars().take(40).collect();
            tracing::warn!(text, "this is no command for updates; `install` is one");
        } else if commands.try_send(Command::InstallUpdate).is_err() {
            tracing::warn!("a command is left out: those before it are not done yet");
        }
    }

    /// Topic and payload of an announcement as it is to be sent now.
    pub(crate) fn announce(&mut self, waiting: &Waiting) -> (String, Vec<u8>) {
        let event = &waiting.event;
        let now = base::clock::monotonic();
        let late = now.saturating_sub(waiting.stored_at) > self.tuning.late_after;
        let old = event.seq <= self.sent_up_to || event.boot_id != self.node.boot_id;
        let delivery = if old || late { Delivery::Replayed } else { Delivery::Fresh { now } };
        self.sent_up_to = self.sent_up_to.max(event.seq);
        self.counters.published += 1;
        self.counters.replayed += u64::from(delivery == Delivery::Replayed);
        // What came out of the outbox as JSON goes into JSON again.
        let payload = to_wire::announcement(event, delivery).unwrap_or_default();
        (self.topics.events(event.camera.as_deref()), payload)
    }

    /// Shows how it goes.
    pub(crate) fn show(&self, link: Option<LinkStatus>, in_flight: usize) {
        let Counters { published, replayed, acknowledged, connections } = self.counters;
        let pending = self.outbox.pending();
        self.status.send_if_modified(|status| {
            let new = MqttStatus {
                link: link.unwrap_or_else(|| status.link.clone()),
                pending,
                in_flight: in_flight as u64,
                published,
                replayed,
                acknowledged,
                connections,
            };
            let changed = *status != new;
            *status = new;
            changed
        });
    }

    /// The wait after which counters are shown.
    pub(crate) const SHOW_INTERVAL: Duration = Duration::from_millis(250);
}
