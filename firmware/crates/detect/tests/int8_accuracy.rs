//! What 8 bits may cost, on real pictures and judged by pycocotools. Needs `../shared` and the Python
//! environment that `make accuracy` sets up; says so by name where one is absent.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail a test too")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python with pycocotools.
fn python() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = set("EDGECAM_CACHE").or_else(|| Some(set("HOME")?.join(".cache/edgecam")));
    let python = set("EDGECAM_PYTHON").or_else(|| Some(cache?.join("venv/bin/python3")))?;
    let works = Command::new(&python).args(["-c", "import pycocotools"]).output();
    works.is_ok_and(|output| output.status.success()).then_some(python)
}

/// Judges `model` in 8 bits and in floating point, both in `precision`, on behalf of `test`.
fn within_1_map(test: &str, model: &str, precision: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let shared = root.join("../shared");
    let skip = |what: &str| drop(writeln!(std::io::stderr(), "skipped: {test}: {what}"));
    if !shared.join("coco-tiny").is_dir() || !shared.join("models").is_dir() {
        return skip("../shared/models or ../shared/coco-tiny is absent");
    }
    let Some(python) = python() else { return skip("pycocotools is absent; make accuracy") };
    let output = Command::new(env!("CARGO_BIN_EXE_edgecam-model"))
        .args(["accuracy", "--int8", "--model", model, "--precision", precision])
        .env("EDGECAM_PYTHON", python)
        .current_dir(root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("int8 mAP") && said.contains("against float"), "{output:?}");
    assert!(output.status.success(), "{said}");
    let _ = writeln!(std::io::stdout(), "{said}");
}

/// The one that 8 bits cost most.
#[test]
fn nanodet_m_in_8_bits_is_within_1_map_of_itself_in_floating_point() {
    let test = "nanodet_m_in_8_bits_is_within_1_map_of_itself_in_floating_point";
    within_1_map(test, "nanodet-m_320", "full");
}

/// What is not in 8 bits is in the format that the product takes on this processor.
#[test]
fn nanodet_plus_m_in_8_bits_is_within_1_map_of_itself_in_the_format_that_the_product_takes() {
    let test =
        "nanodet_plus_m_in_8_bits_is_within_1_map_of_itself_in_the_format_that_the_product_takes";
    within_1_map(test, "nanodet-plus-m_320", "auto");
}
