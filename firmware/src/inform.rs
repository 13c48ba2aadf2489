//! Keeps the MQTT session informed of what is retained at the broker: the cameras' status and
//! statistics, the machine's health, and how far an update is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::updates::{UpdatePhase, Updates};
use base::shutdown::Shutdown;
use config::Config;
use futures::FutureExt;
use futures::future::BoxFuture;
use mqtt::{CameraSite, Firmware, MqttHandle, SystemHealth};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cameras::{CameraView, Cameras};
use crate::machine::Machine;
use crate::settings::LiveSettings;

/// The longest summary that Home Assistant shows, in characters.
const MOST_SUMMARY: usize = 255;
/// Time between two looks at the machine.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The tasks that tell the session, to be spawned.
pub(crate) fn keep(
    mqtt: MqttHandle,
    config: &Config,
    cameras: &Cameras,
    settings: &LiveSettings,
    shutdown: &Shutdown,
) -> Vec<BoxFuture<'static, ()>> {
    let mut tasks = vec![until(shutdown.clone(), of_cameras(mqtt.clone(), cameras.clone()))];
    let settings = of_settings(mqtt.clone(), cameras.clone(), settings.clone());
    tasks.push(until(shutdown.clone(), settings));
    let sensor =
        config.cameras.iter().find_map(|camera| Some(camera.thermal.as_ref()?.sensor.clone()));
    let machine = of_machine(mqtt, config.data.dir.clone(), sensor.unwrap_or_default());
    tasks.push(until(shutdown.clone(), machine));
    tasks
}

/// The task that tells of updates, to be spawned.
pub(crate) fn of_updates(
    mqtt: MqttHandle,
    mut updates: watch::Receiver<Updates>,
    shutdown: &Shutdown,
) -> BoxFuture<'static, ()> {
    let telling = async move {
        loop {
            let now = firmware_of(&updates.borrow_and_update());
            mqtt.set_firmware(now);
            if updates.changed().await.is_err() {
                return;
            }
        }
    };
    until(shutdown.clone(), telling)
}

/// An update for Home Assistant, which knows one bar for all of it.
fn firmware_of(updates: &Updates) -> Option<Firmware> {
    use UpdatePhase as P;
    if !updates.supported {
        return None;
    }
    let (begins, in_progress) = match updates.phase {
        P::Fetching | P::Receiving => (Some(0.0), true),
        P::Installing => (Some(50.0), true),
        P::Installed | P::Trial => (None, true),
        P::Idle
        | P::Staged
        | P::AwaitingConfirmation
        | P::Committed
        | P::RolledBack
        | P::Failed => (None, false),
    };
    let share = |begins: f32| Some(begins + 50.0 * updates.progress?);
    let staged = updates.update.as_ref().filter(|_| updates.phase.has_one());
    let staged = staged.and_then(|update| update.version.clone());
    let found = updates.available.as_ref();
    let latest = staged.or_else(|| found.map(|found| found.version.clone()));
    let found = found.filter(|found| latest.as_ref() == Some(&found.version));
    let summary = found.and_then(|found| found.summary.as_deref()).unwrap_or_default();
    Some(Firmware {
        title: "EdgeCam".to_owned(),
        installed_version: updates.version.clone(),
        release_summary: summary.chars().take(MOST_SUMMARY).collect(),
        release_url: found.and_then(|found| found.release_url.clone()),
        latest_version: latest.unwrap_or_else(|| updates.version.clone()),
        in_progress,
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of 100, and `as` saturates"
        )]
        update_percentage: begins.and_then(share).map(|percent| percent as u8),
    })
}

/// `task` until the stop. Cancel-safe: the tasks here only pass on what they see.
fn until(
    mut shutdown: Shutdown,
    task: impl Future<Output = ()> + Send + 'static,
) -> BoxFuture<'static, ()> {
    async move {
        tokio::select! { () = task => {}, () = shutdown.wait() => {} }
    }
    .boxed()
}

