//! The settings as the API sees them.

use api::revisions::{SettingsChange, SettingsRevision, SettingsRevisionDetail, SettingsStatus};
use control::ports::{Answer, ChangeRequest, InForce, SettingsPort};
use futures::FutureExt;

use crate::settings::Engine;

impl SettingsPort for Engine {
    fn in_force(&self) -> InForce {
        Engine::in_force(self)
    }

    fn change(&self, change: ChangeRequest) -> Answer<'_, SettingsChange> {
        Engine::change(self, change).boxed()
    }

    fn confirm(&self) -> Answer<'_, SettingsStatus> {
        Engine::confirm(self).boxed()
    }

    fn status(&self) -> Answer<'_, SettingsStatus> {
        async move { Ok(Engine::status(self)) }.boxed()
    }

    fn revisions(&self, below: u64, limit: usize) -> Answer<'_, Vec<SettingsRevision>> {
        async move { Ok(Engine::revisions(self, below, limit).await) }.boxed()
    }

    fn revision(&self, number: u64) -> Answer<'_, Option<SettingsRevisionDetail>> {
        async move { Ok(Engine::revision(self, number).await) }.boxed()
    }
}
