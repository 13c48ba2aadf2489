//! Settings that live in memory.

use std::sync::Arc;

use api::revisions::{
    ChangeCost, ChangeStatus, FieldChange, PendingConfirmation, SettingsChange, SettingsRevision,
    SettingsRevisionDetail, SettingsStatus,
};
use base::error::{ErrorKind, Kind as _};
use config::EditError;
use edgecam_control::PortError;
use edgecam_control::ports::{Answer, ChangeRequest, InForce, SettingsPort, What};
use futures::FutureExt;
use serde_json::json;

use super::Fake;

impl Fake {
    /// Changes that were made, the oldest first.
    pub(crate) fn changes(&self) -> Vec<ChangeRequest> {
        self.made.lock().unwrap().clone()
    }

    fn make(&self, change: ChangeRequest) -> Result<SettingsChange, PortError> {
        if let Some(kind) = *self.refuse.lock().unwrap() {
            return Err(PortError::new(kind, "the camera says no"));
        }
        let mut in_force = self.in_force.lock().unwrap();
        if change.only_on.as_ref().is_some_and(|only| !only.contains(&in_force.revision)) {
            return Err(PortError::new(ErrorKind::Aborted, "another revision is in force"));
        }
        let (sources, made, settings) = (&self.sources, &in_force.made, &in_force.settings);
        let patched = match &change.what {
            What::Patch(patch) => sources.patch(made, settings, patch).map_err(EditError::from),
            What::Add(entry) => sources.add(made, settings, entry),
            What::Put(entry) => sources.put(made, settings, entry),
            What::Remove(at) => sources.remove(made, settings, at),
            What::Exactly(made) => {
                let loaded = sources.load(made).map_err(EditError::from);
                loaded.map(|loaded| config::patch::Patched { made: made.clone(), loaded })
            }
            What::BackTo(0) => {
                sources.patch(&json!({}), settings, &json!({})).map_err(EditError::from)
            }
            What::BackTo(_) => {
                return Err(PortError::new(ErrorKind::NotFound, "there is no such revision"));
            }
        };
        let patched = patched.map_err(|error| match error {
            EditError::Wrong(errors) => PortError {
                errors: errors.field_problems(),
                ..PortError::new(ErrorKind::InvalidArgument, "fields are wrong")
            },
            other => PortError::new(other.kind(), other.to_string()),
        })?;
        let restarts = patched.made.get("node").is_some();
        let status = match (change.dry_run, restarts, change.confirm_within) {
            (true, ..) => ChangeStatus::DryRun,
            (_, true, _) => ChangeStatus::Applying,
            (_, _, Some(_)) => ChangeStatus::PendingConfirmation,
            _ => ChangeStatus::Applied,
        };
        if !change.dry_run {
            let settings = Arc::new(patched.loaded.settings);
            let revision = in_force.revision + 1;
            *in_force = InForce { revision, settings, made: Arc::new(patched.made) };
            self.made.lock().unwrap().push(change);
        }
        let field = FieldChange {
            pointer: "/cameras/front/name".into(),
            before: None,
            after: Some("Door".into()),
            cost: ChangeCost::Live,
        };
        let revision = in_force.revision;
        Ok(SettingsChange { revision, status, changes: vec![field], confirm_by: None })
    }

    fn kept(&self, revision: u64) -> SettingsRevision {
        SettingsRevision {
            revision,
            in_force: revision == self.in_force().revision,
            made_at: "2026-07-01T12:00:00Z".parse().unwrap(),
            made_by: "api".into(),
            note: None,
            parent: revision - 1,
            undoes: None,
        }
    }
}

impl SettingsPort for Fake {
    fn in_force(&self) -> InForce {
        self.in_force.lock().unwrap().clone()
    }

    fn change(&self, change: ChangeRequest) -> Answer<'_, SettingsChange> {
        async move { self.make(change) }.boxed()
    }

    fn confirm(&self) -> Answer<'_, SettingsStatus> {
        let last = self.changes().pop();
        let waits = last.is_some_and(|last| last.confirm_within.is_some());
        async move {
            if !waits {
                let detail = "no revision waits to be confirmed";
                return Err(PortError::new(ErrorKind::FailedPrecondition, detail));
            }
            SettingsPort::status(self).await
        }
        .boxed()
    }

    fn status(&self) -> Answer<'_, SettingsStatus> {
        let revision = self.in_force().revision;
        let pending = PendingConfirmation {
            revision: 1,
            back_to: 0,
            confirm_by: "2026-07-01T12:02:00Z".parse().unwrap(),
        };
        let pending = Some(pending);
        async move { Ok(SettingsStatus { revision, pending, ..SettingsStatus::default() }) }.boxed()
    }

    fn revisions(&self, below: u64, limit: usize) -> Answer<'_, Vec<SettingsRevision>> {
        let numbers = (1..=self.in_force().revision).rev().filter(move |number| *number < below);
        let page = numbers.take(limit).map(|number| self.kept(number)).collect();
        async move { Ok(page) }.boxed()
    }

    fn revision(&self, number: u64) -> Answer<'_, Option<SettingsRevisionDetail>> {
        let there = (1..=self.in_force().revision).contains(&number);
        let detail = there.then(|| SettingsRevisionDetail {
            revision: self.kept(number),
            settings: json!({}),
            changes: Vec::new(),
        });
        async move { Ok(detail) }.boxed()
    }
}
