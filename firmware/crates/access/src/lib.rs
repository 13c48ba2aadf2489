//! Who may do what: the claim of a new device, users and their passwords, tokens, sessions, lock-out.
//! No HTTP: `control` asks here, and so does the media server's question who may watch.
//!
//! | module | owns |
//! |---|---|
//! | [`access`] | the one handle: asks, changes, stores; async |
//! | [`principal`] | who was recognised, and what they may do (pure) |
//! | [`book`] | users, tokens and sessions, and the rules of changing them (pure) |
//! | `carry` | users and tokens taken elsewhere and back, for backups |
//! | [`lockout`] | who has to wait after wrong passwords (pure) |
//! | [`password`] | which passwords are taken; argon2id |
//! | [`secret`] | random secrets and their digests |
//! | `folder` | the files that are kept |
//! | [`claim`] | the code that a new device shows |
//! | [`error`] | what can go wrong, each with its way out |
//!
//! One file, `access.json` (0600), replaced whole and durably with every change; a change is in force
//! when it is on the disk. Secrets of tokens and sessions are kept as SHA-256 only: they are 256 random
//! bits. Passwords are kept as argon2id.
//!
//! Invariants:
//! - There is no default password: without a user there is only the claim, by a code that the device
//!   shows where only its owner looks.
//! - There is always an admin once there is a user.
//! - A token never does more than its owner may, now.
//! - A damaged file never opens the device: it is reported, and nobody comes in until it is mended.

pub mod access;
pub mod book;
mod carry;
pub mod claim;
pub mod error;
mod folder;
pub mod lockout;
pub mod password;
pub mod principal;
pub mod secret;

pub use access::{Access, NewSession};
pub use error::AccessError;
pub use principal::Principal;
