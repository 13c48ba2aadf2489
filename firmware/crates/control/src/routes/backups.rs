//! Backups of settings and users.

use api::revisions::{ChangeStatus, SettingsChange};
use api::system::{Backup, BackupFile, NewBackup, RestoreBackup};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use base::error::ErrorKind;

use crate::extract::{JsonBody, PathName};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::ports::Ports;
use crate::problem::Failure;

fn no_backup(id: &str) -> Failure {
    let detail = format!("there is no backup \"{id}\"; /api/v1/backups lists them");
    Failure::of(ErrorKind::NotFound, detail)
}

/// Backups that the device keeps
///
/// The newest first. They lie on the device: download what is to outlive it.
#[utoipa::path(
    get,
    path = "/api/v1/backups",
    tag = "backups",
    operation_id = "list_backups",
    responses(
        (status = 200, description = "The backups.", body = Vec<Backup>),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn list(State(ports): State<Ports>) -> Result<Json<Vec<Backup>>, Failure> {
    Ok(Json(ports.backups.list().await?))
}

/// Make a backup
///
/// Of all that was set over the API, and of users and tokens unless `users` is false; without events and
/// models. With a `passphrase` it is encrypted. Without one the file holds the passwords of cameras,
/// broker and Wi-Fi as they are: whoever has it has them. At most twenty are kept.
#[utoipa::path(
    post,
    path = "/api/v1/backups",
    tag = "backups",
    operation_id = "create_backup",
    request_body(description = "What it is to be like.", content = NewBackup),
    responses(
        (status = 201, description = "The backup.", body = Backup),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn create(
    State(ports): State<Ports>,
    note: Note,
    JsonBody(new): JsonBody<NewBackup>,
) -> Result<impl IntoResponse, Failure> {
    let made = ports.backups.make(new).await?;
    note.after(&made);
    let location = format!("/api/v1/backups/{}", made.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(made)))
}

/// One backup
///
/// What is known about it; not what is in it.
#[utoipa::path(
    get,
    path = "/api/v1/backups/{id}",
    tag = "backups",
    operation_id = "get_backup",
    params(("id" = String, Path, description = "Id of the backup.", example = "01JZ8Q0V7X3C9K2M4N5P6R7S8T")),
    responses(
        (status = 200, description = "The backup.", body = Backup),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    PathName(id): PathName,
) -> Result<Json<Backup>, Failure> {
    let all = ports.backups.list().await?;
    let found = all.into_iter().find(|backup| backup.id == id);
    found.map(Json).ok_or_else(|| no_backup(&id))
}

/// A backup's file
///
/// To be kept elsewhere, and to be sent to `POST /api/v1/backups/restore`. One that is not encrypted
/// holds secrets as they are.
#[utoipa::path(
    get,
    path = "/api/v1/backups/{id}/file",
    tag = "backups",
    operation_id = "get_backup_file",
    params(("id" = String, Path, description = "Id of the backup.", example = "01JZ8Q0V7X3C9K2M4N5P6R7S8T")),
    responses(
        (status = 200, description = "The file.", body = BackupFile),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn file(
    State(ports): State<Ports>,
    PathName(id): PathName,
) -> Result<impl IntoResponse, Failure> {
    let file = ports.backups.file(&id).await?.ok_or_else(|| no_backup(&id))?;
    let named = format!("attachment; filename=\"edgecam-{}-{}.json\"", file.node, file.id);
    let headers =
        [(header::CONTENT_DISPOSITION, named), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((headers, Json(file)))
}

/// Delete a backup
///
/// From the device. It cannot be had back.
#[utoipa::path(
    delete,
    path = "/api/v1/backups/{id}",
    tag = "backups",
    operation_id = "delete_backup",
    params(("id" = String, Path, description = "Id of the backup.", example = "01JZ8Q0V7X3C9K2M4N5P6R7S8T")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn delete(
    State(ports): State<Ports>,
    note: Note,
    PathName(id): PathName,
) -> Result<StatusCode, Failure> {
    let gone = ports.backups.delete(&id).await?.ok_or_else(|| no_backup(&id))?;
    note.before(&gone);
    Ok(StatusCode::NO_CONTENT)
}

/// Restore a backup
///
/// One that the device keeps, by `id`, or a file, as `backup`. It is checked whole before anything
/// changes: that it is undamaged, not of a newer firmware's kind, and that its settings can be used here.
/// Its settings become a new revision, which can be taken back like any other. With `users` those of the
/// backup take the place of all that there are.
#[utoipa::path(
    post,
    path = "/api/v1/backups/restore",
    tag = "backups",
    operation_id = "restore_backup",
    request_body(description = "What to restore.", content = RestoreBackup),
    responses(
        (status = 200, description = "What came of it.", body = SettingsChange),
        (status = 202, description = "It is kept; the daemon starts again to take it over.", body = SettingsChange),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn restore(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    note: Note,
    JsonBody(what): JsonBody<RestoreBackup>,
) -> Result<impl IntoResponse, Failure> {
    let change = ports.backups.restore(what, caller.username).await?;
    note.after(&change);
    let status = match change.status {
        ChangeStatus::Applying => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    Ok((status, Json(change)))
}
