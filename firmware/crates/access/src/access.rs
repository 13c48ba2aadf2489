//! The one handle: asks and changes. A change is made on a copy, stored durably, and then in force.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use api::access::{CreatedToken, Grant, NewToken, NewUser, Role, Token, User, UserChange, Via};
use api::settings::Secret;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use ulid::Ulid;

use crate::book::{Book, TokenRow};
use crate::claim::Claim;
use crate::error::AccessError;
use crate::folder::Folder;
use crate::lockout::Lockout;
use crate::password;
use crate::principal::Principal;
use crate::secret::{self, Purpose};

/// What wrong claim codes are counted under: no user has such a name.
const CLAIM: &str = "(claim)";
/// Hashes at a time: each takes 19 MiB and a core.
const HASHES: usize = 2;
/// How long someone waits for their turn to be hashed.
const TURN: Duration = Duration::from_secs(5);
/// How long a media player's password is known without hashing it again.
const KNOWN: Duration = Duration::from_secs(5 * 60);

/// Who may do what. Clones share everything.
#[derive(Clone, Debug)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    book: RwLock<Result<Arc<Book>, AccessError>>,
    /// Held from reading the book to the end of its change.
    changing: tokio::sync::Mutex<()>,
    hashing: Semaphore,
    lockout: Mutex<Lockout>,
    claim: RwLock<Option<Claim>>,
    last: Mutex<Last>,
}

/// What is remembered until the daemon ends.
#[derive(Debug, Default)]
struct Last {
    logins: HashMap<String, Timestamp>,
    tokens: HashMap<Ulid, Timestamp>,
    /// Passwords of media players: digest of name and password → until when they are known.
    players: HashMap<String, Instant>,
}

/// A session that began.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What opens it.
    pub secret: Secret,
    /// Who it is of.
    pub principal: Principal,
}

impl Access {
    /// Reads what is kept in `folder`; a new device gets a claim code, which is in the file `shown` as well
    /// until it is used, if that can be written.
    ///
    /// # Errors
    /// When the folder cannot be written. A damaged file is no error here: nobody comes in, and every
    /// try says why.
    pub fn open(folder: &Path, shown: Option<&Path>) -> Result<Self, AccessError> {
        let folder = Folder::new(folder).showing_code(shown);
        let book = folder.book();
        if let Err(error) = &book {
            tracing::error!(%error, "nobody can sign in");
        }
        Ok(Self(Arc::new(Inner {
            claim: RwLock::new(folder.claim_of(book.as_ref().ok())?),
            folder,
            book: RwLock::new(book.map(Arc::new)),
            changing: tokio::sync::Mutex::default(),
            hashing: Semaphore::new(HASHES),
            lockout: Mutex::default(),
            last: Mutex::default(),
        })))
    }

