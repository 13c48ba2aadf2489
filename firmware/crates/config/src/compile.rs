//! Checks merged settings and turns them into the configuration that everything runs on.

use api::settings::{CameraSettings, DetectorSettings, Settings, ThermalSettings};

use crate::error::ConfigErrors;
use crate::model::{CameraConfig, Config};

/// Checks complete settings (see [`crate::load`]) and turns them into a configuration. Pure: what
/// must exist on this machine (clips, devices) is looked at by who opens it.
///
/// # Errors
/// Every mistake at once.
pub fn compile(settings: &Settings) -> Result<Config, ConfigErrors> {
    let _ = settings;
    unimplemented()
}

/// Checks the complete settings of the camera `id`. A camera process compiles with this what
/// `edgecamd` has compiled before.
///
/// # Errors
/// Every mistake at once; pointers start with `/cameras/<id>`, `/detector` or `/thermal`.
pub fn compile_camera(
    id: &str,
    camera: &CameraSettings,
    detector: &DetectorSettings,
    thermal: &ThermalSettings,
) -> Result<CameraConfig, ConfigErrors> {
    let _ = (id, camera, detector, thermal);
    unimplemented()
}

fn unimplemented<T>() -> Result<T, ConfigErrors> {
    let mistake = crate::error::Mistake {
        pointer: String::new(),
        value: None,
        reason: "compiling is being written".into(),
        origin: None,
    };
    Err(ConfigErrors::or(vec![mistake], ()).err().unwrap_or_else(|| std::process::abort()))
}
