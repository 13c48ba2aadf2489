//! The models that EdgeCam comes with, and manifest files: reading them, and whether they hold
//! together. Looks for no model's files and opens none: whether they fit their manifest is the
//! detector's business, where they are the daemon's.

pub mod demo;
mod error;

use std::path::Path;

use api::manifest::{ModelHead, ModelManifest};

pub use crate::error::ManifestError;

/// Sides of the input are multiples of this: the coarsest grid on which the network joins its scales.
pub const INPUT_MULTIPLE: u32 = 32;

/// The manifests that EdgeCam comes with, as TOML.
const BUILT_IN: [&str; 5] = [
    include_str!("../../../models/nanodet_m_320.toml"),
    include_str!("../../../models/nanodet_m_416.toml"),
    include_str!("../../../models/nanodet_plus_m_320.toml"),
    include_str!("../../../models/nanodet_plus_m_416.toml"),
    demo::MANIFEST,
];

/// The manifests that EdgeCam comes with.
pub fn built_in() -> Vec<ModelManifest> {
    // A test reads every one of them.
    BUILT_IN.iter().filter_map(|text| parse(text, "a built-in manifest").ok()).collect()
}

/// Reads the manifest in the file `path`.
///
/// # Errors
/// [`ManifestError::Read`], and those of [`parse`].
pub fn load(path: &Path) -> Result<ModelManifest, ManifestError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ManifestError::Read { path: path.to_owned(), source })?;
    parse(&text, &path.display().to_string())
}

/// Reads a manifest from TOML. `origin` names it in messages.
///
/// # Errors
/// [`ManifestError::Syntax`] with the line, and those of [`check`].
pub fn parse(text: &str, origin: &str) -> Result<ModelManifest, ManifestError> {
    let manifest: ModelManifest = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        ManifestError::Syntax {
            origin: origin.to_owned(),
            line: before.matches('\n').count() + 1,
            reason: error.message().replace('\n', " "),
        }
    })?;
    check(&manifest)?;
    Ok(manifest)
}

/// Whether what the manifest says can all be true at once.
///
/// # Errors
/// [`ManifestError::Contradiction`] with the first thing that cannot.
pub fn check(manifest: &ModelManifest) -> Result<(), ManifestError> {
    contradiction(manifest).map_or(Ok(()), |reason| {
        Err(ManifestError::Contradiction { name: manifest.name.clone(), reason })
    })
}

