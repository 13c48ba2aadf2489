//! Long work: what there is, how far it is, and its end.

use access::Principal;
use api::access::Role;
use api::jobs::Job;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;

use crate::extract::PathName;
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::NotFound;
use crate::ports::{Beginner, Ports};
use crate::problem::Failure;

/// All jobs
///
/// What runs, waits, or ended lately, the newest first. The last hundred are kept, until the daemon
/// starts again.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    tag = "jobs",
    operation_id = "list_jobs",
    responses((status = 200, description = "The jobs.", body = Vec<Job>))
)]
pub(crate) async fn list(State(ports): State<Ports>, Caller(caller): Caller) -> Json<Vec<Job>> {
    let mut jobs = ports.jobs.list();
    jobs.retain(|job| sees(&caller, job));
    Json(jobs)
}

/// One job
///
/// How far it is, and what came of it.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}",
    tag = "jobs",
    operation_id = "get_job",
    params(("id" = String, Path, description = "Id of the job, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    responses(
        (status = 200, description = "The job.", body = Job),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    PathName(id): PathName,
) -> Result<Json<Job>, Failure> {
    seen(&ports, &caller, &id).map(Json)
}

/// Cancel and forget a job
///
/// One that waits or runs is cancelled: the answer comes when nothing of it runs any more. Either way it
/// is forgotten; the answer says how it ended. It takes the role that it took to begin it.
#[utoipa::path(
    delete,
    path = "/api/v1/jobs/{id}",
    tag = "jobs",
    operation_id = "delete_job",
    params(("id" = String, Path, description = "Id of the job, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    responses(
        (status = 200, description = "How it ended.", body = Job),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn delete(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    note: Note,
    PathName(id): PathName,
) -> Result<Json<Job>, Failure> {
    let job = seen(&ports, &caller, &id)?;
    if caller.grant.role < job.role {
        let detail = "it takes the role that it took to begin the job to cancel it";
        return Err(Failure::of(ErrorKind::PermissionDenied, detail));
    }
    note.before(&job);
    let ended = ports.jobs.cancel(&id).await?.ok_or_else(|| unknown(&id))?;
    note.after(&ended);
    Ok(Json(ended))
}

fn sees(caller: &Principal, job: &Job) -> bool {
    job.camera.as_ref().map_or_else(|| caller.sees_all(), |camera| caller.sees(camera))
}

fn seen(ports: &Ports, caller: &Principal, id: &str) -> Result<Job, Failure> {
    let job = ports.jobs.get(id).filter(|job| sees(caller, job));
    job.ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Failure {
    let detail = format!("there is no job \"{id}\" any more; /api/v1/jobs lists them");
    Failure::of(ErrorKind::NotFound, detail)
}

/// `caller` begins something that takes `role`.
pub(crate) fn beginner(caller: &Principal, role: Role) -> Beginner {
    Beginner { by: caller.username.clone(), role }
}

/// The answer to who began `job`: it is taken, and there is where to look.
pub(crate) fn begun(note: &Note, job: Job) -> Response {
    note.after(&job);
    let location = format!("/api/v1/jobs/{}", job.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(job)).into_response()
}
