//! Holds a tree of settings against their shape: unknown names, wrong types, missing parts. What is
//! wrong is reported and taken out, so that the rest can still be checked.

use serde_json::Value;

use api::settings::Settings;

use crate::error::Mistake;
use crate::pointer;
use crate::shape::{Field, Keys, Shape};

/// Takes out of `tree` what settings cannot have, and says why.
pub(crate) fn conform(tree: &mut Value) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if !visit(Shape::settings(), "", tree, &mut mistakes) {
        *tree = Value::Object(serde_json::Map::new());
    }
    residue(tree, &mut mistakes);
    mistakes
}

/// Whether `value` may stay.
fn visit(shape: &Shape, at: &str, value: &mut Value, mistakes: &mut Vec<Mistake>) -> bool {
    let fits = match (shape, &mut *value) {
        (Shape::Group(fields), Value::Object(map)) => {
            let complete = missing(fields, at, map, mistakes);
            map.retain(|key, value| {
                let at = pointer::join(at, key);
                match fields.iter().find(|field| field.name == *key) {
                    Some(field) => visit(&field.shape, &at, value, mistakes),
                    None => {
                        mistakes.push(Mistake::new(at, None, unknown(key, fields)));
                        false
                    }
                }
            });
            // What was wrong is missing now, and was told already.
            return complete && fields.iter().all(|f| !f.required || map.contains_key(&f.name));
        }
        (Shape::Map { of, .. }, Value::Object(map)) => {
            map.retain(|key, value| visit(of, &pointer::join(at, key), value, mistakes));
            return true;
        }
        (Shape::List(of), Value::Array(list)) => {
            let before = mistakes.len();
            for (index, value) in list.iter_mut().enumerate() {
                visit(of, &pointer::item(at, index), value, mistakes);
            }
            return mistakes.len() == before;
        }
        (Shape::Word(words), Value::String(word)) => {
            if !words.contains(word) {
                let hint = closest(word, words.iter().map(String::as_str));
                let reason = format!("is not one of {}{hint}", words.join(", "));
                mistakes.push(Mistake::new(at, Some(value), reason));
                return false;
            }
            true
        }
        (Shape::Text, Value::String(_)) | (Shape::Switch, Value::Bool(_)) => true,
        (Shape::Whole, Value::Number(number)) => !number.is_f64(),
        (Shape::Number, Value::Number(_)) => true,
        _ => false,
    };
    if !fits {
        let reason = format!("is {}, but must be {}", noun(value), shape.noun());
        mistakes.push(Mistake::new(at, Some(value), reason));
    }
    fits
}

fn missing(
    fields: &[Field],
    at: &str,
    map: &serde_json::Map<String, Value>,
    mistakes: &mut Vec<Mistake>,
) -> bool {
    let mut complete = true;
    for field in fields.iter().filter(|field| field.required && !map.contains_key(&field.name)) {
        let reason = format!("is missing; it must be {}", field.shape.noun());
        mistakes.push(Mistake::new(pointer::join(at, &field.name), None, reason));
        complete = false;
    }
    complete
}

/// What the types of the fields refuse beyond their shape: numbers that do not fit.
fn residue(tree: &mut Value, mistakes: &mut Vec<Mistake>) {
    while let Err(error) = serde_path_to_error::deserialize::<_, Settings>(&*tree) {
        use serde_path_to_error::Segment;
        let at = error.path().iter().fold(String::new(), |at, segment| match segment {
            Segment::Seq { index } => pointer::item(&at, *index),
            Segment::Map { key } | Segment::Enum { variant: key } => pointer::join(&at, key),
            Segment::Unknown => at,
        });
        let value = tree.pointer(&at).cloned();
        mistakes.push(Mistake::new(&at, value.as_ref(), error.inner().to_string()));
        if pointer::remove(tree, &at).is_none() {
            *tree = Value::Object(serde_json::Map::new());
        }
    }
}

/// The sentence about a name that settings do not have.
pub(crate) fn unknown(key: &str, fields: &[Field]) -> String {
    let names = || fields.iter().map(|field| field.name.as_str());
    match closest(key, names()).as_str() {
        "" => format!("is no setting; there are {}", names().collect::<Vec<_>>().join(", ")),
        hint => format!("is no setting{hint}"),
    }
}

/// `; did you mean …?`, or nothing where no name is near.
fn closest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(word, name);
    names
        .min_by_key(|name| distance(name))
        .filter(|name| distance(name) <= name.len().max(word.len()).div_ceil(3))
        .map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// The name of an entry as a variable's name spells it: ids have `-`, labels have blanks where the
/// variable has `_`.
pub(crate) fn key_of_variable(keys: Keys, word: &str) -> String {
    match keys {
        Keys::Ids => word.replace('_', "-"),
        Keys::Labels => word.replace('_', " "),
    }
}
