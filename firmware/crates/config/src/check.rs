//! Collects mistakes while values are checked. Every check answers a value to go on with, so that
//! one mistake does not hide the next; what was collected decides in the end.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Value;

use crate::error::{ConfigErrors, Mistake};
use crate::pointer;

/// A place in the settings, and the mistakes found so far everywhere.
pub(crate) struct Check<'a> {
    at: String,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Check<'a> {
    /// Checks from the top.
    pub(crate) fn new(mistakes: &'a mut Vec<Mistake>) -> Self {
        Self { at: String::new(), mistakes }
    }

    /// Checks below `key`.
    pub(crate) fn below(&mut self, key: &str) -> Check<'_> {
        Check { at: pointer::join(&self.at, key), mistakes: self.mistakes }
    }

    /// Checks the `index`th entry of a list.
    pub(crate) fn item(&mut self, index: usize) -> Check<'_> {
        Check { at: pointer::item(&self.at, index), mistakes: self.mistakes }
    }

    /// `field` is wrong.
    pub(crate) fn wrong(
        &mut self,
        field: &str,
        value: Option<&dyn erased::Json>,
        reason: impl Into<String>,
    ) {
        let at = if field.is_empty() { self.at.clone() } else { pointer::join(&self.at, field) };
        let value = value.map(erased::Json::json);
        self.mistakes.push(Mistake::new(at, value.as_ref(), reason));
    }

    /// `value`, which must be there.
    pub(crate) fn need<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.wrong(field, None, "has no value, though the built-in defaults have one");
        }
        value
    }

    /// `value`, which must be there, or what stands for it while the rest is checked.
    pub(crate) fn need_or<T>(&mut self, field: &str, value: Option<T>, stand_in: T) -> T {
        self.need(field, value).unwrap_or(stand_in)
    }

    /// A number that must be there and within `range`.
    pub(crate) fn number<T: PartialOrd + Display + Serialize + Copy>(
        &mut self,
        field: &str,
        value: Option<T>,
        range: RangeInclusive<T>,
    ) -> T {
        let stand_in = *range.start();
        match self.need(field, value) {
            Some(value) => self.within(field, value, range),
            None => stand_in,
        }
    }

    /// A number that must be within `range`.
    pub(crate) fn within<T: PartialOrd + Display + Serialize + Copy>(
        &mut self,
        field: &str,
        value: T,
        range: RangeInclusive<T>,
    ) -> T {
        if range.contains(&value) {
            return value;
        }
        let reason = format!("must be within {}..={}", range.start(), range.end());
        self.wrong(field, Some(&value), reason);
        *range.start()
    }

    /// An address with a port that must be there.
    pub(crate) fn listen(&mut self, field: &str, value: Option<&String>) -> Option<SocketAddr> {
        let text = self.need(field, value)?;
        match text.parse::<SocketAddr>() {
            Ok(address) => Some(address),
            Err(_) => {
                let reason = "must be an IP address and a port, such as 0.0.0.0:8080 for every \
                              network or 127.0.0.1:8080 for this machine only";
                self.wrong(field, Some(text), reason);
                None
            }
        }
    }

    /// An id: of a camera, a zone, a line, this device.
    pub(crate) fn id(&mut self, field: &str, id: &str) {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=32).contains(&id.len()) || !id.chars().all(allowed) {
            let reason = format!("`{id}` must be 1 to 32 lower case letters, digits and `-`");
            self.wrong(field, None, reason);
        }
    }
}

/// Runs `checks` and answers what they made, or all that they found.
pub(crate) fn all<T>(checks: impl FnOnce(&mut Check<'_>) -> Option<T>) -> Result<T, ConfigErrors> {
    let mut mistakes = Vec::new();
    let made = checks(&mut Check::new(&mut mistakes));
    match made {
        Some(made) if mistakes.is_empty() => Ok(made),
        _ => Err(ConfigErrors::of(mistakes)),
    }
}

/// Anything that has a JSON form.
pub(crate) mod erased {
    use super::{Serialize, Value};

    /// Anything that has a JSON form.
    pub(crate) trait Json {
        /// Its JSON form.
        fn json(&self) -> Value;
    }

    impl<T: Serialize> Json for T {
        fn json(&self) -> Value {
            // By way of text: a `f32` of 0.35 stays 0.35, where `to_value` makes 0.3499999940395355.
            let text = serde_json::to_string(self).unwrap_or_default();
            serde_json::from_str(&text).unwrap_or_default()
        }
    }
}