fn contradiction(manifest: &ModelManifest) -> Option<String> {
    let input = &manifest.input;
    if manifest.name.is_empty() {
        return Some("the name is empty".to_owned());
    }
    for (side, pixels) in [("width", input.width), ("height", input.height)] {
        if pixels == 0 || pixels % INPUT_MULTIPLE != 0 || pixels > 4096 {
            return Some(format!(
                "input {side} {pixels} is no multiple of {INPUT_MULTIPLE} up to 4096"
            ));
        }
    }
    if let Some(norm) = input.norm.iter().find(|norm| !norm.is_normal()) {
        return Some(format!("input norm {norm} would make every pixel the same"));
    }
    if let Some(mean) = input.mean.iter().find(|mean| !mean.is_finite()) {
        return Some(format!("input mean {mean} is no number"));
    }
    if manifest.heads.is_empty() {
        return Some("it names no heads".to_owned());
    }
    let strides: Vec<u32> = manifest.heads.iter().map(ModelHead::stride).collect();
    if strides.contains(&0) || !strides.is_sorted_by(|a, b| a < b) {
        return Some(format!("strides {strides:?} do not rise from head to head"));
    }
    if !(1..=64).contains(&manifest.reg_max) {
        return Some(format!("reg_max {} is outside 1..=64", manifest.reg_max));
    }
    if manifest.cell_offset != 0.0 && manifest.cell_offset != 0.5 {
        return Some(format!("cell_offset {} is neither 0.0 nor 0.5", manifest.cell_offset));
    }
    let labels = manifest.labels.names();
    if labels.is_empty() {
        return Some("it names no labels".to_owned());
    }
    if u16::try_from(labels.len()).is_err() {
        return Some(format!("{} labels are too many", labels.len()));
    }
    if let Some(twice) = labels.iter().enumerate().find(|(i, label)| labels[..*i].contains(label)) {
        return Some(format!("label {:?} stands twice", twice.1));
    }
    for file in [&manifest.param, &manifest.bin] {
        let name = &file.file;
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
            return Some(format!("{name:?} is not the plain name of a file"));
        }
        let hash = &file.sha256;
        if hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Some(format!(
                "sha256 {hash:?} of {name} is not 64 lower case hexadecimal digits"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        BUILT_IN[0].to_owned()
    }

    #[test]
    fn every_built_in_manifest_is_read_and_has_a_name_of_its_own() {
        for text in BUILT_IN {
            parse(text, "built-in").unwrap();
        }
        let names: Vec<_> = built_in().into_iter().map(|manifest| manifest.name).collect();
        let expected =
            ["nanodet-m_320", "nanodet-m_416", "nanodet-plus-m_320", "nanodet-plus-m_416"];
        assert_eq!(names[..4], expected);
        assert_eq!(names[4..], [demo::NAME]);
    }

    #[test]
    fn a_manifest_goes_to_the_camera_process_and_back_unchanged() {
        for manifest in built_in() {
            let json = serde_json::to_string(&manifest).unwrap();
            assert_eq!(serde_json::from_str::<ModelManifest>(&json).unwrap(), manifest);
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_refused_with_its_line() {
        let error = parse("name = \"m\"\nthis is no TOML\n", "m.toml").unwrap_err().to_string();
        assert!(error.starts_with("m.toml is not a model manifest: line 2: "), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn an_unknown_or_missing_field_is_refused_by_name() {
        let error =
            parse(&text().replacen("reg_max", "regmax", 1), "m.toml").unwrap_err().to_string();
        assert!(error.contains("unknown field `regmax`"), "{error}");
        let error =
            parse(&text().replacen("reg_max = 7\n", "", 1), "m.toml").unwrap_err().to_string();
        assert!(error.contains("missing field `reg_max`"), "{error}");
    }

    #[test]
    fn a_manifest_that_contradicts_itself_is_refused_with_the_reason() {
        for (from, to, expected) in [
            ("width = 320", "width = 330", "input width 330 is no multiple of 32 up to 4096"),
            ("height = 320", "height = 0", "input height 0 is no multiple of 32"),
            ("reg_max = 7", "reg_max = 0", "reg_max 0 is outside 1..=64"),
            ("cell_offset = 0.5", "cell_offset = 0.3", "cell_offset 0.3 is neither 0.0 nor 0.5"),
            ("stride = 16", "stride = 8", "strides [8, 8, 32] do not rise from head to head"),
            ("0.017429, ", "0.0, ", "input norm 0 would make every pixel the same"),
            ("103.53, ", "nan, ", "input mean NaN is no number"),
            ("labels = \"coco80\"", "labels = []", "it names no labels"),
            ("labels = \"coco80\"", "labels = [\"a\", \"b\", \"a\"]", "label \"a\" stands twice"),
            (
                "file = \"nanodet_m.bin\"",
                "file = \"../m.bin\"",
                "\"../m.bin\" is not the plain name",
            ),
            ("sha256 = \"8", "sha256 = \"", "is not 64 lower case hexadecimal digits"),
            ("name = \"nanodet-m_320\"", "name = \"\"", "the name is empty"),
        ] {
            let changed = text().replacen(from, to, 1);
            assert_ne!(changed, text(), "{from}");
            let error = parse(&changed, "m.toml").unwrap_err().to_string();
            assert!(error.contains("does not hold together"), "{from}: {error}");
            assert!(error.contains(expected), "{from}: {error}");
        }
    }
}
