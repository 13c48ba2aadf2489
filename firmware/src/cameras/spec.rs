//! How a camera's process is run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use link::CameraOrder;
use supervise::{ChildHandle, ChildSpec, Health, Limits, LogFormat, StopPolicy, Supervisor};

use super::health::{SILENCE, START};
use crate::units::Units;

/// How long a camera process may take to end its events and its pipeline.
pub(super) const GRACE: Duration = Duration::from_secs(4);

/// Starts the process of one camera.
#[derive(Clone, Debug)]
pub(super) struct Starter {
    /// Watches over it.
    pub(super) supervisor: Supervisor,
    /// The `edgecam-camera` binary.
    pub(super) program: PathBuf,
    /// The link's socket.
    pub(super) socket: PathBuf,
    /// Where it runs.
    pub(super) units: Units,
}

impl Starter {
    /// Starts the process for `order`.
    pub(super) fn start(&self, order: &CameraOrder) -> ChildHandle {
        self.supervisor.spawn(self.spec(order))
    }

    /// How the process for `order` is run.
    pub(super) fn spec(&self, order: &CameraOrder) -> ChildSpec {
        let unit = self.units.of_camera(order.settings.source.as_deref().unwrap_or_default());
        ChildSpec {
            unit: unit.map(|unit| unit.socket()),
            // The link: a process without any right to the socket's file has it all the same.
            input: Some(self.socket.clone()),
            ..spec(order, &self.program)
        }
    }
}

fn spec(order: &CameraOrder, program: &Path) -> ChildSpec {
    let args = ["--camera", &order.camera];
    let mut spec = ChildSpec::new(format!("camera-{}", order.camera), program).args(args);
    // `TZ`: schedules are in local time.
    let inherited = ["GST_*", "LIBCAMERA_*", "LD_LIBRARY_PATH", "TZ"];
    spec.inherit_env = inherited.map(Into::into).into();
    // Threads of the network that spin while they wait for each other take the core that the stream
    // needs: beside one busy core, two threads were ten times slower than one.
    spec.env.push(("OMP_WAIT_POLICY".into(), "passive".into()));
    spec.health = Health::Heartbeat { start_within: START, every: SILENCE };
    spec.stop = StopPolicy { grace: GRACE, ..StopPolicy::default() };
    // The one that eats memory goes first when there is none left.
    spec.limits = Limits { oom_score_adj: Some(300), ..Limits::default() };
    spec.log.format = LogFormat::Tracing;
    spec
}
