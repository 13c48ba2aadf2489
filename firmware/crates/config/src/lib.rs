//! Settings layers compiled to one checked configuration, or every error at once.
//!
//! built-in defaults < board < settings files < environment < command line → merged
//! [`api::settings::Settings`] → [`compile()`] → [`Config`]. Everything that runs, runs on [`Config`].
//!
//! | module | owns |
//! |---|---|
//! | [`model`] | the checked configuration |

pub mod model;

pub use model::{
    CameraConfig, CameraId, Config, DataConfig, DetectorConfig, Draw, EncoderConfig, EncoderLadder,
    MediaServerConfig, MqttConfig, OverlayConfig, Source, ThermalConfig, VideoConfig,
};
