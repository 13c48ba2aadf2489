//! The record of changes.

use api::access::AuditPage;
use api::problem::FieldProblem;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::QueryOf;
use crate::openapi::{Invalid, Malformed, Unavailable};
use crate::ports::Ports;
use crate::problem::Failure;

/// Entries of a page where no limit is asked for.
const LIMIT: u32 = 100;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Most entries of the page.
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(example = "4611", nullable = false)]
    cursor: Option<String>,
}

/// The record of changes
///
/// Every change over the API and every attempt at one, sign-ins included: who, what, from where, what
/// came of it, and how it was before and after. Newest first. The newest 10,000 are kept.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "users",
    operation_id = "list_audit",
    params(AuditQuery),
    responses(
        (status = 200, description = "A page of entries.", body = AuditPage),
        (status = 400, response = Malformed),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn list(
    State(ports): State<Ports>,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<AuditPage>, Failure> {
    let mut errors = Vec::new();
    let mut wrong = |name: &str, detail: &str| {
        errors.push(FieldProblem { pointer: format!("?{name}"), detail: detail.to_owned() });
    };
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=1000).contains(&limit) {
        wrong("limit", "must be within 1..=1000");
    }
    let before = query.cursor.as_deref().map(str::parse::<u64>);
    if matches!(before, Some(Err(_))) {
        wrong("cursor", "must be the `next_cursor` of an earlier page");
    }
    if !errors.is_empty() {
        return Err(Failure::input("the query is wrong", errors));
    }
    let before = before.and_then(Result::ok);
    let limit = limit as usize;
    let mut items = ports.audit.newest(before, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| last.seq.to_string());
    Ok(Json(AuditPage { items, next_cursor }))
}
