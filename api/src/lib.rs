//! The contract: types on the wire and in files. Nothing of ours is imported here.
//!
//! | module | owns | who writes it, who reads it |
//! |---|---|---|
//! | [`access`] | claim, users, tokens, the record of changes | owner, access ↔ clients |
//! | [`areas`] | cameras, zones, lines and masks with their ids | owner → daemon → clients |
//! | [`capabilities`] | what a camera can do, and how long its frames take | camera process, daemon → clients |
//! | [`backtest`] | other zones and lines, tried on what was tracked | owner, daemon → clients |
//! | [`event`] | `edgecam.event/1`, the announcement of everything that happened | camera process → store → MQTT, SSE, REST |
//! | [`governor`] | what a camera's governor reduces, why, and its steps | camera process → store, API, MQTT |
//! | [`gpio`] | inputs and outputs of the device | daemon → clients, owner → daemon |
//! | [`jobs`] | long work | daemon → clients |
//! | [`live`] | who watches; what the WebSocket tells | daemon, camera process → clients |
//! | [`manifest`] | a model's manifest file | `firmware/models` → detector, models API |
//! | [`models`] | what is done with models and the detector | owner, daemon ↔ camera program, clients |
//! | [`mqtt`] | the MQTT session, its outbox, a try of a broker | daemon → clients |
//! | [`past`] | stored tracks, counts over time | daemon → clients |
//! | [`problem`] | RFC 9457 error bodies | control → clients |
//! | [`resources`] | what else the REST API answers | daemon → clients |
//! | [`revisions`] | how settings are changed: changes, costs, revisions | owner, daemon → clients |
//! | [`settings`] | every setting, every field optional | owner, files, environment → config |
//! | [`system`] | the machine: network, time, logs, issues, backups | daemon ↔ clients |
//! | [`status`] | what a camera, the detector, the streams and the system are doing | camera process, daemon → API, MQTT |
//! | [`updates`] | updates of the firmware: state, slots, uploads, the index of releases | owner, daemon ↔ clients |
//! | [`webhooks`] | where announcements are posted to, and what became of that | owner, webhooks ↔ clients |

pub mod access;
pub mod areas;
pub mod backtest;
pub mod capabilities;
pub mod event;
pub mod governor;
pub mod gpio;
pub mod jobs;
pub mod live;
pub mod manifest;
pub mod models;
pub mod mqtt;
pub mod past;
pub mod problem;
pub mod resources;
pub mod revisions;
pub mod settings;
pub mod status;
pub mod system;
pub mod updates;
pub mod webhooks;
