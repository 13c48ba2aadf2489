//! Examples of users, tokens, the record of changes and the certificate.

use api::access::{
    AuditEntry, AuditPage, Certificate, CreatedToken, Grant, Me, NewCertificate, NewPassword,
    NewToken, NewUser, Role, SetupState, Token, User, UserChange, Via,
};
use serde_json::{Value, json as raw};
use utoipa::openapi::{OpenApi, RefOr};

use super::{JSON, operation, put, time};
use crate::patch::json;

const SHA256: &str = "8d0c2f5b5f0b7f1d6e6a3c1d9a1e4f7b2c3d4e5f60718293a4b5c6d7e8f90a1b";
const ID: &str = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E";

/// Puts an example into every JSON answer and request body.
pub(super) fn put_into(document: &mut OpenApi) {
    let answers = [
        (
            "get_setup",
            "200",
            json(&SetupState { claimed: true, certificate_sha256: Some(SHA256.into()) }),
        ),
        ("claim_device", "201", json(&me())),
        ("login", "200", json(&me())),
        ("get_me", "200", json(&me())),
        ("list_tokens", "200", json(&[token()])),
        (
            "create_token",
            "201",
            json(&CreatedToken {
                token: token(),
                secret: "ect_pZ0fC7mR2kq1vT9xw3yB5nD8sG4hJ6lA0eQ2uW1iO7c".into(),
            }),
        ),
        ("list_users", "200", json(&[user()])),
        ("create_user", "201", json(&user())),
        ("get_user", "200", json(&user())),
        ("patch_user", "200", json(&user())),
        (
            "list_audit",
            "200",
            json(&AuditPage { items: vec![entry()], next_cursor: Some("4611".into()) }),
        ),
        ("get_certificate", "200", json(&certificate())),
        ("put_certificate", "200", json(&certificate())),
        ("delete_certificate", "200", json(&certificate())),
    ];
    for (id, status, example) in answers {
        let Some(operation) = operation(document, id) else { continue };
        if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut(status) {
            put!(answer.content, JSON, example);
        }
    }
    for (id, example) in bodies() {
        let body = operation(document, id).and_then(|operation| operation.request_body.as_mut());
        if let Some(RefOr::T(body)) = body {
            put!(body.content, JSON, example);
        }
    }
}

fn bodies() -> [(&'static str, Value); 7] {
    [
        (
            "claim_device",
            raw!({
                "code": "K7QDM-3XA9T", "username": "owner", "password": "a quiet street",
            }),
        ),
        ("login", raw!({ "username": "owner", "password": "a quiet street" })),
        (
            "create_token",
            json(&NewToken {
                name: "Home Assistant".into(),
                role: Role::Viewer,
                cameras: Some(vec!["front".into()]),
                expires_at: None,
            }),
        ),
        (
            "create_user",
            json(&NewUser {
                username: "guard".into(),
                password: "an open gate".into(),
                role: Role::Operator,
                cameras: None,
            }),
        ),
        (
            "patch_user",
            json(&UserChange {
                role: Some(Role::Viewer),
                cameras: Some(Some(vec!["front".into()])),
            }),
        ),
        (
            "set_password",
            json(&NewPassword {
                current: Some("a quiet street".into()),
                password: "a louder street".into(),
            }),
        ),
        (
            "put_certificate",
            json(&NewCertificate {
                certificate_pem: "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"
                    .into(),
                key_pem: "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n".into(),
            }),
        ),
    ]
}

fn me() -> Me {
    Me {
        username: "owner".into(),
        grant: Grant { role: Role::Admin, cameras: None },
        via: Via::Session,
        expires_at: time("2026-07-15T12:00:00Z"),
    }
}

fn user() -> User {
    User {
        username: "guard".into(),
        grant: Grant { role: Role::Operator, cameras: None },
        created_at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        last_login_at: None,
        sessions: 0,
    }
}

fn token() -> Token {
    Token {
        id: ID.parse().unwrap_or_default(),
        name: "Home Assistant".into(),
        username: "owner".into(),
        grant: Grant { role: Role::Viewer, cameras: Some(vec!["front".into()]) },
        created_at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        expires_at: None,
        last_used_at: time("2026-07-02T07:30:00Z"),
    }
}

fn entry() -> AuditEntry {
    AuditEntry {
        seq: 4611,
        at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        username: Some("owner".into()),
        via: Some(Via::Session),
        from: "192.168.1.7".into(),
        operation: "patch_user".into(),
        path: "/api/v1/users/guard".into(),
        status: 200,
        before: Some(json(&user())),
        after: Some(json(&user())),
    }
}

fn certificate() -> Certificate {
    Certificate {
        self_made: true,
        names: vec!["ec-0a1b2c.local".into(), "192.168.1.20".into()],
        issuer: "CN=ec-0a1b2c.local, O=EdgeCam, made by the device itself".into(),
        not_before: time("2026-06-30T12:00:00Z").unwrap_or_default(),
        not_after: time("2028-10-03T12:00:00Z").unwrap_or_default(),
        sha256: SHA256.into(),
    }
}
