//! The files that are kept: the book and the claim code. Each is there whole or not at all.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::durable::{Disk, LocalDisk, SECRET};

use crate::book::{Book, FORMAT};
use crate::claim;
use crate::error::AccessError;

/// Name of the file with the book.
const BOOK: &str = "access.json";
/// Name of the file with the claim code.
const CODE: &str = "claim-code";

/// The folder they lie in.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The book; an empty one where there is none yet.
    pub(crate) fn book(&self) -> Result<Book, AccessError> {
        let path = self.0.join(BOOK);
        let damaged = |reason: String| AccessError::Damaged { path: path.clone(), reason };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            Err(error) => return Err(damaged(error.to_string())),
        };
        let book: Book =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if book.format != FORMAT {
            let (found, known) = (book.format, FORMAT);
            return Err(damaged(format!("it has format {found}, this firmware knows {known}")));
        }
        Ok(book)
    }

    /// Puts `book` in the place of the one before. Blocks until it is on the disk.
    pub(crate) fn keep(&self, book: &Book) -> Result<(), AccessError> {
        let path = self.0.join(BOOK);
        let text = serde_json::to_vec(book).map_err(|error| stored(&path, error.into()))?;
        LocalDisk.replace(&path, &text, SECRET).map_err(|error| stored(&path, error))
    }

    /// The code of an earlier start, or a new one.
    pub(crate) fn claim_code(&self) -> Result<String, AccessError> {
        let path = self.0.join(CODE);
        if let Ok(code) = std::fs::read_to_string(&path)
            && code.trim().len() >= 10
        {
            return Ok(code.trim().to_owned());
        }
        let code = claim::new();
        let line = format!("{code}\n");
        let written = LocalDisk.replace(&path, line.as_bytes(), SECRET);
        written.map(|()| code).map_err(|error| stored(&path, error))
    }

    /// Takes a code that was used away. One that stays is told only: it opens nothing any more.
    pub(crate) fn forget_claim_code(&self) {
        let path = self.0.join(CODE);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "the used code cannot be removed");
        }
    }

    /// Takes both away.
    pub(crate) fn empty(&self) -> Result<(), AccessError> {
        for name in [BOOK, CODE] {
            let path = self.0.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(stored(&path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a failure of keeping the book is called.
    pub(crate) fn not_kept(&self, source: io::Error) -> AccessError {
        stored(&self.0.join(BOOK), source)
    }
}

fn stored(path: &Path, source: io::Error) -> AccessError {
    AccessError::Store { path: path.to_owned(), source: Arc::new(source) }
}
