//! Examples of updates of the firmware.

use api::access::Role;
use api::jobs::{Job, JobKind, JobState};
use api::settings::{UpdateConfirm, UpdateSettings, UpdateTransfer};
use api::system::Begun;
use api::updates::{
    AvailableUpdate, ImageKernel, InstallUpdate, NewUpload, Release, SlotState, UpdateBundle,
    UpdateOrigin, UpdatePhase, UpdateSlot, UpdateUpload, Updates,
};
use serde_json::{Value, json as raw};
use utoipa::openapi::{OpenApi, RefOr};

use super::{JSON, SHA256, operation, time};
use crate::extract::MERGE_PATCH_JSON;
use crate::patch::json;

const ID: &str = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E";
const SIZE: u64 = 148_897_792;

/// Puts an example into every answer and request body.
pub(super) fn put_into(document: &mut OpenApi) {
    let back = Begun { detail: "the device starts anew with version 0.4.0".into() };
    let answers = [
        ("get_updates", "200", json(&installing())),
        ("patch_updates", "200", super::settings::applied()),
        ("check_updates", "200", json(&found())),
        ("install_update", "202", json(&job())),
        ("commit_update", "200", json(&committed())),
        ("roll_back_update", "202", json(&back)),
        ("discard_update", "200", json(&idle())),
        ("create_update_upload", "201", json(&upload(0))),
        ("get_update_upload", "200", json(&upload(64 << 20))),
    ];
    for (id, status, example) in answers {
        let Some(operation) = operation(document, id) else { continue };
        if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut(status) {
            put!(answer.content, JSON, example);
        }
    }
    let patch = raw!({ "automatic": true, "window": ["sun 02:00-05:00"], "channel": null });
    let new = NewUpload { size_bytes: SIZE, sha256: Some(SHA256.into()) };
    let bodies = [
        ("patch_updates", JSON, patch.clone()),
        ("patch_updates", MERGE_PATCH_JSON, patch),
        ("install_update", JSON, given(json(&install()))),
        ("create_update_upload", JSON, json(&new)),
    ];
    for (id, media_type, example) in bodies {
        let body = operation(document, id).and_then(|operation| operation.request_body.as_mut());
        if let Some(RefOr::T(body)) = body {
            put!(body.content, media_type, example);
        }
    }
    let live = operation(document, "stream_updates");
    let live = live.and_then(|operation| operation.responses.responses.get_mut("200"));
    if let Some(RefOr::T(live)) = live {
        let text = format!("event: update\ndata: {}\n\n", json(&installing()));
        put!(live.content, "text/event-stream", Value::from(text));
    }
}

/// Without what is not given.
fn given(mut example: Value) -> Value {
    example.as_object_mut().into_iter().for_each(|fields| fields.retain(|_, one| !one.is_null()));
    example
}

fn slot(name: &str, version: &str, runs: bool) -> UpdateSlot {
    UpdateSlot {
        name: name.into(),
        version: Some(version.into()),
        state: SlotState::Good,
        booted: runs,
        primary: runs,
        installed_at: time("2026-06-12T02:10:40Z").filter(|_| runs),
    }
}

fn idle() -> Updates {
    Updates {
        supported: true,
        version: "0.4.0".into(),
        release: Some(Release {
            version: "0.4.0".into(),
            compatible: "edgecam-debian-arm64".into(),
            commit: "ffba41e".into(),
            built_at: time("2026-06-10T08:00:00Z").unwrap_or_default(),
            kernel: ImageKernel::Debian,
            development_keys: false,
        }),
        since: time("2026-07-01T12:00:00Z"),
        slots: vec![slot("A", "0.3.2", false), slot("B", "0.4.0", true)],
        settings: UpdateSettings {
            index_url: Some("https://updates.example.org/{channel}/{compatible}.json".into()),
            channel: Some("stable".into()),
            automatic: Some(false),
            window: Some(vec!["daily 02:00-05:00".into()]),
            confirm: Some(UpdateConfirm::Automatic),
            confirm_within_min: Some(15),
            transfer: Some(UpdateTransfer::Adaptive),
            allowed_hosts: Some(Vec::new()),
        },
        ..Updates::default()
    }
}

fn found() -> Updates {
    let available = AvailableUpdate {
        version: "0.5.0".into(),
        url: "https://updates.example.org/edgecam-0.5.0.raucb".into(),
        size_bytes: Some(SIZE),
        sha256: Some(SHA256.into()),
        summary: Some("Faster start, and a rule for crowding.".into()),
        release_url: Some("https://example.org/edgecam/releases/0.5.0".into()),
        published_at: time("2026-06-30T09:00:00Z"),
    };
    Updates { available: Some(available), checked_at: time("2026-07-01T12:00:00Z"), ..idle() }
}

fn bundle() -> UpdateBundle {
    UpdateBundle {
        version: Some("0.5.0".into()),
        compatible: Some("edgecam-debian-arm64".into()),
        size_bytes: Some(SIZE),
        sha256: Some(SHA256.into()),
        origin: UpdateOrigin::Index,
        transferred_bytes: None,
    }
}

fn installing() -> Updates {
    Updates {
        phase: UpdatePhase::Installing,
        update: Some(bundle()),
        progress: Some(0.4),
        job: Some(ID.into()),
        ..found()
    }
}

fn committed() -> Updates {
    Updates {
        version: "0.5.0".into(),
        phase: UpdatePhase::Committed,
        update: Some(bundle()),
        slots: vec![slot("A", "0.5.0", true), slot("B", "0.4.0", false)],
        ..idle()
    }
}

fn install() -> InstallUpdate {
    InstallUpdate {
        url: Some("https://updates.example.org/edgecam-0.5.0.raucb".into()),
        sha256: Some(SHA256.into()),
        ..InstallUpdate::default()
    }
}

fn job() -> Job {
    Job {
        id: ID.into(),
        kind: JobKind::InstallUpdate,
        state: JobState::Running,
        progress: 0.25,
        stage: "fetching, 37 of 149 MB".into(),
        camera: None,
        role: Role::Admin,
        created_by: "owner".into(),
        created_at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        started_at: time("2026-07-01T12:00:00Z"),
        ended_at: None,
        result: None,
        problem: None,
    }
}

fn upload(offset: u64) -> UpdateUpload {
    UpdateUpload {
        id: ID.into(),
        size_bytes: SIZE,
        offset,
        created_at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        expires_at: time("2026-07-01T13:00:00Z"),
    }
}
