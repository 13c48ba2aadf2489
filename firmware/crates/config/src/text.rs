//! Settings given as text, in the environment and on the command line: the place by name, the value
//! read as what the setting wants.

use serde_json::{Map, Value};

use crate::conform::{key_of_variable, unknown};
use crate::error::Mistake;
use crate::pointer;
use crate::shape::Shape;

/// What every variable that is a setting begins with.
pub const ENV_PREFIX: &str = "EDGECAM__";

/// One setting as text.
pub(crate) struct TextSetting {
    /// Where it was written, for messages.
    pub(crate) origin: String,
    /// Its place.
    pub(crate) keys: Vec<String>,
    /// Its value.
    pub(crate) text: String,
}

/// The settings among the variables of `env`, ordered by name.
pub(crate) fn from_env(env: &[(String, String)]) -> Vec<TextSetting> {
    let mut found: Vec<_> = env
        .iter()
        .filter_map(|(name, text)| {
            let place = name.strip_prefix(ENV_PREFIX)?.to_lowercase();
            Some(TextSetting {
                origin: format!("environment variable {name}"),
                keys: keys_of_variable(&place),
                text: text.clone(),
            })
        })
        .collect();
    found.sort_by(|a, b| a.origin.cmp(&b.origin));
    found
}

fn keys_of_variable(place: &str) -> Vec<String> {
    let mut shape = Some(Shape::settings());
    let mut keys = Vec::new();
    for word in place.split("__") {
        let key = match shape {
            Some(Shape::Map { keys, .. }) => key_of_variable(*keys, word),
            _ => word.to_owned(),
        };
        shape = shape.and_then(|shape| shape.child(&key));
        keys.push(key);
    }
    keys
}

/// The settings of the command line, `key.key=value` each.
pub(crate) fn from_command_line(set: &[String], mistakes: &mut Vec<Mistake>) -> Vec<TextSetting> {
    let parse = |entry: &String| {
        let Some((place, text)) = entry.split_once('=') else {
            let reason = format!("`{entry}` on the command line is not of the form key.key=value");
            mistakes.push(Mistake::new("", None, reason));
            return None;
        };
        Some(TextSetting {
            origin: "command line".into(),
            keys: place.trim().split('.').map(Into::into).collect(),
            text: text.into(),
        })
    };
    set.iter().filter_map(parse).collect()
}

/// Reads `settings` as what they set; mistakes are reported and left out.
pub(crate) fn read(settings: Vec<TextSetting>) -> (Value, Vec<(String, String)>, Vec<Mistake>) {
    let mut tree = Map::new();
    let mut origins = Vec::new();
    let mut mistakes = Vec::new();
    for setting in settings {
        let at = pointer::of(setting.keys.iter().map(String::as_str));
        match place(&setting.keys).and_then(|shape| value(shape, &setting.text)) {
            Ok(value) => {
                pointer::insert(&mut tree, &setting.keys, value);
                origins.push((at, setting.origin));
            }
            Err(reason) => {
                let text = Value::String(setting.text);
                let mistake = Mistake::new(at, Some(&text), reason);
                mistakes.push(mistake.with_origin(&setting.origin));
            }
        }
    }
    (Value::Object(tree), origins, mistakes)
}

fn place(keys: &[String]) -> Result<&'static Shape, String> {
    keys.iter().try_fold(Shape::settings(), |shape, key| match (shape.child(key), shape) {
        (Some(child), _) => Ok(child),
        (None, Shape::Group(fields)) => Err(unknown(key, fields)),
        (None, other) => {
            Err(format!("is no setting: what stands before `{key}` is {}", other.noun()))
        }
    })
}

fn value(shape: &Shape, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let wrong = || format!("must be {}", shape.noun());
    match shape {
        Shape::Text | Shape::Word(_) => Ok(Value::String(text.into())),
        Shape::Whole => trimmed
            .parse::<i64>()
            .map(Value::from)
            .or_else(|_| trimmed.parse::<u64>().map(Value::from).map_err(|_| wrong())),
        Shape::Number => trimmed
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number)
            .ok_or_else(wrong),
        Shape::Switch => match trimmed.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Value::Bool(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
        Shape::List(of) if !trimmed.starts_with('[') && **of == Shape::Text => {
            let words = trimmed.split(',').map(str::trim).filter(|word| !word.is_empty());
            Ok(words.map(Value::from).collect())
        }
        Shape::List(_) | Shape::Map { .. } | Shape::Group(_) => serde_json::from_str(trimmed)
            .map_err(|error| format!("must be {}, written as JSON: {error}", shape.noun())),
    }
}
