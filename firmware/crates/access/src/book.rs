//! Users, tokens and sessions, and the rules of changing them. Pure: time and random secrets come
//! from outside, nothing is stored here.

use std::collections::BTreeMap;

use api::access::{Grant, NewToken, Role, UserChange, Via};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::error::AccessError;
use crate::principal::{Principal, both, within};
use crate::secret;

/// Version of the file's format; a newer firmware's file with another one is not touched.
pub const FORMAT: u32 = 1;
/// Most users.
pub const MAX_USERS: usize = 100;
/// Most tokens.
pub const MAX_TOKENS: usize = 200;
/// Most sessions of a user; the oldest ends when one more begins.
pub const MAX_SESSIONS: usize = 20;
/// A session that is not used for this long ends. It is prolonged when half of it is over.
pub const SESSION: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Longest name of a user, in characters.
const MAX_NAME: usize = 32;

/// Everything that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// See [`FORMAT`].
    pub format: u32,
    /// Users by name.
    pub users: BTreeMap<String, UserRow>,
    /// Tokens by id.
    #[serde(default)]
    pub tokens: BTreeMap<Ulid, TokenRow>,
    /// Sessions by the digest of their secret.
    #[serde(default)]
    pub sessions: BTreeMap<String, SessionRow>,
}

/// A user as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// Hash of the password.
    pub password: String,
    /// What they may do.
    pub grant: Grant,
    /// When they were added.
    pub created_at: Timestamp,
}

/// A token as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub username: String,
    /// Digest of its secret.
    pub digest: String,
    /// What it may do at most.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A session as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Whose it is.
    pub username: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Default for Book {
    fn default() -> Self {
        let (users, tokens, sessions) = Default::default();
        Self { format: FORMAT, users, tokens, sessions }
    }
}

impl Book {
    /// Adds a user whose password has this hash.
    ///
    /// # Errors
    /// When the name is none, is taken, or there are too many.
    pub fn add_user(
        &mut self,
        username: &str,
        hash: String,
        grant: Grant,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        check_name(username)?;
        if self.users.contains_key(username) {
            let reason = format!("there is a user \"{username}\" already");
            return Err(AccessError::Invalid { pointer: "/username", reason });
        }
        if self.users.len() >= MAX_USERS {
            return Err(AccessError::TooMany { what: "users", max: MAX_USERS });
        }
        self.users.insert(username.to_owned(), UserRow { password: hash, grant, created_at: now });
        Ok(())
    }

    /// Changes what `username` may do. Their tokens may at once do no more than they.
    ///
    /// # Errors
    /// When there is no such user, or no admin would be left.
    pub fn change_user(&mut self, username: &str, change: &UserChange) -> Result<(), AccessError> {
        let mut grant = self.user(username)?.grant.clone();
        if let Some(role) = change.role {
            grant.role = role;
        }
        if let Some(cameras) = &change.cameras {
            grant.cameras.clone_from(cameras);
        }
        if !is_owner(&grant) {
            self.keep_an_admin(username)?;
        }
        self.user_mut(username)?.grant = grant;
        Ok(())
    }

    /// Takes `username` out, with their tokens and sessions.
    ///
    /// # Errors
    /// When there is no such user, or no admin would be left.
    pub fn remove_user(&mut self, username: &str) -> Result<(), AccessError> {
        self.user(username)?;
        self.keep_an_admin(username)?;
        self.users.remove(username);
        self.tokens.retain(|_, token| token.username != username);
        self.end_sessions(username, None);
        Ok(())
    }

