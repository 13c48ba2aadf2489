//! The router with everything around it: limits, headers, and problem bodies for what no handler
//! answers.

use std::any::Any;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use crate::gate;
use crate::problem::{Failure, Fault};
use crate::routes;
use crate::state::App;
use crate::unread;

/// Everything that is served.
pub(crate) fn router(app: &App) -> Router {
    let (router, _document) = routes::all().split_for_parts();
    router
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_path)
        .layer(middleware::from_fn_with_state(app.clone(), gate::pass))
        .layer(DefaultBodyLimit::max(app.limits.body))
        .layer(middleware::from_fn_with_state(app.clone(), in_time))
        .layer(middleware::from_fn(unread::read))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http().on_failure(()))
        .layer(middleware::map_response(headers))
        .with_state(app.clone())
}

async fn no_such_path(uri: Uri) -> Failure {
    let detail = format!("there is nothing at {}; /api/docs lists what there is", uri.path());
    Failure::new(Fault::UnknownPath, detail)
}

async fn no_such_method(method: Method, uri: Uri) -> Failure {
    let detail = format!("{} has no {method}; the Allow header says what it has", uri.path());
    Failure::new(Fault::Method, detail)
}

/// Operations that take an upload: the time that it takes is the client's.
const UPLOADS: &[&str] = &["add_model", "install_update", "continue_update_upload"];

/// Handlers answer in time. The body of an answer, such as an event stream, may go on.
async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let operation = path.and_then(|path| app.permits.of(request.method(), path));
    let limit = match operation {
        Some((id, _)) if UPLOADS.contains(&id) => app.limits.upload,
        _ => app.limits.answer,
    };
    let began = Instant::now();
    let response = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {} s", limit.as_secs_f32());
            Failure::of(ErrorKind::DeadlineExceeded, detail).into_response()
        }
    };
    let operation = operation.map_or("none", |(id, _)| id);
    app.answered.add(operation, response.status(), began.elapsed());
    response
}

/// The text of the panic goes to the log by the panic hook; a client learns nothing from it.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Failure::of(ErrorKind::Internal, "a fault of EdgeCam; its log says more").into_response()
}

/// Headers of every answer. There is no CORS: other sites' pages have no business here.
async fn headers(mut response: Response) -> Response {
    let all = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
        // What is shown is how it is now.
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in all {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
