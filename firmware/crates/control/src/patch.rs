//! A merge patch (RFC 7396) onto a camera's settings: what comes out, or every reason against it.
//! Pure. JSON pointers are pointers into the body that was sent.

use api::problem::FieldProblem;
use api::settings::{CameraSettings, Settings};
use config::shape::Shape;
use config::{ConfigDiff, Cost};
use serde::Serialize;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

/// Most reasons that are told at once.
const MAX_REASONS: usize = 100;

/// Why a patch is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Fields that do not exist, or with bad values.
    Wrong(Vec<FieldProblem>),
    /// Fields that cannot be changed while the camera runs.
    NotLive(Vec<FieldProblem>),
}

/// The settings of `camera` after `patch`. What the patch sets to null goes back to `base`.
/// `None`: there is no such camera.
pub(crate) fn patched(
    current: &Settings,
    base: &Settings,
    camera: &str,
    patch: &Value,
) -> Option<Result<CameraSettings, Refusal>> {
    let old = current.cameras.get(camera)?;
    let before = json(old);
    let fallback = base.cameras.get(camera).map(json).unwrap_or_default();
    let mut after = before.clone();
    json_patch::merge(&mut after, patch);
    if let Some(restored) = restored(patch, &fallback) {
        json_patch::merge(&mut after, &restored);
    }
    keep_hidden_source(&mut after, old);
    Some(checked(current, camera, &before, after))
}

/// A patch that sets what `patch` sets to null to what it is in `base`.
fn restored(patch: &Value, base: &Value) -> Option<Value> {
    let back = |(key, value): (&String, &Value)| {
        let base = base.get(key)?;
        let value = if value.is_null() { base.clone() } else { restored(value, base)? };
        Some((key.clone(), value))
    };
    let back: Map<_, _> = patch.as_object()?.iter().filter_map(back).collect();
    (!back.is_empty()).then_some(Value::Object(back))
}

/// A source that is sent back as it is shown, without its password, is no change of it.
fn keep_hidden_source(after: &mut Value, old: &CameraSettings) {
    let shown = config::redact_camera(old).source;
    let Some(source) = after.get_mut("source") else { return };
    if shown.is_some() && source.as_str() == shown.as_deref() {
        *source = Value::from(old.source.clone());
    }
}

fn checked(
    current: &Settings,
    camera: &str,
    before: &Value,
    mut after: Value,
) -> Result<CameraSettings, Refusal> {
    let (settings, mut wrong) = typed(before, &mut after);
    let Some(settings) = settings else { return Err(Refusal::Wrong(wrong)) };
    let mut all = current.clone();
    all.cameras.insert(camera.to_owned(), settings.clone());
    if let Err(errors) = config::compile(&all) {
        wrong.extend(errors.field_problems().into_iter().map(|one| in_body(one, camera)));
    }
    if !wrong.is_empty() {
        wrong.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        return Err(Refusal::Wrong(wrong));
    }
    let stuck = not_live(current, &all, camera);
    if stuck.is_empty() { Ok(settings) } else { Err(Refusal::NotLive(stuck)) }
}

/// `after` as settings. What cannot be read is reported and put back to what it was, so that the
/// rest can be checked as well.
fn typed(before: &Value, after: &mut Value) -> (Option<CameraSettings>, Vec<FieldProblem>) {
    let mut wrong = Vec::new();
    if let Some(shape) = camera_shape() {
        let mut places = Vec::new();
        no_tables(shape, after, &mut Vec::new(), &mut places);
        for place in places {
            let pointer = place.iter().fold(String::new(), |at, key| join(&at, key));
            wrong.push(FieldProblem { pointer, detail: "must be a table".into() });
            if !put_back(&place, before, after) {
                return (None, wrong);
            }
        }
    }
    while wrong.len() < MAX_REASONS {
        match serde_path_to_error::deserialize::<_, CameraSettings>(&*after) {
            Ok(settings) => return (Some(settings), wrong),
            Err(error) => {
                let (place, pointer) = (keys(error.path()), pointer(error.path()));
                let detail = reason(error.path(), &error.inner().to_string());
                wrong.push(FieldProblem { pointer, detail });
                if !put_back(&place, before, after) {
                    break;
                }
            }
        }
    }
    (None, wrong)
}

