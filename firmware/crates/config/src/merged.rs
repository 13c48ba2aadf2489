//! Merges layers with the `config` crate, and keeps book of where each value comes from.

use config_rs::{ConfigError, Map, Source, Value as Raw, ValueKind};
use serde_json::{Number, Value};

use crate::error::Mistake;
use crate::pointer;
use crate::template::Tree;

/// One layer: a tree of settings that conforms to their shape.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The settings.
    pub(crate) value: Value,
    /// Where they were written, by JSON pointer of a leaf or of a tree; `""` for all.
    pub(crate) origins: Vec<(String, String)>,
}

impl Layer {
    /// All of `value` from `origin`.
    pub(crate) fn of(origin: &str, value: Value) -> Self {
        Self { value, origins: vec![(String::new(), origin.to_owned())] }
    }

    /// Where what is at `at` was written.
    pub(crate) fn origin(&self, at: &str) -> &str {
        let holds = |(place, _): &&(String, String)| {
            at.strip_prefix(place.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        // The last one wins, as its value does.
        self.origins.iter().rev().find(holds).map_or("", |(_, origin)| origin)
    }

    fn raw(&self, at: &str, value: &Value) -> Raw {
        let kind = match value {
            Value::Null => ValueKind::Nil,
            Value::Bool(switch) => ValueKind::Boolean(*switch),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => ValueKind::I64(whole),
                (None, Some(whole)) => ValueKind::U64(whole),
                (None, None) => ValueKind::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => ValueKind::String(text.clone()),
            Value::Array(list) => {
                let item = |(index, value)| self.raw(&pointer::item(at, index), value);
                ValueKind::Array(list.iter().enumerate().map(item).collect())
            }
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| {
                    (key.clone(), self.raw(&pointer::join(at, key), value))
                };
                ValueKind::Table(map.iter().map(entry).collect())
            }
        };
        Raw::new(Some(&self.origin(at).to_owned()), kind)
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Raw>, ConfigError> {
        match self.raw("", &self.value).kind {
            ValueKind::Table(table) => Ok(table),
            _ => Ok(Map::new()),
        }
    }
}

/// All of `layers`, each over the one before.
pub(crate) fn merge(layers: Vec<Layer>, mistakes: &mut Vec<Mistake>) -> Tree {
    let builder =
        layers.into_iter().fold(config_rs::Config::builder(), |b, layer| b.add_source(layer));
    let mut tree = Tree::default();
    match builder.build() {
        Ok(merged) => {
            tree.value = to_json(&merged.cache, "", "", mistakes).unwrap_or_default();
            origins("", &merged.cache, &mut tree.origins);
        }
        Err(error) => mistakes.push(Mistake::new("", None, error.to_string())),
    }
    tree
}

fn origins(at: &str, raw: &Raw, found: &mut std::collections::BTreeMap<String, String>) {
    match &raw.kind {
        ValueKind::Table(table) if !table.is_empty() => {
            table.iter().for_each(|(key, value)| origins(&pointer::join(at, key), value, found));
        }
        _ => {
            found.insert(at.to_owned(), raw.origin().unwrap_or_default().to_owned());
        }
    }
}

/// `raw` as JSON; `None`, and a mistake of `origin`, for numbers that JSON does not have.
pub(crate) fn to_json(
    raw: &Raw,
    at: &str,
    origin: &str,
    mistakes: &mut Vec<Mistake>,
) -> Option<Value> {
    let mut number = |number: Option<Number>| {
        if number.is_none() {
            let mistake = Mistake::new(at, None, "is no number that settings can have");
            mistakes.push(mistake.with_origin(origin));
        }
        number.map(Value::Number)
    };
    match &raw.kind {
        ValueKind::Nil => Some(Value::Null),
        ValueKind::Boolean(switch) => Some(Value::Bool(*switch)),
        ValueKind::I64(whole) => Some(Value::from(*whole)),
        ValueKind::U64(whole) => Some(Value::from(*whole)),
        ValueKind::I128(whole) => number(i64::try_from(*whole).ok().map(Number::from)),
        ValueKind::U128(whole) => number(u64::try_from(*whole).ok().map(Number::from)),
        ValueKind::Float(float) => number(Number::from_f64(*float)),
        ValueKind::String(text) => Some(Value::String(text.clone())),
        ValueKind::Array(list) => {
            let item = |(index, raw)| to_json(raw, &pointer::item(at, index), origin, mistakes);
            list.iter().enumerate().map(item).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        ValueKind::Table(table) => {
            let entry = |(key, raw): (&String, &Raw)| {
                let value = to_json(raw, &pointer::join(at, key), origin, mistakes)?;
                Some((key.clone(), value))
            };
            Some(Value::Object(table.iter().filter_map(entry).collect()))
        }
    }
}
