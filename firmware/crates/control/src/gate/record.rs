//! The audit entry of each change, or attempt at one: who, what, from where, before and after.

use std::sync::{Arc, Mutex, PoisonError};

use access::Principal;
use api::access::{AuditEntry, Via};
use axum::extract::{FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::Value;

use crate::gate::{Peer, changes};
use crate::patch::json;
use crate::problem::Failure;
use crate::state::App;

/// An entry being made.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    entry: AuditEntry,
    note: Note,
}

/// What a handler adds to the entry of its request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Note(Arc<Mutex<Noted>>);

#[derive(Clone, Debug, Default)]
struct Noted {
    username: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Note {
    /// Who tries, where that is not known yet.
    pub(crate) fn tried_by(&self, username: &str) {
        self.fill(|noted| noted.username = Some(username.to_owned()));
    }

    /// How it was. Must hold no secret.
    pub(crate) fn before(&self, value: &impl Serialize) {
        self.fill(|noted| noted.before = Some(json(value)));
    }

    /// How it is since. Must hold no secret.
    pub(crate) fn after(&self, value: &impl Serialize) {
        self.fill(|noted| noted.after = Some(json(value)));
    }

    fn fill(&self, fill: impl FnOnce(&mut Noted)) {
        fill(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<S: Sync> FromRequestParts<S> for Note {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// To watch changes nothing, whatever its method: these would drive the changes out of the record.
const WATCHING: [&str; 3] = ["begin_whep", "trickle_whep", "end_whep"];

impl Record {
    /// Of `request`, if it changes something.
    pub(crate) fn of(operation: &'static str, peer: Peer, request: &Request) -> Option<Self> {
        let changes = changes(request.method()) && !WATCHING.contains(&operation);
        changes.then(|| Self {
            entry: AuditEntry {
                seq: 0,
                at: base::clock::wall(),
                username: None,
                via: None,
                from: peer.address.to_canonical().to_string(),
                operation: operation.to_owned(),
                path: request.uri().path().to_owned(),
                status: 0,
                before: None,
                after: None,
            },
            note: Note::default(),
        })
    }

    /// `principal` does it.
    pub(crate) fn caller(&mut self, principal: &Principal) {
        self.entry.username = Some(principal.username.clone());
        self.entry.via = Some(principal.via);
    }
}

/// Lets the handler of `request` add to `record`.
pub(crate) fn attach(record: Option<&mut Record>, request: &mut Request) {
    if let Some(record) = record {
        request.extensions_mut().insert(record.note.clone());
    }
}

/// Stores `record` with what came of it. What cannot be stored is said in the log: the change is made
/// already.
pub(crate) async fn keep(app: &App, record: Option<Record>, status: StatusCode) {
    let Some(Record { mut entry, note }) = record else { return };
    let noted = note.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    entry.status = status.as_u16();
    if entry.username.is_none() {
        entry.username = noted.username;
        entry.via = entry.username.as_ref().map(|_| Via::Password);
    }
    // What was refused changed nothing.
    if status.is_success() {
        (entry.before, entry.after) = (noted.before, noted.after);
    }
    if let Err(error) = app.ports.audit.append(entry.clone()).await {
        tracing::error!(%error, ?entry, "a change is not in the audit record");
    }
}
