//! How the session is doing, for the API and the logs.

use jiff::Timestamp;

/// The session as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MqttStatus {
    /// Whether the broker is there.
    pub link: LinkStatus,
    /// Announcements that wait in the outbox, those in flight included.
    pub pending: u64,
    /// Announcements sent and not acknowledged yet.
    pub in_flight: u64,
    /// Announcements sent since the daemon started, those sent again included.
    pub published: u64,
    /// Of these, marked `replayed`.
    pub replayed: u64,
    /// Announcements that the broker acknowledged since the daemon started.
    pub acknowledged: u64,
    /// Connections that the broker accepted since the daemon started.
    pub connections: u64,
}

/// Whether the broker is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LinkStatus {
    /// MQTT is switched off.
    #[default]
    Disabled,
    /// The broker is being connected to.
    Connecting {
        /// Since when there is no connection.
        since: Timestamp,
        /// Tries that failed since then.
        attempts: u32,
        /// Why the last one failed, with the way out; `None` on the first try.
        error: Option<String>,
        /// When the next one is made; `None` while one is being made.
        next_try: Option<Timestamp>,
    },
    /// Connected.
    Connected {
        /// Since when.
        since: Timestamp,
    },
    /// The session has ended with the daemon.
    Stopped,
}

impl MqttStatus {
    /// What stands in the way of announcements, as a sentence; `None` while nothing does.
    pub fn alarm(&self) -> Option<&str> {
        match &self.link {
            LinkStatus::Connecting { error, .. } => error.as_deref(),
            LinkStatus::Disabled | LinkStatus::Connected { .. } | LinkStatus::Stopped => None,
        }
    }

    /// Whether the broker is connected.
    pub fn is_connected(&self) -> bool {
        matches!(self.link, LinkStatus::Connected { .. })
    }
}
