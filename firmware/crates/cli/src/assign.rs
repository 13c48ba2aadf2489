//! `path=value` → a merge patch (RFC 7396).

use serde_json::{Map, Value};

use crate::error::CliError;

/// The merge patch of `assignments`. A path is fields joined by dots, or a JSON pointer (RFC 6901) where
/// it begins with a slash; a value is JSON, or else text.
pub(crate) fn patch(assignments: &[String]) -> Result<Value, CliError> {
    let mut patch = Value::Object(Map::new());
    for assignment in assignments {
        let (path, value) = assignment
            .split_once('=')
            .filter(|(path, _)| !path.trim_matches('/').is_empty())
            .ok_or_else(|| CliError::NoAssignment(assignment.clone()))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        put(&mut patch, &fields(path), value)
            .ok_or_else(|| CliError::AssignedTwice(path.to_owned()))?;
    }
    Ok(patch)
}

fn fields(path: &str) -> Vec<String> {
    match path.strip_prefix('/') {
        Some(pointer) => {
            pointer.split('/').map(|field| field.replace("~1", "/").replace("~0", "~")).collect()
        }
        None => path.split('.').map(str::to_owned).collect(),
    }
}

/// `None`: something is there already.
fn put(into: &mut Value, fields: &[String], value: Value) -> Option<()> {
    let [field, rest @ ..] = fields else { return None };
    let object = into.as_object_mut()?;
    if rest.is_empty() {
        return object.insert(field.clone(), value).is_none().then_some(());
    }
    put(object.entry(field.clone()).or_insert_with(|| Value::Object(Map::new())), rest, value)
}

/// The values in `value`, one to a line, as [`patch`] takes them.
pub(crate) fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    flatten(&mut lines, &mut Vec::new(), value);
    lines
}

fn flatten(lines: &mut Vec<String>, path: &mut Vec<String>, value: &Value) {
    match value.as_object() {
        Some(object) if !object.is_empty() => {
            for (field, value) in object {
                path.push(field.clone());
                flatten(lines, path, value);
                path.pop();
            }
        }
        _ => lines.push(format!("{}={value}", joined(path))),
    }
}

fn joined(path: &[String]) -> String {
    if path.iter().any(|field| field.contains(['.', '/', '='])) {
        let escaped = path.iter().map(|field| field.replace('~', "~0").replace('/', "~1"));
        return escaped.map(|field| format!("/{field}")).collect();
    }
    path.join(".")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(assignments: &[&str]) -> Result<Value, CliError> {
        patch(&assignments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn assignments_become_one_patch_and_values_are_json_or_else_text() {
        let patch = of(&[
            "cameras.front.name=Gate 2",
            "cameras.front.encoder.bitrate_kbps=1500",
            "mqtt.url=mqtt://a?b=c",
            "/cameras/back=null",
            "api.hosts=[\"a.b\"]",
        ]);
        let expected = json!({
            "cameras": { "front": { "name": "Gate 2", "encoder": { "bitrate_kbps": 1500 } }, "back": null },
            "mqtt": { "url": "mqtt://a?b=c" }, "api": { "hosts": ["a.b"] },
        });
        assert_eq!(patch.unwrap(), expected);
    }

    #[test]
    fn what_is_no_assignment_or_assigned_twice_is_refused_by_name() {
        for wrong in [&["a.b"][..], &["=1"], &["/=1"]] {
            assert!(matches!(of(wrong), Err(CliError::NoAssignment(_))), "{wrong:?}");
        }
        for wrong in [&["a=1", "a=2"][..], &["a.b=1", "a=2"], &["a=1", "a.b=2"]] {
            assert!(matches!(of(wrong), Err(CliError::AssignedTwice(_))), "{wrong:?}");
        }
    }

    #[test]
    fn lines_give_the_same_value_back() {
        let value = json!({ "a": { "b": "c=d", "e.f": [1], "g": {} }, "h": null });
        let lines = lines(&value);
        assert_eq!(lines, ["a.b=\"c=d\"", "/a/e.f=[1]", "a.g={}", "h=null"]);
        assert_eq!(patch(&lines).unwrap(), value);
    }
}
