//! The only place where a failure becomes an HTTP status: RFC 9457 bodies
//! (`application/problem+json`) for every error, ours and those of the protocol.

use std::time::Duration;

use api::problem::{FieldProblem, Problem};
use api::updates::UpdateCode;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use serde_json::Value;

use crate::patch::json;
use crate::ports::PortError;

/// Media type of error bodies.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// What is not there now may be there after this time.
const UNAVAILABLE: Duration = Duration::from_secs(2);

/// What kind of failure: the product's own, or one of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A failure of the product, or input that it refuses.
    Of(ErrorKind),
    /// A refusal about an update, which is of this kind and has a code of its own.
    Update(ErrorKind, UpdateCode),
    /// The request cannot be read: its body is no JSON, its query no query.
    Malformed,
    /// No such address.
    UnknownPath,
    /// The address exists, but not for this method.
    Method,
    /// The body is too long.
    TooLarge,
    /// The body is of a type that is not taken.
    MediaType,
    /// The device has no owner yet.
    SetupRequired,
    /// The request was sent to a name that is not ours.
    UnknownHost,
    /// Too many requests, or wrong tries.
    TooMany,
    /// A body whose length must be said before it is sent.
    NoLength,
    /// An `Idempotency-Key` that was used for another request.
    KeyReused,
    /// An `Idempotency-Key` whose first request is not answered yet.
    KeyInUse,
    /// An `Idempotency-Key` whose answer is not kept.
    AnswerGone,
}

impl Fault {
    /// Status, code for programs and title for people.
    fn row(self) -> (StatusCode, &'static str, &'static str) {
        use ErrorKind as K;
        use StatusCode as S;
        match self {
            Self::Of(K::InvalidArgument) => {
                (S::UNPROCESSABLE_ENTITY, "invalid_argument", "The input is wrong")
            }
            Self::Of(K::NotFound) => (S::NOT_FOUND, "not_found", "There is no such thing"),
            Self::Of(K::FailedPrecondition) => {
                (S::CONFLICT, "failed_precondition", "Not possible in its present state")
            }
            Self::Of(K::Aborted) => {
                (S::PRECONDITION_FAILED, "aborted", "Someone else changed it in between")
            }
            Self::Of(K::Unavailable) => {
                (S::SERVICE_UNAVAILABLE, "unavailable", "Not available now")
            }
            Self::Of(K::DeadlineExceeded) => {
                (S::GATEWAY_TIMEOUT, "deadline_exceeded", "It took too long")
            }
            Self::Of(K::ResourceExhausted) => {
                (S::SERVICE_UNAVAILABLE, "resource_exhausted", "A limit is used up")
            }
            Self::Of(K::Unauthenticated) => {
                (S::UNAUTHORIZED, "unauthenticated", "Who calls is not known")
            }
            Self::Of(K::PermissionDenied) => {
                (S::FORBIDDEN, "permission_denied", "Who calls may not do this")
            }
            Self::Of(K::Internal) => {
                (S::INTERNAL_SERVER_ERROR, "internal", "A fault of the product")
            }
            Self::Update(_, UpdateCode::DiskFull) => {
                (S::INSUFFICIENT_STORAGE, "disk_full", "The data partition is full")
            }
            Self::Update(kind, _) => Self::Of(kind).row(),
            Self::Malformed => (S::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::UnknownPath => (S::NOT_FOUND, "unknown_path", "There is nothing at this address"),
            Self::Method => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "The address has no such method")
            }
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too_large", "The body is too long"),
            Self::MediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is of a wrong type")
            }
            Self::SetupRequired => (S::FORBIDDEN, "setup_required", "The device has no owner yet"),
            Self::UnknownHost => {
                (S::MISDIRECTED_REQUEST, "unknown_host", "The request was sent to another name")
            }
            Self::TooMany => (S::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests"),
            Self::NoLength => (S::LENGTH_REQUIRED, "no_length", "The length is missing"),
            Self::KeyReused => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The key was used for another request",
            ),
            Self::KeyInUse => {
                (S::CONFLICT, "idempotency_key_in_use", "The first request runs still")
            }
            Self::AnswerGone => {
                (S::CONFLICT, "idempotency_answer_gone", "It was done; the answer is not kept")
            }
        }
    }

    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        self.row().0
    }
}