    /// Forgets all users, tokens and sessions in `folder`, so that the device can be claimed anew: for
    /// an owner at the device who lost the way in.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn reset(folder: &Path) -> Result<(), AccessError> {
        Folder::new(folder).empty()
    }

    /// The code that claims the device, to be shown; `None`: it has an owner, or that one chose the code.
    pub fn claim_code(&self) -> Option<String> {
        self.0.claim.read().unwrap_or_else(PoisonError::into_inner).clone()?.shown()
    }

    /// Whether the device has an owner. A damaged file does not make it nobody's.
    pub fn is_claimed(&self) -> bool {
        self.book().is_none_or(|book| !book.users.is_empty())
    }

    /// Who `secret`, of a session or a token, is.
    ///
    /// # Errors
    /// Only when the file is damaged.
    pub fn recognise(&self, secret: &str) -> Result<Option<Principal>, AccessError> {
        let (book, now) = (self.try_book()?, base::clock::wall());
        let digest = secret::digest(secret);
        match Purpose::of(secret) {
            Some(Purpose::Session) => {
                let found = book.session(&digest, now);
                if found.is_some() && book.is_to_be_prolonged(&digest, now) {
                    self.prolong(digest);
                }
                Ok(found)
            }
            Some(Purpose::Token) => Ok(book.token(&digest, now).map(|(id, principal)| {
                self.last().tokens.insert(id, now);
                principal
            })),
            Some(Purpose::Ticket) | None => Ok(None),
        }
    }

    /// Claims the device for its first user, an admin, who is signed in.
    ///
    /// # Errors
    /// When it has an owner, the code is wrong, or name or password are not taken.
    pub async fn claim(
        &self,
        code: &str,
        username: &str,
        password: &Secret,
        from: IpAddr,
    ) -> Result<NewSession, AccessError> {
        self.try_book()?;
        let expected = self.0.claim.read().unwrap_or_else(PoisonError::into_inner).clone();
        let expected = expected.ok_or(AccessError::Claimed)?;
        self.may_try(from, CLAIM)?;
        if !expected.is(code) {
            self.lockout().failed(from, CLAIM, Instant::now());
            return Err(AccessError::WrongCode);
        }
        let new = NewUser {
            username: username.to_owned(),
            password: password.clone(),
            role: Role::Admin,
            cameras: None,
        };
        let hash = self.hash_new(&new.password, username, "/password").await?;
        let session = self
            .change(move |book, now| {
                if !book.users.is_empty() {
                    return Err(AccessError::Claimed);
                }
                let grant = Grant { role: Role::Admin, cameras: None };
                book.add_user(&new.username, hash, grant, now)?;
                Ok(begin_session(book, &new.username, now))
            })
            .await?;
        *self.0.claim.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.folder.forget_claim();
        session.ok_or(AccessError::Claimed)
    }

    /// Signs `username` in.
    ///
    /// # Errors
    /// When name or password is wrong, or too many wrong ones came before.
    pub async fn login(
        &self,
        username: &str,
        password: &Secret,
        from: IpAddr,
    ) -> Result<NewSession, AccessError> {
        self.check_password(username, password, from).await?;
        let name = username.to_owned();
        let session = self.change(move |book, now| Ok(begin_session(book, &name, now))).await?;
        self.last().logins.insert(username.to_owned(), base::clock::wall());
        session.ok_or(AccessError::WrongPassword)
    }

    /// Who `username` with `password` is, without a session: for media players, which send both with
    /// every request.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn player(
        &self,
        username: &str,
        password: &Secret,
        from: IpAddr,
    ) -> Result<Principal, AccessError> {
        let key = secret::digest(format!("{username}\n{}", password.reveal()));
        let known = self.last().players.get(&key).is_some_and(|until| *until > Instant::now());
        if !known {
            self.check_password(username, password, from).await?;
            let mut last = self.last();
            last.players.retain(|_, until| *until > Instant::now());
            last.players.insert(key, Instant::now() + KNOWN);
        }
        self.try_book()?.by_password(username)
    }

    /// Who `principal` is by now, for what goes on after they were recognised, such as watching; `None`:
    /// their way in has ended, by its time, by being revoked, with their user or with their password.
    pub fn still(&self, principal: &Principal) -> Option<Principal> {
        let (book, now) = (self.book()?, base::clock::wall());
        match principal.via {
            Via::Session => book.session(&principal.digest, now),
            Via::Token => book.token(&principal.digest, now).map(|(_, found)| found),
            Via::Password => {
                let found = book.by_password(&principal.username).ok();
                found.filter(|found| found.digest == principal.digest)
            }
        }
    }

    /// Ends the session of `principal`; a token stays.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn logout(&self, principal: &Principal) -> Result<(), AccessError> {
        let digest = principal.digest.clone();
        self.change(move |book, _| {
            book.sessions.remove(&digest);
            Ok(())
        })
        .await
    }

    /// All users, ordered by name.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn users(&self) -> Result<Vec<User>, AccessError> {
        let book = self.try_book()?;
        book.users.keys().map(|name| self.user(name)).collect()
    }

    /// The user `username`.
    ///
    /// # Errors
    /// When there is none.
    pub fn user(&self, username: &str) -> Result<User, AccessError> {
        let book = self.try_book()?;
        let row = book.user(username)?;
        let sessions = book.sessions.values().filter(|session| session.username == username);
        Ok(User {
            username: username.to_owned(),
            grant: row.grant.clone(),
            created_at: row.created_at,
            last_login_at: self.last().logins.get(username).copied(),
            sessions: u32::try_from(sessions.count()).unwrap_or(u32::MAX),
        })
    }

    /// Adds a user.
    ///
    /// # Errors
    /// When name or password is not taken, or there are too many.
    pub async fn add_user(&self, new: NewUser) -> Result<User, AccessError> {
        let hash = self.hash_new(&new.password, &new.username, "/password").await?;
        let name = new.username.clone();
        let grant = Grant { role: new.role, cameras: new.cameras };
        self.change(move |book, now| book.add_user(&new.username, hash, grant, now)).await?;
        self.user(&name)
    }

    /// Changes what a user may do.
    ///
    /// # Errors
    /// When there is none, or no admin would be left.
    pub async fn change_user(
        &self,
        username: &str,
        change: UserChange,
    ) -> Result<User, AccessError> {
        let name = username.to_owned();
        self.change(move |book, _| book.change_user(&name, &change)).await?;
        self.user(username)
    }

    /// Takes a user out, with their tokens and sessions.
    ///
    /// # Errors
    /// When there is none, or no admin would be left.
    pub async fn remove_user(&self, username: &str) -> Result<(), AccessError> {
        let name = username.to_owned();
        self.change(move |book, _| book.remove_user(&name)).await
    }

    /// Gives `username` a new password. One's own is changed with the present one; an admin changes
    /// those of others. Other sessions of theirs end.
    ///
    /// # Errors
    /// When the present password is wrong or the new one is not taken.
    pub async fn set_password(
        &self,
        caller: &Principal,
        username: &str,
        current: Option<&Secret>,
        new: &Secret,
        from: IpAddr,
    ) -> Result<(), AccessError> {
        self.try_book()?.user(username)?;
        let own = caller.username == username;
        if !own && !caller.may(Role::Admin, None) {
            return Err(AccessError::Forbidden("only admins change the passwords of others"));
        }
        if own {
            let reason = "must be the present password".to_owned();
            let missing = AccessError::Invalid { pointer: "/current", reason };
            self.check_password(username, current.ok_or(missing)?, from).await?;
        }
        let hash = self.hash_new(new, username, "/password").await?;
        let (name, keep) = (username.to_owned(), own.then(|| caller.digest.clone()));
        self.change(move |book, _| book.set_password(&name, hash, keep.as_deref())).await
    }

    /// The tokens that `caller` may see: their own, and for an admin all. Oldest first.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn tokens(&self, caller: &Principal) -> Result<Vec<Token>, AccessError> {
        let book = self.try_book()?;
        Ok(book.tokens_for(caller).map(|(id, row)| self.token(*id, row)).collect())
    }

    /// Makes a token for `caller`.
    ///
    /// # Errors
    /// When it is to do more than they may, or there are too many.
    pub async fn add_token(
        &self,
        caller: &Principal,
        new: NewToken,
    ) -> Result<CreatedToken, AccessError> {
        let (id, secret) = (Ulid::generate(), secret::new(Purpose::Token));
        let (maker, digest) = (caller.clone(), secret::digest(secret.reveal()));
        let row = self
            .change(move |book, now| {
                book.add_token(&maker, &new, id, digest, now)?;
                Ok(book.tokens.get(&id).cloned())
            })
            .await?;
        let unknown = || AccessError::NotFound { what: "token", name: id.to_string() };
        Ok(CreatedToken { token: self.token(id, &row.ok_or_else(unknown)?), secret })
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// When there is none that `caller` may revoke.
    pub async fn remove_token(&self, caller: &Principal, id: &str) -> Result<(), AccessError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.change(move |book, _| book.remove_token(&caller, &id).map(drop)).await
    }

    fn token(&self, id: Ulid, row: &TokenRow) -> Token {
        Token {
            id,
            name: row.name.clone(),
            username: row.username.clone(),
            grant: row.grant.clone(),
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: self.last().tokens.get(&id).copied(),
        }
    }

    /// Checks a password, unless too many wrong ones came before. A name that nobody has takes as long.
    async fn check_password(
        &self,
        username: &str,
        password: &Secret,
        from: IpAddr,
    ) -> Result<(), AccessError> {
        let book = self.try_book()?;
        if book.users.is_empty() {
            return Err(AccessError::NotClaimed);
        }
        self.may_try(from, username)?;
        let hash = book.users.get(username).map(|user| user.password.clone());
        let given = password.clone();
        let fits = self
            .hashing(move || match hash {
                Some(hash) => password::fits(given.reveal(), &hash),
                None => {
                    password::fits_nobody(given.reveal());
                    false
                }
            })
            .await?;
        if !fits {
            self.lockout().failed(from, username, Instant::now());
            return Err(AccessError::WrongPassword);
        }
        self.lockout().succeeded(from, username);
        Ok(())
    }

    async fn hash_new(
        &self,
        password: &Secret,
        username: &str,
        pointer: &'static str,
    ) -> Result<String, AccessError> {
        if password.reveal().len() <= password::MAX {
            password::check(password.reveal(), username, pointer)?;
        } else {
            let reason = format!("the password must have at most {} bytes", password::MAX);
            return Err(AccessError::Invalid { pointer, reason });
        }
        let password = password.clone();
        self.hashing(move || password::hash(password.reveal())).await
    }

    /// Runs `work` on a thread where it may take its time; few at a time.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccessError> {
        let turn = tokio::time::timeout(TURN, self.0.hashing.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(AccessError::Busy) };
        tokio::task::spawn_blocking(work).await.map_err(|_| AccessError::Busy)
    }

    fn may_try(&self, from: IpAddr, name: &str) -> Result<(), AccessError> {
        let wait = self.lockout().wait(from, name, Instant::now());
        wait.map_or(Ok(()), |wait| Err(AccessError::Locked(wait)))
    }

    /// Changes a copy of the book, stores it, and puts it in force.
    pub(crate) async fn change<T: Send>(
        &self,
        change: impl FnOnce(&mut Book, Timestamp) -> Result<T, AccessError> + Send,
    ) -> Result<T, AccessError> {
        let _changing = self.0.changing.lock().await;
        let mut book = Book::clone(&*self.try_book()?);
        let answer = change(&mut book, base::clock::wall())?;
        let book = Arc::new(book);
        let (folder, written) = (self.0.folder.clone(), book.clone());
        let storing = tokio::task::spawn_blocking(move || folder.keep(&written)).await;
        storing.map_err(|error| self.0.folder.not_kept(io::Error::other(error)))??;
        *self.0.book.write().unwrap_or_else(PoisonError::into_inner) = Ok(book);
        self.last().players.clear();
        Ok(answer)
    }

    /// In the background: whoever uses a session does not wait for it, and loses nothing if it fails.
    fn prolong(&self, digest: String) {
        let access = self.clone();
        tokio::spawn(async move {
            let prolonged = access
                .change(move |book, now| {
                    book.prolong(&digest, now);
                    Ok(())
                })
                .await;
            if let Err(error) = prolonged {
                tracing::warn!(%error, "a session was not prolonged");
            }
        });
    }

    fn book(&self) -> Option<Arc<Book>> {
        self.try_book().ok()
    }

    pub(crate) fn try_book(&self) -> Result<Arc<Book>, AccessError> {
        self.0.book.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lockout(&self) -> std::sync::MutexGuard<'_, Lockout> {
        self.0.lockout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a session of a user of the book. `None`: there is no such user (any more).
fn begin_session(book: &mut Book, username: &str, now: Timestamp) -> Option<NewSession> {
    let secret = secret::new(Purpose::Session);
    let digest = secret::digest(secret.reveal());
    book.begin_session(username, digest.clone(), now);
    Some(NewSession { principal: book.session(&digest, now)?, secret })
}
