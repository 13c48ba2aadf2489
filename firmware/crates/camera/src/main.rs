//! edgecam-camera.
fn main() {}
