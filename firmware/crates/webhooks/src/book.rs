//! Webhooks and the rules of changing them. Pure: time, random secrets and the store's numbers come from
//! outside, nothing is stored here.

use std::collections::BTreeMap;

use api::problem::FieldProblem;
use api::settings::Secret;
use api::webhooks::{NewWebhook, Webhook, WebhookChange, WebhookFilter, WebhookStatus};
use egress::{Egress, Reach};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::error::WebhookError;
use crate::filter;
use crate::sign;

/// Version of the file's format; a newer firmware's file with another one is not touched.
pub(crate) const FORMAT: u32 = 1;
/// Most webhooks.
pub(crate) const MAX: usize = 16;
/// Longest name, in characters.
const MAX_NAME: usize = 64;

/// Everything that is kept of webhooks but how far they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Book {
    /// See [`FORMAT`].
    pub(crate) format: u32,
    /// The webhooks by id, and so by age.
    pub(crate) hooks: BTreeMap<Ulid, Row>,
}

impl Default for Book {
    fn default() -> Self {
        Self { format: FORMAT, hooks: BTreeMap::new() }
    }
}

/// A webhook as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) enabled: bool,
    pub(crate) allow_private: bool,
    pub(crate) filter: WebhookFilter,
    pub(crate) secret: Secret,
    pub(crate) created_at: Timestamp,
    /// Announcements up to this one were before it was made or switched on.
    pub(crate) from_seq: u64,
    /// Why the device has switched it off.
    pub(crate) disabled_reason: Option<String>,
}

impl Row {
    /// As it is shown.
    pub(crate) fn shown(&self, id: Ulid, status: WebhookStatus) -> Webhook {
        Webhook {
            id: id.to_string(),
            created_at: self.created_at,
            name: self.name.clone(),
            url: self.url.clone(),
            enabled: self.enabled,
            allow_private: self.allow_private,
            filter: self.filter.clone(),
            disabled_reason: self.disabled_reason.clone(),
            status,
        }
    }

    /// Everything that is wrong with it. `reach` says how far its address may lead.
    fn check(&self, reach: Reach) -> Result<(), WebhookError> {
        let mut errors = filter::problems(&self.filter);
        let mut wrong = |pointer: &str, detail: String| {
            errors.push(FieldProblem { pointer: pointer.into(), detail });
        };
        if self.name.chars().count() > MAX_NAME || self.name.contains(char::is_control) {
            let detail = format!("must have at most {MAX_NAME} characters, none of them control");
            wrong("/name", detail);
        }
        if let Err(error) = Egress::new(reach).address(&self.url) {
            let way_out = match (&error, self.allow_private) {
                (egress::EgressError::Refused { why, .. }, false) if why.contains("private") => {
                    "; set `allow_private` if it is meant"
                }
                _ => "",
            };
            wrong("/url", format!("{error}{way_out}"));
        }
        if let Err(reason) = sign::key(&self.secret) {
            wrong("/secret", reason.to_owned());
        }
        if errors.is_empty() { Ok(()) } else { Err(WebhookError::Invalid(errors)) }
    }
}

/// How far an address may lead, as its owner allows it.
pub(crate) type ReachOf = fn(allow_private: bool) -> Reach;

impl Book {
    /// Adds `new` under `id`, made `at`, when the store had given numbers up to `newest`.
    ///
    /// # Errors
    /// When a field is wrong, or there are too many.
    pub(crate) fn add(
        &mut self,
        (id, at, newest): (Ulid, Timestamp, u64),
        new: NewWebhook,
        reach: ReachOf,
    ) -> Result<(), WebhookError> {
        let row = Row {
            name: new.name,
            url: new.url,
            enabled: new.enabled,
            allow_private: new.allow_private,
            filter: new.filter,
            secret: new.secret.unwrap_or_else(sign::new_secret),
            created_at: at,
            from_seq: newest,
            disabled_reason: None,
        };
        row.check(reach(row.allow_private))?;
        if self.hooks.len() >= MAX {
            return Err(WebhookError::TooMany(MAX));
        }
        self.hooks.insert(id, row);
        Ok(())
    }

    /// Changes `id`. One that is switched on begins after `newest`.
    ///
    /// # Errors
    /// When there is none, or a field would be wrong.
    pub(crate) fn change(
        &mut self,
        id: Ulid,
        change: WebhookChange,
        newest: u64,
        reach: ReachOf,
    ) -> Result<(), WebhookError> {
        let row = self.row(id)?;
        let mut new = row.clone();
        let WebhookChange { name, url, enabled, allow_private, filter, secret } = change;
        new.name = name.unwrap_or(new.name);
        new.url = url.unwrap_or(new.url);
        new.allow_private = allow_private.unwrap_or(new.allow_private);
        new.filter = filter.unwrap_or(new.filter);
        new.secret = secret.unwrap_or(new.secret);
        new.enabled = enabled.unwrap_or(new.enabled);
        if enabled.is_some() {
            new.disabled_reason = None;
        }
        if new.enabled && !row.enabled {
            new.from_seq = newest;
        }
        new.check(reach(new.allow_private))?;
        self.hooks.insert(id, new);
        Ok(())
    }

