//! Merge patches (RFC 7396) of a part of the settings, and pointers into the body that was sent. Pure.

use api::problem::FieldProblem;
use serde::Serialize;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

/// A place in the settings that a body is about, such as that of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    keys: Vec<String>,
    /// Where the body has what stands below the place.
    inside: &'static str,
    /// Where the body has the place's own name.
    name: &'static str,
    /// Fields from elsewhere: each with its pointer in the body and that in the settings.
    fields: &'static [(&'static str, &'static str)],
}

impl Place {
    /// The place that `keys` lead to.
    pub(crate) fn of<const N: usize>(keys: [&str; N]) -> Self {
        Self { keys: keys.map(str::to_owned).to_vec(), inside: "", name: "", fields: &[] }
    }

    /// Fields from here and there: each with its pointer in the body and that in the settings.
    pub(crate) fn of_fields(fields: &'static [(&'static str, &'static str)]) -> Self {
        Self { fields, ..Self::of([]) }
    }

    /// The same, of a body that has its `id` and, below the pointer `inside`, the rest.
    pub(crate) fn named_in(self, inside: &'static str) -> Self {
        Self { inside, name: "/id", ..self }
    }

    /// The keys that lead here.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.keys.clone()
    }

    /// The patch of the settings that `patch` is here.
    pub(crate) fn patch(&self, patch: Value) -> Value {
        self.keys
            .iter()
            .rev()
            .fold(patch, |patch, key| Value::Object(Map::from_iter([(key.clone(), patch)])))
    }

    /// `problems` with pointers into the body: without the way to here. Pointers that lead elsewhere
    /// stay.
    pub(crate) fn in_body(&self, problems: Vec<FieldProblem>) -> Vec<FieldProblem> {
        let here = self.keys.iter().fold(String::new(), |at, key| join(&at, key));
        let moved = |pointer: &str| {
            let field = self.fields.iter().find_map(|(body, settings)| {
                Some(format!("{body}{}", pointer.strip_prefix(settings)?))
            });
            field.unwrap_or_else(|| pointer.to_owned())
        };
        let moved = |one: FieldProblem| FieldProblem { pointer: moved(&one.pointer), ..one };
        let inside = |problem: FieldProblem| match problem.pointer.strip_prefix(&here) {
            Some("") => FieldProblem { pointer: self.name.to_owned(), ..problem },
            Some(pointer) if pointer.starts_with('/') => {
                FieldProblem { pointer: format!("{}{pointer}", self.inside), ..problem }
            }
            _ => problem,
        };
        problems.into_iter().map(moved).map(inside).collect()
    }
}

/// The JSON pointer of a path.
pub(crate) fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |at, segment| match segment {
        Segment::Map { key } | Segment::Enum { variant: key } => join(&at, key),
        Segment::Seq { index } => format!("{at}/{index}"),
        Segment::Unknown => at,
    })
}

/// The pointer to `key` below `at`.
pub(crate) fn join(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// By way of text: a `f32` of 0.35 stays 0.35, where `to_value` makes 0.3499999940395355.
pub(crate) fn json(value: &impl Serialize) -> Value {
    config::patch::json(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_of_a_part_is_one_of_the_whole_and_its_pointers_lead_into_the_body() {
        let place = Place::of(["cameras", "front"]);
        assert_eq!(
            place.patch(json!({ "name": "Door" })),
            json!({ "cameras": { "front": { "name": "Door" } } })
        );
        let problem = |pointer: &str| FieldProblem { pointer: pointer.into(), detail: "x".into() };
        let wrong = ["/cameras/front/name", "/cameras/front", "/cameras/frontal/name", "/mqtt"];
        let inside = place.in_body(wrong.map(problem).to_vec());
        let pointers: Vec<_> = inside.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/name", "", "/cameras/frontal/name", "/mqtt"]);
        let named = place.named_in("/settings").in_body(wrong.map(problem).to_vec());
        let pointers: Vec<_> = named.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/settings/name", "/id", "/cameras/frontal/name", "/mqtt"]);
        let fields = Place::of_fields(&[("/name", "/node/name"), ("/servers", "/time/servers")]);
        let inside = fields.in_body(["/time/servers/0", "/mqtt"].map(problem).to_vec());
        let pointers: Vec<_> = inside.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/servers/0", "/mqtt"]);
    }
}
