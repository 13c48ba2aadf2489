//! Entries of what was made over the API that come, go or are replaced whole: a camera, a zone, a line, a
//! mask. Each is a merge patch with a condition. Pure.

use api::settings::Settings;
use base::error::{ErrorKind, Kind};
use serde_json::{Map, Value};

use crate::error::{ConfigErrors, Mistake};
use crate::layers::{OVER_THE_API, Sources};
use crate::patch::{Patched, json};
use crate::pointer;

/// An entry of the settings under a name that the owner chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The way to it from the top, its name last, such as `cameras`, `front`, `zones`, `door`.
    pub at: Vec<String>,
    /// All of it.
    pub value: Value,
}

/// Why an entry does not come or go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Fields are wrong, or something else with the settings.
    #[error(transparent)]
    Wrong(#[from] ConfigErrors),
    /// There is one of that name already.
    #[error("there is a {0} already; change it, or choose another name")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no {0}")]
    Missing(String),
    /// It is not made over the API, so it does not go over the API.
    #[error("{what} is set by {origin} and stays; take it out there")]
    Stays {
        /// What it is.
        what: String,
        /// What sets it.
        origin: String,
    },
    /// The camera that there is where none is configured.
    #[error("{0} is the camera of a device without any other; add another one first")]
    OnlyCamera(String),
}

impl Kind for EditError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Wrong(errors) => errors.kind(),
            Self::Missing(_) => ErrorKind::NotFound,
            Self::Exists(_) | Self::Stays { .. } | Self::OnlyCamera(_) => {
                ErrorKind::FailedPrecondition
            }
        }
    }
}

impl Sources {
    /// Adds `entry`, which must not be there, to `made`, which `in_force` is the outcome of.
    ///
    /// # Errors
    /// When there is one of that name, or every reason against it at once.
    pub fn add(
        &self,
        made: &Value,
        in_force: &Settings,
        entry: &Entry,
    ) -> Result<Patched, EditError> {
        parent(in_force, &entry.at)?;
        if find(in_force, &entry.at).is_some() {
            return Err(EditError::Exists(what(&entry.at)));
        }
        Ok(self.patch(made, in_force, &patch(&entry.at, table(entry)?.clone()))?)
    }

    /// Puts `entry` in the place of what is there, if something is. What it does not name goes back to
    /// what the layers below say.
    ///
    /// # Errors
    /// Every reason against it at once.
    pub fn put(
        &self,
        made: &Value,
        in_force: &Settings,
        entry: &Entry,
    ) -> Result<Patched, EditError> {
        parent(in_force, &entry.at)?;
        let value = table(entry)?;
        let now = find(in_force, &entry.at).unwrap_or_default();
        Ok(self.patch(made, in_force, &patch(&entry.at, whole(&now, value)))?)
    }

    /// Takes away what is at `at`.
    ///
    /// # Errors
    /// When nothing is there, when it is not made over the API, or when others need it.
    pub fn remove(
        &self,
        made: &Value,
        in_force: &Settings,
        at: &[String],
    ) -> Result<Patched, EditError> {
        if find(in_force, at).is_none() {
            return Err(EditError::Missing(what(at)));
        }
        let patched = self.patch(made, in_force, &patch(at, Value::Null))?;
        if find(&patched.loaded.settings, at).is_none() {
            return Ok(patched);
        }
        let here = pointer::of(at.iter().map(String::as_str));
        let below = format!("{here}/");
        let origins = patched.loaded.provenance.iter();
        let mut of_it = origins.filter(|(leaf, _)| **leaf == here || leaf.starts_with(&below));
        let own = |origin: &str| !origin.starts_with("built-in") && origin != OVER_THE_API;
        match of_it.find(|(_, origin)| own(origin)) {
            Some((_, origin)) => Err(EditError::Stays { what: what(at), origin: origin.clone() }),
            None => Err(EditError::OnlyCamera(what(at))),
        }
    }
}

/// An entry of an entry, such as a zone of a camera, needs that to be there.
fn parent(settings: &Settings, at: &[String]) -> Result<(), EditError> {
    let above = at.len().saturating_sub(2);
    let there = above == 0 || find(settings, &at[..above]).is_some();
    if there { Ok(()) } else { Err(EditError::Missing(what(&at[..above]))) }
}

/// The value of `entry`, which has to be a table.
fn table(entry: &Entry) -> Result<&Value, ConfigErrors> {
    if entry.value.is_object() {
        return Ok(&entry.value);
    }
    let at = pointer::of(entry.at.iter().map(String::as_str));
    Err(ConfigErrors::of(vec![Mistake::new(at, None, "must be a table")]))
}

/// What the settings have at `at`.
fn find(settings: &Settings, at: &[String]) -> Option<Value> {
    json(settings).pointer(&pointer::of(at.iter().map(String::as_str))).cloned()
}

/// The patch of all settings that `value` is at `at`.
fn patch(at: &[String], value: Value) -> Value {
    at.iter().rev().fold(value, |value, key| Value::Object(Map::from_iter([(key.clone(), value)])))
}

/// The patch that makes `value` of `now`: what only `now` has is given back.
fn whole(now: &Value, value: &Value) -> Value {
    let (Value::Object(now), Value::Object(value)) = (now, value) else { return value.clone() };
    let given_back = now.keys().filter(|key| !value.contains_key(*key));
    let mut patch: Map<_, _> = given_back.map(|key| (key.clone(), Value::Null)).collect();
    for (key, value) in value {
        patch.insert(key.clone(), whole(now.get(key).unwrap_or(&Value::Null), value));
    }
    Value::Object(patch)
}

/// What is at `at`, in words: `camera "front"`, `zone "door"`.
fn what(at: &[String]) -> String {
    let name = at.last().map(String::as_str).unwrap_or_default();
    let kind = at.iter().rev().nth(1).map(String::as_str).unwrap_or_default();
    let kind = kind.strip_suffix('s').unwrap_or(kind).replace('_', " ");
    format!("{kind} \"{name}\"")
}
