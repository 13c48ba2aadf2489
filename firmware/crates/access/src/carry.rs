//! Users and tokens taken elsewhere and back, for backups.

use crate::access::Access;
use crate::book::{Book, FORMAT, MAX_TOKENS, MAX_USERS, check_name, is_owner};
use crate::error::AccessError;

impl Access {
    /// Users and tokens as they are kept: hashes and digests, no secrets in the clear; no sessions.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn carry(&self) -> Result<Book, AccessError> {
        let mut book = Book::clone(&*self.try_book()?);
        book.sessions.clear();
        Ok(book)
    }

    /// Puts users and tokens in the place of all that there are, and ends all sessions.
    ///
    /// # Errors
    /// When they could not be used (see [`Book::check`]), or cannot be kept.
    pub async fn replace(&self, book: Book) -> Result<(), AccessError> {
        book.check()?;
        self.change(move |kept, _| {
            *kept = Book { sessions: std::collections::BTreeMap::new(), ..book };
            Ok(())
        })
        .await
    }
}

impl Book {
    /// Whether a device could be run with it.
    ///
    /// # Errors
    /// When it is of another format, nobody in it could change things, or a name is none.
    pub fn check(&self) -> Result<(), AccessError> {
        let wrong =
            |reason: &str| AccessError::Invalid { pointer: "/users", reason: reason.into() };
        if self.format != FORMAT {
            return Err(wrong("are of another firmware's kind"));
        }
        if self.users.len() > MAX_USERS || self.tokens.len() > MAX_TOKENS {
            return Err(wrong("are more than there may be"));
        }
        if !self.users.values().any(|user| is_owner(&user.grant)) {
            return Err(wrong("have no admin who sees all cameras"));
        }
        self.users.keys().try_for_each(|name| check_name(name))
    }
}

#[cfg(test)]
mod tests {
    use api::access::{Grant, Role};

    use super::*;

    #[tokio::test]
    async fn users_are_carried_over_without_sessions_and_never_without_an_admin() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let access = Access::open(here.path(), None).unwrap();
        let code = access.claim_code().unwrap();
        let home = [192, 168, 1, 7].into();
        access.claim(&code, "owner", &"a quiet street".into(), home).await.unwrap();
        let book = access.carry().unwrap();
        assert!(book.sessions.is_empty() && book.users.len() == 1);
        let other = Access::open(there.path(), None).unwrap();
        other.replace(book.clone()).await.unwrap();
        assert!(other.is_claimed());
        other.login("owner", &"a quiet street".into(), home).await.unwrap();
        let mut nobody = book.clone();
        for user in nobody.users.values_mut() {
            user.grant = Grant { role: Role::Viewer, cameras: None };
        }
        assert!(matches!(other.replace(nobody).await, Err(AccessError::Invalid { .. })));
        assert!(other.replace(Book { format: FORMAT + 1, ..book }).await.is_err());
        assert_eq!(other.carry().unwrap().users.len(), 1);
    }
}
