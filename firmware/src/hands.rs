//! Has the machine's network and clock made as they are set, by the host agent where there is one.

use std::path::PathBuf;
use std::sync::Arc;

use api::problem::FieldProblem;
use api::settings::Settings;
use base::error::{ErrorKind, Kind};
use config::{Config, TimeConfig};
use host::{HostError, Plan, Request};
use tokio::sync::Mutex;

use crate::cameras::CameraError;
use crate::units::Units;

/// The agent's unit.
const UNIT: &str = "host";

/// What is done to the machine; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Hands(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    agent: Option<PathBuf>,
    /// How the machine is to be; held while it is made so.
    wanted: Mutex<Plan>,
    /// Why it is not as it is set since the start.
    refused: std::sync::Mutex<Option<String>>,
}

impl Hands {
    /// Hands for the settings at the start.
    pub(crate) fn new(units: &Units, config: &Config) -> Self {
        Self(Arc::new(Inner {
            agent: units.get(UNIT).map(|unit| unit.socket()),
            wanted: Mutex::new(plan(config)),
            refused: std::sync::Mutex::default(),
        }))
    }

    /// Whether this machine is EdgeCam's to change.
    pub(crate) fn manages(&self) -> bool {
        self.0.agent.is_some()
    }

    /// Why the machine is not as it is set since the start; `None`: it is.
    pub(crate) fn refused(&self) -> Option<String> {
        let refused = &self.0.refused;
        refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Makes the machine as it is set at the start.
    pub(crate) async fn begin(&self) {
        let wanted = self.0.wanted.lock().await;
        if !self.manages() && *wanted == Plan::default() {
            return;
        }
        if let Err(error) = self.ask(Request::Apply(Box::new(wanted.clone()))).await {
            tracing::error!(error = error.detail, "network and clock are not as they are set");
            let refused = &self.0.refused;
            *refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error.detail);
        }
    }

    /// Makes the machine as `settings` say, where they say anything new.
    pub(crate) async fn apply(&self, settings: &Settings) -> Result<(), CameraError> {
        let config = config::compile(settings)
            .map_err(|errors| CameraError::new(errors.kind(), errors.to_string()))?;
        let (new, mut wanted) = (plan(&config), self.0.wanted.lock().await);
        if new == *wanted {
            return Ok(());
        }
        let Err(refused) = self.ask(Request::Apply(Box::new(new.clone()))).await else {
            *wanted = new;
            return Ok(());
        };
        // Some of it may be done.
        if self.manages()
            && let Err(error) = self.ask(Request::Apply(Box::new(wanted.clone()))).await
        {
            tracing::error!(error = error.detail, "the machine is not as it was");
        }
        Err(refused)
    }

    /// Has the agent do `request`.
    pub(crate) async fn ask(&self, request: Request) -> Result<(), CameraError> {
        let Some(agent) = self.0.agent.clone() else {
            let detail = "this machine is not EdgeCam's to change: the daemon does not run as the \
                          appliance's service; change it where it is managed";
            return Err(CameraError::new(ErrorKind::FailedPrecondition, detail));
        };
        let asked = tokio::task::spawn_blocking(move || host::ask(&agent, &request)).await;
        let failed = |error: HostError| CameraError::new(error.kind(), base::error::chain(&error));
        asked
            .map_err(|error| CameraError::new(ErrorKind::Internal, error.to_string()))?
            .map_err(failed)
    }
}

fn plan(config: &Config) -> Plan {
    Plan { network: config.network.clone(), time: config.time.clone() }
}

/// What is wrong with the time zone of `time` on this machine.
pub(crate) fn unknown_zone(time: &TimeConfig) -> Option<FieldProblem> {
    let zone = time.zone.as_deref().filter(|zone| !host::look::knows_zone(zone))?;
    let detail = format!("this machine knows no time zone \"{zone}\"; write it as Europe/Berlin");
    Some(FieldProblem { pointer: "/time/zone".into(), detail })
}

/// Takes away what other users keep for EdgeCam, where there is an agent. Blocks.
pub(crate) fn forget() {
    let Some(unit) = Units::of_this_process().get(UNIT) else { return };
    if let Err(error) = host::ask(&unit.socket(), &Request::Forget) {
        let error = base::error::chain(&error);
        tracing::error!(error, "what the broker kept could not be taken away");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_that_is_managed_elsewhere_is_left_alone_and_says_so() {
        let set = |set: &[&str]| {
            let set = set.iter().map(|&text| text.to_owned()).collect();
            config::load(&config::Layers { set, ..config::Layers::default() }).unwrap()
        };
        let hands = Hands::new(&Units::default(), &set(&[]).config);
        hands.begin().await;
        assert_eq!((hands.manages(), hands.refused()), (false, None));
        hands.apply(&set(&["cameras.cam.name=Door"]).settings).await.unwrap();
        let fixed = set(&["network.interfaces.end0.addresses=[\"10.0.0.2/8\"]"]);
        let refused = hands.apply(&fixed.settings).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::FailedPrecondition);
        // Settings that say so from the start are no reason to refuse every other change.
        let hands = Hands::new(&Units::default(), &fixed.config);
        hands.begin().await;
        assert!(hands.refused().is_some());
        hands.apply(&fixed.settings).await.unwrap();
    }

    #[test]
    fn a_zone_that_the_machine_does_not_know_is_told_of() {
        let time = |zone: &str| TimeConfig { zone: Some(zone.into()), servers: vec![] };
        assert_eq!(unknown_zone(&time("UTC")), None);
        assert!(unknown_zone(&time("Nowhere/Land")).unwrap().detail.contains("Nowhere/Land"));
        assert_eq!(unknown_zone(&TimeConfig::default()), None);
    }
}
