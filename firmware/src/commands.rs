//! What clients of the broker command, done as if it came over the API, and recorded as such.
//!
//! Who may write to the broker is for the broker to say; whether the device obeys it at all, for the
//! setting `mqtt.commands`.

use std::sync::Arc;

use api::access::{AuditEntry, Role};
use api::updates::InstallUpdate;
use control::Ports;
use control::ports::{Audit, Beginner, Updates};
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
    let (status, after) = match begun {
        Ok(job) => (202, serde_json::to_value(job).ok()),
        Err(error) => {
            tracing::warn!(%error, "an update that was ordered over MQTT is not installed");
            (error.problem().status, None)
        }
    };
    let entry = AuditEntry {
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
    };
    if let Err(error) = audit.append(entry.clone()).await {
        tracing::error!(%error, ?entry, "a change is not in the audit record");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use control::ports::Answer;
    use futures::FutureExt;
    use futures::future::ready;

    use super::*;
    use crate::ports::NoUpdates;

    #[derive(Default)]
    struct Kept(Mutex<Vec<AuditEntry>>);

    impl Audit for Kept {
        fn append(&self, entry: AuditEntry) -> Answer<'_, ()> {
            self.0.lock().unwrap().push(entry);
            ready(Ok(())).boxed()
        }

        fn newest(&self, _: Option<u64>, _: usize) -> Answer<'_, Vec<AuditEntry>> {
            ready(Ok(self.0.lock().unwrap().clone())).boxed()
        }
    }

    #[tokio::test]
    async fn a_command_stands_in_the_record_with_what_came_of_it() {
        let kept = Kept::default();
        install(&NoUpdates::new(), &kept).await;
        let entries = kept.0.into_inner().unwrap();
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((entry.operation.as_str(), entry.from.as_str()), ("install_update", "mqtt"));
        assert_eq!((entry.status, &entry.after), (409, &None));
    }
}
