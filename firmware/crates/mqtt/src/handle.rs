//! The cloneable front of the session: newest values in, status out. Never waits.

use std::sync::Arc;

use api::status::{CameraStats, CameraStatus};
use tokio::sync::watch;

use crate::site::{CameraSite, Firmware, Site, SystemHealth};
use crate::status::MqttStatus;

/// Tells the session what to keep retained at the broker; cheap to clone. Only the newest value
/// of everything is kept, so that callers never wait, with a broker or without.
#[derive(Clone, Debug)]
pub struct MqttHandle {
    pub(crate) site: Arc<watch::Sender<Site>>,
    pub(crate) status: watch::Receiver<MqttStatus>,
}

impl MqttHandle {
    /// The handle of a switched-off session: takes everything, announces nothing.
    pub fn disabled() -> Self {
        let (_, status) = watch::channel(MqttStatus::default());
        Self { site: Arc::new(watch::Sender::new(Site::default())), status }
    }

    /// Exactly these cameras from now on. The retained topics and discovery entries of cameras,
    /// zones, lines and labels that are no more are emptied at the broker.
    pub fn set_cameras(&self, cameras: Vec<CameraSite>) {
        self.site.send_modify(|site| site.set_cameras(cameras));
    }

    /// The newest status of a camera: availability, state, counts. Of no matter for a camera
    /// that is not among those of [`Self::set_cameras`].
    pub fn set_camera_status(&self, status: CameraStatus) {
        self.site.send_if_modified(|site| {
            let Some(camera) = site.cameras.get_mut(&status.id) else { return false };
            let changed = camera.status.as_ref() != Some(&status);
            camera.status = Some(status);
            changed
        });
    }

    /// The newest counters of a camera. They go out with its next state, at the latest after 30 s.
    pub fn set_camera_stats(&self, camera: &str, stats: CameraStats) {
        self.site.send_if_modified(|site| {
            if let Some(camera) = site.cameras.get_mut(camera) {
                camera.stats = Some(stats);
            }
            // Rates differ every second: no reason to wake the session.
            false
        });
    }

    /// The newest health of the machine. It goes out every 30 s.
    pub fn set_system(&self, health: SystemHealth) {
        self.site.send_if_modified(|site| site.system.replace(health).is_none());
    }

    /// The firmware, and how far an update is; `None`: it cannot be updated, and there is no entity for it.
    pub fn set_firmware(&self, firmware: Option<Firmware>) {
        self.site.send_if_modified(|site| {
            let changed = site.firmware != firmware;
            site.firmware = firmware;
            changed
        });
    }

    /// How the session is doing.
    pub fn status(&self) -> watch::Receiver<MqttStatus> {
        self.status.clone()
    }
}
