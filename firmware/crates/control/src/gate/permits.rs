//! Which operation needs what: the one table. An operation that does not stand here is refused to
//! everybody, and a test finds it.

use std::collections::HashMap;

use api::access::Role;
use axum::http::Method;
use base::error::ErrorKind;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, PathItem, Ref, RefOr};

use crate::gate::caller::Caller;
use crate::problem::Failure;
use crate::state::no_camera;

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing, also before the device has an owner.
    Open,
    /// To be known: it is about who calls.
    Own,
    /// The role; the handler shows only what the caller sees.
    Seen(Role),
    /// The role, with the camera that the path names.
    Camera(Role),
    /// The role, with all cameras: it is about the whole device.
    Device(Role),
}

use Need::{Camera, Device, Open, Own, Seen};
use Role::{Admin, Operator, Viewer};

/// What each operation needs, by its id.
pub(crate) const NEEDS: &[(&str, Need)] = &[
    ("landing_page", Open),
    ("get_openapi", Open),
    ("reference_page", Open),
    ("get_reference_file", Open),
    ("get_version", Open),
    ("get_liveness", Open),
    ("get_readiness", Open),
    ("get_setup", Open),
    ("claim_device", Open),
    ("login", Open),
    ("logout", Own),
    ("get_me", Own),
    ("set_password", Own),
    ("list_tokens", Own),
    ("create_token", Own),
    ("delete_token", Own),
    ("list_users", Device(Admin)),
    ("create_user", Device(Admin)),
    ("get_user", Device(Admin)),
    ("patch_user", Device(Admin)),
    ("delete_user", Device(Admin)),
    ("list_audit", Device(Admin)),
    ("list_cameras", Seen(Viewer)),
    ("get_camera", Camera(Viewer)),
    ("patch_camera", Camera(Operator)),
    ("get_snapshot", Camera(Viewer)),
    ("get_camera_stats", Camera(Viewer)),
    ("create_camera", Device(Admin)),
    ("delete_camera", Camera(Admin)),
    ("restart_camera", Camera(Operator)),
    ("get_camera_capabilities", Camera(Viewer)),
    ("get_camera_latency", Camera(Viewer)),
    ("get_image", Camera(Viewer)),
    ("patch_image", Camera(Operator)),
    ("get_encoder", Camera(Viewer)),
    ("patch_encoder", Camera(Operator)),
    ("get_overlay", Camera(Viewer)),
    ("patch_overlay", Camera(Operator)),
    ("list_zones", Camera(Viewer)),
    ("create_zone", Camera(Operator)),
    ("get_zone", Camera(Viewer)),
    ("put_zone", Camera(Operator)),
    ("delete_zone", Camera(Operator)),
    ("list_lines", Camera(Viewer)),
    ("create_line", Camera(Operator)),
    ("get_line", Camera(Viewer)),
    ("put_line", Camera(Operator)),
    ("delete_line", Camera(Operator)),
    ("list_privacy_masks", Camera(Viewer)),
    ("create_privacy_mask", Camera(Admin)),
    ("get_privacy_mask", Camera(Viewer)),
    ("put_privacy_mask", Camera(Admin)),
    ("delete_privacy_mask", Camera(Admin)),
    ("list_events", Seen(Viewer)),
    ("get_event", Seen(Viewer)),
    ("stream_events", Seen(Viewer)),
    ("list_tracks", Seen(Viewer)),
    ("get_timeline", Seen(Viewer)),
    ("open_socket", Seen(Viewer)),
    ("list_streams", Seen(Viewer)),
    ("list_viewers", Seen(Operator)),
    ("kick_viewer", Seen(Operator)),
    ("watch_page", Open),
    ("begin_whep", Camera(Viewer)),
    ("trickle_whep", Camera(Viewer)),
    ("end_whep", Camera(Viewer)),
    ("get_hls_file", Camera(Viewer)),
    ("get_detector", Seen(Viewer)),
    ("patch_detector", Device(Admin)),
    ("benchmark_detector", Device(Operator)),
    ("infer_picture", Device(Operator)),
    ("list_models", Seen(Viewer)),
    ("get_model", Seen(Viewer)),
    ("add_model", Device(Admin)),
    ("activate_model", Device(Admin)),
    ("quantize_model", Device(Admin)),
    ("delete_model", Device(Admin)),
    ("backtest_rules", Camera(Operator)),
    ("list_webhooks", Device(Admin)),
    ("create_webhook", Device(Admin)),
    ("get_webhook", Device(Admin)),
    ("patch_webhook", Device(Admin)),
    ("delete_webhook", Device(Admin)),
    ("test_webhook", Device(Admin)),
    ("list_deliveries", Device(Admin)),
    ("get_mqtt", Device(Operator)),
    ("patch_mqtt", Device(Admin)),
    ("test_mqtt", Device(Admin)),
    ("get_mqtt_outbox", Device(Operator)),
    ("list_jobs", Seen(Viewer)),
    ("get_job", Seen(Viewer)),
    ("delete_job", Seen(Operator)),
    ("get_gpio", Device(Viewer)),
    ("put_gpio_pin", Device(Operator)),
    ("get_settings", Device(Operator)),
    ("patch_settings", Device(Admin)),
    ("rollback_settings", Device(Admin)),
    ("confirm_settings", Device(Operator)),
    ("get_settings_status", Device(Operator)),
    ("get_settings_schema", Seen(Viewer)),
    ("list_settings_revisions", Device(Operator)),
    ("get_settings_revision", Device(Operator)),
    ("get_system", Device(Viewer)),
    ("patch_system", Device(Admin)),
    ("get_network", Device(Operator)),
    ("put_network", Device(Admin)),
    ("get_time", Device(Viewer)),
    ("put_time", Device(Admin)),
    ("reboot_system", Device(Admin)),
    ("shut_down_system", Device(Admin)),
    ("reset_system", Device(Admin)),
    ("get_logs", Device(Operator)),
    ("stream_logs", Device(Operator)),
    ("get_diagnostics", Device(Admin)),
    ("list_issues", Device(Viewer)),
    ("fix_issue", Device(Admin)),
    ("get_updates", Device(Viewer)),
    ("patch_updates", Device(Admin)),
    ("check_updates", Device(Operator)),
    ("install_update", Device(Admin)),
    ("commit_update", Device(Admin)),
    ("roll_back_update", Device(Admin)),
    ("discard_update", Device(Admin)),
    ("stream_updates", Device(Viewer)),
    ("create_update_upload", Device(Admin)),
    ("get_update_upload", Device(Admin)),
    ("continue_update_upload", Device(Admin)),
    ("delete_update_upload", Device(Admin)),
    ("list_backups", Device(Admin)),
    ("create_backup", Device(Admin)),
    ("get_backup", Device(Admin)),
    ("get_backup_file", Device(Admin)),
    ("delete_backup", Device(Admin)),
    ("restore_backup", Device(Admin)),
    ("get_metrics", Device(Viewer)),
    ("get_certificate", Device(Viewer)),
    ("put_certificate", Device(Admin)),
    ("delete_certificate", Device(Admin)),
];

