//! Whether the model has the labels that settings name (pure).

use api::manifest::ModelManifest;
use api::problem::FieldProblem;
use api::settings::{CameraSettings, Settings};

use crate::models::ModelLibrary;

/// What `settings` ask of a model that it does not have, or that there is no such model: every field.
pub(crate) fn unknown(library: &ModelLibrary, settings: &Settings) -> Vec<FieldProblem> {
    let chosen = match library.chosen(&settings.detector) {
        Ok(chosen) => chosen,
        Err(error) => {
            let detail = error.to_string();
            return vec![FieldProblem { pointer: "/detector/model".into(), detail }];
        }
    };
    let known = chosen.labels.names();
    let cameras = settings.cameras.iter();
    let named = cameras.flat_map(|(id, camera)| {
        let named = named(camera).into_iter();
        named.map(move |(at, label)| (format!("/cameras/{id}{at}"), label))
    });
    let unknown = named.filter(|(_, label)| !known.contains(label));
    unknown.map(|(pointer, label)| problem(pointer, &label, &chosen)).collect()
}

fn problem(pointer: String, label: &str, model: &ModelManifest) -> FieldProblem {
    let known = model.labels.names().join(", ");
    let detail = format!("the model {} has no such label: \"{label}\"; it has {known}", model.name);
    FieldProblem { pointer, detail }
}

/// Every label that `camera` names, and where.
fn named(camera: &CameraSettings) -> Vec<(String, String)> {
    let detection = &camera.detection;
    let thresholds = detection.class_thresholds.iter().flat_map(|map| map.keys());
    let filters = detection.class_filters.iter().flat_map(|map| map.keys());
    let listed = |at: String, labels: &Option<Vec<String>>| {
        let labels = labels.iter().flatten().cloned();
        labels.map(move |label| (at.clone(), label)).collect::<Vec<_>>()
    };
    let keyed = |at: &str, label: &String| (format!("/detection/{at}/{label}"), label.clone());
    let zones = camera.zones.iter();
    let zones = zones.flat_map(|(id, zone)| listed(format!("/zones/{id}/labels"), &zone.labels));
    let lines = camera.lines.iter();
    let lines = lines.flat_map(|(id, line)| listed(format!("/lines/{id}/labels"), &line.labels));
    listed("/detection/labels".into(), &detection.labels)
        .into_iter()
        .chain(thresholds.map(|label| keyed("class_thresholds", label)))
        .chain(filters.map(|label| keyed("class_filters", label)))
        .chain(zones)
        .chain(lines)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_that_the_model_does_not_have_is_named_with_its_place() {
        let data = tempfile::tempdir().unwrap();
        let library = ModelLibrary::open(data.path()).unwrap();
        let mut camera = CameraSettings::default();
        camera.detection.labels = Some(vec!["car".into(), "boar".into()]);
        camera.detection.class_thresholds = Some([("boat".to_owned(), 0.5)].into());
        let mut settings = Settings::default();
        settings.detector.model = Some("edgecam-demo_416x256".into());
        settings.cameras.insert("front".into(), camera);
        let unknown = unknown(&library, &settings);
        let pointers: Vec<_> = unknown.iter().map(|problem| problem.pointer.as_str()).collect();
        let places =
            ["/cameras/front/detection/labels", "/cameras/front/detection/class_thresholds/boat"];
        assert_eq!(pointers, places);
        assert!(unknown[0].detail.contains("\"boar\"") && unknown[0].detail.contains("it has"));
        settings.detector.model = Some("yolo".into());
        assert_eq!(super::unknown(&library, &settings)[0].pointer, "/detector/model");
    }
}
