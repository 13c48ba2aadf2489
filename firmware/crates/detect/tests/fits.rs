//! A model whose files do not fit its manifest is refused with one sentence; one that fits sees what
//! its weights were made to see. The model is made here: it looks at single pixels and calls them
//! by their colour.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail a test too")]

use std::path::Path;
use std::time::Duration;

use api::manifest::ModelManifest;
use domain::{BBox, Colours, Frame, PixelFormat, Size};
use edgecam_detect::{Detector, DetectorOptions, Error, ModelFiles, Precision, locate, manifest};
use sha2::{Digest, Sha256};

/// A cell of 8×8 pixels asks the pixel in its corner; the convolutions have 3 classes and 4 × 2 bins.
const PARAM: &str = "7767517
8 9
Input       in      0 1 in
Split       copy    1 2 in in_0 in_1
Convolution classes 1 1 in_0 c 0=3 1=1 3=8 5=1 6=9
Reshape     c_rows  1 1 c c_planes 0=-1 1=3
Permute     c_turn  1 1 c_planes scores 0=1
Convolution sides   1 1 in_1 s 0=8 1=1 3=8 5=1 6=24
Reshape     s_rows  1 1 s s_planes 0=-1 1=8
Permute     s_turn  1 1 s_planes distances 0=1
";

const MANIFEST: &str = r#"
name = "colours_32"
title = "Colours"
family = "nanodet"
licence = "Apache-2.0"
source = "made here"
reg_max = 1
class_activation = "logits"
cell_offset = 0.5
labels = ["blue", "green", "red"]
heads = [{ stride = 8, scores = "scores", distances = "distances" }]
[param]
file = "colours.param"
url = "https://example.org/colours.param"
sha256 = "PARAM_HASH"
[bin]
file = "colours.bin"
url = "https://example.org/colours.bin"
sha256 = "BIN_HASH"
[input]
blob = "in"
width = 32
height = 32
fit = "stretch"
channels = "bgr"
mean = [0.0, 0.0, 0.0]
norm = [0.0039215686, 0.0039215686, 0.0039215686]
"#;

/// Class n is channel n: logit 20 · value - 10. Every side is one stride long.
fn weights() -> Vec<u8> {
    let classes = [[20.0, 0.0, 0.0], [0.0, 20.0, 0.0], [0.0, 0.0, 20.0]];
    let mut words: Vec<f32> = vec![0.0];
    words.extend(classes.as_flattened());
    words.extend([-10.0; 3]);
    words.push(0.0);
    words.extend([0.0; 24]);
    words.extend([-50.0, 50.0].repeat(4));
    words.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The manifest that fits `param` and `bin`, changed by `change`, and the files in `dir`.
fn model(
    dir: &Path,
    param: &str,
    bin: &[u8],
    change: impl Fn(String) -> String,
) -> (ModelManifest, ModelFiles) {
    std::fs::write(dir.join("colours.param"), param).unwrap();
    std::fs::write(dir.join("colours.bin"), bin).unwrap();
    let text =
        MANIFEST.replace("PARAM_HASH", &hash(param.as_bytes())).replace("BIN_HASH", &hash(bin));
    let manifest = manifest::parse(&change(text), "colours_32.toml").unwrap();
    let files = locate::locate(&manifest, &[dir.to_owned()]).unwrap();
    (manifest, files)
}

fn load(manifest: &ModelManifest, files: &ModelFiles) -> Result<Detector, Error> {
    let options = DetectorOptions { precision: Precision::Full, ..DetectorOptions::default() };
    Detector::load(manifest, files, options)
}

/// The whole chain of an error's causes, which must be one line.
fn sentence(result: Result<Detector, Error>) -> String {
    let text = base::error::chain(&result.unwrap_err());
    assert!(!text.contains('\n'), "{text}");
    text
}

/// What a changed manifest is refused with.
fn refusal(change: impl Fn(String) -> String) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), change);
    sentence(load(&manifest, &files))
}

fn frame(format: PixelFormat, size: Size, data: Vec<u8>) -> Frame {
    let zero = Duration::ZERO;
    let (seq, source_size, colours) = (0, size, Colours::default());
    Frame { seq, pts: zero, captured: zero, tapped: zero, size, source_size, format, colours, data }
}

/// A black picture of 32×32 with a red square of 8×8 at column 16, row 8.
fn red_square() -> Frame {
    let red = |at: usize| (16..24).contains(&(at % 32)) && (8..16).contains(&(at / 32));
    let pixels = (0..32 * 32).flat_map(|at| if red(at) { [255, 0, 0] } else { [0; 3] });
    frame(PixelFormat::Rgb, Size::new(32, 32), pixels.collect())
}