/// The operation ids of a document and what they need, by method and path.
#[derive(Debug)]
pub(crate) struct Permits(HashMap<(Method, String), (&'static str, Need)>);

impl Permits {
    /// Of the operations of `document`.
    pub(crate) fn of_document(document: &OpenApi) -> Self {
        let mut all = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                let id = operation.operation_id.as_deref().unwrap_or_default();
                // What nobody thought of is for nobody.
                let row = NEEDS.iter().find(|(known, _)| *known == id).copied();
                if let Some(row) = row {
                    all.insert((method, path.clone()), row);
                } else {
                    all.insert((method, path.clone()), ("unknown", Device(Admin)));
                }
            }
        }
        Self(all)
    }

    /// The operation of `method` at `path` (a pattern) and what it needs; `None`: there is none.
    pub(crate) fn of(&self, method: &Method, path: &str) -> Option<(&'static str, Need)> {
        // What answers GET answers HEAD.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.get(&(method.clone(), path.to_owned())).copied()
    }
}

/// The operations of a path.
pub(crate) fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// All operations of `document`, to be added to.
pub(crate) fn operations_mut(
    document: &mut OpenApi,
) -> impl Iterator<Item = (Method, &mut Operation)> {
    document.paths.paths.values_mut().flat_map(|item| {
        let all = [
            (Method::GET, &mut item.get),
            (Method::PUT, &mut item.put),
            (Method::POST, &mut item.post),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
        ];
        all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
    })
}

