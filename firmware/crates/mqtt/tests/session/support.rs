//! A session under test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::shutdown::{self, Stopper};
use config::MqttConfig;
use config::model::Broker;
use edgecam_mqtt::{CameraSite, Command, MqttHandle, MqttStatus, MqttTask, Node, Tuning};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::outbox::{BOOT_ID, MemoryOutbox};
use crate::subscriber::DEADLINE;

/// A running session.
pub(crate) struct Running {
    pub(crate) handle: MqttHandle,
    pub(crate) outbox: Arc<MemoryOutbox>,
    /// What was commanded.
    pub(crate) commands: mpsc::Receiver<Command>,
    stopper: Stopper,
    task: JoinHandle<()>,
}

pub(crate) fn config(broker: SocketAddr) -> MqttConfig {
    MqttConfig {
        broker: Broker::Supervised(broker),
        credentials: None,
        ca_file: None,
        client_cert: None,
        prefix: "edgecam".to_owned(),
        discovery_prefix: Some("homeassistant".to_owned()),
        commands: true,
        keep_alive: Duration::from_secs(15),
    }
}

/// Waits that fit a test.
pub(crate) fn tuning() -> Tuning {
    Tuning {
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(100),
        ..Tuning::default()
    }
}

pub(crate) fn front() -> CameraSite {
    CameraSite {
        id: "front".to_owned(),
        name: "Front door".to_owned(),
        labels: None,
        zones: vec!["drive".to_owned()],
        lines: vec!["gate".to_owned()],
    }
}

impl Running {
    pub(crate) fn start(broker: SocketAddr) -> Self {
        Self::with(config(broker), tuning(), vec![front()], Arc::new(MemoryOutbox::new()))
    }

    pub(crate) fn with(
        config: MqttConfig,
        tuning: Tuning,
        cameras: Vec<CameraSite>,
        outbox: Arc<MemoryOutbox>,
    ) -> Self {
        let node = Node {
            id: "ec-test".to_owned(),
            name: "Test box".to_owned(),
            boot_id: BOOT_ID.to_owned(),
            version: "0.1.0".to_owned(),
            ..Node::default()
        };
        let (handle, task) = MqttTask::new(config, node, cameras, Arc::clone(&outbox));
        let (stopper, shutdown) = shutdown::channel();
        let (orders, commands) = mpsc::channel(1);
        let task = task.with_tuning(tuning).with_commands(orders);
        let task = tokio::spawn(task.run(shutdown));
        Self { handle, outbox, commands, stopper, task }
    }

    /// The status, once it is as `wanted`.
    pub(crate) async fn until(&self, wanted: impl Fn(&MqttStatus) -> bool) -> MqttStatus {
        let mut status = self.handle.status();
        let waiting = status.wait_for(|status| wanted(status));
        if let Ok(status) = tokio::time::timeout(DEADLINE, waiting).await {
            return status.unwrap().clone();
        }
        panic!("not within {DEADLINE:?}: {:?}", self.handle.status().borrow());
    }

    /// Stops it in good order.
    pub(crate) async fn stop(self) -> MqttHandle {
        self.stopper.stop();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap();
        self.handle
    }

    /// Kills it where it stands: its connection breaks without a word.
    pub(crate) async fn kill(self) -> MqttHandle {
        self.task.abort();
        let _ = self.task.await;
        self.handle
    }
}
