//! The settings in force as the API sees them.

use std::sync::Arc;

use api::settings::Settings;
use control::ports::SettingsView;

use crate::settings::LiveSettings;

impl SettingsView for LiveSettings {
    fn current(&self) -> Arc<Settings> {
        LiveSettings::current(self)
    }

    fn base(&self) -> Arc<Settings> {
        LiveSettings::base(self)
    }
}
