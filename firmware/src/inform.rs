//! Keeps the MQTT session informed of what is retained at the broker: the cameras' status and
//! statistics, and the machine's health.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::shutdown::Shutdown;
use config::Config;
use futures::FutureExt;
use futures::future::BoxFuture;
use mqtt::{CameraSite, MqttHandle, SystemHealth};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cameras::{CameraView, Cameras};
use crate::machine::Machine;
use crate::settings::LiveSettings;

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
