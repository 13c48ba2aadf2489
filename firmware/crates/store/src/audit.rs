//! The record of changes over the API: append, keep the newest, list.

use api::access::AuditEntry;
use rusqlite::params;

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{from_column, to_column};
use crate::write::Filling;

/// Entries that are kept: the newest.
const KEPT: i64 = 10_000;
/// Longest entry as JSON; a longer one goes without how it was before and after.
const MAX_BODY: usize = 64 * 1024;

impl Filling<'_> {
    /// Stores `entry` under a `seq` of its own and lets the oldest go that is beyond what is kept.
    pub(crate) fn append_audit(&self, entry: &AuditEntry) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT INTO audit (body) VALUES (?1)")?
            .execute([encoded(entry)])?;
        let newest = self.connection.last_insert_rowid();
        self.connection
            .prepare_cached("DELETE FROM audit WHERE seq <= ?1")?
            .execute([newest - KEPT])?;
        Ok(())
    }
}

fn encoded(entry: &AuditEntry) -> String {
    // Infallible: all keys are text.
    let body = serde_json::to_string(entry).unwrap_or_default();
    if body.len() <= MAX_BODY {
        return body;
    }
    let short = AuditEntry { before: None, after: None, ..entry.clone() };
    serde_json::to_string(&short).unwrap_or_default()
}

impl Reader {
    /// The newest entries below `before` (`None`: of all), newest first.
    pub(crate) fn audit(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = "SELECT seq, body FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
        let before = to_column(before.unwrap_or(i64::MAX as u64).min(i64::MAX as u64));
        let limit = to_column(limit as u64);
        let listed = || -> rusqlite::Result<Vec<(u64, String)>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let row = |row: &rusqlite::Row<'_>| Ok((from_column(row.get(0)?), row.get(1)?));
            statement.query_map(params![before, limit], row)?.collect()
        };
        let rows =
            listed().map_err(|e| StoreError::sqlite(&self.path, "listing the audit record", e))?;
        // One that cannot be read is left out; the others still tell.
        let entry = |(seq, body): (u64, String)| {
            let entry: AuditEntry = serde_json::from_str(&body).ok()?;
            Some(AuditEntry { seq, ..entry })
        };
        Ok(rows.into_iter().filter_map(entry).collect())
    }
}
