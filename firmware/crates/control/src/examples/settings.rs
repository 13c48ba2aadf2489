//! Examples of the settings' operations.

use api::revisions::{
    ChangeCost, ChangeStatus, FieldChange, FixedSetting, PendingConfirmation, SettingsChange,
    SettingsRevision, SettingsRevisionDetail, SettingsRevisionPage, SettingsRollback,
    SettingsStatus,
};
use serde_json::{Value, json as raw};
use utoipa::openapi::{OpenApi, RefOr};

use super::{JSON, time};
use crate::extract::MERGE_PATCH_JSON;
use crate::patch::json;

const SETTINGS: &str = "/api/v1/settings";

/// Puts those in place that differ between the methods of an address.
pub(super) fn put_into(document: &mut OpenApi) {
    let Some(item) = document.paths.paths.get_mut(SETTINGS) else { return };
    let answers = [
        (
            &mut item.get,
            "200",
            raw!({ "node": { "name": "Gate house" }, "cameras": { "front": {
            "source": "rtsp://10.0.0.9/stream", "encoder": { "bitrate_kbps": 1500 } } } }),
        ),
        (&mut item.patch, "200", applied()),
    ];
    for (operation, status, example) in answers {
        let operation = operation.as_mut();
        let answer = operation.and_then(|operation| operation.responses.responses.get_mut(status));
        if let Some(RefOr::T(answer)) = answer {
            put!(answer.content, JSON, example);
        }
    }
    let patch = item.patch.as_mut();
    if let Some(patch) = patch {
        if let Some(RefOr::T(answer)) = patch.responses.responses.get_mut("202") {
            put!(answer.content, JSON, applying());
        }
        if let Some(RefOr::T(body)) = patch.request_body.as_mut() {
            for media_type in [MERGE_PATCH_JSON, JSON] {
                put!(body.content, media_type, change());
            }
        }
    }
    let rollback = document.paths.paths.get_mut("/api/v1/settings/rollback");
    let body = rollback.and_then(|item| item.post.as_mut()?.request_body.as_mut());
    if let Some(RefOr::T(body)) = body {
        put!(body.content, JSON, json(&SettingsRollback { revision: 11 }));
    }
}

fn change() -> Value {
    raw!({ "cameras": { "front": { "encoder": { "bitrate_kbps": 1500 }, "name": null } } })
}

fn bitrate() -> FieldChange {
    FieldChange {
        pointer: "/cameras/front/encoder/bitrate_kbps".into(),
        before: Some(2500.into()),
        after: Some(1500.into()),
        cost: ChangeCost::Live,
    }
}

/// A change that was taken over.
pub(super) fn applied() -> Value {
    json(&SettingsChange {
        revision: 12,
        status: ChangeStatus::Applied,
        changes: vec![bitrate()],
        confirm_by: None,
    })
}

/// A change for which the daemon starts again.
pub(super) fn applying() -> Value {
    let change = FieldChange {
        pointer: "/mqtt/url".into(),
        before: None,
        after: Some("mqtts://broker.example:8883".into()),
        cost: ChangeCost::Restart,
    };
    json(&SettingsChange {
        revision: 13,
        status: ChangeStatus::Applying,
        changes: vec![change],
        confirm_by: None,
    })
}

/// How settings stand while a change waits to be confirmed.
pub(super) fn status() -> Value {
    let pending = PendingConfirmation {
        revision: 12,
        back_to: 11,
        confirm_by: time("2026-07-01T12:02:00Z").unwrap_or_default(),
    };
    let fixed = FixedSetting {
        pointer: "/api/listen".into(),
        origin: "environment variable EDGECAM__API__LISTEN".into(),
    };
    json(&SettingsStatus {
        revision: 12,
        pending: Some(pending),
        fixed: vec![fixed],
        ..SettingsStatus::default()
    })
}

fn revision() -> SettingsRevision {
    SettingsRevision {
        revision: 12,
        in_force: true,
        made_at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        made_by: "owner".into(),
        note: None,
        parent: 11,
        undoes: None,
    }
}

/// A page of revisions.
pub(super) fn page() -> Value {
    json(&SettingsRevisionPage { items: vec![revision()], next_cursor: Some("12".into()) })
}

/// One revision.
pub(super) fn detail() -> Value {
    json(&SettingsRevisionDetail {
        revision: revision(),
        settings: raw!({ "cameras": { "front": { "encoder": { "bitrate_kbps": 1500 } } } }),
        changes: vec![bitrate()],
    })
}
