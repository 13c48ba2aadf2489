//! The contract between edgecamd and edgecam-camera: messages and framing.
