//! Who may come to the media server: the answers to its auth hook.
//!
//! | who comes | by what | is let in |
//! |---|---|---|
//! | the daemon, to the control API | the secret of this start | always |
//! | a camera's process, to publish | its password of this start | to its own path |
//! | a viewer of WebRTC or HLS | a ticket, which the API gave out just now | to the camera that they see |
//! | a viewer of RTSP or RTMP | name and password, or a token | to a camera that they see |
//!
//! Nobody else comes in; while the device has no owner, no viewer does. Passwords are counted against
//! the address that the media server sees, as over the API. A viewer is sent away when the way in that
//! they came by has ended: signed out, revoked, expired, limited to other cameras, another password.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::access::secret::{self, Purpose};
use ::access::{Access, Principal};
use api::settings::Secret;
use base::shutdown::Shutdown;
use futures::FutureExt;
use futures::future::BoxFuture;
use mediamtx::{Action, ControlSecret, Doorkeeper, Protocol, PublishKey, Question};

use crate::media_server::MediaServer;

/// A ticket is used within this time, or not at all.
const TICKET: Duration = Duration::from_secs(15);
/// How often it is looked whether those who watch still may.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The media server shows a session that was let in within this time, or there is none.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// Decides who comes to the media server; clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    access: Access,
    secret: ControlSecret,
    key: PublishKey,
    guests: Mutex<Guests>,
}

/// Those who are on their way, and those who are in.
#[derive(Debug, Default)]
struct Guests {
    tickets: HashMap<String, (Principal, Instant)>,
    /// By the media server's id of their session.
    sessions: HashMap<String, (Principal, Instant)>,
}

impl Door {
    /// Lets those in whom `access` knows, who has `secret`, and cameras with passwords of `key`.
    pub(crate) fn new(access: Access, secret: ControlSecret, key: PublishKey) -> Self {
        Self(Arc::new(Inner { access, secret, key, guests: Mutex::default() }))
    }

    /// A ticket for `principal`, who is allowed to watch.
    pub(crate) fn ticket(&self, principal: &Principal) -> String {
        let ticket = secret::new(Purpose::Ticket).reveal().to_owned();
        let mut guests = self.guests();
        guests.tickets.retain(|_, (_, given)| given.elapsed() < TICKET);
        guests.tickets.insert(ticket.clone(), (principal.clone(), Instant::now()));
        ticket
    }

    /// Who is in by the session `id`.
    pub(crate) fn who(&self, id: &str) -> Option<Principal> {
        self.guests().sessions.get(id).map(|(principal, _)| principal.clone())
    }

    /// Sends those away who may not watch any more, until the stop.
    pub(crate) async fn keep(self, server: MediaServer, mut shutdown: Shutdown) {
        loop {
            // Cancel-safe: both arms only wait.
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = shutdown.wait() => return,
            }
            if self.guests().sessions.is_empty() {
                continue;
            }
            let Some(watchers) = server.watchers().await else { continue };
            self.guests().sessions.retain(|id, (_, since)| {
                since.elapsed() < SHOWN_WITHIN || watchers.iter().any(|watcher| watcher.id == *id)
            });
            for watcher in &watchers {
                let Some(principal) = self.who(&watcher.id) else { continue };
                let still = self.0.access.still(&principal);
                if !still.is_some_and(|still| still.sees(&watcher.camera)) {
                    tracing::info!(camera = watcher.camera, user = principal.username, "sent away");
                    server.kick(watcher.way, &watcher.id).await;
                }
            }
        }
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.0.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn viewer(&self, question: &Question) -> Option<Principal> {
        let principal = match question.protocol {
            Protocol::WebRtc | Protocol::Hls => self.redeem(&question.password)?,
            Protocol::Rtsp | Protocol::Rtmp => self.player(question).await?,
            Protocol::Other => return None,
        };
        principal.sees(&question.path).then_some(principal)
    }

    /// Who came by `ticket`, which is used up.
    fn redeem(&self, ticket: &str) -> Option<Principal> {
        let (principal, given) = self.guests().tickets.remove(ticket)?;
        (given.elapsed() < TICKET).then_some(principal)
    }

    /// Who shows name and password, or a token as the password or in the query.
    async fn player(&self, question: &Question) -> Option<Principal> {
        let Question { user, password, token, .. } = question;
        let access = &self.0.access;
        if !access.is_claimed() {
            return None;
        }
        let shown = if password.is_empty() { token } else { password };
        if Purpose::of(shown) == Some(Purpose::Token) {
            return access.recognise(shown).ok().flatten();
        }
        if user.is_empty() || password.is_empty() {
            return None;
        }
        let from = question.ip.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        match access.player(user, &Secret::from(password.as_str()), from).await {
            Ok(principal) => Some(principal),
            Err(error) => {
                tracing::info!(user, %from, %error, "a viewer was not let in");
                None
            }
        }
    }
}

impl Doorkeeper for Door {
    fn may(&self, question: Question) -> BoxFuture<'_, bool> {
        async move {
            let Question { action, protocol, path, user, password, .. } = &question;
            match action {
                Action::Api => self.0.secret.opens(user, password),
                Action::Publish => {
                    *protocol == Protocol::Rtsp && self.0.key.opens(path, user, password)
                }
                Action::Read => match self.viewer(&question).await {
                    Some(principal) => {
                        if let Some(id) = question.id {
                            self.guests().sessions.insert(id, (principal, Instant::now()));
                        }
                        true
                    }
                    None => false,
                },
                Action::Other => false,
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
