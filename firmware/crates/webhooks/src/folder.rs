//! The file that is kept: there whole or not at all, and for nobody else to read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::durable::{Disk, LocalDisk, SECRET};

use crate::book::{Book, FORMAT};
use crate::error::WebhookError;

/// Name of the file in the data folder.
const FILE: &str = "webhooks.json";

/// Where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.join(FILE))
    }

    /// The webhooks; none where there is no file yet. One of a newer firmware is left as it is.
    pub(crate) fn read(&self) -> Result<Book, WebhookError> {
        let damaged = |reason: String| WebhookError::Damaged { path: self.0.clone(), reason };
        let text = match LocalDisk.read(&self.0) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Book::default()),
            Err(error) => return Err(damaged(error.to_string())),
        };
        // What serde says may cite a secret.
        let place = |error: serde_json::Error| {
            damaged(format!("line {} column {}", error.line(), error.column()))
        };
        let book: Book = serde_json::from_slice(&text).map_err(place)?;
        if book.format != FORMAT {
            let found = book.format;
            return Err(damaged(format!("it has format {found}, this firmware knows {FORMAT}")));
        }
        Ok(book)
    }

    /// Puts `book` in the place of the one before. Blocks until it is on the disk.
    pub(crate) fn keep(&self, book: &Book) -> Result<(), WebhookError> {
        let failed =
            |source| WebhookError::Write { path: self.0.clone(), source: Arc::new(source) };
        let text = serde_json::to_vec(book).map_err(|error| failed(error.into()))?;
        LocalDisk.replace(&self.0, &text, SECRET).map_err(failed)
    }
}
