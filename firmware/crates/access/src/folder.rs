//! The files that are kept: the book and the claim code. Each is there whole or not at all.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::durable::{Disk, LocalDisk, SECRET};

use crate::book::{Book, FORMAT};
use crate::claim::{self, Claim};
use crate::error::AccessError;

/// Name of the file with the book.
const BOOK: &str = "access.json";
/// Name of the file with the claim code.
const CODE: &str = "claim-code";
/// Name of the file with the hash of a code that the owner chose before the first start.
const HASH: &str = "claim-hash";

/// The folder they lie in.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Where the claim code is written as well.
    shown: Option<PathBuf>,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), shown: None }
    }

    /// The same; the claim code is written to the file `shown` as well.
    pub(crate) fn showing_code(self, shown: Option<&Path>) -> Self {
        Self { shown: shown.map(Path::to_owned), ..self }
    }

    /// The book; an empty one where there is none yet.
    pub(crate) fn book(&self) -> Result<Book, AccessError> {
        let path = self.path.join(BOOK);
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
        let path = self.path.join(BOOK);
        let text = serde_json::to_vec(book).map_err(|error| stored(&path, error.into()))?;
        LocalDisk.replace(&path, &text, SECRET).map_err(|error| stored(&path, error))
    }

    /// What claims a device whose book is `book`; `None`: it has an owner, or its book is damaged.
    pub(crate) fn claim_of(&self, book: Option<&Book>) -> Result<Option<Claim>, AccessError> {
        match book {
            Some(book) if book.users.is_empty() => self.claim().map(Some),
            // One that a power cut left behind.
            Some(_) => {
                self.forget_claim();
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// The code that the owner chose, or one of our own.
    fn claim(&self) -> Result<Claim, AccessError> {
        let path = self.path.join(HASH);
        let chosen = std::fs::read_to_string(&path).ok();
        let Some(text) = chosen else { return self.claim_code().map(Claim::Made) };
        match claim::chosen(&text) {
            Some(claim) => {
                // One of ours that was shown before is no way in any more.
                Self::remove([self.path.join(CODE)].iter().chain(&self.shown));
                Ok(claim)
            }
            None => {
                tracing::error!(path = %path.display(), "no SHA-256 of a code: not used");
                self.claim_code().map(Claim::Made)
            }
        }
    }

    /// The code of an earlier start, or a new one.
    fn claim_code(&self) -> Result<String, AccessError> {
        let path = self.path.join(CODE);
        let known = std::fs::read_to_string(&path).ok();
        let known = known.map(|code| code.trim().to_owned()).filter(|code| code.len() >= 10);
        let code = match known {
            Some(code) => code,
            None => {
                let code = claim::new();
                let written = LocalDisk.replace(&path, line(&code).as_bytes(), SECRET);
                written.map_err(|error| stored(&path, error))?;
                code
            }
        };
        self.show(&code);
        Ok(code)
    }

    /// Writes `code` where it is to be shown. Elsewhere it is shown all the same.
    fn show(&self, code: &str) {
        let Some(path) = &self.shown else { return };
        if let Err(error) = LocalDisk.replace(path, line(code).as_bytes(), SECRET) {
            tracing::warn!(%error, path = %path.display(), "the claim code cannot be written here");
        }
    }

    /// Takes a code that was used away. One that stays is told only: it opens nothing any more.
    pub(crate) fn forget_claim(&self) {
        Self::remove([CODE, HASH].map(|name| self.path.join(name)).iter().chain(&self.shown));
    }

    fn remove<'a>(paths: impl Iterator<Item = &'a PathBuf>) {
        for path in paths {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %path.display(), "the used code cannot be removed");
                }
                _ => {}
            }
        }
    }

    /// Takes all of them away.
    pub(crate) fn empty(&self) -> Result<(), AccessError> {
        for name in [BOOK, CODE, HASH] {
            let path = self.path.join(name);
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
        stored(&self.path.join(BOOK), source)
    }
}

fn line(code: &str) -> String {
    format!("{code}\n")
}

fn stored(path: &Path, source: io::Error) -> AccessError {
    AccessError::Store { path: path.to_owned(), source: Arc::new(source) }
}
