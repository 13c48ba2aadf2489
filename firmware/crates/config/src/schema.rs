//! All settings as JSON Schema (2020-12): what a form needs to ask for them. Made of their shape, their
//! documentation and the built-in defaults, so it cannot disagree with those.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::diff::{Cost, cost};
use crate::layers;
use crate::pointer;
use crate::redact::is_secret;
use crate::shape::{Field, Keys, Shape};
use crate::template::TEMPLATE;

/// What ends the name of a setting, and the unit that it says.
const UNITS: &[(&str, &str)] = &[
    ("_kbps", "kbit/s"),
    ("_days", "d"),
    ("_fps", "1/s"),
    ("_mb", "MB"),
    ("_ms", "ms"),
    ("_px", "px²"),
    ("_c", "°C"),
    ("_s", "s"),
];
/// Stands between the ends of a range in the documentation.
const TO: &str = "..=";

/// The schema as text, with a line break at its end.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        // Infallible: the schema has string keys only.
        serde_json::to_string_pretty(&schema()).unwrap_or_default() + "\n"
    });
    &TEXT
}

/// The schema.
pub fn schema() -> Value {
    let doc = "All settings of an EdgeCam; every one may be absent. x-edgecam-cost: what a change \
               costs, live (nothing), rebuild (the camera's process starts again) or restart (the \
               daemon does). x-edgecam-unit: the unit of a number.";
    let mut schema = object("", Shape::settings(), doc, &layers::built_in());
    let head = [
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("$id", json!("urn:edgecam:settings")),
        ("title", json!("EdgeCam settings")),
    ];
    schema.extend(head.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(schema)
}

/// The schema of what stands at `at`, a pointer with `*` for names that the owner chooses.
fn object(at: &str, shape: &Shape, doc: &str, defaults: &Value) -> Map<String, Value> {
    let mut schema = Map::new();
    let mut put = |key: &str, value: Value| drop(schema.insert(key.to_owned(), value));
    if !doc.is_empty() {
        put("description", json!(doc));
    }
    if let Some(cost) = cost(at) {
        let word = match cost {
            Cost::Live => "live",
            Cost::Rebuild => "rebuild",
            Cost::Restart => "restart",
        };
        put("x-edgecam-cost", json!(word));
    }
    match shape {
        Shape::Group(fields) => {
            put("type", json!("object"));
            let properties =
                fields.iter().map(|field| (field.name.clone(), of(at, field, defaults)));
            put("properties", Value::Object(properties.collect()));
            let required: Vec<_> = fields.iter().filter(|f| f.required).map(|f| &f.name).collect();
            if !required.is_empty() {
                put("required", json!(required));
            }
            put("additionalProperties", json!(false));
        }
        Shape::Map { keys, of } => {
            put("type", json!("object"));
            if *keys == Keys::Ids {
                put("propertyNames", json!({ "pattern": "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" }));
            }
            let at = format!("{at}/*");
            put("additionalProperties", Value::Object(object(&at, of, "", defaults)));
        }
        Shape::List(of) => {
            put("type", json!("array"));
            put("items", Value::Object(object(&format!("{at}/-"), of, "", &Value::Null)));
        }
        Shape::Word(words) => {
            put("type", json!("string"));
            put("enum", json!(words));
        }
        Shape::Text => put("type", json!("string")),
        Shape::Switch => put("type", json!("boolean")),
        Shape::Whole | Shape::Number => {
            put("type", json!(if *shape == Shape::Whole { "integer" } else { "number" }));
            if let Some((from, to)) = range(doc) {
                put("minimum", from);
                put("maximum", to);
            }
        }
    }
    schema
}

/// The schema of a field below `at`.
fn of(at: &str, field: &Field, defaults: &Value) -> Value {
    let at = pointer::join(at, &field.name);
    let mut schema = object(&at, &field.shape, &field.doc, defaults);
    let mut put = |key: &str, value: Value| drop(schema.insert(key.to_owned(), value));
    let unit = UNITS.iter().find(|(end, _)| field.name.ends_with(end));
    put("title", json!(title(&field.name)));
    if let (Some((_, unit)), Shape::Whole | Shape::Number) = (unit, &field.shape) {
        put("x-edgecam-unit", json!(unit));
    }
    if is_secret(&at) {
        put("writeOnly", json!(true));
    }
    let template = at.replacen("/cameras/*", &format!("/cameras/{TEMPLATE}"), 1);
    if let Some(default) = defaults.pointer(&template).filter(|default| !default.is_object()) {
        put("default", default.clone());
    }
    Value::Object(schema)
}

/// A name as people write it.
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

/// The range that a documentation names, such as 100 and 25000 in "in kbit/s, 100..=25000".
fn range(doc: &str) -> Option<(Value, Value)> {
    let (before, after) = doc.split_once(TO)?;
    let digit = |c: &char| c.is_ascii_digit() || matches!(c, '.' | '-');
    let from: String = before.chars().rev().take_while(digit).collect();
    let from: String = from.chars().rev().collect();
    let to: String = after.chars().take_while(digit).collect();
    let number = |text: &str| serde_json::from_str(text.trim_end_matches('.')).ok();
    Some((number(&from)?, number(&to)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diff::COSTS;
    use crate::layers::{Layers, Sources};

    /// The schema of the setting at `pattern`.
    fn at<'a>(schema: &'a Value, pattern: &str) -> &'a Value {
        pattern.split('/').skip(1).fold(schema, |schema, key| match key {
            "*" => &schema["additionalProperties"],
            key => &schema["properties"][key],
        })
    }

    #[test]
    fn every_setting_has_title_description_type_and_cost() {
        let schema = schema();
        for (pattern, _) in COSTS {
            let of = at(&schema, pattern);
            for key in ["title", "description", "type"] {
                // What a class has to exceed stands under the name of the class alone.
                let named = key == "type" || !pattern.ends_with('*');
                assert!(
                    !named || of[key].as_str().is_some_and(|t| !t.is_empty()),
                    "{pattern} {key}"
                );
            }
            let cost = ["live", "rebuild", "restart"].map(|cost| json!(cost));
            assert!(cost.contains(&of["x-edgecam-cost"]), "{pattern}");
        }
        assert_eq!(at(&schema, "/mqtt/password")["writeOnly"], true);
        let bitrate = at(&schema, "/cameras/*/encoder/bitrate_kbps");
        assert_eq!(
            (&bitrate["title"], &bitrate["x-edgecam-unit"], &bitrate["default"]),
            (&json!("Bitrate kbps"), &json!("kbit/s"), &json!(2500))
        );
        assert_eq!((&bitrate["minimum"], &bitrate["maximum"]), (&json!(100), &json!(25000)));
    }

    #[test]
    fn what_lies_outside_of_a_documented_range_is_refused() {
        let (schema, sources) = (schema(), Sources::read(&Layers::default()));
        let mut ranges = 0;
        for (pattern, _) in COSTS {
            let of = at(&schema, pattern);
            let (Some(from), Some(to)) = (of["minimum"].as_f64(), of["maximum"].as_f64()) else {
                continue;
            };
            ranges += 1;
            // Zones and lines need more than the field to be there.
            let place = pattern.replacen("/cameras/*", "/cameras/cam", 1).replace("/*", "/car");
            let whole = of["type"] == "integer";
            for outside in [from - 1.0, to + 1.0] {
                let outside = if whole { json!(outside as i64) } else { json!(outside) };
                let mut made = Map::new();
                pointer::insert(&mut made, &pointer::keys(&place), outside.clone());
                let refused = sources.load(&Value::Object(made)).expect_err(pattern);
                let told = refused.mistakes().iter().any(|mistake| mistake.pointer == place);
                assert!(told, "{place} = {outside}: {refused}");
            }
        }
        assert!(ranges > 40, "only {ranges} ranges");
    }

    #[test]
    fn the_defaults_are_settings_that_the_schema_knows() {
        let schema = schema();
        for (pointer, value) in pointer::leaves(&layers::built_in()) {
            let pattern = pointer.replacen(&format!("/cameras/{TEMPLATE}"), "/cameras/*", 1);
            assert_eq!(&at(&schema, &pattern)["default"], value, "{pattern}");
        }
    }
}
