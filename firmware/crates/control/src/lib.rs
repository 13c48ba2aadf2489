//! The REST control plane: routes, OpenAPI, problem+json, server-sent events.
//!
//! | module | owns |
//! |---|---|
//! | [`ports`] | what the API needs from the rest of the product |
//! | [`server`] | bind, serve, stop |

pub mod ports;
pub mod server;

pub use ports::{PortError, Ports};
pub use server::{Bound, ControlServer, ServeError};

/// The OpenAPI document of the API, JSON with a line break at its end.
pub fn openapi_json() -> String {
    String::new()
}
