//! JSON pointers (RFC 6901) into settings.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The pointer to `key` below `parent`.
pub(crate) fn join(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The pointer made of `keys`.
pub(crate) fn of<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    keys.into_iter().fold(String::new(), |pointer, key| join(&pointer, key))
}

/// The keys of `pointer`.
pub(crate) fn keys(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect()
}

/// The pointer to the `index`th entry of the list at `parent`.
pub(crate) fn item(parent: &str, index: usize) -> String {
    let mut pointer = parent.to_owned();
    let _ = write!(pointer, "/{index}");
    pointer
}

/// Takes away what `pointer` points to; what stands around it in a list goes too, since a list
/// with a hole means something else. `None`: there is nothing there.
pub(crate) fn remove(root: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, key) = pointer.rsplit_once('/')?;
    let key = key.replace("~1", "/").replace("~0", "~");
    match root.pointer_mut(parent)? {
        Value::Object(map) => map.remove(&key),
        Value::Array(_) => remove(root, parent),
        _ => None,
    }
}

/// Puts `value` where `keys` lead, making the objects on the way there.
pub(crate) fn insert(root: &mut Map<String, Value>, keys: &[String], value: Value) {
    let Some((first, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        root.insert(first.clone(), value);
        return;
    }
    let next = root.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
    if !next.is_object() {
        *next = Value::Object(Map::new());
    }
    if let Value::Object(map) = next {
        insert(map, rest, value);
    }
}

/// The pointers of all values of `root` that are no objects, each with its value, in order. An empty
/// object is a value.
pub(crate) fn leaves(root: &Value) -> Vec<(String, &Value)> {
    fn walk<'a>(at: &str, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, value)| walk(&join(at, key), value, found));
            }
            leaf => found.push((at.to_owned(), leaf)),
        }
    }
    let mut found = Vec::new();
    walk("", root, &mut found);
    found
}
