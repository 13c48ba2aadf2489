//! A merge patch (RFC 7396) onto what was made over the API: what comes out, or every reason against
//! it. Pure.
//!
//! What a patch sets to something other than what is in force is made; what it sets to null is given
//! back to the layers below. What is sent back as it is shown changes nothing: not a default, which
//! stays one, and not a secret, which was not shown.

use std::collections::BTreeMap;

use api::settings::Settings;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::conform::unknown;
use crate::error::{ConfigErrors, Mistake};
use crate::layers::{Loaded, Sources};
use crate::pointer;
use crate::redact::redact;
use crate::shape::Shape;
use crate::template::{ONLY_CAMERA, TEMPLATE};

/// Where the data folder is set.
const DATA_DIR: &str = "/data/dir";

/// What a patch makes.
#[derive(Clone, Debug)]
pub struct Patched {
    /// All that is made over the API, and no more.
    pub made: Value,
    /// What is in force with it.
    pub loaded: Loaded,
}

impl Sources {
    /// What `patch` makes of `made`, which `in_force` is the outcome of.
    ///
    /// # Errors
    /// Every reason against it at once; pointers are those of the settings.
    pub fn patch(
        &self,
        made: &Value,
        in_force: &Settings,
        patch: &Value,
    ) -> Result<Patched, ConfigErrors> {
        let Value::Object(entries) = patch else {
            return Err(ConfigErrors::of(vec![Mistake::new("", None, "must be a table")]));
        };
        let below = self.without_api();
        let mut patching = Patching { fixed: self.fixed(), mistakes: Vec::new() };
        let (now, shown) = (json(in_force), json(&redact(in_force)));
        let mut new = made.clone();
        if !new.is_object() {
            new = Value::Object(Map::new());
        }
        patching.table("", entries, &mut new, Some(Shape::settings()), [Some(&now), Some(&shown)]);
        keep_the_only_camera(&mut new, made, &below, entries);
        prune(&mut new, Some(&below), Shape::settings());
        let Patching { mut mistakes, .. } = patching;
        match self.load(&new) {
            Ok(loaded) if mistakes.is_empty() => Ok(Patched { made: new, loaded }),
            Ok(_) => Err(ConfigErrors::of(mistakes)),
            Err(errors) => {
                mistakes.extend(errors.mistakes().iter().cloned());
                Err(ConfigErrors::of(mistakes))
            }
        }
    }
}

struct Patching {
    fixed: BTreeMap<String, String>,
    mistakes: Vec<Mistake>,
}

impl Patching {
    /// Puts `patch` onto `made`, both at `at`, where what is in force and what is shown of it are
    /// `now`.
    fn table(
        &mut self,
        at: &str,
        patch: &Map<String, Value>,
        made: &mut Value,
        shape: Option<&Shape>,
        now: [Option<&Value>; 2],
    ) {
        let Value::Object(made) = made else { return };
        for (key, value) in patch {
            let at = pointer::join(at, key);
            let below = shape.and_then(|shape| shape.child(key));
            let now = now.map(|now| now.and_then(|now| now.get(key)));
            if let Some(reason) = self.refusal(&at, value, now) {
                self.mistakes.push(Mistake::new(at, None, reason));
                continue;
            }
            match value {
                Value::Null => {
                    if let (None, Some(Shape::Group(fields))) = (below, shape) {
                        self.mistakes.push(Mistake::new(at, None, unknown(key, fields)));
                    }
                    made.remove(key);
                }
                Value::Object(entries) if now[0].is_none_or(Value::is_object) => {
                    let known = made.get(key).is_some_and(Value::is_object);
                    let mut inner =
                        if known { made[key].take() } else { Value::Object(Map::new()) };
                    self.table(&at, entries, &mut inner, below, now);
                    // An empty table says something where none is.
                    let empty = inner.as_object().is_some_and(Map::is_empty);
                    if known || !empty || now[0].is_none() {
                        made.insert(key.clone(), inner);
                    }
                }
                same if now.contains(&Some(same)) => {}
                leaf => drop(made.insert(key.clone(), leaf.clone())),
            }
        }
    }

    /// Why what is at `at` cannot be set to `value` over the API, whatever it is.
    fn refusal(&self, at: &str, value: &Value, now: [Option<&Value>; 2]) -> Option<String> {
        if at == pointer::of(["cameras", TEMPLATE]) {
            let reason = "is what cameras of settings files start from; name a camera instead";
            return Some(reason.into());
        }
        if value.is_null() || now.contains(&Some(value)) {
            return None;
        }
        if at == DATA_DIR {
            let reason = "is where these settings are kept; set it in a settings file or in the \
                          environment";
            return Some(reason.into());
        }
        let origin = self.fixed.get(at).filter(|_| !value.is_object())?;
        Some(format!("is fixed by {origin}, which wins over the API; change it there"))
    }
}

/// The camera that there is only because none is configured stays when another one comes, unless the
/// patch gives it up.
fn keep_the_only_camera(new: &mut Value, made: &Value, below: &Value, patch: &Map<String, Value>) {
    let has_cameras = |tree: &Value| {
        tree.get("cameras").and_then(Value::as_object).is_some_and(|cameras| !cameras.is_empty())
    };
    let named = patch.get("cameras").and_then(|cameras| cameras.get(ONLY_CAMERA)).is_some();
    if has_cameras(made) || has_cameras(below) || named || !has_cameras(new) {
        return;
    }
    if let Some(cameras) = new.get_mut("cameras").and_then(Value::as_object_mut) {
        cameras.insert(ONLY_CAMERA.to_owned(), Value::Object(Map::new()));
    }
}

/// Takes tables away that say nothing any more. An empty entry of a map says that there is one, unless
/// the layers below have it.
fn prune(made: &mut Value, below: Option<&Value>, shape: &Shape) {
    let Value::Object(map) = made else { return };
    let named = matches!(shape, Shape::Map { .. });
    map.retain(|key, value| {
        let below = below.and_then(|below| below.get(key));
        match (shape.child(key), &mut *value) {
            (Some(of @ (Shape::Group(_) | Shape::Map { .. })), Value::Object(_)) => {
                prune(value, below, of);
                let empty = value.as_object().is_some_and(Map::is_empty);
                !empty || (named && below.is_none())
            }
            _ => true,
        }
    });
}

/// `value` as JSON. By way of text: a `f32` of 0.35 stays 0.35, where `to_value` makes
/// 0.3499999940395355.
pub fn json(value: &impl Serialize) -> Value {
    let text = serde_json::to_string(value).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}
