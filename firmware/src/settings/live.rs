//! The settings in force, as everything in the daemon sees them.

use std::sync::Arc;

use api::settings::Settings;
use control::ports::InForce;
use tokio::sync::watch;

/// The settings in force; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct LiveSettings(Arc<watch::Sender<InForce>>);

impl LiveSettings {
    /// `loaded` is in force.
    pub(crate) fn new(loaded: InForce) -> Self {
        Self(Arc::new(watch::channel(loaded).0))
    }

    /// As they are now.
    pub(crate) fn current(&self) -> Arc<Settings> {
        self.0.borrow().settings.clone()
    }

    /// The same with where they come from.
    pub(crate) fn in_force(&self) -> InForce {
        self.0.borrow().clone()
    }

    /// The same as they change.
    pub(crate) fn watch(&self) -> watch::Receiver<InForce> {
        self.0.subscribe()
    }

    /// `new` is in force: everything runs on it.
    pub(crate) fn set(&self, new: InForce) {
        self.0.send_replace(new);
    }
}
