//! How far webhooks have come, and what became of their last deliveries. What a webhook is, is not
//! known here.

use api::webhooks::WebhookDelivery;
use rusqlite::{OptionalExtension, params};
use ulid::Ulid;

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{from_column, listed, to_column};
use crate::types::{HookNote, HookProgress};
use crate::write::Filling;

/// Deliveries that are kept for each webhook: the newest.
const KEPT: i64 = 100;

impl Filling<'_> {
    /// Keeps what `notes` say, in their order.
    pub(crate) fn note_hooks(&self, notes: &[HookNote]) -> rusqlite::Result<()> {
        for note in notes {
            match note {
                HookNote::Delivery { hook, delivery, up_to } => {
                    self.note_delivery(hook, delivery)?;
                    up_to.map_or(Ok(()), |seq| self.move_cursor(hook, seq))?;
                }
                HookNote::Cursor { hook, seq } => self.move_cursor(hook, *seq)?,
                HookNote::Forget { hook } => self.forget_hooks("hook = ?1", &hook.to_string())?,
                HookNote::KeepOnly { hooks } => {
                    let hooks = hooks.iter().map(Ulid::to_string).collect();
                    self.forget_hooks(
                        "hook NOT IN (SELECT value FROM json_each(?1))",
                        &listed(&hooks),
                    )?;
                }
            }
        }
        Ok(())
    }

    fn note_delivery(&self, hook: &Ulid, delivery: &WebhookDelivery) -> rusqlite::Result<()> {
        let hook = hook.to_string();
        // Infallible: all keys are text.
        let body = serde_json::to_string(delivery).unwrap_or_default();
        self.connection
            .prepare_cached(
                "INSERT INTO webhook_deliveries (hook, seq, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (hook, seq) DO UPDATE SET body = excluded.body",
            )?
            .execute(params![hook, to_column(delivery.seq), body])?;
        self.connection
            .prepare_cached(
                "DELETE FROM webhook_deliveries WHERE hook = ?1 AND seq <= (
                   SELECT seq FROM webhook_deliveries WHERE hook = ?1
                   ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![hook, KEPT])?;
        Ok(())
    }

    fn move_cursor(&self, hook: &Ulid, seq: u64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO webhook_cursors (hook, seq) VALUES (?1, ?2)
                 ON CONFLICT (hook) DO UPDATE SET seq = excluded.seq",
            )?
            .execute(params![hook.to_string(), to_column(seq)])?;
        Ok(())
    }

    fn forget_hooks(&self, which: &str, value: &str) -> rusqlite::Result<()> {
        for table in ["webhook_cursors", "webhook_deliveries"] {
            self.connection.execute(&format!("DELETE FROM {table} WHERE {which}"), [value])?;
        }
        Ok(())
    }
}

impl Reader {
    /// How far `hook` has come; nothing where it never was anywhere.
    pub(crate) fn hook_progress(&self, hook: Ulid) -> Result<HookProgress, StoreError> {
        let read = || {
            let sql = "SELECT seq FROM webhook_cursors WHERE hook = ?1";
            let mut cursor = self.connection.prepare_cached(sql)?;
            let cursor = cursor.query_row([hook.to_string()], |row| row.get(0)).optional()?;
            Ok(cursor.map(from_column))
        };
        let cursor = read()
            .map_err(|e| StoreError::sqlite(&self.path, "reading how far a webhook has come", e))?;
        Ok(HookProgress { cursor, newest: self.hook_deliveries(hook, None, KEPT as usize)? })
    }

    /// The newest deliveries of `hook` below `before` (`None`: of all), newest first.
    pub(crate) fn hook_deliveries(
        &self,
        hook: Ulid,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<WebhookDelivery>, StoreError> {
        let sql = "SELECT body FROM webhook_deliveries WHERE hook = ?1 AND seq < ?2
                   ORDER BY seq DESC LIMIT ?3";
        let before = to_column(before.unwrap_or(u64::MAX));
        let listed = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let parameters = params![hook.to_string(), before, to_column(limit as u64)];
            statement.query_map(parameters, |row| row.get(0))?.collect()
        };
        let rows = listed()
            .map_err(|e| StoreError::sqlite(&self.path, "listing deliveries of a webhook", e))?;
        // One that cannot be read is left out; the others still tell.
        Ok(rows.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
    }
}
