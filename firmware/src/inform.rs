//! Keeps the MQTT session informed of what is retained at the broker: the cameras' status and
//! statistics, and the machine's health.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base::shutdown::Shutdown;
use config::Config;
use futures::FutureExt;
use futures::future::BoxFuture;
use mqtt::{CameraSite, MqttHandle, SystemHealth};

use crate::cameras::{CameraHandle, Cameras};
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
    let mut tasks: Vec<_> = cameras
        .iter()
        .map(|(_, camera)| until(shutdown.clone(), of_camera(mqtt.clone(), camera.clone())))
        .collect();
    tasks.push(until(shutdown.clone(), of_settings(mqtt.clone(), settings.clone())));
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

async fn of_camera(mqtt: MqttHandle, camera: CameraHandle) {
    let mut view = camera.watch();
    loop {
        let now = view.borrow_and_update().clone();
        mqtt.set_camera_stats(&now.status.id, now.stats.clone());
        mqtt.set_camera_status(now.status.clone());
        if view.changed().await.is_err() {
            return;
        }
    }
}

/// Zones, lines and labels come and go with the settings.
async fn of_settings(mqtt: MqttHandle, settings: LiveSettings) {
    let mut changes = settings.watch();
    while changes.changed().await.is_ok() {
        let now = changes.borrow_and_update().settings.clone();
        // What is in force was compiled before it was.
        if let Ok(config) = config::compile(&now) {
            mqtt.set_cameras(CameraSite::all_of(&config));
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