#[test]
fn a_model_that_fits_sees_the_right_colour_at_the_right_place() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), |text| text);
    let mut detector = load(&manifest, &files).unwrap();
    let found = detector.detect(&red_square()).unwrap().detections.clone();
    assert_eq!(found.len(), 1);
    assert_eq!(detector.labels().name(found[0].class), "red");
    assert!(found[0].score > 0.99);
    // The cell's middle is (20, 12), each side 8 pixels away.
    assert_eq!(found[0].bbox, BBox::new(12.0 / 32.0, 4.0 / 32.0, 0.5, 0.5));
}

#[test]
fn a_part_of_the_picture_is_looked_at_alone_and_its_boxes_lie_in_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), |text| text);
    let mut detector = load(&manifest, &files).unwrap();
    // 16×16 pixels from column 8, row 0 on, twice as large in the network: the red ones are its
    // lower right quarter, and the cell in the corner sees nothing but them.
    let part = BBox::new(0.25, 0.0, 0.5, 0.5);
    let found = &detector.detect_in(&red_square(), part).unwrap().detections;
    // The cell's middle is (28, 28) of 32, each side 8 pixels away, cut off at the part's edge.
    assert_eq!(found[0].bbox, BBox::new(0.5625, 0.3125, 0.1875, 0.1875));
    let black = BBox::new(0.0, 0.5, 1.0, 0.5);
    assert_eq!(detector.detect_in(&red_square(), black).unwrap().detections, []);
}

#[test]
fn every_precision_and_number_of_threads_sees_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), |text| text);
    for precision in [Precision::Full, Precision::Half, Precision::Bfloat] {
        for threads in [0, 1, 2] {
            let options = DetectorOptions { threads, precision };
            let mut detector = Detector::load(&manifest, &files, options).unwrap();
            let found = detector.detect(&red_square()).unwrap().detections.clone();
            assert_eq!(found.len(), 1, "{options:?}");
            let overlap = found[0].bbox.iou(BBox::new(12.0 / 32.0, 4.0 / 32.0, 0.5, 0.5));
            assert!(overlap > 0.98 && found[0].score > 0.99, "{options:?}: {found:?}");
        }
    }
}

#[test]
fn red_and_blue_in_the_wrong_order_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), |text| text);
    let mut detector = load(&manifest, &files).unwrap();
    let mut label = |frame: &Frame| {
        let found = detector.detect(frame).unwrap().detections.clone();
        detector.labels().name(found[0].class).to_owned()
    };
    let rgb = red_square();
    let mut bgr = rgb.clone();
    bgr.format = PixelFormat::Bgr;
    assert_eq!(label(&bgr), "blue");
    for pixel in bgr.data.chunks_exact_mut(3) {
        pixel.reverse();
    }
    assert_eq!(label(&bgr), "red");
    assert_eq!(label(&rgb), "red");
}

#[test]
fn a_frame_of_planes_is_seen_like_one_of_pixels() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), |text| text);
    let mut detector = load(&manifest, &files).unwrap();
    // All red, by BT.601: Y 81, U 90, V 240.
    let size = Size::new(32, 32);
    let i420 = [vec![81; 1024], vec![90; 256], vec![240; 256]].concat();
    let nv12 = [vec![81; 1024], [90, 240].repeat(256)].concat();
    for (format, data) in [(PixelFormat::I420, i420), (PixelFormat::Nv12, nv12)] {
        let found = detector.detect(&frame(format, size, data)).unwrap().detections.clone();
        assert!(!found.is_empty());
        assert!(found.iter().all(|d| detector.labels().name(d.class) == "red"), "{found:?}");
    }
}

#[test]
fn a_letterboxed_picture_gets_its_boxes_back_in_its_own_shares() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) =
        model(dir.path(), PARAM, &weights(), |text| text.replace("stretch", "letterbox"));
    let mut detector = load(&manifest, &files).unwrap();
    // 32×16, so 8 rows of padding above: the red square in rows 0..8 is in rows 8..16 of the input.
    let square = red_square();
    let data = square.data[8 * 32 * 3..24 * 32 * 3].to_vec();
    let found = detector.detect(&frame(PixelFormat::Rgb, Size::new(32, 16), data)).unwrap();
    let bbox = found.detections[0].bbox;
    assert_eq!(found.detections.len(), 1);
    // Rows 4..20 of the input are -4..12 of the picture, of which 0..12 are inside.
    assert_eq!(bbox, BBox::new(12.0 / 32.0, 0.0, 0.5, 12.0 / 16.0));
}

