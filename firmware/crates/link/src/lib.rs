//! The contract between `edgecamd` and `edgecam-camera`: messages, framing, version.
//!
//! `edgecamd` listens on a Unix stream socket; a camera process connects, says [`FromCamera::Hello`]
//! and gets one [`ToCamera::Configure`]. After that each side sends as it likes. The end of the
//! stream means that the other process is gone: a camera process then ends itself.
//!
//! | module | owns |
//! |---|---|
//! | [`message`] | what is said |
//! | [`work`] | the same with a process that does one thing and ends |
//! | [`framing`] | how it is put on the socket |

pub mod framing;
pub mod message;
pub mod work;

pub use framing::{LinkError, Receiver, Sender, split};
pub use message::{CameraOrder, FromCamera, Happening, PROTOCOL, ToCamera, TrackBatch, track_id};
