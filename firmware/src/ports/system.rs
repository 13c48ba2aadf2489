//! The machine and what runs on it, as the API sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use api::resources::{Check, ChildStatus, MqttStatus, Readiness, System};
use api::status::CameraPhase;
use config::Config;
use config::model::Broker;
use control::ports::SystemView;
use jiff::Timestamp;
use mqtt::{LinkStatus, MqttHandle};
use store::StoreHandle;
use supervise::ChildHandle;

use crate::cameras::Cameras;
use crate::machine::{Machine, resident_bytes};
use crate::media_server::MediaServer;
use crate::node;

/// Everything that the system page and the readiness checks look at.
#[derive(Debug)]
pub(crate) struct SystemPort {
    node: String,
    name: String,
    board: String,
    data: PathBuf,
    sensor: PathBuf,
    broker_address: Option<String>,
    started_at: Timestamp,
    cameras: Cameras,
    store: StoreHandle,
    mqtt: MqttHandle,
    children: Vec<ChildHandle>,
}

impl SystemPort {
    pub(crate) fn new(
        config: &Config,
        cameras: &Cameras,
        store: &StoreHandle,
        mqtt: &MqttHandle,
        media_server: Option<&MediaServer>,
        broker: Option<ChildHandle>,
    ) -> Self {
        let sensor =
            config.cameras.iter().find_map(|camera| Some(camera.thermal.as_ref()?.sensor.clone()));
        Self {
            node: config.node_id.clone(),
            name: config.node_name.clone(),
            board: node::model(),
            data: config.data.dir.clone(),
            sensor: sensor.unwrap_or_default(),
            broker_address: config.mqtt.as_ref().map(|mqtt| match &mqtt.broker {
                Broker::Supervised(address) => format!("mqtt://{address}"),
                Broker::Remote(url) => url.to_string(),
            }),
            started_at: base::clock::wall(),
            cameras: cameras.clone(),
            store: store.clone(),
            mqtt: mqtt.clone(),
            children: media_server.map(MediaServer::child).into_iter().chain(broker).collect(),
        }
    }

    /// The program `name` that the daemon runs beside the cameras.
    pub(crate) fn child(&self, name: &str) -> Option<ChildHandle> {
        self.children.iter().find(|child| child.name() == name).cloned()
    }

    fn mqtt(&self) -> MqttStatus {
        let status = self.mqtt.status().borrow().clone();
        let outbox = self.store.outbox_status();
        MqttStatus {
            enabled: status.link != LinkStatus::Disabled,
            connected: status.is_connected(),
            broker: self.broker_address.clone(),
            error: status.alarm().map(str::to_owned),
            outbox_events: outbox.pending,
            dropped_events: outbox.dropped_total,
        }
    }

    fn children(&self) -> BTreeMap<String, ChildStatus> {
        let helpers = self.children.iter().map(|child| {
            let status = child.status();
            let shown = ChildStatus {
                pid: status.pid,
                restarts: u32::try_from(status.restarts).unwrap_or(u32::MAX),
                memory_bytes: status.pid.and_then(resident_bytes),
                last_exit: status
                    .last_error
                    .or_else(|| status.last_exit.map(|exit| exit.to_string())),
            };
            (status.name, shown)
        });
        let all = self.cameras.all();
        let cameras = all.iter().map(|(id, camera)| {
            let status = camera.view().status.clone();
            let shown = ChildStatus {
                pid: status.pid,
                restarts: status.restarts,
                memory_bytes: status.pid.and_then(resident_bytes),
                last_exit: status.error,
            };
            (format!("camera-{id}"), shown)
        });
        helpers.chain(cameras).collect()
    }
}

impl SystemView for SystemPort {
    fn system(&self) -> System {
        let machine = Machine::read(&self.data, &self.sensor);
        System {
            node: self.node.clone(),
            name: self.name.clone(),
            board: self.board.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.store.boot_id().to_owned(),
            started_at: Some(self.started_at),
            temperature_c: machine.temperature_c,
            load_1m: machine.load_1m,
            memory_total_bytes: machine.memory_total,
            memory_available_bytes: machine.memory_available,
            disk_total_bytes: machine.disk_total,
            disk_free_bytes: machine.disk_free,
            mqtt: self.mqtt(),
            children: self.children(),
        }
    }

    /// Ready means that every enabled camera shows pictures. A broker that is away does not make
    /// it unready: events wait in the outbox.
    fn readiness(&self) -> Readiness {
        let all = self.cameras.all();
        let cameras = all.iter().filter_map(|(id, camera)| {
            let status = camera.view().status.clone();
            let ok = match status.phase {
                CameraPhase::Disabled => return None,
                CameraPhase::Running | CameraPhase::Ended => true,
                CameraPhase::Starting
                | CameraPhase::Waiting
                | CameraPhase::Stalled
                | CameraPhase::Failed => false,
            };
            let detail =
                status.error.unwrap_or_else(|| format!("{:?}", status.phase).to_lowercase());
            Some(Check { name: format!("camera {id}"), ok, detail })
        });
        let checks: Vec<_> = cameras.collect();
        Readiness { ready: checks.iter().all(|check| check.ok), checks }
    }
}
