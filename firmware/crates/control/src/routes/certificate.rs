//! The device's certificate.

use api::access::{Certificate, NewCertificate};
use axum::Json;
use axum::extract::State;
use base::error::ErrorKind;

use crate::certificate::{CertificateError, Certificates};
use crate::extract::JsonBody;
use crate::gate::record::Note;
use crate::openapi::{Invalid, Malformed, NotFound, TooLarge, Unavailable, UnsupportedMediaType};
use crate::ports::Ports;
use crate::problem::Failure;

fn served(ports: &Ports) -> Result<&Certificates, Failure> {
    ports.certificates.as_deref().ok_or_else(|| {
        Failure::of(
            ErrorKind::NotFound,
            "HTTPS is not served, so there is no certificate; `api.tls_listen` switches it on",
        )
    })
}

fn failure(error: CertificateError) -> Failure {
    let detail = base::error::chain(&error);
    match error {
        CertificateError::Wrong { pointer, reason } => {
            let problem =
                api::problem::FieldProblem { pointer: pointer.to_owned(), detail: reason };
            Failure::input("the certificate is not taken; nothing was changed", vec![problem])
        }
        CertificateError::Store { .. } => Failure::of(ErrorKind::Unavailable, detail),
    }
}

/// The certificate
///
/// That HTTPS is served with: the device's own, made on its first start, or one that was put in its
/// place.
#[utoipa::path(
    get,
    path = "/api/v1/system/certificate",
    tag = "device",
    operation_id = "get_certificate",
    responses(
        (status = 200, description = "The certificate.", body = Certificate),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn get(State(ports): State<Ports>) -> Result<Json<Certificate>, Failure> {
    Ok(Json(served(&ports)?.shown()))
}

/// Put a certificate in place
///
/// With its key, which fits it. New connections are served with it at once.
#[utoipa::path(
    put,
    path = "/api/v1/system/certificate",
    tag = "device",
    operation_id = "put_certificate",
    request_body(description = "Certificate and key.", content = NewCertificate),
    responses(
        (status = 200, description = "The certificate.", body = Certificate),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn put(
    State(ports): State<Ports>,
    note: Note,
    JsonBody(new): JsonBody<NewCertificate>,
) -> Result<Json<Certificate>, Failure> {
    let certificates = served(&ports)?;
    note.before(&certificates.shown());
    certificates.replace(&new.certificate_pem, new.key_pem.reveal()).map_err(failure)?;
    note.after(&certificates.shown());
    Ok(Json(certificates.shown()))
}

/// Make a new certificate
///
/// The device makes itself a new key and certificate, in place of what was put there.
#[utoipa::path(
    delete,
    path = "/api/v1/system/certificate",
    tag = "device",
    operation_id = "delete_certificate",
    responses(
        (status = 200, description = "The new certificate.", body = Certificate),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn delete(
    State(ports): State<Ports>,
    note: Note,
) -> Result<Json<Certificate>, Failure> {
    let certificates = served(&ports)?;
    note.before(&certificates.shown());
    certificates.make_own().map_err(failure)?;
    note.after(&certificates.shown());
    Ok(Json(certificates.shown()))
}
