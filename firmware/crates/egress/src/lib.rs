//! The one guarded way out to addresses that somebody else has named.
//!
//! Who may name an address that the device then goes to could have it ask the device's own services, the
//! router, or a cloud's metadata. Here an address is read once, its name is resolved, every answer is held
//! against a policy, and the connection goes to an answer that was checked and to nothing else: a name that
//! answers differently the next time (DNS rebinding) is not asked a next time. Every hop of a redirect
//! takes the same way.
//!
//! | module | owns |
//! |---|---|
//! | [`address`] | what an address may look like (pure) |
//! | [`policy`] | which machines may be reached (pure) |
//! | `guard` | resolves and checks, for each connection |
//! | [`client`] | requests, with limits of time and size |
//!
//! Blocks: call it where blocking is allowed.

pub mod address;
pub mod client;
mod error;
mod guard;
pub mod policy;

pub use address::{Address, WEB};
pub use client::{Egress, Limits};
pub use error::EgressError;
pub use policy::Reach;
