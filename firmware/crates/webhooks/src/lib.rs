//! Posts announcements to where their owner wants them: signed, in order, at least once.
//!
//! | module | owns |
//! |---|---|
//! | [`handle`] | the cloneable front: lists, makes, changes, tries webhooks; async |
//! | [`keeper`] | the task behind it: runs the pumps, keeps what they tell, ends them |
//! | `pump` | one webhook: from where it has come to, announcement by announcement |
//! | `plan` | where to begin, what is missing, what an answer means, how long to wait (pure) |
//! | `filter` | which announcements a webhook wants (pure) |
//! | `book` | webhooks and the rules of changing them (pure) |
//! | `sign` | secrets, and headers by the Standard Webhooks specification (pure) |
//! | `post` | one request, by the guarded way out |
//! | `folder` | the file that is kept |
//! | `slot` | what pump and handle share of a webhook |
//! | [`error`] | what can go wrong, each with its way out |
//!
//! What a webhook is lies in `webhooks.json` (0600: it has the secrets), replaced whole and durably with
//! every change. How far each has come, and its last deliveries, lie in the event store, with the
//! announcements that they are about. A pump sleeps until the store has something new.
//!
//! Invariants:
//! - A webhook moves on from an announcement only after it was answered with 2xx, or its filter leaves it
//!   out. What was taken and not yet kept as such is posted again after a start: at least once, with the
//!   same `webhook-id`.
//! - Announcements are posted one after the other, by growing `seq`.
//! - What the store has let go before it was posted is told with the next post, never passed over in
//!   silence.
//! - A receiver that hangs, is away or is many times too slow costs a waiting task, and nothing else waits
//!   for it.

mod book;
pub mod error;
mod filter;
mod folder;
pub mod handle;
pub mod keeper;
mod plan;
mod post;
mod pump;
mod sign;
mod slot;

pub use error::WebhookError;
pub use handle::{Tuning, Webhooks};
pub use keeper::Keeper;
