//! Changes, revisions and status as the API shows them: without secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use api::revisions::{
    ChangeCost, FieldChange, FixedSetting, PendingConfirmation, RolledBack, SettingsRevision,
    SettingsRevisionDetail, SettingsStatus,
};
use api::settings::Settings;
use config::revisions::{Pending, Revision, Revisions};
use config::{ConfigDiff, Cost, redact_tree};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// What differs.
pub(super) fn changes(diff: &ConfigDiff) -> Vec<FieldChange> {
    let change = |change: &config::FieldChange| {
        let shown = |value: &Option<Value>| {
            let shown = value.as_ref().map(|value| redact_tree(&change.pointer, value));
            shown.filter(|value| !value.is_null())
        };
        FieldChange {
            pointer: change.pointer.clone(),
            before: shown(&change.old),
            after: shown(&change.new),
            cost: cost(change.cost),
        }
    };
    diff.changes.iter().map(change).collect()
}

fn cost(cost: Cost) -> ChangeCost {
    match cost {
        Cost::Live => ChangeCost::Live,
        Cost::Rebuild => ChangeCost::Rebuild,
        Cost::Restart => ChangeCost::Restart,
    }
}

/// A revision, with `in_force` the number of the one that is.
pub(super) fn revision(revision: &Revision, in_force: u64) -> SettingsRevision {
    SettingsRevision {
        revision: revision.revision,
        in_force: revision.revision == in_force,
        made_at: revision.made_at,
        made_by: revision.made_by.clone(),
        note: revision.note.clone(),
        parent: revision.parent,
        undoes: revision.undoes,
    }
}

/// A revision with what is in it; `settings` are all that were in force with it and with its parent, as
/// far as they can be told.
pub(super) fn detail(
    found: &Revision,
    in_force: u64,
    settings: Option<[Settings; 2]>,
) -> SettingsRevisionDetail {
    let diff = settings.map(|[with, before]| ConfigDiff::between(&before, &with));
    SettingsRevisionDetail {
        revision: revision(found, in_force),
        settings: redact_tree("", &found.settings),
        changes: diff.map(|diff| changes(&diff)).unwrap_or_default(),
    }
}

/// How the settings stand, with the revision `applying` that is being taken over.
pub(super) fn status(
    revisions: &Revisions,
    applying: Option<u64>,
    fixed: &BTreeMap<String, String>,
) -> SettingsStatus {
    let newest = revisions.in_force();
    let rolled_back = newest.and_then(|newest| {
        Some(RolledBack {
            revision: newest.undoes?,
            at: newest.made_at,
            reason: newest.note.clone().unwrap_or_default(),
        })
    });
    let fixed = fixed
        .iter()
        .map(|(pointer, origin)| FixedSetting { pointer: pointer.clone(), origin: origin.clone() });
    SettingsStatus {
        revision: revisions.number(),
        applying,
        pending: revisions.pending().map(pending),
        rolled_back,
        problems: revisions.troubles().to_vec(),
        fixed: fixed.collect(),
    }
}

fn pending(pending: &Pending) -> PendingConfirmation {
    PendingConfirmation {
        revision: pending.revision,
        back_to: pending.back_to,
        confirm_by: confirm_by(pending),
    }
}

/// When `pending` is over, on the wall clock as it is now.
pub(super) fn confirm_by(pending: &Pending) -> Timestamp {
    let deadline = Duration::from_nanos(pending.deadline_ns);
    let left = deadline.saturating_sub(base::clock::since_boot());
    base::clock::wall() + SignedDuration::try_from(left).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use config::{Layers, Sources};
    use serde_json::json;

    use super::*;

    #[test]
    fn no_secret_is_in_a_change_or_in_a_revision() {
        let sources = Sources::read(&Layers::default());
        let made = json!({
            "mqtt": { "url": "mqtts://me:c4nary@broker", "username": "me", "password": "c4nary" },
            "cameras": { "cam": { "source": "rtsp://me:c4nary@10.0.0.9/stream" } },
        });
        let with = |made: &Value| sources.load(made).unwrap().settings;
        let (before, after) = (with(&json!({})), with(&made));
        let diff = ConfigDiff::between(&before, &after);
        let revision = Revision {
            schema: 1,
            revision: 1,
            made_at: Timestamp::UNIX_EPOCH,
            made_by: "test".into(),
            note: None,
            parent: 0,
            undoes: None,
            settings: made,
        };
        let detail = detail(&revision, 1, Some([after, before]));
        assert_eq!(detail.changes, changes(&diff));
        let shown = serde_json::to_string(&detail).unwrap();
        assert!(!shown.contains("c4nary"), "{shown}");
        let pointers: Vec<_> = detail.changes.iter().map(|one| one.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            ["/cameras/cam/source", "/mqtt/password", "/mqtt/url", "/mqtt/username"],
            "that it changed is told"
        );
        assert_eq!(detail.changes[0].after, Some(json!("rtsp://10.0.0.9/stream")));
    }
}
