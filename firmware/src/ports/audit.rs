//! The record of changes that the API keeps: the store's.

use api::access::AuditEntry;
use base::error::Kind;
use control::PortError;
use control::ports::{Answer, Audit};
use futures::FutureExt;
use store::{StoreError, StoreHandle};

/// The store as the record of changes.
#[derive(Debug)]
pub(crate) struct AuditPort(pub(crate) StoreHandle);

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn failed(error: StoreError) -> PortError {
    PortError::new(error.kind(), base::error::chain(&error))
}

impl Audit for AuditPort {
    fn append(&self, entry: AuditEntry) -> Answer<'_, ()> {
        async move { self.0.append_audit(entry).await.map_err(failed) }.boxed()
    }

    fn newest(&self, before: Option<u64>, limit: usize) -> Answer<'_, Vec<AuditEntry>> {
        async move { self.0.audit(before, limit).await.map_err(failed) }.boxed()
    }
}
