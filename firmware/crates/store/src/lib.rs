//! SQLite: events and their outbox, stored before they are announced; what was tracked.
//!
//! | module | owns |
//! |---|---|
//! | [`types`] | what goes in and comes out |
//! | [`error`] | what can go wrong, each with its way out |
//! | [`handle`] | the cloneable front: async, answers after the commit |
//! | `open` | finding a usable database: checks, migrations, a fresh one in place of a corrupt one |
//! | `versions` | a file per schema, so that two firmwares share a data folder |
//! | `worker` | thread `ec-store`: groups commands into transactions (group commit) |
//! | `write` | the statements of such a transaction |
//! | `audit` | the record of changes over the API |
//! | `hooks` | how far webhooks have come, their last deliveries |
//! | `tracks` | stored tracks: their statements, their reader |
//! | `read` | thread `ec-store-read`: queries on a connection of its own, so they never wait for a commit |
//!
//! Channels: two bounded `mpsc` of commands with a `oneshot` each (a full one makes the caller
//! wait), a `watch` of the newest committed `seq`, a `watch` of the outbox, a `broadcast` of what was
//! committed.
//!
//! Invariants:
//! - An event and its outbox row are committed together (WAL, `synchronous=FULL`), and
//!   [`StoreHandle::append`] answers after that: what it answered `Ok` to survives `kill -9` and
//!   power loss.
//! - `seq` is given inside the transaction from a counter in the same file: gap-free per node,
//!   across restarts, refused transactions and deletions.
//! - A firmware of another schema has its database in another file; neither changes the other's. What
//!   either stored the other takes over at its start, announcements that wait for the broker first of all.
//! - Nothing is deleted that waits for the broker, except beyond the outbox's cap: the oldest
//!   first, counted and logged.
//! - Tracks are kept within their limits with every one that comes; those of the last seconds may be
//!   lost, an event never for them.
//! - [`StoreHandle::newest`] never shows a `seq` that a query would not find: a reader that asks
//!   for all after its last `seq` whenever it changes misses nothing.

mod audit;
pub mod error;
pub mod handle;
mod hooks;
mod open;
mod read;
mod sql;
mod tracks;
pub mod types;
mod versions;
mod worker;
mod write;

pub use error::StoreError;
pub use handle::{StoreHandle, StoreThreads};
pub use open::Store;
pub use tracks::TrackReader;
pub use types::{
    CloseReason, Count, CountQuery, EventQuery, HookNote, HookProgress, NewEvent, NewTracks, Order,
    OutboxExtent, OutboxPolicy, OutboxRow, OutboxStatus, SeqBounds, StoreOptions, Stored,
    StoredTracks, TrackLimits, TrackQuery,
};
pub use versions::forget_older;
