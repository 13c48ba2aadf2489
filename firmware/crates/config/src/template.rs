//! `cameras.default`: what every camera starts from.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::pointer;

/// Name of the template among the cameras.
pub(crate) const TEMPLATE: &str = "default";
/// Name of the camera that there is when none is configured.
pub(crate) const ONLY_CAMERA: &str = "cam";

/// A merged tree of settings and the layer that each leaf comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// The settings.
    pub(crate) value: Value,
    /// Layer of each leaf, by JSON pointer.
    pub(crate) origins: BTreeMap<String, String>,
}

/// The ids of the cameras that `tree` configures.
pub(crate) fn camera_ids(tree: &Value) -> Vec<String> {
    let cameras = tree.pointer("/cameras").and_then(Value::as_object);
    cameras.into_iter().flatten().map(|(id, _)| id.clone()).filter(|id| id != TEMPLATE).collect()
}

/// Spells every camera out: each gets what the template says and it does not say itself. The
/// template goes.
pub(crate) fn spell_out(value: &mut Value) {
    let Some(cameras) = value.pointer_mut("/cameras").and_then(Value::as_object_mut) else {
        return;
    };
    let template = cameras.remove(TEMPLATE).unwrap_or_else(|| Value::Object(Map::new()));
    for camera in cameras.values_mut() {
        let mut whole = template.clone();
        merge(&mut whole, camera.take());
        *camera = whole;
    }
}

/// The same with where each leaf comes from. Without any camera, one is made.
pub(crate) fn expand(tree: Tree) -> Tree {
    let Tree { mut value, origins } = tree;
    let none = camera_ids(&value).is_empty();
    let cameras = value.pointer_mut("/cameras").and_then(Value::as_object_mut);
    if let Some(cameras) = cameras.filter(|_| none) {
        cameras.insert(ONLY_CAMERA.into(), Value::Object(Map::new()));
    }
    spell_out(&mut value);
    let expanded = pointer::leaves(&value)
        .into_iter()
        .filter_map(|(at, _)| {
            let origin = origins.get(&at).or_else(|| origins.get(&in_template(&at)?))?;
            Some((at, origin.clone()))
        })
        .collect();
    Tree { value, origins: expanded }
}

/// Where the template has what a camera has at `at`; `None` outside of cameras.
pub(crate) fn in_template(at: &str) -> Option<String> {
    let mut keys = pointer::keys(at);
    if keys.first()? != "cameras" {
        return None;
    }
    TEMPLATE.clone_into(keys.get_mut(1)?);
    Some(pointer::of(keys.iter().map(String::as_str)))
}

/// Puts `upper` over `lower`: objects entry by entry, everything else whole.
pub(crate) fn merge(lower: &mut Value, upper: Value) {
    match (lower, upper) {
        (Value::Object(lower), Value::Object(upper)) => {
            for (key, value) in upper {
                merge(lower.entry(key).or_insert(Value::Null), value);
            }
        }
        (lower, upper) => *lower = upper,
    }
}
