//! Settings layers compiled to one checked configuration, or every error at once.
//!
//! built-in defaults < board < settings files < made over the API < environment < command line → merged
//! [`api::settings::Settings`] → [`compile()`] → [`Config`]. Everything that runs, runs on [`Config`].
//!
//! | module | owns |
//! |---|---|
//! | [`board`] | boards with defaults of their own |
//! | [`layers`] | files, environment and command line → merged settings |
//! | [`compile`](mod@compile) | merged settings → checked configuration |
//! | [`model`] | the checked configuration |
//! | [`diff`] | what differs, and what each difference costs |
//! | [`revisions`] | the settings made over the API, on the disk |
//! | [`schema`] | the settings as JSON Schema |
//! | [`schedule`] | weekly windows as text, the local clock |
//! | [`patch`] | a merge patch onto what was made over the API |
//! | [`edit`] | entries of it that come, go or are replaced whole |
//! | [`redact`](mod@redact) | settings without their secrets |
//! | [`error`] | every mistake at once |

pub mod board;
mod check;
pub mod compile;
mod conform;
pub mod diff;
pub mod edit;
pub mod error;
pub mod layers;
mod merged;
pub mod model;
pub mod patch;
mod pointer;
pub mod redact;
pub mod revisions;
pub mod schedule;
pub mod schema;
pub mod shape;
mod template;
mod text;

pub use api::settings::{Precision, WhiteBalance};
pub use board::Board;
pub use compile::{compile, compile_camera};
pub use diff::{Change, ConfigDiff, Cost, FieldChange, camera_change};
pub use edit::{EditError, Entry};
pub use error::{ConfigErrors, Mistake};
pub use layers::{HostFacts, Layers, Loaded, Sources, load};
pub use model::{
    Broker, CameraConfig, CameraId, Cidr, Config, DataConfig, DetectorConfig, Draw, EncoderConfig,
    EncoderLadder, EventMatch, GovernorConfig, GpioActionConfig, GpioConfig, GpioPinConfig,
    GpioReaction, HistoryConfig, ImageConfig, ImageControls, InterfaceConfig, MediaServerConfig,
    MqttConfig, NetworkConfig, Orientation, OverlayConfig, PinRole, Rotation, Source,
    ThermalConfig, TimeConfig, UpdateConfig, VideoConfig, WifiConfig,
};
pub use redact::{redact, redact_camera, redact_tree, redact_url};
pub use text::ENV_PREFIX;