#[test]
fn parameters_that_do_not_fit_the_model_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), |text| text);
    let mut detector = load(&manifest, &files).unwrap();
    let mut params = domain::DetectionParams {
        score_threshold: 0.3,
        class_thresholds: Vec::new(),
        size_thresholds: Vec::new(),
        size_caps: Vec::new(),
        large_cap: None,
        class_filters: Vec::new(),
        top_k: 100,
        iou_threshold: 0.5,
        max_detections: 100,
        min_box_area_px: 0.0,
        labels: Some(vec!["redd".into()]),
    };
    let error = detector.set_params(&params).unwrap_err().to_string();
    assert_eq!(error, r#"labels: the model has no label "redd"; near ones: "red""#);
    assert_eq!(detector.detect(&red_square()).unwrap().detections.len(), 1);
    params.labels = Some(vec!["blue".into()]);
    detector.set_params(&params).unwrap();
    assert_eq!(detector.detect(&red_square()).unwrap().detections, []);
}

#[test]
fn a_file_with_another_hash_is_refused_with_both() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), |text| text);
    let mut changed = weights();
    changed[5] ^= 1;
    std::fs::write(&files.bin, &changed).unwrap();
    assert_eq!(
        sentence(load(&manifest, &files)),
        format!(
            "colours.bin does not fit the manifest of colours_32: expected SHA-256 {}, found {} (184 bytes)",
            hash(&weights()),
            hash(&changed)
        )
    );
    std::fs::write(&files.param, "").unwrap();
    let text = sentence(load(&manifest, &files));
    assert!(
        text.starts_with("colours.param does not fit the manifest of colours_32: expected SHA-256")
    );
}

#[test]
fn a_head_that_the_structure_lacks_is_refused_by_name() {
    assert_eq!(
        refusal(|text| text.replace(r#""distances""#, r#""795""#)),
        "colours.param does not fit the manifest of colours_32: expected a blob \"795\" for the head \
         of stride 8, found none, with the outputs [\"scores\", \"distances\"]"
    );
}

#[test]
fn an_input_that_the_structure_lacks_is_refused_by_name() {
    assert_eq!(
        refusal(|text| text.replace(r#"blob = "in""#, r#"blob = "data""#)),
        "colours.param does not fit the manifest of colours_32: expected one input \"data\", found \
         inputs [\"in\"]"
    );
}

#[test]
fn another_number_of_classes_is_refused_with_both_numbers() {
    assert_eq!(
        refusal(|text| text.replace(r#""green", "#, "")),
        "colours.param does not fit the manifest of colours_32: expected class scores of stride 8 in \
         blob \"scores\": 2 for each of 16 cells, found 3 for each of 16 cells"
    );
}

#[test]
fn another_number_of_bins_or_cells_is_refused_with_both_numbers() {
    assert_eq!(
        refusal(|text| text.replace("reg_max = 1", "reg_max = 7")),
        "colours.param does not fit the manifest of colours_32: expected distance bins of stride 8 in \
         blob \"distances\": 32 for each of 16 cells, found 8 for each of 16 cells"
    );
    let text = refusal(|text| text.replace("stride = 8", "stride = 16"));
    assert!(text.ends_with("3 for each of 4 cells, found 3 for each of 16 cells"), "{text}");
}

#[test]
fn a_head_of_the_other_kind_is_refused_with_both_shapes() {
    let text = refusal(|text| {
        text.replace(r#"scores = "scores", distances = "distances""#, r#"combined = "scores""#)
    });
    assert!(text.ends_with("11 for each of 4x4 cells, found 3 for each of 16 cells"), "{text}");
}

#[test]
fn a_missing_file_is_named_with_the_folders() {
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files) = model(dir.path(), PARAM, &weights(), |text| text);
    std::fs::remove_file(&files.bin).unwrap();
    let error = locate::locate(&manifest, &[dir.path().to_owned()]).unwrap_err().to_string();
    let folder = dir.path().display();
    assert_eq!(error, format!("model colours_32 needs colours.bin, which is in none of {folder}"));
    let text = sentence(load(&manifest, &files));
    assert!(text.starts_with(&format!("reading {folder}/colours.bin: ")), "{text}");
}

#[test]
fn files_that_are_damaged_but_hash_as_promised_are_refused_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let short = &weights()[..100];
    let (manifest, files) = model(dir.path(), PARAM, short, |text| text);
    assert_eq!(
        sentence(load(&manifest, &files)),
        "running the network of colours_32: the weights are too short for the structure: 100 bytes \
         are not enough"
    );
    let (manifest, files) = model(dir.path(), &PARAM[..200], &weights(), |text| text);
    let text = sentence(load(&manifest, &files));
    assert!(text.contains("expected a network's structure, found none (line "), "{text}");
}
