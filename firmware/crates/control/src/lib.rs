//! The REST control plane: routes, OpenAPI, problem+json, server-sent events.
//!
//! | module | owns |
//! |---|---|
//! | [`ports`] | what the API needs from the rest of the product |
//! | [`server`] | bind, accept, stop |
//! | `connection` | one connection: TLS, timers, the way to HTTPS |
//! | [`limits`] | how much a client may take, in time and number |
//! | [`certificate`] | the device's own certificate, or the one in its place |
//! | `gate` | who may pass: sign-in, roles, names, rates, the record of changes |
//! | `app` | the router with everything around it |
//! | `routes` | the one list of everything that is served, and the handlers |
//! | `follow` | announcements from any point on, without gap or duplicate |
//! | `patch` | patches of a part of the settings, pointers into bodies (pure) |
//! | `metrics` | the metrics page |
//! | `problem` | failures → HTTP statuses and bodies, the only place |
//! | `extract` | what is read from requests |
//! | `openapi`, `examples` | the OpenAPI document |
//! | `state` | what every handler has at hand |
//! | `unread` | what a handler left of a request's body |
//!
//! One task accepts; one task per connection serves it and ends with the server. Nothing is kept
//! here: every answer is asked from the ports.
//!
//! Invariant: a client, however slow, hung or many, costs a connection and no more. Nothing waits
//! for it, and what is queued for it is bounded.

mod app;
pub mod certificate;
mod connection;
mod examples;
mod extract;
mod follow;
mod gate;
pub mod limits;
mod metrics;
mod openapi;
mod patch;
pub mod ports;
mod problem;
mod routes;
pub mod server;
mod state;
mod unread;

pub use certificate::{CertificateError, Certificates};
pub use limits::Limits;
pub use ports::{PortError, Ports};
pub use server::{Bound, ControlServer, Listen, ServeError};

/// The OpenAPI document of the API, JSON with a line break at its end.
pub fn openapi_json() -> String {
    openapi::document_text().to_owned()
}