fn camera_shape() -> Option<&'static Shape> {
    Shape::settings().child("cameras").and_then(|cameras| cameras.child("any"))
}

/// Places where a table must stand and does not. Found here, since serde takes a list for a table.
fn no_tables(shape: &Shape, value: &Value, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match (shape, value) {
        (Shape::Group(_) | Shape::Map { .. }, Value::Object(map)) => {
            for (key, value) in map {
                let Some(below) = shape.child(key) else { continue };
                at.push(key.clone());
                no_tables(below, value, at, found);
                at.pop();
            }
        }
        (Shape::Group(_) | Shape::Map { .. }, _) => found.push(at.clone()),
        _ => {}
    }
}

/// Sets the field at `place` to what it was; takes it out where it was not. `false`: there is none.
fn put_back(place: &[String], before: &Value, after: &mut Value) -> bool {
    let Some((last, parents)) = place.split_last() else { return false };
    let was = place.iter().try_fold(before, |value, key| value.get(key)).cloned();
    let parent = parents.iter().try_fold(after, |value, key| value.get_mut(key));
    let Some(Value::Object(parent)) = parent else { return false };
    match was {
        Some(was) => parent.insert(last.clone(), was) != parent.get(last).cloned(),
        None => parent.remove(last).is_some(),
    }
}

/// The names on the way to a field, down to the first list: a list is one value.
fn keys(path: &Path) -> Vec<String> {
    let key = |segment: &Segment| match segment {
        Segment::Map { key } | Segment::Enum { variant: key } => Some(key.clone()),
        Segment::Seq { .. } | Segment::Unknown => None,
    };
    path.iter().map_while(key).collect()
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
fn join(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// What is wrong at `path`, in the words of the settings' own shape where the type is wrong.
fn reason(path: &Path, said: &str) -> String {
    let Some(mut shape) = camera_shape() else { return said.to_owned() };
    for segment in path {
        let below = match (segment, shape) {
            (Segment::Map { key } | Segment::Enum { variant: key }, shape) => shape.child(key),
            (Segment::Seq { .. }, Shape::List(of)) => Some(of.as_ref()),
            _ => None,
        };
        match (below, shape) {
            (Some(below), _) => shape = below,
            (None, Shape::Group(fields)) => {
                let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
                return format!("is no setting; there are {}", names.join(", "));
            }
            (None, _) => return said.to_owned(),
        }
    }
    if said.starts_with("invalid type") || said.starts_with("unknown variant") {
        format!("must be {}", shape.noun())
    } else {
        said.to_owned()
    }
}

/// Pointers into the whole settings become pointers into the body.
fn in_body(problem: FieldProblem, camera: &str) -> FieldProblem {
    let here = format!("/cameras/{camera}");
    match problem.pointer.strip_prefix(&here) {
        Some(pointer) => FieldProblem { pointer: pointer.to_owned(), ..problem },
        None => problem,
    }
}

/// What differs and needs more than a running camera.
fn not_live(old: &Settings, new: &Settings, camera: &str) -> Vec<FieldProblem> {
    let changes = ConfigDiff::between(old, new).changes.into_iter();
    let stuck = changes.filter(|change| change.cost != Cost::Live).map(|change| FieldProblem {
        pointer: change.pointer,
        detail: "cannot be changed while the camera runs: set it in a settings file or the \
                 environment and start edgecamd again"
            .into(),
    });
    stuck.map(|problem| in_body(problem, camera)).collect()
}

/// By way of text: a `f32` of 0.35 stays 0.35, where `to_value` makes 0.3499999940395355.
pub(crate) fn json(value: &impl Serialize) -> Value {
    let text = serde_json::to_string(value).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