    /// Gives `username` a password with this hash and ends their sessions but that of `digest`.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn set_password(
        &mut self,
        username: &str,
        hash: String,
        keep: Option<&str>,
    ) -> Result<(), AccessError> {
        self.user_mut(username)?.password = hash;
        self.end_sessions(username, keep);
        Ok(())
    }

    /// Makes a token for `maker` whose secret has this digest.
    ///
    /// # Errors
    /// When it is to do more than its maker may, or there are too many.
    pub fn add_token(
        &mut self,
        maker: &Principal,
        new: &NewToken,
        id: Ulid,
        digest: String,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let cameras = new.cameras.clone().or_else(|| maker.grant.cameras.clone());
        let grant = Grant { role: new.role, cameras };
        if !within(&grant, &maker.grant) {
            return Err(AccessError::Forbidden("a token cannot do more than its maker may"));
        }
        if new.name.trim().is_empty() || new.name.chars().count() > 64 {
            let reason = "must have 1 to 64 characters".to_owned();
            return Err(AccessError::Invalid { pointer: "/name", reason });
        }
        if new.expires_at.is_some_and(|at| at <= now) {
            let reason = "must lie in the future".to_owned();
            return Err(AccessError::Invalid { pointer: "/expires_at", reason });
        }
        self.tokens.retain(|_, token| token.expires_at.is_none_or(|at| at > now));
        if self.tokens.len() >= MAX_TOKENS {
            return Err(AccessError::TooMany { what: "tokens", max: MAX_TOKENS });
        }
        let row = TokenRow {
            name: new.name.trim().to_owned(),
            username: maker.username.clone(),
            digest,
            grant,
            created_at: now,
            expires_at: new.expires_at,
        };
        self.tokens.insert(id, row);
        Ok(())
    }

    /// Revokes a token: its own, or, for an admin, anybody's.
    ///
    /// # Errors
    /// When there is none that `caller` may revoke.
    pub fn remove_token(&mut self, caller: &Principal, id: &str) -> Result<TokenRow, AccessError> {
        let unknown = || AccessError::NotFound { what: "token", name: id.to_owned() };
        let id = Ulid::from_string(id).map_err(|_| unknown())?;
        let token = self.tokens.get(&id).filter(|token| may_see(caller, token));
        let token = token.cloned().ok_or_else(unknown)?;
        self.tokens.remove(&id);
        Ok(token)
    }

    /// Begins a session of `username` whose secret has this digest; answers when it ends.
    pub fn begin_session(&mut self, username: &str, digest: String, now: Timestamp) -> Timestamp {
        self.sessions.retain(|_, session| session.expires_at > now);
        let own = self.sessions.iter().filter(|(_, session)| session.username == username);
        if own.clone().count() >= MAX_SESSIONS
            && let Some(oldest) = own.min_by_key(|(_, session)| session.expires_at)
        {
            let oldest = oldest.0.clone();
            self.sessions.remove(&oldest);
        }
        let expires_at = now + SESSION;
        let row = SessionRow { username: username.to_owned(), created_at: now, expires_at };
        self.sessions.insert(digest, row);
        expires_at
    }

    /// Whose session the secret with this digest opens.
    pub fn session(&self, digest: &str, now: Timestamp) -> Option<Principal> {
        let session = self.sessions.get(digest).filter(|session| session.expires_at > now)?;
        let grant = self.users.get(&session.username)?.grant.clone();
        Some(Principal {
            username: session.username.clone(),
            grant,
            via: Via::Session,
            expires_at: Some(session.expires_at),
            digest: digest.to_owned(),
        })
    }

    /// Whether the session with this digest is to be prolonged.
    pub fn is_to_be_prolonged(&self, digest: &str, now: Timestamp) -> bool {
        let session = self.sessions.get(digest);
        session.is_some_and(|session| session.expires_at.duration_since(now) < SESSION / 2)
    }

    /// Prolongs the session with this digest, if it is still there.
    pub fn prolong(&mut self, digest: &str, now: Timestamp) {
        if let Some(session) = self.sessions.get_mut(digest) {
            session.expires_at = now + SESSION;
        }
    }

    /// What the token with this digest allows: no more than its owner may now.
    pub fn token(&self, digest: &str, now: Timestamp) -> Option<(Ulid, Principal)> {
        let (id, token) = self.tokens.iter().find(|(_, token)| token.digest == digest)?;
        if token.expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        let owner = self.users.get(&token.username)?;
        let principal = Principal {
            username: token.username.clone(),
            grant: both(&token.grant, &owner.grant),
            via: Via::Token,
            expires_at: token.expires_at,
            digest: digest.to_owned(),
        };
        Some((*id, principal))
    }

    /// The tokens that `caller` may see: their own, and for an admin all.
    pub fn tokens_for<'a>(
        &'a self,
        caller: &'a Principal,
    ) -> impl Iterator<Item = (&'a Ulid, &'a TokenRow)> {
        self.tokens.iter().filter(|(_, token)| may_see(caller, token))
    }

    /// Who `username` is, once their password was shown.
    ///
    /// # Errors
    /// When there is none.
    pub fn by_password(&self, username: &str) -> Result<Principal, AccessError> {
        let user = self.user(username)?;
        Ok(Principal {
            username: username.to_owned(),
            grant: user.grant.clone(),
            via: Via::Password,
            expires_at: None,
            digest: secret::digest(&user.password),
        })
    }

    /// The user `username`.
    ///
    /// # Errors
    /// When there is none.
    pub fn user(&self, username: &str) -> Result<&UserRow, AccessError> {
        self.users.get(username).ok_or_else(|| no_user(username))
    }

    fn user_mut(&mut self, username: &str) -> Result<&mut UserRow, AccessError> {
        self.users.get_mut(username).ok_or_else(|| no_user(username))
    }

    /// Refuses when nobody but `username` is an admin of everything, and they are.
    fn keep_an_admin(&self, username: &str) -> Result<(), AccessError> {
        let admins = || self.users.iter().filter(|(_, user)| is_owner(&user.grant));
        let only = admins().any(|(name, _)| name == username) && admins().count() == 1;
        if only { Err(AccessError::LastAdmin(username.to_owned())) } else { Ok(()) }
    }

    fn end_sessions(&mut self, username: &str, keep: Option<&str>) {
        self.sessions.retain(|digest, session| {
            session.username != username || keep.is_some_and(|keep| keep == digest)
        });
    }
}

pub(crate) fn is_owner(grant: &Grant) -> bool {
    grant.role == Role::Admin && grant.cameras.is_none()
}

fn may_see(caller: &Principal, token: &TokenRow) -> bool {
    token.username == caller.username || caller.may(Role::Admin, None)
}

fn no_user(username: &str) -> AccessError {
    AccessError::NotFound { what: "user", name: username.to_owned() }
}

pub(crate) fn check_name(username: &str) -> Result<(), AccessError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let begins = username.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if begins && username.len() <= MAX_NAME && username.chars().all(allowed) {
        return Ok(());
    }
    let reason = format!(
        "must be lower case letters, digits, `-`, `_` and `.`, 1 to {MAX_NAME} of them, a letter or \
         digit first"
    );
    Err(AccessError::Invalid { pointer: "/username", reason })
}

#[cfg(test)]
mod tests;