/// A task for each camera, which ends with it.
async fn of_cameras(mqtt: MqttHandle, cameras: Cameras) {
    let mut known = cameras.watch();
    let mut told: BTreeMap<String, watch::Receiver<Arc<CameraView>>> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let now = known.borrow_and_update().clone();
        // One that went and came back under its name is another one.
        told.retain(|id, view| now.get(id).is_some_and(|camera| camera.watch().same_channel(view)));
        for (id, camera) in now.iter().filter(|(id, _)| !told.contains_key(*id)).collect::<Vec<_>>()
        {
            told.insert(id.clone(), camera.watch());
            tasks.spawn(of_camera(mqtt.clone(), camera.watch()));
        }
        // Cancel-safe: both arms only wait.
        tokio::select! {
            changed = known.changed() => if changed.is_err() { return },
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn of_camera(mqtt: MqttHandle, mut view: watch::Receiver<Arc<CameraView>>) {
    loop {
        let now = view.borrow_and_update().clone();
        mqtt.set_camera_stats(&now.status.id, now.stats.clone());
        mqtt.set_camera_status(now.status.clone());
        if view.changed().await.is_err() {
            return;
        }
    }
}

/// Cameras, zones, lines and labels come and go with the settings.
async fn of_settings(mqtt: MqttHandle, cameras: Cameras, settings: LiveSettings) {
    let mut changes = settings.watch();
    while changes.changed().await.is_ok() {
        let now = changes.borrow_and_update().settings.clone();
        // What is in force was compiled before it was.
        if let Ok(config) = config::compile(&now) {
            mqtt.set_cameras(CameraSite::all_of(&config));
            // What a new one has told before was of no matter then.
            for camera in cameras.all().values() {
                mqtt.set_camera_status(camera.view().status.clone());
            }
        }
    }
}

async fn of_machine(mqtt: MqttHandle, data: PathBuf, sensor: PathBuf) {
    let started = Instant::now();
    let mut tick = tokio::time::interval(LOOK_EVERY);
    loop {
        tick.tick().await;
        let machine = Machine::read(&data, &sensor);
        mqtt.set_system(SystemHealth {
            uptime_s: started.elapsed().as_secs(),
            temperature_c: machine.temperature_c,
            memory_used_bytes: Some(machine.memory_total.saturating_sub(machine.memory_available)),
            memory_total_bytes: Some(machine.memory_total),
            disk_free_bytes: Some(machine.disk_free),
            disk_total_bytes: Some(machine.disk_total),
            ..SystemHealth::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use api::updates::{AvailableUpdate, UpdateBundle};

    use super::*;

    fn updates(phase: UpdatePhase, progress: Option<f32>) -> Updates {
        let available = AvailableUpdate {
            version: "0.5.0".into(),
            summary: Some("ä".repeat(300)),
            release_url: Some("https://example.org/0.5.0".into()),
            ..AvailableUpdate::default()
        };
        Updates {
            supported: true,
            version: "0.4.0".into(),
            phase,
            progress,
            available: Some(available),
            ..Updates::default()
        }
    }

    #[test]
    fn home_assistant_sees_one_bar_from_the_fetch_to_the_end() {
        let shown = |phase, progress| firmware_of(&updates(phase, progress)).unwrap();
        let idle = shown(UpdatePhase::Idle, None);
        assert_eq!(
            (idle.installed_version.as_str(), idle.latest_version.as_str()),
            ("0.4.0", "0.5.0")
        );
        assert_eq!((idle.in_progress, idle.update_percentage), (false, None));
        assert_eq!(idle.release_summary.chars().count(), 255);
        for (phase, progress, percentage) in [
            (UpdatePhase::Fetching, Some(0.5), Some(25)),
            (UpdatePhase::Installing, Some(0.5), Some(75)),
            (UpdatePhase::Installing, None, None),
            (UpdatePhase::Trial, Some(0.5), None),
        ] {
            let shown = shown(phase, progress);
            assert_eq!(
                (shown.in_progress, shown.update_percentage),
                (true, percentage),
                "{phase:?}"
            );
        }
    }

    #[test]
    fn what_is_staged_is_the_latest_and_what_came_to_nothing_is_not() {
        let version = |phase| {
            let update = UpdateBundle { version: Some("0.6.0".into()), ..UpdateBundle::default() };
            let updates = Updates { update: Some(update), ..updates(phase, None) };
            let shown = firmware_of(&updates).unwrap();
            (shown.latest_version, shown.release_url.is_some())
        };
        assert_eq!(version(UpdatePhase::Staged), ("0.6.0".to_owned(), false));
        assert_eq!(version(UpdatePhase::RolledBack), ("0.5.0".to_owned(), true));
    }

    #[test]
    fn a_device_that_cannot_be_updated_has_no_entity_for_it() {
        assert_eq!(firmware_of(&Updates::default()), None);
    }
}
