//! The demo model, which EdgeCam carries: with it a device detects before any model was fetched. How it
//! was trained is told beside its files, in `TRAINING.md`.

/// Its name, by which settings choose it.
pub const NAME: &str = "edgecam-demo_416x256";
/// Its manifest, as TOML.
pub(crate) const MANIFEST: &str = include_str!("../../../models/demo/demo.toml");
/// Its structure, the file that its manifest names.
pub const PARAM: &[u8] = include_bytes!("../../../models/demo/edgecam_demo.param");
/// Its weights, the file that its manifest names.
pub const BIN: &[u8] = include_bytes!("../../../models/demo/edgecam_demo.bin");
