//! What clients of the broker command, done as if it came over the API, and recorded as such.
//!
//! Who may write to the broker is for the broker to say; whether the device obeys it at all, for the
//! setting `mqtt.commands`.

use std::sync::Arc;

use api::access::{AuditEntry, Role};
use api::jobs::Job;
use api::updates::InstallUpdate;
use control::ports::{Audit, Beginner, Updates};
use control::{PortError, Ports};
use mqtt::Command;
use tokio::sync::mpsc;

/// Commands that may wait.
const MOST_WAITING: usize = 4;
/// Who they are from, in jobs and in the record.
const BY: &str = "mqtt";

/// Commands as they come.
pub(crate) type Commands = mpsc::Receiver<Command>;

/// Where commands are put in, and where they come out.
pub(crate) fn channel() -> (mpsc::Sender<Command>, Commands) {
    mpsc::channel(MOST_WAITING)
}

/// Does what is commanded, one after the other, until nobody commands any more.
pub(crate) fn obey(
    mut commands: Commands,
    ports: &Ports,
) -> impl Future<Output = ()> + Send + 'static {
    let (updates, audit) = (Arc::clone(&ports.updates), Arc::clone(&ports.audit));
    async move {
        while let Some(command) = commands.recv().await {
            match command {
                Command::InstallUpdate => install(&*updates, &*audit).await,
            }
        }
    }
}

async fn install(updates: &dyn Updates, audit: &dyn Audit) {
    let by = Beginner { by: BY.to_owned(), role: Role::Admin };
    let begun = updates.install(InstallUpdate::default(), by).await;
    if let Err(error) = &begun {
        tracing::warn!(%error, "an update that was ordered over MQTT is not installed");
    }
    let entry = entry(begun);
    if let Err(error) = audit.append(entry.clone()).await {
        tracing::error!(%error, ?entry, "a change is not in the audit record");
    }
}

/// What the record says of an order to install.
fn entry(begun: Result<Job, PortError>) -> AuditEntry {
    let (status, after) = match begun {
        Ok(job) => (202, serde_json::to_value(job).ok()),
        Err(error) => (error.problem().status, None),
    };
    AuditEntry {
        seq: 0,
        at: base::clock::wall(),
        username: None,
        via: None,
        from: BY.to_owned(),
        operation: "install_update".to_owned(),
        path: "update/set".to_owned(),
        status,
        before: None,
        after,
    }
}

#[cfg(test)]
mod tests {
    use api::updates::UpdateCode;

    use super::*;

    #[test]
    fn a_command_stands_in_the_record_with_what_came_of_it() {
        let refused = entry(Err(PortError::update(UpdateCode::UpdatesNotSupported, "no image")));
        assert_eq!((refused.operation.as_str(), refused.from.as_str()), ("install_update", "mqtt"));
        assert_eq!((refused.status, &refused.after), (409, &None));
        let job = r#"{"id":"01","kind":"install_update","state":"queued","progress":0,"stage":"",
            "role":"admin","created_by":"mqtt","created_at":"2026-07-01T12:00:00Z"}"#;
        let begun = entry(Ok(serde_json::from_str(job).unwrap()));
        assert_eq!((begun.status, &begun.after.unwrap()["id"]), (202, &"01".into()));
    }
}