/// Writes into the document who may do what.
pub(crate) fn put_into(document: &mut OpenApi) {
    for (_, operation) in operations_mut(document) {
        let id = operation.operation_id.clone().unwrap_or_default();
        let Some((_, need)) = NEEDS.iter().find(|(known, _)| *known == id) else { continue };
        operation.security = Some(requirements(*need));
        answers(operation, *need);
        let said = operation.description.get_or_insert_default();
        said.push_str("\n\n");
        said.push_str(&sentence(*need));
    }
}

/// The answers of the gate itself.
fn answers(operation: &mut Operation, need: Need) {
    let mut may = |status: &str, name: &str| {
        let answer = RefOr::Ref(Ref::from_response_name(name));
        operation.responses.responses.entry(status.to_owned()).or_insert(answer);
    };
    may("429", "TooMany");
    if need != Open {
        may("401", "Unauthenticated");
        may("403", "Forbidden");
        may("503", "Unavailable");
    }
}

fn requirements(need: Need) -> Vec<SecurityRequirement> {
    if need == Open {
        return Vec::new();
    }
    ["session", "token", "password"]
        .map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()))
        .into()
}

fn sentence(need: Need) -> String {
    let role = |role: Role| match role {
        Viewer => "viewer",
        Operator => "operator",
        Admin => "admin",
    };
    match need {
        Open => "Needs no sign-in.".to_owned(),
        Own => "Needs a sign-in of any role.".to_owned(),
        Seen(of) => format!(
            "Needs the role {}; shows what belongs to cameras that the caller sees.",
            role(of)
        ),
        Camera(of) => format!("Needs the role {}, for this camera.", role(of)),
        Device(of) => format!("Needs the role {}, for all cameras.", role(of)),
    }
}

/// Whether `caller` may do what needs `need`, with the camera that the path names.
pub(crate) fn check(need: Need, caller: &Caller, camera: Option<&str>) -> Result<(), Failure> {
    let principal = &caller.0;
    let enough = |role: Role| {
        if principal.grant.role >= role {
            return Ok(());
        }
        let detail = format!(
            "this needs the role {}; {} has {}",
            word(role),
            principal.username,
            word(principal.grant.role)
        );
        Err(Failure::of(ErrorKind::PermissionDenied, detail))
    };
    match need {
        Open | Own => Ok(()),
        Seen(role) => enough(role),
        Camera(role) => {
            let camera = camera.unwrap_or_default();
            // Who does not see a camera does not learn that it is there.
            if !principal.sees(camera) {
                return Err(no_camera(camera));
            }
            enough(role)
        }
        Device(role) => {
            enough(role)?;
            if principal.sees_all() {
                return Ok(());
            }
            let detail = format!(
                "this is about the whole device; {} is limited to some cameras",
                principal.username
            );
            Err(Failure::of(ErrorKind::PermissionDenied, detail))
        }
    }
}

fn word(role: Role) -> String {
    crate::patch::json(&role).as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::routes;

    #[test]
    fn every_operation_has_its_need_and_every_need_its_operation() {
        let document = routes::all().into_openapi();
        let ids = document.paths.paths.values().flat_map(operations);
        let ids: BTreeSet<_> = ids.filter_map(|(_, one)| one.operation_id.clone()).collect();
        let known: BTreeSet<_> = NEEDS.iter().map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(ids, known);
        assert_eq!(known.len(), NEEDS.len(), "each stands once");
    }

    #[test]
    fn what_changes_something_is_open_only_to_come_in() {
        let document = routes::all().into_openapi();
        for (method, operation) in document.paths.paths.values().flat_map(operations) {
            let id = operation.operation_id.as_deref().unwrap_or_default();
            let need = NEEDS.iter().find(|(known, _)| *known == id).map(|(_, need)| *need);
            if crate::gate::changes(&method) && need == Some(Open) {
                assert!(["claim_device", "login"].contains(&id), "{id} is open");
            }
        }
    }
}
