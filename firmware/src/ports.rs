//! What `control` and `mqtt` need from outside, answered by the rest of the product.
//!
//! Siblings do not import siblings: each says what it needs as traits, and they meet here.

mod audit;
mod cameras;
mod detector;
mod events;
mod gpio;
mod jobs;
mod live;
mod machine;
mod models;
mod mqtt;
mod outbox;
mod past;
mod settings;
mod streams;
mod system;
mod trials;
mod viewing;
mod webhooks;

pub(crate) use audit::AuditPort;
pub(crate) use events::StoredEvents;
pub(crate) use gpio::PinPort;
pub(crate) use machine::{MachineParts, MachinePort};
pub(crate) use models::ModelPort;
pub(crate) use mqtt::MqttPort;
pub(crate) use outbox::StoreOutbox;
pub(crate) use past::PastPort;
pub(crate) use streams::StreamPort;
pub(crate) use system::SystemPort;
pub(crate) use trials::TrialPort;
pub(crate) use viewing::ViewingPort;
pub(crate) use webhooks::WebhookPort;
