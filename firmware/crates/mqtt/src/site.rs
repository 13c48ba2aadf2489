//! What there is to announce: the node, its cameras, and what they are doing now.

use std::collections::BTreeMap;

use api::status::{CameraStats, CameraStatus};
use config::Config;
use serde::Serialize;

/// The device, as it does not change while the daemon runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Stable id, a topic level.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Id of this start of the daemon, as in events.
    pub boot_id: String,
    /// Version of the firmware.
    pub version: String,
    /// The board, such as `Raspberry Pi 5 Model B`.
    pub board: Option<String>,
    /// Serial number of the board.
    pub serial: Option<String>,
    /// Where the API and the web page are reached.
    pub api_url: Option<String>,
}

/// A configured camera, as far as topics and discovery go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CameraSite {
    /// Its id, a topic level.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Labels that are looked for; `None`: all of the model's, announced once they are seen.
    pub labels: Option<Vec<String>>,
    /// Ids of its zones.
    pub zones: Vec<String>,
    /// Ids of its lines.
    pub lines: Vec<String>,
}

impl CameraSite {
    /// The enabled cameras of `config`.
    pub fn all_of(config: &Config) -> Vec<Self> {
        let enabled = config.cameras.iter().filter(|camera| camera.enabled);
        enabled
            .map(|camera| Self {
                id: camera.id.to_string(),
                name: camera.name.clone(),
                labels: camera.detection.labels.clone(),
                zones: camera.zones.iter().map(|zone| zone.id().to_string()).collect(),
                lines: camera.lines.iter().map(|line| line.id().to_string()).collect(),
            })
            .collect()
    }
}

/// Health of the machine, for the `system` topic. `None`: not measured here.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SystemHealth {
    /// Time since the daemon started, in seconds.
    pub uptime_s: u64,
    /// Temperature of the processor, °C.
    pub temperature_c: Option<f32>,
    /// Whether the firmware slows the processor down (heat, voltage).
    pub throttled: Option<bool>,
    /// Whether the supply voltage is too low.
    pub undervoltage: Option<bool>,
    /// Share of all cores that is busy, 0..=100.
    pub cpu_percent: Option<f32>,
    /// Memory in use, bytes.
    pub memory_used_bytes: Option<u64>,
    /// Memory there is, bytes.
    pub memory_total_bytes: Option<u64>,
    /// Room left on the data file system, bytes.
    pub disk_free_bytes: Option<u64>,
    /// Size of the data file system, bytes.
    pub disk_total_bytes: Option<u64>,
    /// Whether the wall clock is synchronised.
    pub clock_synced: Option<bool>,
}

/// The firmware and what there is newer, as Home Assistant's update entity reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Firmware {
    /// What it is, for people.
    pub title: String,
    /// Version that runs.
    pub installed_version: String,
    /// The newest version that is known: that of `installed_version` where there is none newer.
    pub latest_version: String,
    /// Whether an update is under way.
    pub in_progress: bool,
    /// How much of it is done, 0..=100; `None`: that cannot be said.
    pub update_percentage: Option<u8>,
    /// What the newest brings, for people; empty where that is not known, since Home Assistant refuses null
    /// and keeps what was before when it is left out. It shows at most 255 characters.
    pub release_summary: String,
    /// Where people read what it brings. Home Assistant refuses an empty one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_url: Option<String>,
}

/// Everything that retained topics and discovery are made of; the newest counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Site {
    pub(crate) cameras: BTreeMap<String, Camera>,
    pub(crate) system: Option<SystemHealth>,
    pub(crate) firmware: Option<Firmware>,
}

/// A camera with its newest report.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Camera {
    pub(crate) site: CameraSite,
    pub(crate) status: Option<CameraStatus>,
    pub(crate) stats: Option<CameraStats>,
}

impl Site {
    /// Exactly these cameras from now on; those that stay keep their reports.
    pub(crate) fn set_cameras(&mut self, sites: Vec<CameraSite>) {
        let mut old = std::mem::take(&mut self.cameras);
        for site in sites {
            let camera = old.remove(&site.id).unwrap_or_default();
            self.cameras.insert(site.id.clone(), Camera { site, ..camera });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_stays_keeps_its_report_and_one_that_goes_is_gone() {
        let camera = |id: &str| CameraSite { id: id.into(), ..CameraSite::default() };
        let mut site = Site::default();
        site.set_cameras(vec![camera("front"), camera("back")]);
        site.cameras.get_mut("front").unwrap().status = Some(CameraStatus::default());
        site.set_cameras(vec![camera("front"), camera("side")]);
        assert_eq!(site.cameras.keys().collect::<Vec<_>>(), ["front", "side"]);
        assert!(site.cameras["front"].status.is_some() && site.cameras["side"].status.is_none());
    }
}