/// Why a request is not answered as it was meant to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    fault: Fault,
    detail: String,
    errors: Vec<FieldProblem>,
    retry_after: Option<Duration>,
}

impl Failure {
    /// A failure, with what went wrong and the way out.
    pub(crate) fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// A failure of the product, or input that it refuses.
    pub(crate) fn of(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self::new(Fault::Of(kind), detail)
    }

    /// Input that is refused for these reasons.
    pub(crate) fn input(detail: impl Into<String>, errors: Vec<FieldProblem>) -> Self {
        Self::of(ErrorKind::InvalidArgument, detail).with_errors(errors)
    }

    /// The same, with the fields that are to blame.
    #[must_use]
    pub(crate) fn with_errors(self, errors: Vec<FieldProblem>) -> Self {
        Self { errors, ..self }
    }

    /// The same; a try after `wait` may succeed.
    #[must_use]
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The body.
    pub(crate) fn problem(self) -> Problem {
        let (status, mut code, title) = self.fault.row();
        let word = match self.fault {
            Fault::Update(_, code) => json(&code),
            _ => Value::Null,
        };
        code = word.as_str().unwrap_or(code);
        Problem {
            type_: format!("urn:edgecam:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            code: code.to_owned(),
            errors: self.errors,
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let fault = match error.update {
            Some(code) => Fault::Update(error.kind, code),
            None => Fault::Of(error.kind),
        };
        Self::new(fault, error.detail).with_errors(error.errors)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.fault.status();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(detail = self.detail, "a request failed by a fault of ours");
        }
        let wait = match status {
            StatusCode::SERVICE_UNAVAILABLE => Some(self.retry_after.unwrap_or(UNAVAILABLE)),
            _ => self.retry_after,
        };
        let body = serde_json::to_vec(&self.problem()).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(wait) = wait {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let ways = HeaderValue::from_static("Bearer realm=\"EdgeCam\"");
            headers.insert(header::WWW_AUTHENTICATE, ways);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_a_code_of_its_own() {
        use ErrorKind as K;
        let kinds = [
            K::InvalidArgument,
            K::NotFound,
            K::FailedPrecondition,
            K::Aborted,
            K::Unavailable,
            K::DeadlineExceeded,
            K::ResourceExhausted,
            K::Unauthenticated,
            K::PermissionDenied,
            K::Internal,
        ];
        let ours = kinds.map(Fault::Of);
        let protocol = [
            Fault::Malformed,
            Fault::UnknownPath,
            Fault::Method,
            Fault::TooLarge,
            Fault::MediaType,
            Fault::SetupRequired,
            Fault::UnknownHost,
            Fault::TooMany,
            Fault::NoLength,
            Fault::KeyReused,
            Fault::KeyInUse,
            Fault::AnswerGone,
        ];
        let codes: Vec<_> = ours.iter().chain(&protocol).map(|fault| fault.row().1).collect();
        let once: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(once.len(), codes.len(), "{codes:?}");
        for fault in ours.iter().chain(&protocol) {
            assert!(fault.status().is_client_error() || fault.status().is_server_error());
        }
    }

    #[test]
    fn a_refusal_about_an_update_keeps_its_own_word() {
        let told = |code| Failure::from(PortError::update(code, "no")).problem();
        let problem = told(UpdateCode::WrongSignature);
        assert_eq!((problem.status, problem.code.as_str()), (422, "wrong_signature"));
        assert_eq!(problem.type_, "urn:edgecam:problem:wrong_signature");
        assert_eq!(told(UpdateCode::UpdateRunning).status, 409);
        assert_eq!(told(UpdateCode::UpdatesNotSupported).status, 409);
        assert_eq!(told(UpdateCode::DiskFull).status, 507);
        assert_eq!(told(UpdateCode::InstallerUnavailable).status, 503);
    }
}