    /// Takes `id` out.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn remove(&mut self, id: Ulid) -> Result<(), WebhookError> {
        self.hooks.remove(&id).map(drop).ok_or_else(|| unknown(id))
    }

    /// Switches `id` off for `reason`, if its address is `url` still.
    pub(crate) fn switch_off(&mut self, id: Ulid, url: &str, reason: &str) {
        if let Some(row) = self.hooks.get_mut(&id).filter(|row| row.url == url) {
            row.enabled = false;
            row.disabled_reason = Some(reason.to_owned());
        }
    }

    /// The store counts anew: what came before `id` was switched on is unknown.
    pub(crate) fn begin_anew(&mut self, id: Ulid) {
        if let Some(row) = self.hooks.get_mut(&id) {
            row.from_seq = 0;
        }
    }

    /// The webhook `id`.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn row(&self, id: Ulid) -> Result<&Row, WebhookError> {
        self.hooks.get(&id).ok_or_else(|| unknown(id))
    }
}

fn unknown(id: Ulid) -> WebhookError {
    WebhookError::NotFound(id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(allow_private: bool) -> Reach {
        if allow_private { Reach::Lan } else { Reach::Public }
    }

    fn new(text: &str) -> NewWebhook {
        serde_json::from_str(text).unwrap()
    }

    fn add(book: &mut Book, text: &str) -> Result<Ulid, WebhookError> {
        let id = Ulid::generate();
        book.add((id, Timestamp::UNIX_EPOCH, 7), new(text), reach).map(|()| id)
    }

    fn pointers(error: WebhookError) -> Vec<String> {
        let WebhookError::Invalid(errors) = error else { panic!("{error:?}") };
        errors.into_iter().map(|one| one.pointer).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = r#"{ "url": "ftp://x/", "secret": "short", "filter": { "zones": [] } }"#;
        let error = add(&mut Book::default(), wrong).unwrap_err();
        assert_eq!(pointers(error), ["/filter/zones", "/url", "/secret"]);
    }

    #[test]
    fn home_is_reached_only_where_its_owner_allows_it_and_the_device_itself_never() {
        let mut book = Book::default();
        let WebhookError::Invalid(errors) =
            add(&mut book, r#"{ "url": "http://192.168.1.9/x" }"#).unwrap_err()
        else {
            panic!("it is refused")
        };
        assert!(errors[0].detail.contains("allow_private"), "{errors:?}");
        add(&mut book, r#"{ "url": "http://192.168.1.9/x", "allow_private": true }"#).unwrap();
        for never in ["http://127.0.0.1/", "http://169.254.169.254/", "http://[fe80::1]/"] {
            let text = format!(r#"{{ "url": "{never}", "allow_private": true }}"#);
            assert_eq!(pointers(add(&mut book, &text).unwrap_err()), ["/url"], "{never}");
        }
    }

    #[test]
    fn what_is_absent_from_a_change_stays_and_a_wrong_one_changes_nothing() {
        let mut book = Book::default();
        let id = add(&mut book, r#"{ "url": "https://example.org/a", "name": "a" }"#).unwrap();
        let before = book.clone();
        let change = |text: &str| serde_json::from_str::<WebhookChange>(text).unwrap();
        let wrong = change(r#"{ "name": "b", "url": "http://10.0.0.1/" }"#);
        assert_eq!(pointers(book.change(id, wrong, 9, reach).unwrap_err()), ["/url"]);
        assert_eq!(book, before);
        book.change(id, change(r#"{ "name": "b" }"#), 9, reach).unwrap();
        let row = book.row(id).unwrap();
        assert_eq!((row.name.as_str(), row.url.as_str()), ("b", "https://example.org/a"));
        assert_eq!((row.from_seq, &row.secret), (7, &before.row(id).unwrap().secret));
    }

    #[test]
    fn one_that_is_switched_on_again_begins_with_what_happens_then() {
        let mut book = Book::default();
        let id = add(&mut book, r#"{ "url": "https://example.org/a" }"#).unwrap();
        book.switch_off(id, "https://example.org/b", "gone");
        assert!(book.row(id).unwrap().enabled, "another address was gone");
        book.switch_off(id, "https://example.org/a", "gone");
        assert!(!book.row(id).unwrap().enabled);
        let on = WebhookChange { enabled: Some(true), ..Default::default() };
        book.change(id, on, 99, reach).unwrap();
        let row = book.row(id).unwrap();
        assert_eq!((row.from_seq, row.enabled, &row.disabled_reason), (99, true, &None));
    }

    #[test]
    fn there_are_sixteen_at_most() {
        let mut book = Book::default();
        for _ in 0..MAX {
            add(&mut book, r#"{ "url": "https://example.org/a" }"#).unwrap();
        }
        let error = add(&mut book, r#"{ "url": "https://example.org/a" }"#).unwrap_err();
        assert!(matches!(error, WebhookError::TooMany(MAX)));
    }
}
